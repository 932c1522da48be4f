//! Bells: one process rings, another one hears it. nginx has no means by which a worker reaches another.
//!
//! The master makes an eventfd for each slot of the shared table, so that all workers that it starts later have it
//! under the same number. Who has the slot listens.

use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use nginx_sys::{ngx_connection_t, ngx_cycle_t, ngx_event_t};

use super::guard::guard;
use super::{rc, shim};

/// How many bells there may be.
pub(crate) const BELLS: usize = websockify_status::SLOTS;

/// One more than the descriptors, in the copy that this process got from its master: a bell made later is not in it,
/// nor is its descriptor this process's.
static DESCRIPTORS: [AtomicI32; BELLS] = [const { AtomicI32::new(0) }; BELLS];

/// What the bells are for: the key of a table. Its place in memory may be another one's when it is gone.
static PURPOSE: AtomicU64 = AtomicU64::new(0);

/// Makes those of `wanted` that are missing; to be called by the master. For another `purpose` than before all are made
/// anew: whoever has the old ones must not hear the new.
pub(crate) fn make(purpose: u64, wanted: impl Iterator<Item = usize>) {
    if PURPOSE.swap(purpose, Ordering::Relaxed) != purpose {
        for descriptor in &DESCRIPTORS {
            let old = descriptor.swap(0, Ordering::Relaxed);
            if old > 0 {
                // SAFETY: the descriptor is ours alone.
                unsafe { shim::wsk_doorbell_close(old - 1) };
            }
        }
    }
    for descriptor in wanted.filter_map(|bell| DESCRIPTORS.get(bell)) {
        if descriptor.load(Ordering::Relaxed) == 0 {
            // SAFETY: a call without conditions; -1 for a failure becomes 0.
            descriptor.store(unsafe { shim::wsk_doorbell_open() } + 1, Ordering::Relaxed);
        }
    }
}

pub(crate) fn exists(bell: usize) -> bool {
    descriptor(bell).is_some()
}

fn descriptor(bell: usize) -> Option<i32> {
    DESCRIPTORS.get(bell)?.load(Ordering::Relaxed).checked_sub(1).filter(|&descriptor| descriptor >= 0)
}

/// Rings a bell; `false` where this process has none of this number.
pub(crate) fn ring(bell: usize) -> bool {
    // SAFETY: the descriptor is that of an eventfd, which nobody has closed.
    descriptor(bell).is_some_and(|descriptor| unsafe { shim::wsk_doorbell_ring(descriptor) } == rc::OK)
}

/// Who hears a bell.
pub(crate) trait Listener: 'static {
    /// What it is given.
    type About: 'static;

    fn on_bell(about: &'static Self::About);
}

/// Has `L` called whenever this bell is rung, for as long as the process runs.
///
/// # Safety
///
/// `cycle` must be what nginx passes to a module's callbacks in a worker, whose event loop is there already; `about`
/// must live as long.
pub(crate) unsafe fn listen<L: Listener>(cycle: *mut ngx_cycle_t, bell: usize, about: &L::About) -> bool {
    let Some(descriptor) = descriptor(bell) else { return false };
    let data = std::ptr::from_ref(about).cast_mut().cast::<c_void>();
    let handler = Some(on_event::<L> as unsafe extern "C" fn(*mut ngx_event_t));
    // SAFETY: by the promises of this function.
    unsafe { shim::wsk_doorbell_listen(cycle, descriptor, handler, data) == rc::OK }
}

unsafe extern "C" fn on_event<L: Listener>(event: *mut ngx_event_t) {
    // SAFETY: nginx calls the handler with the event of the connection that `listen` made, whose data is `about`.
    let about = unsafe {
        let connection = (*event).data.cast::<ngx_connection_t>();
        shim::wsk_doorbell_hear((*connection).fd);
        (*connection).data.cast::<L::About>().as_ref()
    };
    if let Some(about) = about {
        guard(|| L::on_bell(about));
    }
}
