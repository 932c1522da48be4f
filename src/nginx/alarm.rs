//! A call after some time, for a request that waits for nothing else.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use nginx_sys::ngx_event_t;

use super::guard::guard;
use super::request::{run_posted_requests, Request};
use super::{rc, shim};

/// Who is called. It lives in the request's pool.
pub(crate) trait Sleeper: 'static {
    /// The time is over; called from the event loop. May end the request.
    fn on_alarm(&self, request: Request);
}

struct Alarm {
    event: ngx_event_t,
    request: Cell<Option<Request>>,
    sleeper: *const c_void,
}

/// Has the sleeper called after `delay` milliseconds, unless the request ends before. `false` when memory is out.
pub(crate) fn set<S: Sleeper>(request: Request, sleeper: &S, delay: u64) -> bool {
    // SAFETY: all zero is an event that is not used yet.
    let event = unsafe { std::mem::zeroed() };
    let sleeper = ptr::from_ref(sleeper).cast();
    let Some(alarm) = request.pool().place(Alarm { event, request: Cell::new(Some(request)), sleeper })
    else {
        return false;
    };
    // SAFETY: the alarm lives as long as the request's pool, and its timer is taken away before the request goes. An
    // event's data is the connection it is logged with.
    unsafe {
        let event = &raw mut (*alarm.as_ptr()).event;
        (*event).data = request.connection().as_ptr().cast();
        (*event).log = request.log().as_ptr();
        (*event).handler = Some(on_timer::<S>);
        if !request.on_cleanup(cancel, alarm.as_ptr().cast()) {
            return false;
        }
        shim::wsk_event_set_timer(event, usize::try_from(delay).unwrap_or(usize::MAX));
    }
    true
}

unsafe extern "C" fn on_timer<S: Sleeper>(event: *mut ngx_event_t) {
    // SAFETY: the event is the first field of an alarm that `set` has made, whose request is alive.
    let (request, sleeper) = unsafe {
        let alarm = &*event.byte_sub(std::mem::offset_of!(Alarm, event)).cast::<Alarm>();
        let Some(request) = alarm.request.get() else { return };
        (request, &*alarm.sleeper.cast::<S>())
    };
    let client = request.connection();
    request.set_log_request();
    if guard(|| sleeper.on_alarm(request)).is_none() {
        request.finalize(rc::ERROR);
    }
    run_posted_requests(client);
}

unsafe extern "C" fn cancel(alarm: *mut c_void) {
    // SAFETY: `set` registered this with its alarm, in the pool of the request that ends.
    unsafe {
        let alarm = alarm.cast::<Alarm>();
        (*alarm).request.set(None);
        shim::wsk_event_delete_timer(&raw mut (*alarm).event);
    }
}
