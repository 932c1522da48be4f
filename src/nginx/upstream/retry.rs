//! A target that is still starting: after a round of attempts that all failed, a pause, and another round.
//!
//! nginx has no pause between attempts: it answers 502 when its balancer has no server left. So the balancer is kept from
//! saying so, and the next "server" is nobody: a connection that only waits. When its time is over it fails without a word,
//! as nginx sees it, and nginx goes on to the next server, the first of a new round.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::ptr;

use nginx_sys::{
    ngx_current_msec, ngx_event_free_peer_pt, ngx_event_t, ngx_get_connection, ngx_http_request_t,
    ngx_http_upstream_handler_pt, ngx_http_upstream_t, ngx_int_t, ngx_log_t, ngx_peer_connection_t,
    ngx_uint_t, NGX_PEER_FAILED,
};

use super::attempt::upstream_of;
use super::events::do_nothing_yet;
use super::Tenant;
use crate::nginx::{is_terminating, now, rc, shim};

/// The first pause and the longest, in milliseconds; each is twice as long as the one before.
const FIRST: u64 = 100;
const LONGEST: u64 = 2_000;

/// What a session's new attempts need.
#[derive(Default)]
pub(crate) struct Retry {
    /// Until when a round may be followed by another one; 0 for never.
    until: Cell<u64>,
    pause: Cell<u64>,
    state: Cell<State>,
    /// How many servers the request had tried before this upstream's.
    before: Cell<Option<usize>>,
    /// The balancer's own way of taking a peer back.
    free: Cell<ngx_event_free_peer_pt>,
    /// What nginx would do next with the connection that waits.
    next: Cell<ngx_http_upstream_handler_pt>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Trying,
    /// All servers have failed: a pause is due.
    Failed,
    /// It has begun, and when nginx asks next, it is over.
    Paused,
}

impl Retry {
    /// Has failing attempts repeated until this time.
    pub(crate) fn set_until(&self, until: u64) {
        self.until.set(until);
    }

    /// How long to wait before the next attempt; `None` if the time is over.
    pub(crate) fn next_pause(&self) -> Option<u64> {
        let left = self.until.get().checked_sub(now()).filter(|&left| left > 0 && !is_terminating())?;
        let pause = self.pause.get().max(FIRST);
        self.pause.set((pause * 2).min(LONGEST));
        Some(pause.min(left))
    }

    fn may_wait(&self) -> bool {
        self.until.get() > now() && !is_terminating()
    }

    pub(super) fn is_due(&self) -> bool {
        self.state.get() == State::Failed
    }

    /// Whether a pause is over, and a new round begins.
    pub(super) fn take_over(&self) -> bool {
        self.state.replace(State::Trying) == State::Paused
    }
}

/// Stands in for the balancer's way of taking a peer back, from its `peer.init` on.
///
/// # Safety
///
/// `u` must be an upstream that [`connect`](super::connect) has made for this type of tenant, and so below.
pub(super) unsafe fn wrap<T: Tenant>(tenant: &T, u: *mut ngx_http_upstream_t) {
    // SAFETY: by this function's promise.
    unsafe { tenant.attempts().retry.free.set((*u).peer.free.replace(free_peer::<T>)) };
}

unsafe extern "C" fn free_peer<T: Tenant>(
    peer: *mut ngx_peer_connection_t,
    data: *mut c_void,
    state: ngx_uint_t,
) {
    // SAFETY: nginx passes the peer of an upstream that `connect` has made.
    unsafe {
        let Some(tenant) = (*upstream_of(peer)).input_filter_ctx.cast::<T>().as_ref() else { return };
        let retry = &tenant.attempts().retry;
        if let Some(free) = retry.free.get() {
            free(peer, data, state);
        }
        // As nginx is about to give up. It goes on as long as there is a try left, and time.
        if state & NGX_PEER_FAILED as ngx_uint_t != 0 && (*peer).tries == 0 && retry.may_wait() {
            (*peer).tries = 1;
            (*peer).start_time = ngx_current_msec;
            retry.state.set(State::Failed);
        }
    }
}

/// The connection that waits has no log: its end is no failure of anybody.
struct Quiet(UnsafeCell<ngx_log_t>);

// SAFETY: a worker runs nginx's code on one thread.
unsafe impl Sync for Quiet {}

// SAFETY: all zero is a log that writes nothing.
static QUIET: Quiet = Quiet(UnsafeCell::new(unsafe { std::mem::zeroed() }));

/// Gives nginx a connection that waits, in place of a server. `None` where there is no time left.
///
/// # Safety
///
/// As for [`wrap`], and nginx must be asking for a peer.
pub(super) unsafe fn begin_pause<T: Tenant>(
    tenant: &T,
    peer: *mut ngx_peer_connection_t,
    event: *mut ngx_event_t,
) -> Option<ngx_int_t> {
    let retry = &tenant.attempts().retry;
    if !retry.may_wait() {
        return None;
    }
    // SAFETY: by this function's promise. Closing the connection closes its descriptor, which is nobody's socket.
    unsafe {
        let descriptor = shim::wsk_doorbell_open();
        if descriptor < 0 {
            return Some(rc::ERROR);
        }
        let connection = ngx_get_connection(descriptor, (*peer).log);
        if connection.is_null() {
            shim::wsk_doorbell_close(descriptor);
            return Some(rc::ERROR);
        }
        (*peer).connection = connection;
        (*peer).sockaddr = ptr::null_mut();
        (*peer).tries = (*peer).tries.max(1);
        (*event).handler = Some(pause::<T>);
        retry.state.set(State::Paused);
    }
    Some(rc::AGAIN)
}

/// nginx has made the connection its own, and set a timer of its own.
unsafe extern "C" fn pause<T: Tenant>(event: *mut ngx_event_t) {
    // SAFETY: `get_peer` made the upstream the event's data; the event leaves the queue before the upstream goes.
    unsafe {
        let u = (*event).data.cast::<ngx_http_upstream_t>();
        let (Some(tenant), Some(connection)) =
            ((*u).input_filter_ctx.cast::<T>().as_ref(), (*u).peer.connection.as_mut())
        else {
            return;
        };
        let retry = &tenant.attempts().retry;
        connection.log = QUIET.0.get();
        retry.next.set((*u).write_event_handler.replace(on_pause_over::<T>));
        (*u).read_event_handler = Some(do_nothing_yet);
        shim::wsk_event_delete_timer(connection.write);
        let pause = retry.next_pause().unwrap_or(0);
        shim::wsk_event_set_timer(connection.write, usize::try_from(pause).unwrap_or(0));
    }
}

unsafe extern "C" fn on_pause_over<T: Tenant>(r: *mut ngx_http_request_t, u: *mut ngx_http_upstream_t) {
    // SAFETY: nginx passes the living request and its upstream, whose connection is the one that waits.
    unsafe {
        let Some(tenant) = (*u).input_filter_ctx.cast::<T>().as_ref() else { return };
        if shim::wsk_event_take_timedout((*(*u).peer.connection).write) == 0 {
            return;
        }
        (*u).peer.start_time = ngx_current_msec;
        // nginx asks the descriptor whether it is connected, and what is no socket is not.
        if let Some(next) = tenant.attempts().retry.next.get() {
            (*u).write_event_handler = Some(next);
            next(r, u);
        }
    }
}

/// Forgets, for `$upstream_addr` and the like, the rounds that are over.
///
/// # Safety
///
/// As for [`begin_pause`].
pub(super) unsafe fn forget_rounds<T: Tenant>(tenant: &T, u: *mut ngx_http_upstream_t) {
    // SAFETY: by this function's promise.
    unsafe {
        let r = (*u).output.filter_ctx.cast::<ngx_http_request_t>();
        let before = &tenant.attempts().retry.before;
        match before.get() {
            None => before.set(Some(shim::wsk_request_count_states(r).saturating_sub(1))),
            Some(before) => shim::wsk_request_forget_states(r, u, before),
        }
    }
}
