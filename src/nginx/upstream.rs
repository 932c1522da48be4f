//! nginx's upstream machinery as far as a connected target; from there on the connection is the tenant's.
//!
//! nginx chooses a server, connects, tries the next one and does TLS. Its first attempt to send a request calls our
//! output filter: the target is connected. The filter takes over the event handlers and has the write event posted,
//! since nginx still uses the upstream when the filter returns.
//!
//! A target may speak, or end its stream, before nginx has found its connection writable. nginx would take that for a
//! response; so each attempt to connect posts an event of ours, which comes before any news of the new connection and
//! has its reading put off until the tunnel stands.

mod introduction;
mod retry;

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_buf_tag_t, ngx_chain_t, ngx_current_msec, ngx_event_get_peer_pt, ngx_event_t, ngx_http_request_t,
    ngx_http_upstream_create, ngx_http_upstream_create_round_robin_peer, ngx_http_upstream_init,
    ngx_http_upstream_resolved_t, ngx_http_upstream_srv_conf_t, ngx_http_upstream_state_t,
    ngx_http_upstream_t, ngx_int_t, ngx_peer_connection_t, ngx_str_t, ngx_uint_t,
};

use super::conf::{UpstreamConf, UNSET_MSEC};
use super::connection::Connection;
use super::guard::guard;
use super::linger;
use super::peer::{self, Choice};
use super::quit::Watched;
use super::request::{run_posted_requests, Request};
use super::timer::Timer;
use super::{rc, shim};
use introduction::Introduction;
use retry::Retry;
use websockify_policy::Peer;
use websockify_tunnel::Side;

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

/// What a session's attempts to connect need.
pub(crate) struct Attempts {
    /// The balancer's own choice of a peer.
    pub(super) get: Cell<ngx_event_get_peer_pt>,
    /// How many peers may be refused before the balancer is not asked any more: as many as it has.
    pub(super) refusable: Cell<ngx_uint_t>,
    /// The group that the tenant has chosen, and the name that is checked with it.
    group: Cell<(*mut ngx_http_upstream_srv_conf_t, ngx_str_t)>,
    /// The answer for the first attempt, which is known before nginx begins.
    first: Cell<Option<ngx_int_t>>,
    /// The balancer's own memory of TLS sessions.
    #[cfg(ngx_feature = "http_ssl")]
    set_session: Cell<nginx_sys::ngx_event_set_peer_session_pt>,
    introduction: Introduction,
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
    fn forget(&self) {
        // SAFETY: the event is ours, and in the queue if it says so.
        unsafe { shim::wsk_event_delete_posted(self.event.get()) };
    }
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

    /// Lets the target's connection live on for as long as it takes the target to read what it was sent.
    pub(crate) fn let_target_finish(self) {
        if self.connection().is_some_and(linger::take_over) {
            // SAFETY: the upstream is alive; without a connection nginx has none to close.
            unsafe { (*self.as_ptr()).peer.connection = ptr::null_mut() };
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
        (*u).output.tag = output_filter::<T> as *mut c_void as ngx_buf_tag_t;
        (*u).output.output_filter = Some(output_filter::<T>);
        (*u).output.filter_ctx = r.cast();
        (*u).create_request = Some(do_nothing);
        (*u).reinit_request = Some(do_nothing);
        (*u).process_header = Some(refuse_response);
        (*u).abort_request = Some(abort_request);
        (*u).finalize_request = Some(finalize_request::<T>);
        (*u).input_filter_ctx = ptr::from_ref(tenant).cast_mut().cast();
        choose_first(request, u, tenant)?;
        ngx_http_upstream_init(r);
    }
    Ok(())
}

/// Chooses the first peer. nginx would answer 502 where there is none, also if it is because none is permitted.
unsafe fn choose_first<T: Tenant>(
    request: Request,
    u: *mut ngx_http_upstream_t,
    tenant: &T,
) -> Result<(), u16> {
    let attempts = tenant.attempts();
    // SAFETY: the upstream is the request's, and ready for a balancer.
    unsafe {
        begin_round(request, u, tenant).map_err(|()| 500_u16)?;
        attempts.group.set(((*u).upstream, shim::wsk_upstream_ssl_name(u)));
        // A balancer that is given a peer back may look at what the attempt came to (least_time does): to nothing.
        let mut nothing: ngx_http_upstream_state_t = std::mem::zeroed();
        (nothing.response_time, nothing.connect_time, nothing.header_time) =
            (UNSET_MSEC, UNSET_MSEC, UNSET_MSEC);
        (*u).state = &mut nothing;
        let choice = peer::choose(tenant, request, &raw mut (*u).peer);
        (*u).state = ptr::null_mut();
        attempts.first.set(Some(match choice {
            Choice::Found => rc::OK,
            Choice::Refused => return Err(403),
            Choice::None(answer) => answer,
        }));
    }
    Ok(())
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

unsafe extern "C" fn do_nothing(_request: *mut ngx_http_request_t) -> ngx_int_t {
    rc::OK
}

/// Never called, as a response is never read.
unsafe extern "C" fn refuse_response(_request: *mut ngx_http_request_t) -> ngx_int_t {
    rc::ERROR
}

unsafe extern "C" fn abort_request(_request: *mut ngx_http_request_t) {}

/// Stands in for a group's `peer.init`: the module has chosen, for this request.
pub(super) unsafe extern "C" fn init_peers<T: Tenant>(
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
unsafe fn upstream_of(peer: *mut ngx_peer_connection_t) -> *mut ngx_http_upstream_t {
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

/// The target is connected.
unsafe extern "C" fn output_filter<T: Tenant>(request: *mut c_void, _out: *mut ngx_chain_t) -> ngx_int_t {
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

unsafe extern "C" fn do_nothing_yet(_request: *mut ngx_http_request_t, _upstream: *mut ngx_http_upstream_t) {}

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
pub(super) fn call_tenant<T: Tenant>(
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

unsafe extern "C" fn finalize_request<T: Tenant>(request: *mut ngx_http_request_t, status: ngx_int_t) {
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
