//! The choice of a peer that may be connected to.

use std::ffi::CStr;
use std::net::SocketAddr;
use std::{ptr, slice};

use nginx_sys::{ngx_int_t, ngx_peer_connection_t, ngx_resolver_addr_t, sockaddr, sockaddr_un, AF_UNIX};
use websockify_policy::Peer;

use super::guard::guard;
use super::request::Request;
use super::upstream::Tenant;
use super::{address, rc, shim};

/// What came of asking a balancer for a peer.
pub(super) enum Choice {
    /// One that may be connected to.
    Found,
    /// There are only such that may not.
    Refused,
    /// The balancer has none, or something failed: nginx's code for it.
    None(ngx_int_t),
}

/// Has the balancer choose until it chooses one that the tenant lets pass. A refused one is given back, through no
/// fault of its own, and counts as tried.
///
/// # Safety
///
/// `peer` must be the request's upstream's, with the balancer's data in place.
pub(super) unsafe fn choose<T: Tenant>(
    tenant: &T,
    request: Request,
    peer: *mut ngx_peer_connection_t,
) -> Choice {
    let attempts = tenant.attempts();
    let Some(get) = attempts.get.get() else { return Choice::None(rc::ERROR) };
    let mut refused = false;
    loop {
        // SAFETY: the balancer is called as nginx does it, once after each give-back.
        unsafe {
            match get(peer, (*peer).data) {
                rc::OK => {}
                rc::DONE => shim::wsk_peer_drop_cached(peer),
                _ if refused => return Choice::Refused,
                other => return Choice::None(other),
            }
            match guard(|| may_connect(tenant, request, &*peer)) {
                Some(true) => return Choice::Found,
                Some(false) => {}
                None => return Choice::None(rc::ERROR),
            }
            if let Some(free) = (*peer).free {
                free(peer, (*peer).data, 0);
            }
            (*peer).sockaddr = ptr::null_mut();
        }
        refused = true;
        // A balancer with one server, or with its own ideas, would offer the same for ever.
        let left = attempts.refusable.get().saturating_sub(1);
        attempts.refusable.set(left);
        if left == 0 {
            return Choice::Refused;
        }
    }
}

fn may_connect<T: Tenant>(tenant: &T, request: Request, peer: &ngx_peer_connection_t) -> bool {
    // SAFETY: a chosen peer has an address, which lives as long as the request at least.
    let address = unsafe { read(peer.sockaddr) };
    address.is_some_and(|address| tenant.may_connect(request, address))
}

/// Puts those of `addresses` in front that `may` lets pass with this `port`; how many they are.
///
/// # Safety
///
/// The addresses must be valid.
pub(super) unsafe fn retain(
    addresses: &mut [ngx_resolver_addr_t],
    port: u16,
    may: impl Fn(Peer<'_>) -> bool,
) -> usize {
    let mut kept = 0;
    for at in 0..addresses.len() {
        // SAFETY: by this function's promise.
        let address = unsafe { address::read(addresses[at].sockaddr) };
        if address.is_some_and(|address| may(Peer::Ip(SocketAddr::new(address.ip(), port)))) {
            addresses.swap(kept, at);
            kept += 1;
        }
    }
    kept
}

/// An address as rules know it; `None` for a family that nginx connects to nobody of.
unsafe fn read<'a>(address: *const sockaddr) -> Option<Peer<'a>> {
    // SAFETY: the caller passes an address of nginx's, whose family says what it is.
    unsafe {
        match u32::from((*address).sa_family) {
            AF_UNIX => {
                let path = &(*address.cast::<sockaddr_un>()).sun_path;
                let path = slice::from_raw_parts(path.as_ptr().cast::<u8>(), path.len());
                Some(Peer::Unix(CStr::from_bytes_until_nul(path).map_or(path, CStr::to_bytes)))
            }
            _ => address::read(address).map(Peer::Ip),
        }
    }
}
