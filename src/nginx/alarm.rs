//! Calls for a request that waits: after some time, and at its end.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr;

use nginx_sys::ngx_event_t;

use super::guard::guard;
use super::request::{run_posted_requests, Request};
use super::{rc, shim};

struct Alarm<S, F> {
    event: UnsafeCell<ngx_event_t>,
    request: Cell<Option<Request>>,
    sleeper: Cell<*const S>,
    call: F,
}

/// Has `call` called with the sleeper, which must live in the request's pool, after `delay` milliseconds, unless the
/// request ends before. It may end the request. `false` when memory is out.
///
/// A request has one alarm for each function, which takes memory once.
pub(crate) fn set<S: 'static, F>(request: Request, sleeper: &S, delay: u64, call: F) -> bool
where
    F: Fn(&S, Request) + Copy + 'static,
{
    let made = request.pool().find::<Alarm<S, F>>().filter(|it| it.request.get().is_some());
    let Some(alarm) = made.or_else(|| make(request, call)) else { return false };
    alarm.sleeper.set(sleeper);
    // SAFETY: the alarm lives as long as the request's pool, and its timer is taken away before the request goes.
    unsafe { shim::wsk_event_set_timer(alarm.event.get(), usize::try_from(delay).unwrap_or(usize::MAX)) };
    true
}

fn make<'p, S: 'static, F>(request: Request, call: F) -> Option<&'p Alarm<S, F>>
where
    F: Fn(&S, Request) + Copy + 'static,
{
    // SAFETY: all zero is an event that is not used yet.
    let mut event: ngx_event_t = unsafe { std::mem::zeroed() };
    // An event's data is the connection it is logged with.
    event.data = request.connection().as_ptr().cast();
    event.log = request.log().as_ptr();
    event.handler = Some(on_timer::<S, F>);
    let alarm = Alarm {
        event: UnsafeCell::new(event),
        request: Cell::new(None),
        sleeper: Cell::new(ptr::null()),
        call,
    };
    let alarm = request.pool().keep_to_find(alarm)?;
    // One that nothing would cancel is not to be set.
    let is_safe = request.on_cleanup(cancel::<S, F>, ptr::from_ref(alarm).cast_mut().cast());
    alarm.request.set(is_safe.then_some(request));
    is_safe.then_some(alarm)
}

unsafe extern "C" fn on_timer<S, F: Fn(&S, Request) + Copy>(event: *mut ngx_event_t) {
    // SAFETY: the event is part of an alarm that `make` has made, whose request is alive, and the sleeper with it.
    let (request, sleeper, call) = unsafe {
        let alarm = &*event.byte_sub(offset_of!(Alarm<S, F>, event)).cast::<Alarm<S, F>>();
        let (Some(request), Some(sleeper)) = (alarm.request.get(), alarm.sleeper.get().as_ref()) else {
            return;
        };
        (request, sleeper, alarm.call)
    };
    let client = request.connection();
    request.set_log_request();
    if guard(|| call(sleeper, request)).is_none() {
        request.finalize(rc::ERROR);
    }
    run_posted_requests(client);
}

unsafe extern "C" fn cancel<S, F>(alarm: *mut c_void) {
    // SAFETY: `make` registered this with its alarm, in the pool of the request that ends.
    unsafe {
        let alarm = &*alarm.cast::<Alarm<S, F>>();
        alarm.request.set(None);
        shim::wsk_event_delete_timer(alarm.event.get());
    }
}

struct AtEnd<W> {
    request: Request,
    whose: *const W,
    call: fn(&W, Request),
}

/// Has `call` called with `whose`, which must live in the request's pool, when the request ends. `false` when memory is out.
pub(crate) fn at_end<W: 'static>(request: Request, whose: &W, call: fn(&W, Request)) -> bool {
    let end = request.pool().keep(AtEnd { request, whose: ptr::from_ref(whose), call });
    end.is_some_and(|end| request.on_cleanup(on_end::<W>, ptr::from_ref(end).cast_mut().cast()))
}

unsafe extern "C" fn on_end<W: 'static>(end: *mut c_void) {
    // SAFETY: `at_end` registered this with an `AtEnd` in the pool of the request that ends, as `whose` is.
    guard(|| unsafe {
        let end = &*end.cast::<AtEnd<W>>();
        (end.call)(&*end.whose, end.request);
    });
}
