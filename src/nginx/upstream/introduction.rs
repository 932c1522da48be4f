//! What a target is told in front of everything, TLS included: who the client is, by the PROXY protocol.
//!
//! nginx begins TLS by itself as soon as a target is connected. Where there is a header to be sent before, the attempt
//! begins as one without TLS: so nginx calls the output filter first, and is told of TLS when the header has gone.

use std::cell::Cell;

use nginx_sys::{
    ngx_http_request_t, ngx_http_upstream_handler_pt, ngx_http_upstream_t, ngx_int_t, ngx_msec_t,
};
use websockify_protocol::proxy_header::ProxyHeader;
use websockify_tunnel::Io;

use super::{Tenant, Upstream, UpstreamConf};
use crate::nginx::request::Request;
use crate::nginx::{rc, shim};

/// How far it has got.
#[derive(Default)]
pub(crate) struct Introduction {
    /// How many bytes of the header this attempt has sent.
    told: Cell<usize>,
    /// What nginx would do next with the connection.
    next: Cell<ngx_http_upstream_handler_pt>,
}

/// Begins an attempt to connect.
///
/// # Safety
///
/// `u` must be an upstream that [`connect`](super::connect) has made for this type of tenant, and so below.
pub(super) unsafe fn begin<T: Tenant>(tenant: &T, u: *mut ngx_http_upstream_t) {
    // SAFETY: by this function's promise.
    unsafe {
        let conf = UpstreamConf::of((*u).conf);
        tenant.attempts().introduction.told.set(0);
        shim::wsk_upstream_set_ssl(u, (conf.is_tls() && conf.proxy_protocol().is_none()).into());
    }
}

/// Tells a connected target what it is to be told first. `NGX_OK` when that is done; else what the output filter has to
/// answer: `NGX_AGAIN` to be called again, `NGX_ERROR` where the next server is to be tried.
///
/// # Safety
///
/// As for [`begin`], and the upstream must be connected.
pub(super) unsafe fn introduce<T: Tenant>(request: Request, tenant: &T, upstream: Upstream) -> ngx_int_t {
    let u = upstream.as_ptr();
    // SAFETY: by this function's promise.
    let conf = unsafe { UpstreamConf::of((*u).conf) };
    let (Some(version), Some(connection)) = (conf.proxy_protocol(), upstream.connection()) else {
        return rc::OK;
    };
    if connection.is_tls() {
        return rc::OK;
    }
    let told = &tenant.attempts().introduction.told;
    let header = ProxyHeader::new(version, request.client_address(), request.server_address());
    while let rest @ [_, ..] = &header.as_bytes()[told.get()..] {
        match connection.send(rest) {
            Io::Done(len) => told.set(told.get() + len),
            Io::Again => return rc::AGAIN,
            Io::Eof | Io::Error => return rc::ERROR,
        }
    }
    if !conf.is_tls() {
        return rc::OK;
    }
    // The handshake's first packet is not to wait until the header has been acknowledged.
    if !connection.set_nodelay() {
        return rc::ERROR;
    }
    // SAFETY: by this function's promise.
    unsafe {
        tenant.attempts().introduction.next.set((*u).write_event_handler.replace(begin_tls::<T>));
        shim::wsk_event_post((*connection.as_ptr()).write);
    }
    rc::AGAIN
}

/// The header has gone: nginx is to go on as with any target that it speaks TLS to.
unsafe extern "C" fn begin_tls<T: Tenant>(request: *mut ngx_http_request_t, u: *mut ngx_http_upstream_t) {
    // SAFETY: nginx passes the living request and its upstream, which is connected.
    unsafe {
        let Some(tenant) = (*u).input_filter_ctx.cast::<T>().as_ref() else { return };
        let next = tenant.attempts().introduction.next.get();
        (*u).write_event_handler = next;
        shim::wsk_upstream_set_ssl(u, 1);
        // It had its time for the header; the handshake's is another, and counts as connecting.
        shim::wsk_event_delete_timer((*(*u).peer.connection).write);
        if let Some(state) = (*u).state.as_mut() {
            state.connect_time = ngx_msec_t::MAX;
        }
        if let Some(next) = next {
            next(request, u);
        }
    }
}
