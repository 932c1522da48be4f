//! Answers of our own, and the bodies of requests.

use nginx_sys::{
    ngx_http_read_client_request_body, ngx_http_request_t, ngx_int_t, NGX_HTTP_INTERNAL_SERVER_ERROR,
    NGX_HTTP_SPECIAL_RESPONSE,
};

use super::guard::guard;
use super::request::Request;
use super::{rc, shim};

/// What takes a request with its body.
pub(crate) trait BodyHandler {
    /// What to finalize the request with.
    fn handle(request: Request) -> ngx_int_t;
}

impl Request {
    /// Answers with `body`. Returns what to finalize the request with.
    pub(crate) fn respond(self, status: u16, content_type: &'static str, body: Vec<u8>) -> ngx_int_t {
        let Some(body) = self.pool().keep(body) else { return NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t };
        self.respond_with(status, content_type, body)
    }

    /// As [`Request::respond`], with what outlives the request.
    pub(crate) fn respond_with(self, status: u16, content_type: &'static str, body: &[u8]) -> ngx_int_t {
        // SAFETY: the request is alive, and nginx only reads the body, which lives as long.
        unsafe {
            shim::wsk_request_respond(
                self.as_ptr(),
                status.into(),
                content_type.as_ptr().cast_mut(),
                content_type.len(),
                body.as_ptr().cast_mut(),
                body.len(),
            )
        }
    }

    /// Reads the body, and has `H` answer then. Returns what the content handler returns.
    pub(crate) fn read_body<H: BodyHandler>(self) -> ngx_int_t {
        // SAFETY: the request is alive.
        let answer = unsafe { ngx_http_read_client_request_body(self.as_ptr(), Some(on_body::<H>)) };
        if answer >= NGX_HTTP_SPECIAL_RESPONSE as ngx_int_t {
            answer
        } else {
            rc::DONE
        }
    }

    /// The body that was read, if it is in memory.
    pub(crate) fn body<'r>(self) -> Option<&'r [u8]> {
        let mut len = 0;
        // SAFETY: the request is alive; the copy that the function makes lives in its pool.
        unsafe {
            let bytes = shim::wsk_request_body(self.as_ptr(), &mut len);
            (!bytes.is_null()).then(|| std::slice::from_raw_parts(bytes, len))
        }
    }
}

unsafe extern "C" fn on_body<H: BodyHandler>(request: *mut ngx_http_request_t) {
    // SAFETY: nginx passes the living request.
    let request = unsafe { Request::new(request) };
    let answer = guard(|| H::handle(request)).unwrap_or(NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t);
    request.finalize(answer);
}
