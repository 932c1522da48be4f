//! A call after some time, for a request that waits.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::offset_of;

use nginx_sys::ngx_event_t;

use super::guard::guard;
use super::request::{run_posted_requests, Request};
use super::{rc, shim};

struct Alarm<S> {
    event: ngx_event_t,
    request: Cell<Option<Request>>,
    sleeper: *const S,
    call: fn(&S, Request),
}

/// Has `call` called with the sleeper, which must live in the request's pool, after `delay` milliseconds, unless the
/// request ends before. It may end the request. `false` when memory is out.
pub(crate) fn set<S: 'static>(request: Request, sleeper: &S, delay: u64, call: fn(&S, Request)) -> bool {
    // SAFETY: all zero is an event that is not used yet.
    let event = unsafe { std::mem::zeroed() };
    let alarm = Alarm { event, request: Cell::new(Some(request)), sleeper, call };
    let Some(alarm) = request.pool().place(alarm) else { return false };
    // SAFETY: the alarm lives as long as the request's pool, and its timer is taken away before the request goes. An
    // event's data is the connection it is logged with.
    unsafe {
        let event = &raw mut (*alarm.as_ptr()).event;
        (*event).data = request.connection().as_ptr().cast();
        (*event).log = request.log().as_ptr();
        (*event).handler = Some(on_timer::<S>);
        if !request.on_cleanup(cancel::<S>, alarm.as_ptr().cast()) {
            return false;
        }
        shim::wsk_event_set_timer(event, usize::try_from(delay).unwrap_or(usize::MAX));
    }
    true
}

unsafe extern "C" fn on_timer<S>(event: *mut ngx_event_t) {
    // SAFETY: the event is part of an alarm that `set` has made, whose request is alive, and the sleeper with it.
    let (request, sleeper, call) = unsafe {
        let alarm = &*event.byte_sub(offset_of!(Alarm<S>, event)).cast::<Alarm<S>>();
        let Some(request) = alarm.request.get() else { return };
        (request, &*alarm.sleeper, alarm.call)
    };
    let client = request.connection();
    request.set_log_request();
    if guard(|| call(sleeper, request)).is_none() {
        request.finalize(rc::ERROR);
    }
    run_posted_requests(client);
}

unsafe extern "C" fn cancel<S>(alarm: *mut c_void) {
    // SAFETY: `set` registered this with its alarm, in the pool of the request that ends.
    unsafe {
        let alarm = alarm.cast::<Alarm<S>>();
        (*alarm).request.set(None);
        shim::wsk_event_delete_timer(&raw mut (*alarm).event);
    }
}
