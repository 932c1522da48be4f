//! Sessions that want to be told when their worker is to go.
//!
//! nginx tells idle connections when a worker is told to quit: it calls the read handler of each with `close` set. So
//! the client's connection is marked idle, and its read handler is wrapped.

use std::cell::Cell;
use std::ptr::NonNull;

use nginx_sys::{ngx_connection_t, ngx_event_handler_pt, ngx_event_t, ngx_http_request_t};

use super::connection::Connection;
use super::request::{run_posted_requests, Request};
use super::upstream::{call_tenant, tenant_of, Tenant};
use super::{is_exiting, shim};

struct Watch {
    /// Sessions of this worker that want to be told.
    count: Cell<u64>,
    /// How many have been.
    told: Cell<u64>,
}

// SAFETY: a worker runs modules' code on one thread.
unsafe impl Sync for Watch {}

static WATCH: Watch = Watch { count: Cell::new(0), told: Cell::new(0) };

/// Where a session stands among those that are told to go: `number` of `count`, from 0.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) number: u64,
    pub(crate) count: u64,
}

/// A session's place in this: the read handler that its client's connection had before.
#[derive(Default)]
pub(crate) struct Watched(Cell<ngx_event_handler_pt>);

/// Has the tenant's `on_quit` called when the worker is told to quit. If it has been already, the session's turn is now.
pub(crate) fn watch<T: Tenant>(request: Request, tenant: &T) -> Option<Turn> {
    WATCH.count.set(WATCH.count.get() + 1);
    if is_exiting() {
        return Some(next_turn());
    }
    // SAFETY: the request's connection is open, and its handlers are the request's.
    unsafe {
        let c = request.connection().as_ptr();
        shim::wsk_connection_set_idle(c, 1);
        tenant.watched().0.set((*(*c).read).handler.replace(on_read::<T>));
    }
    None
}

/// Undoes [`watch`], at the end of a session.
pub(crate) fn unwatch<T: Tenant>(request: Request, tenant: &T) {
    WATCH.count.set(WATCH.count.get().saturating_sub(1));
    let Some(handler) = tenant.watched().0.take() else { return };
    // SAFETY: the request's connection is open.
    unsafe {
        let c = request.connection().as_ptr();
        shim::wsk_connection_set_idle(c, 0);
        (*(*c).read).handler = Some(handler);
    }
}

/// The next turn of those that are told to go, all in one loop of nginx's.
pub(crate) fn next_turn() -> Turn {
    let number = WATCH.told.replace(WATCH.told.get() + 1);
    Turn { number, count: WATCH.count.get().max(number + 1) }
}

unsafe extern "C" fn on_read<T: Tenant>(event: *mut ngx_event_t) {
    // SAFETY: nginx calls the handler with the event of an open connection, whose data is the request.
    unsafe {
        let Some(c) = NonNull::new((*event).data.cast::<ngx_connection_t>()) else { return };
        let connection = Connection::new(c);
        // The shutdown timer sets `error` too, and means it.
        let request = Request::new((*c.as_ptr()).data.cast::<ngx_http_request_t>());
        if connection.is_closing() && is_exiting() && shim::wsk_connection_has_error(c.as_ptr()) == 0 {
            shim::wsk_connection_take_close(c.as_ptr());
            request.set_log_request();
            call_tenant::<T>(request.as_ptr(), T::on_quit);
            run_posted_requests(connection);
            return;
        }
        if let Some(handler) = tenant_of::<T>(request).and_then(|(tenant, _)| tenant.watched().0.get()) {
            handler(event);
        }
    }
}
