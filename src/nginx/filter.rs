//! Responses of errors, taken in hand before they leave.
//!
//! A filter of headers that comes before those of nginx sees each response whose status is an error, and may put an
//! accepted handshake and a last frame in its place. A filter of bodies drops what was to be the response's.

use std::cell::Cell;
use std::ptr;

use nginx_sys::{
    ngx_chain_t, ngx_conf_t, ngx_http_output_body_filter_pt, ngx_http_output_header_filter_pt,
    ngx_http_request_t, ngx_http_top_body_filter, ngx_http_top_header_filter, ngx_int_t,
};

use super::guard::guard;
use super::request::Request;
use super::{rc, shim};

/// What may take the place of an error.
pub(crate) trait ErrorFilter {
    /// A response with this status, 400 or more, is about to leave. With an answer, the headers added to the response by
    /// then are those of a 101, which that frame follows.
    fn turn(request: Request, status: u16) -> Option<Vec<u8>>;

    /// Whether this request's response has been turned before.
    fn is_turned(request: Request) -> bool;
}

/// The filters that come after ours.
struct Next {
    header: Cell<ngx_http_output_header_filter_pt>,
    body: Cell<ngx_http_output_body_filter_pt>,
}

// SAFETY: nginx reads configurations and runs modules' code on one thread.
unsafe impl Sync for Next {}

static NEXT: Next = Next { header: Cell::new(None), body: Cell::new(None) };

/// Puts the filter in front of those that there are.
///
/// # Safety
///
/// To be called once for each configuration, when nginx has read it (`postconfiguration`).
pub(crate) unsafe fn install<F: ErrorFilter>(_conf: *mut ngx_conf_t) {
    // SAFETY: plain pointers, which nginx sets anew for each configuration.
    unsafe {
        NEXT.header.set(ngx_http_top_header_filter);
        NEXT.body.set(ngx_http_top_body_filter);
        ngx_http_top_header_filter = Some(filter_header::<F>);
        ngx_http_top_body_filter = Some(filter_body::<F>);
    }
}

unsafe extern "C" fn filter_header<F: ErrorFilter>(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx passes a living request, and the next filter was there before ours.
    unsafe {
        let Some(next) = NEXT.header.get() else { return rc::ERROR };
        let status = u16::try_from((*r).headers_out.status).unwrap_or(0);
        // Most responses go by here; a handshake's has this header.
        if status < 400 || (*r).main != r || (*r).headers_in.upgrade.is_null() {
            return next(r);
        }
        let turned = guard(|| {
            let request = Request::new(r);
            let frame = F::turn(request, status)?;
            request.pool().keep(frame)
        });
        let Some(Some(frame)) = turned else { return next(r) };
        shim::wsk_request_turn(r, status.into());
        let sent = next(r);
        if sent == rc::ERROR || sent > rc::OK {
            return sent;
        }
        // Whoever wanted to send a body has nothing to send any more.
        shim::wsk_request_set_header_only(r);
        let out = shim::wsk_request_last_chain(r, frame.as_ptr().cast_mut(), frame.len());
        match NEXT.body.get() {
            Some(next) if !out.is_null() => next(r, out),
            _ => rc::ERROR,
        }
    }
}

unsafe extern "C" fn filter_body<F: ErrorFilter>(
    r: *mut ngx_http_request_t,
    input: *mut ngx_chain_t,
) -> ngx_int_t {
    // SAFETY: nginx passes a living request, and the next filter was there before ours.
    unsafe {
        let Some(next) = NEXT.body.get() else { return rc::ERROR };
        if input.is_null() || (*r).main != r || (*r).headers_in.upgrade.is_null() {
            return next(r, input);
        }
        if guard(|| F::is_turned(Request::new(r))) == Some(true) {
            shim::wsk_chain_drop(input);
            // What has not left of the frame may now.
            return next(r, ptr::null_mut());
        }
        next(r, input)
    }
}
