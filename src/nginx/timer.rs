//! One timer for each session, armed as rarely as possible.

use std::ptr::NonNull;

use nginx_sys::ngx_event_t;

use super::{now, shim};

/// A day, in milliseconds: nginx compares times as signed numbers, and a handler that is called early sets its timer
/// anew.
const LONGEST: u64 = 24 * 60 * 60 * 1000;

/// A timer in one of nginx's events. It is not cancelable: a worker that is going waits for its sessions.
#[derive(Clone, Copy)]
pub(crate) struct Timer(NonNull<ngx_event_t>);

impl Timer {
    /// # Safety
    ///
    /// `event` must stay valid for as long as the value is used, and its timer must be ours alone.
    pub(crate) unsafe fn new(event: NonNull<ngx_event_t>) -> Self {
        Self(event)
    }

    /// Has the event's handler called at `deadline` at the latest.
    ///
    /// A timer that fires earlier is left as it is: deadlines mostly move away while it runs, and its handler
    /// sets it anew.
    pub(crate) fn set(self, deadline: u64) {
        // SAFETY: the event is valid by the promise of `new`.
        unsafe {
            let event = self.0.as_ptr();
            if shim::wsk_event_is_timer_set(event) != 0 && (*event).timer.key as u64 <= deadline {
                return;
            }
            let timeout = deadline.saturating_sub(now()).min(LONGEST);
            shim::wsk_event_set_timer(event, usize::try_from(timeout).unwrap_or(usize::MAX));
        }
    }

    /// Whether the timer has fired since it was last asked.
    pub(crate) fn take_fired(self) -> bool {
        // SAFETY: the event is valid by the promise of `new`.
        unsafe { shim::wsk_event_take_timedout(self.0.as_ptr()) != 0 }
    }
}
