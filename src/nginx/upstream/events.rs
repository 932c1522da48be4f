//! What nginx calls once a target is connected: from here on the connection's events are the tenant's.

use std::ffi::c_void;

use nginx_sys::{ngx_chain_t, ngx_http_request_t, ngx_http_upstream_t, ngx_int_t};
use websockify_tunnel::Side;

use super::{finish, introduction, tenant_of, Request, Tenant, Upstream};
use crate::nginx::guard::guard;
use crate::nginx::request::run_posted_requests;
use crate::nginx::{rc, shim};

/// The target is connected.
pub(super) unsafe extern "C" fn output_filter<T: Tenant>(
    request: *mut c_void,
    _out: *mut ngx_chain_t,
) -> ngx_int_t {
    // SAFETY: `connect` made the request the filter's context; nginx calls the filter with a connected upstream.
    unsafe {
        let u = (*request.cast::<ngx_http_request_t>()).upstream;
        let request = Request::new(request.cast());
        let introduced = guard(|| {
            let (tenant, upstream) = tenant_of::<T>(request)?;
            Some(introduction::introduce(request, tenant, upstream))
        });
        match introduced.flatten() {
            Some(rc::OK) => {}
            Some(answer) => return answer,
            None => return rc::ERROR,
        }
        shim::wsk_upstream_set_header_sent(u);
        (*u).read_event_handler = Some(do_nothing_yet);
        (*u).write_event_handler = Some(on_connected::<T>);
        shim::wsk_event_post((*(*u).peer.connection).write);
    }
    rc::OK
}

pub(super) unsafe extern "C" fn do_nothing_yet(
    _request: *mut ngx_http_request_t,
    _upstream: *mut ngx_http_upstream_t,
) {
}

unsafe extern "C" fn on_connected<T: Tenant>(
    request: *mut ngx_http_request_t,
    upstream: *mut ngx_http_upstream_t,
) {
    // SAFETY: nginx passes the living request and its upstream.
    unsafe {
        (*upstream).read_event_handler = Some(on_target_event::<T>);
        (*upstream).write_event_handler = Some(on_target_room::<T>);
        (*request).read_event_handler = Some(on_client_event::<T>);
        (*request).write_event_handler = Some(on_client_room::<T>);
        shim::wsk_connection_drop_pool((*upstream).peer.connection);
    }
    call_tenant::<T>(request, T::on_connected);
}

unsafe extern "C" fn on_target_event<T: Tenant>(
    request: *mut ngx_http_request_t,
    _upstream: *mut ngx_http_upstream_t,
) {
    call_tenant::<T>(request, T::on_event);
}

unsafe extern "C" fn on_target_room<T: Tenant>(
    request: *mut ngx_http_request_t,
    _upstream: *mut ngx_http_upstream_t,
) {
    call_tenant::<T>(request, |tenant, request, upstream| tenant.on_room(request, upstream, Side::Target));
}

unsafe extern "C" fn on_client_event<T: Tenant>(request: *mut ngx_http_request_t) {
    call_tenant::<T>(request, T::on_event);
}

unsafe extern "C" fn on_client_room<T: Tenant>(request: *mut ngx_http_request_t) {
    call_tenant::<T>(request, |tenant, request, upstream| tenant.on_room(request, upstream, Side::Client));
}

/// Calls a method that may end the request; a panic in it ends the request, and nothing but the request.
pub(in crate::nginx) fn call_tenant<T: Tenant>(
    request: *mut ngx_http_request_t,
    method: impl FnOnce(&T, Request, Upstream),
) {
    // SAFETY: nginx passes a living request to the callbacks that call this.
    let request = unsafe { Request::new(request) };
    // SAFETY: as above.
    let Some((tenant, upstream)) = (unsafe { tenant_of::<T>(request) }) else { return };
    if guard(|| method(tenant, request, upstream)).is_none()
        && guard(|| tenant.on_panic(request, upstream)).is_none()
    {
        finish(request, rc::ERROR);
    }
}

/// Calls a method of a tenant out of turn: not in an event of its request's, which it may end.
pub(crate) fn visit<T: Tenant>(request: Request, method: impl FnOnce(&T, Request, Upstream)) {
    let client = request.connection();
    request.set_log_request();
    call_tenant::<T>(request.as_ptr(), method);
    run_posted_requests(client);
}

pub(super) unsafe extern "C" fn finalize_request<T: Tenant>(
    request: *mut ngx_http_request_t,
    status: ngx_int_t,
) {
    guard(|| {
        // SAFETY: nginx passes the living request, which may have lost its module contexts, not its upstream.
        let request = unsafe { Request::new(request) };
        // SAFETY: as above.
        if let Some((tenant, upstream)) = unsafe { tenant_of::<T>(request) } {
            tenant.attempts().forget();
            tenant.on_release(request, upstream, status);
        }
    });
}
