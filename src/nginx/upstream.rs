//! nginx's upstream machinery as far as a connected target; from there on the connection is the tenant's.
//!
//! nginx chooses a server, connects, tries the next one and does TLS. Its first attempt to send a request calls our
//! output filter: the target is connected. The filter takes over the event handlers and has the write event posted,
//! since nginx still uses the upstream when the filter returns.

mod attempt;
mod events;
mod group;
mod introduction;
mod retry;

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_buf_tag_t, ngx_current_msec, ngx_http_request_t, ngx_http_upstream_create, ngx_http_upstream_init,
    ngx_http_upstream_t, ngx_int_t, ngx_str_t, ngx_uint_t,
};
use websockify_policy::Peer;
use websockify_tunnel::Side;

use super::conf::UpstreamConf;
use super::connection::Connection;
use super::quit::Watched;
use super::request::Request;
use super::timer::Timer;
use super::{linger, rc, shim};
pub(super) use attempt::init_peers;
pub(crate) use attempt::Attempts;
pub(super) use events::call_tenant;
pub(crate) use events::visit;
pub(crate) use group::{Group, Resolved};

/// What lives in an upstream from the choice of a server to the end. Its methods may end the request where they say
/// so, which must be the last thing they do.
pub(crate) trait Tenant: Sized + 'static {
    /// Says who may be connected to, by one of [`Upstream`]'s `use_` methods.
    fn choose_peers(&self, request: Request, upstream: Upstream) -> Result<(), ()>;

    /// Whether `peer` may be connected to; asked before each attempt.
    fn may_connect(&self, request: Request, peer: Peer<'_>) -> bool;

    /// The target is connected; called from the event loop. May end the request.
    fn on_connected(&self, request: Request, upstream: Upstream);

    /// Where this module keeps what an attempt to connect needs.
    fn attempts(&self) -> &Attempts;

    /// Where this module keeps what [`quit::watch`](super::quit::watch) has replaced.
    fn watched(&self) -> &Watched;

    /// One of the two connections has news, or the timer has fired. May end the request.
    fn on_event(&self, request: Request, upstream: Upstream);

    /// This side has room, or [`Upstream::post_next`] has come to its turn. May end the request.
    fn on_room(&self, request: Request, upstream: Upstream, side: Side);

    /// The worker is told to go when its sessions have ended; called only where [`quit::watch`](super::quit::watch)
    /// was. May end the request.
    fn on_quit(&self, request: Request, upstream: Upstream);

    /// The request ends, and the connection with it: the last time to use it. `status` is nginx's, for a target that was
    /// not connected.
    fn on_release(&self, request: Request, upstream: Upstream, status: ngx_int_t);

    /// A method of the tenant's has panicked. Should end the request.
    fn on_panic(&self, request: Request, upstream: Upstream);
}

/// A request's upstream.
#[derive(Clone, Copy)]
pub(crate) struct Upstream(NonNull<ngx_http_upstream_t>);

impl Upstream {
    /// # Safety
    ///
    /// `upstream` must be a living request's.
    pub(crate) unsafe fn new(upstream: NonNull<ngx_http_upstream_t>) -> Self {
        Self(upstream)
    }

    fn as_ptr(self) -> *mut ngx_http_upstream_t {
        self.0.as_ptr()
    }

    /// The target's connection, while there is one.
    pub(crate) fn connection(self) -> Option<Connection> {
        // SAFETY: the upstream is alive, and nginx clears the pointer when it closes the connection.
        unsafe {
            NonNull::new((*self.as_ptr()).peer.connection).map(|connection| Connection::new(connection))
        }
    }

    /// The session's timer, in an event that nginx does not use any more once the target is connected.
    pub(crate) fn timer(self) -> Option<Timer> {
        // SAFETY: the event lives as long as the connection. Its handler comes to `on_event`.
        self.connection().and_then(|c| unsafe { NonNull::new((*c.as_ptr()).read).map(|ev| Timer::new(ev)) })
    }

    /// Has `on_room` called for the target after all other connections had their turn.
    pub(crate) fn post_next(self) {
        if let Some(connection) = self.connection() {
            // SAFETY: an open connection has a write event; closing it takes the event out of the queue.
            unsafe { shim::wsk_event_post_next((*connection.as_ptr()).write) };
        }
    }

    /// Whether `on_room` will be called for [`Upstream::post_next`], or because nginx has kept news of the target back.
    pub(crate) fn is_posted(self) -> bool {
        // SAFETY: an open connection has a write event.
        self.connection().is_some_and(|c| unsafe { shim::wsk_event_is_posted((*c.as_ptr()).write) != 0 })
    }

    /// Keeps nginx from answering an upstream that fails: the client has been told.
    pub(crate) fn note_told(self) {
        // SAFETY: the upstream is alive.
        unsafe { shim::wsk_upstream_set_header_sent(self.as_ptr()) };
    }

    /// Counts bytes from the target, for `$upstream_bytes_received`.
    pub(crate) fn count_received(self, len: usize) {
        // SAFETY: a connected upstream has a state.
        if let Some(state) = unsafe { (*self.as_ptr()).state.as_mut() } {
            state.bytes_received += len as nginx_sys::off_t;
        }
    }

    /// Notes, for `$upstream_bytes_sent`, what has been sent up to now: nginx looks before it lets go of the connection.
    pub(crate) fn note_sent(self) {
        // SAFETY: a connected upstream has a state, and its connection is open.
        unsafe {
            if let (Some(state), Some(connection)) = ((*self.as_ptr()).state.as_mut(), self.connection()) {
                state.bytes_sent = (*connection.as_ptr()).sent;
            }
        }
    }

    /// Notes, for `$upstream_status` and `$upstream_header_time`, that the handshake was answered.
    pub(crate) fn note_switched(self) {
        // SAFETY: a connected upstream has a state and a peer.
        unsafe {
            if let Some(state) = (*self.as_ptr()).state.as_mut() {
                state.status = nginx_sys::NGX_HTTP_SWITCHING_PROTOCOLS as ngx_uint_t;
                state.header_time = ngx_current_msec.wrapping_sub((*self.as_ptr()).start_time);
            }
            shim::wsk_upstream_notify_header(self.as_ptr());
        }
    }

    /// Lets the target's connection live on for as long as it takes the target to read what it was sent.
    pub(crate) fn let_target_finish(self) {
        if self.connection().is_some_and(linger::take_over) {
            // SAFETY: the upstream is alive; without a connection nginx has none to close.
            unsafe { (*self.as_ptr()).peer.connection = ptr::null_mut() };
        }
    }
}

/// Starts connecting on behalf of `tenant`, which must live in the request's pool. From here on the request belongs
/// to nginx and to the tenant's methods: the caller answers `NGX_DONE` and must have held the request.
///
/// # Errors
///
/// The status to answer with, and nobody has been connected to: 403 if the tenant refuses every peer.
pub(crate) fn connect<T: Tenant>(request: Request, conf: &UpstreamConf, tenant: &T) -> Result<(), u16> {
    let schema = if conf.is_tls() { "tls://" } else { "tcp://" };
    // SAFETY: the request is alive; its upstream is made here, and `conf` lives as long as the configuration.
    unsafe {
        let r = request.as_ptr();
        if ngx_http_upstream_create(r) != rc::OK {
            return Err(500);
        }
        let u = (*r).upstream;
        (*u).conf = conf.as_ptr();
        (*u).schema = ngx_str_t { len: schema.len(), data: schema.as_ptr().cast_mut() };
        (*u).output.tag = events::output_filter::<T> as *mut c_void as ngx_buf_tag_t;
        (*u).output.output_filter = Some(events::output_filter::<T>);
        (*u).output.filter_ctx = r.cast();
        (*u).create_request = Some(do_nothing);
        (*u).reinit_request = Some(do_nothing);
        (*u).process_header = Some(refuse_response);
        (*u).abort_request = Some(abort_request);
        (*u).finalize_request = Some(events::finalize_request::<T>);
        (*u).input_filter_ctx = ptr::from_ref(tenant).cast_mut().cast();
        attempt::choose_first(request, u, tenant)?;
        ngx_http_upstream_init(r);
    }
    Ok(())
}

unsafe extern "C" fn do_nothing(_request: *mut ngx_http_request_t) -> ngx_int_t {
    rc::OK
}

/// Never called, as a response is never read.
unsafe extern "C" fn refuse_response(_request: *mut ngx_http_request_t) -> ngx_int_t {
    rc::ERROR
}

unsafe extern "C" fn abort_request(_request: *mut ngx_http_request_t) {}

/// Ends a request whose upstream is connected, with a status of nginx's. Nothing of it may be used afterwards.
pub(crate) fn finish(request: Request, status: ngx_int_t) {
    // nginx's ngx_http_upstream_finalize_request() is static; the cleanup handler is the way to it. It lets go of one
    // hold of the request.
    // SAFETY: the request is alive, and a hold keeps it so until `finalize`.
    unsafe {
        let cleanup = (*(*request.as_ptr()).upstream).cleanup;
        if let Some(handler) = cleanup.as_ref().copied().flatten() {
            request.hold();
            handler(request.as_ptr().cast());
        }
    }
    request.finalize(status);
}

/// The tenant of a request's upstream. Unlike a module's context it survives an internal redirect.
///
/// # Safety
///
/// The request's upstream must have been made by [`connect`] for this type of tenant.
pub(super) unsafe fn tenant_of<'t, T: Tenant>(request: Request) -> Option<(&'t T, Upstream)> {
    let upstream = request.upstream()?;
    // SAFETY: these callbacks are installed by `connect` only, together with a tenant in the request's pool.
    unsafe { (*upstream.as_ptr()).input_filter_ctx.cast::<T>().as_ref().map(|tenant| (tenant, upstream)) }
}
