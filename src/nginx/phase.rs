//! A look at each request when its location is known.

use std::mem::size_of;

use nginx_sys::{
    ngx_array_push, ngx_conf_t, ngx_http_conf_ctx_t, ngx_http_core_main_conf_t, ngx_http_core_module,
    ngx_http_handler_pt, ngx_http_phases_NGX_HTTP_REWRITE_PHASE, ngx_http_request_t, ngx_int_t,
};

use super::guard::guard;
use super::rc;
use super::request::Request;

/// What looks at requests.
pub(crate) trait Look {
    /// The request's location is known, also after an internal redirect, and nothing was refused yet.
    fn look(request: Request);
}

/// Has `L` look at each request.
///
/// # Safety
///
/// `cf` must be what nginx passes to `postconfiguration`.
pub(crate) unsafe fn look_at_requests<L: Look>(cf: *mut ngx_conf_t) -> bool {
    // SAFETY: at http level the context is one of HTTP; the core module's structure is of this type, and its phases are
    // arrays of handlers.
    unsafe {
        let context = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
        let index = (*std::ptr::addr_of!(ngx_http_core_module)).ctx_index;
        let core = (*(*context).main_conf.add(index)).cast::<ngx_http_core_main_conf_t>();
        let handlers = &raw mut (*core).phases[ngx_http_phases_NGX_HTTP_REWRITE_PHASE as usize].handlers;
        debug_assert!((*handlers).size == size_of::<ngx_http_handler_pt>());
        let handler = ngx_array_push(handlers).cast::<ngx_http_handler_pt>();
        if handler.is_null() {
            return false;
        }
        // nginx runs the handlers of a phase from the last to the first: this is before `return` and the like.
        handler.write(Some(on_request::<L>));
    }
    true
}

unsafe extern "C" fn on_request<L: Look>(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx passes a living request.
    guard(|| L::look(unsafe { Request::new(r) }));
    rc::DECLINED
}
