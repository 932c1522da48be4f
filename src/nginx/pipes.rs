//! Pipes of the kernel's, from a list of the worker.

use std::cell::UnsafeCell;

use websockify_tunnel::Pipe;

use super::{now, shim};

/// How many a worker has at most. One is out only while there are bytes in it, so that many flows share a few.
const MOST: usize = 16;

/// How long it goes without new ones when one could not be had, in milliseconds.
const RESPITE: u64 = 10_000;

#[derive(Default)]
struct Pipes {
    /// Those that are empty and not in use.
    free: Vec<Pipe>,
    /// How many there are.
    open: usize,
    /// No new ones are made until then.
    respite: u64,
}

struct List(UnsafeCell<Pipes>);

// SAFETY: a worker runs modules' code on one thread, and no reference outlives a function of this file.
unsafe impl Sync for List {}

static PIPES: List = List(UnsafeCell::new(Pipes { free: Vec::new(), open: 0, respite: 0 }));

/// An empty pipe, if one can be had.
pub(crate) fn take() -> Option<Pipe> {
    // SAFETY: single thread, and the reference ends with this function.
    let pipes = unsafe { &mut *PIPES.0.get() };
    if let Some(pipe) = pipes.free.pop() {
        return Some(pipe);
    }
    if pipes.open == MOST || now() < pipes.respite {
        return None;
    }
    let mut ends = [-1; 2];
    // SAFETY: there is room for two descriptors.
    if unsafe { shim::wsk_pipe_open(ends.as_mut_ptr()) } == 0 {
        pipes.respite = now() + RESPITE;
        return None;
    }
    pipes.open += 1;
    let [exit, entry] = ends;
    Some(Pipe { entry, exit })
}

/// Takes a pipe back that [`take`] gave. What is left in it is lost.
pub(crate) fn give(pipe: Pipe, len: usize) {
    // SAFETY: single thread, and the reference ends with this function.
    let pipes = unsafe { &mut *PIPES.0.get() };
    if len == 0 && (pipes.free.capacity() > 0 || pipes.free.try_reserve_exact(MOST).is_ok()) {
        pipes.free.push(pipe);
    } else {
        pipes.open -= 1;
        close(pipe);
    }
}

/// Closes what the worker kept; called as it exits.
pub(crate) fn clear() {
    // SAFETY: single thread, and the reference ends with this statement.
    let pipes = unsafe { std::mem::take(&mut *PIPES.0.get()) };
    pipes.free.into_iter().for_each(close);
}

fn close(pipe: Pipe) {
    // SAFETY: both descriptors are open, and ours alone.
    unsafe { shim::wsk_pipe_close(pipe.entry, pipe.exit) };
}
