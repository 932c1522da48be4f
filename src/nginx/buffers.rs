//! Relay buffers, from a free list of the worker.

use std::cell::UnsafeCell;

use websockify_tunnel::Buffers;

/// How many bytes of free buffers a worker keeps. A turn of a session takes two buffers and mostly gives both back; only
/// what waits for a slow peer holds one for longer.
const KEEP: usize = 3 * 1024 * 1024;

/// How many buffers that may be.
const PLACES: usize = 64;

struct FreeList(UnsafeCell<Vec<Box<[u8]>>>);

// SAFETY: a worker runs modules' code on one thread, and no reference outlives a function of this file.
unsafe impl Sync for FreeList {}

static FREE: FreeList = FreeList(UnsafeCell::new(Vec::new()));

/// Buffers of one size.
pub(crate) struct RelayBuffers {
    /// The size of each, in bytes.
    pub(crate) size: usize,
}

impl Buffers for RelayBuffers {
    fn take(&mut self) -> Option<Box<[u8]>> {
        // SAFETY: single thread, and the reference ends with this block.
        let free = unsafe { &mut *FREE.0.get() };
        if let Some(at) = free.iter().rposition(|buffer| buffer.len() == self.size) {
            return Some(free.remove(at));
        }
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(self.size).ok()?;
        buffer.resize(self.size, 0);
        Some(buffer.into_boxed_slice())
    }

    fn give(&mut self, buffer: Box<[u8]>) {
        // SAFETY: single thread, and the reference ends with this function.
        let free = unsafe { &mut *FREE.0.get() };
        if free.capacity() == 0 && free.try_reserve_exact(PLACES).is_err() {
            return;
        }
        let mut kept: usize = free.iter().map(|other| other.len()).sum();
        // Another size may be what is in use now: the oldest go.
        while !free.is_empty() && (free.len() == PLACES || kept + buffer.len() > KEEP) {
            kept -= free.remove(0).len();
        }
        free.push(buffer);
    }
}

/// Frees what the worker kept; called as it exits.
pub(crate) fn clear() {
    // SAFETY: single thread, and the reference ends with this function.
    unsafe { *FREE.0.get() = Vec::new() };
}
