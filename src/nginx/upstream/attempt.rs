//! An attempt to connect: which server it is made to, and what of it has to be said or set before.
//!
//! A target may speak, or end its stream, before nginx has found its connection writable. nginx would take that for a
//! response; so each attempt posts an event of ours, which comes before any news of the new connection and has its reading
//! put off until the tunnel stands.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_event_get_peer_pt, ngx_event_t, ngx_http_request_t, ngx_http_upstream_srv_conf_t,
    ngx_http_upstream_state_t, ngx_http_upstream_t, ngx_int_t, ngx_peer_connection_t, ngx_str_t, ngx_uint_t,
};

use super::events::do_nothing_yet;
use super::introduction::{self, Introduction};
use super::retry::{self, Retry};
use super::{tenant_of, Connection, Request, Tenant, Upstream, UpstreamConf};
use crate::nginx::conf::UNSET_MSEC;
use crate::nginx::guard::guard;
use crate::nginx::peer::{self, Choice};
use crate::nginx::{rc, shim};

/// What a session's attempts to connect need.
pub(crate) struct Attempts {
    /// The balancer's own choice of a peer.
    pub(in crate::nginx) get: Cell<ngx_event_get_peer_pt>,
    /// How many peers may be refused before the balancer is not asked any more: as many as it has.
    pub(in crate::nginx) refusable: Cell<ngx_uint_t>,
    /// The group that the tenant has chosen, and the name that is checked with it.
    group: Cell<(*mut ngx_http_upstream_srv_conf_t, ngx_str_t)>,
    /// The answer for the first attempt, which is known before nginx begins.
    first: Cell<Option<ngx_int_t>>,
    /// The balancer's own memory of TLS sessions.
    #[cfg(ngx_feature = "http_ssl")]
    set_session: Cell<nginx_sys::ngx_event_set_peer_session_pt>,
    pub(super) introduction: Introduction,
    pub(crate) retry: Retry,
    /// Posted with each attempt.
    event: UnsafeCell<ngx_event_t>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            get: Cell::new(None),
            refusable: Cell::new(0),
            group: Cell::new((ptr::null_mut(), ngx_str_t::empty())),
            first: Cell::new(None),
            #[cfg(ngx_feature = "http_ssl")]
            set_session: Cell::new(None),
            introduction: Introduction::default(),
            retry: Retry::default(),
            // SAFETY: nginx itself makes its events all zero before it uses them.
            event: UnsafeCell::new(unsafe { std::mem::zeroed() }),
        }
    }
}

impl Attempts {
    /// Takes the event out of the loop's queue, as the request ends.
    pub(super) fn forget(&self) {
        // SAFETY: the event is ours, and in the queue if it says so.
        unsafe { shim::wsk_event_delete_posted(self.event.get()) };
    }
}

/// Chooses the first peer. nginx would answer 502 where there is none, also if it is because none is permitted.
pub(super) unsafe fn choose_first<T: Tenant>(
    request: Request,
    u: *mut ngx_http_upstream_t,
    tenant: &T,
) -> Result<(), u16> {
    let attempts = tenant.attempts();
    if !request.on_cleanup(give_back, u.cast()) {
        return Err(500);
    }
    // SAFETY: the upstream is the request's, and ready for a balancer.
    unsafe {
        begin_round(request, u, tenant).map_err(|()| 500_u16)?;
        attempts.group.set(((*u).upstream, shim::wsk_upstream_ssl_name(u)));
        let choice = without_state(u, || peer::choose(tenant, request, &raw mut (*u).peer));
        attempts.first.set(Some(match choice {
            Choice::Found => rc::OK,
            Choice::Refused => return Err(403),
            Choice::None(answer) => answer,
        }));
    }
    Ok(())
}

/// The request ends: a peer that was chosen is given back, where nginx had no memory to begin with it.
unsafe extern "C" fn give_back(u: *mut c_void) {
    // SAFETY: `choose_first` registered this with an upstream in the pool of the request that ends.
    unsafe {
        let u = u.cast::<ngx_http_upstream_t>();
        let peer = &raw mut (*u).peer;
        if let (false, Some(free)) = ((*peer).sockaddr.is_null(), (*peer).free) {
            without_state(u, || free(peer, (*peer).data, 0));
            (*peer).sockaddr = ptr::null_mut();
        }
    }
}

/// A balancer that is given a peer back may look at what the attempt came to (least_time does): to nothing.
unsafe fn without_state<R>(u: *mut ngx_http_upstream_t, call: impl FnOnce() -> R) -> R {
    // SAFETY: the caller passes an upstream of a living request, with no attempt made; all zero is a valid state.
    unsafe {
        let mut nothing: ngx_http_upstream_state_t = std::mem::zeroed();
        (nothing.response_time, nothing.connect_time, nothing.header_time) =
            (UNSET_MSEC, UNSET_MSEC, UNSET_MSEC);
        (*u).state = &mut nothing;
        let answer = call();
        (*u).state = ptr::null_mut();
        answer
    }
}

/// Has the tenant choose a balancer, and stands in for it.
unsafe fn begin_round<T: Tenant>(
    request: Request,
    u: *mut ngx_http_upstream_t,
    tenant: &T,
) -> Result<(), ()> {
    let attempts = tenant.attempts();
    // SAFETY: the upstream is the request's, and ready for a balancer.
    unsafe {
        let upstream = Upstream::new(NonNull::new_unchecked(u));
        guard(|| tenant.choose_peers(request, upstream)).unwrap_or(Err(()))?;
        attempts.get.set((*u).peer.get);
        attempts.refusable.set((*u).peer.tries);
        (*u).peer.get = Some(get_peer::<T>);
        retry::wrap(tenant, u);
        #[cfg(ngx_feature = "http_ssl")]
        attempts.set_session.set((*u).peer.set_session.replace(set_session::<T>));
    }
    Ok(())
}

/// Stands in for a group's `peer.init`: the module has chosen, for this request.
pub(in crate::nginx) unsafe extern "C" fn init_peers<T: Tenant>(
    request: *mut ngx_http_request_t,
    _group: *mut ngx_http_upstream_srv_conf_t,
) -> ngx_int_t {
    // SAFETY: nginx passes a living request, whose upstream `connect` has made.
    unsafe {
        let Some((tenant, upstream)) = tenant_of::<T>(Request::new(request)) else { return rc::ERROR };
        let (group, mut name) = tenant.attempts().group.get();
        (*upstream.as_ptr()).upstream = group;
        shim::wsk_upstream_set_ssl_name(upstream.as_ptr(), &mut name);
    }
    rc::OK
}

/// Stands in for the balancer's choice of a peer, which begins each attempt to connect.
unsafe extern "C" fn get_peer<T: Tenant>(peer: *mut ngx_peer_connection_t, _data: *mut c_void) -> ngx_int_t {
    // SAFETY: nginx passes the peer of an upstream that `connect` has made.
    unsafe {
        let u = upstream_of(peer);
        let Some(tenant) = (*u).input_filter_ctx.cast::<T>().as_ref() else { return rc::ERROR };
        let (attempts, request) = (tenant.attempts(), Request::new((*u).output.filter_ctx.cast()));
        let event = attempts.event.get();
        (*event).data = u.cast();
        (*event).handler = Some(after_attempt);
        (*event).log = (*peer).log;
        shim::wsk_event_post(event);
        introduction::begin(tenant, u);
        if attempts.retry.is_due() {
            return retry::begin_pause(tenant, peer, event).unwrap_or(rc::BUSY);
        }
        if attempts.retry.take_over() {
            if begin_round(request, u, tenant).is_err() {
                return rc::ERROR;
            }
            shim::wsk_upstream_limit_tries(u);
            retry::forget_rounds(tenant, u);
        } else if attempts.first.get().is_some() {
            retry::forget_rounds(tenant, u);
        }
        // nginx sets it on the socket before that connects, which is when it decides how much the target may send.
        (*peer).rcvbuf = UpstreamConf::of((*u).conf).socket_rcvbuf();
        let answer = attempts.first.take().unwrap_or_else(|| match peer::choose(tenant, request, peer) {
            Choice::Found => rc::OK,
            Choice::Refused => rc::BUSY,
            Choice::None(answer) => answer,
        });
        if answer == rc::BUSY {
            // All are taken for dead, or have as many sessions as they may.
            return retry::begin_pause(tenant, peer, event).unwrap_or(answer);
        }
        answer
    }
}

/// The upstream whose peer it is.
pub(super) unsafe fn upstream_of(peer: *mut ngx_peer_connection_t) -> *mut ngx_http_upstream_t {
    // SAFETY: the caller passes a peer that is part of an upstream.
    unsafe { peer.byte_sub(offset_of!(ngx_http_upstream_t, peer)).cast() }
}

/// Stands in for the balancer's memory of TLS sessions, which forgets from which location they are.
#[cfg(ngx_feature = "http_ssl")]
unsafe extern "C" fn set_session<T: Tenant>(
    peer: *mut ngx_peer_connection_t,
    data: *mut c_void,
) -> ngx_int_t {
    // SAFETY: nginx passes the peer of an upstream that `connect` has made, with a connection that begins TLS.
    unsafe {
        let u = upstream_of(peer);
        let Some(tenant) = (*u).input_filter_ctx.cast::<T>().as_ref() else { return rc::ERROR };
        match tenant.attempts().set_session.get().map_or(rc::OK, |set| set(peer, data)) {
            rc::OK => shim::wsk_ssl_drop_foreign_session((*peer).connection),
            other => other,
        }
    }
}

/// The attempt has been made, and the loop has not looked at the new connection yet: reading is put off.
unsafe extern "C" fn after_attempt(event: *mut ngx_event_t) {
    // SAFETY: `get_peer` made the upstream the event's data; the event leaves the queue before the upstream goes.
    unsafe {
        let u = (*event).data.cast::<ngx_http_upstream_t>();
        let sndbuf = UpstreamConf::of((*u).conf).socket_sndbuf();
        if let (1.., Some(connection)) = (sndbuf, NonNull::new((*u).peer.connection)) {
            Connection::new(connection).set_sndbuf(sndbuf);
        }
        if shim::wsk_upstream_is_header_sent(u) == 0 {
            (*u).read_event_handler = Some(do_nothing_yet);
        }
    }
}
