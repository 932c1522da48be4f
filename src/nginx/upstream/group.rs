//! Who may be connected to: a group of servers of the configuration's, or addresses found while a request runs.

use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_http_upstream_create_round_robin_peer, ngx_http_upstream_resolved_t, ngx_http_upstream_srv_conf_t,
    ngx_str_t, ngx_uint_t, NGX_HTTP_UPSTREAM_CREATE,
};
use websockify_policy::Peer;

use super::{Request, Upstream};
use crate::nginx::{peer, rc, shim};

/// A group of servers: an `upstream` block, or what nginx makes of a name and a port in the configuration.
#[derive(Clone, Copy)]
pub(crate) struct Group(NonNull<ngx_http_upstream_srv_conf_t>);

impl Group {
    /// # Safety
    ///
    /// `group` must belong to the configuration of the cycle.
    pub(crate) unsafe fn new(group: NonNull<ngx_http_upstream_srv_conf_t>) -> Self {
        Self(group)
    }

    /// Whether it is an `upstream` block: others are made of any address in the configuration, for its own location.
    pub(crate) fn is_block(self) -> bool {
        // SAFETY: a group of the configuration outlives its requests.
        unsafe { (*self.0.as_ptr()).flags & NGX_HTTP_UPSTREAM_CREATE as ngx_uint_t != 0 }
    }
}

/// Addresses found while a request runs.
#[derive(Clone, Copy)]
pub(crate) struct Resolved(NonNull<ngx_http_upstream_resolved_t>);

impl Resolved {
    /// # Safety
    ///
    /// `resolved` and what it points to must live in the request's pool, and hold at least one address.
    pub(crate) unsafe fn new(resolved: NonNull<ngx_http_upstream_resolved_t>) -> Self {
        Self(resolved)
    }

    /// Leaves of a name's addresses those that `may` lets pass. Whether any are left.
    pub(crate) fn retain(self, may: impl Fn(Peer<'_>) -> bool) -> bool {
        // SAFETY: the addresses are the request's own, by the promise of `new`.
        unsafe {
            let it = &mut *self.0.as_ptr();
            if it.addrs.is_null() {
                // The one of a literal is judged when it is chosen.
                return true;
            }
            it.naddrs = peer::retain(std::slice::from_raw_parts_mut(it.addrs, it.naddrs), it.port, may);
            it.naddrs > 0
        }
    }
}

impl Upstream {
    /// Connects to a server of `group`.
    pub(crate) fn use_group(self, request: Request, group: Group) -> Result<(), ()> {
        // SAFETY: a group of the configuration outlives its requests, and was initialized with it.
        unsafe {
            let group = group.0.as_ptr();
            (*self.as_ptr()).upstream = group;
            shim::wsk_upstream_set_ssl_name(self.as_ptr(), &mut tls_name((*group).host));
            match (*group).peer.init {
                Some(init) if init(request.as_ptr(), group) == rc::OK => Ok(()),
                _ => Err(()),
            }
        }
    }

    /// Connects to one of the addresses in `resolved`, in turn.
    pub(crate) fn use_addresses(self, request: Request, resolved: Resolved) -> Result<(), ()> {
        // SAFETY: `resolved` was made for this request, in its pool.
        unsafe {
            let resolved = resolved.0.as_ptr();
            (*self.as_ptr()).upstream = ptr::null_mut();
            shim::wsk_upstream_set_ssl_name(self.as_ptr(), &mut tls_name((*resolved).host));
            match ngx_http_upstream_create_round_robin_peer(request.as_ptr(), resolved) {
                rc::OK => Ok(()),
                _ => Err(()),
            }
        }
    }
}

/// The name that a target's certificate has to have, if nothing else is said. The path of a unix socket is none.
fn tls_name(host: ngx_str_t) -> ngx_str_t {
    const LOCALHOST: &str = "localhost";
    if host.as_bytes().starts_with(b"/") {
        return ngx_str_t { len: LOCALHOST.len(), data: LOCALHOST.as_ptr().cast_mut() };
    }
    host
}
