//! A target's connection after its session: closed so that nothing on its way to the target is lost.
//!
//! To close a socket in which unread bytes wait, or arrive later, resets the connection, and the peer may lose what
//! it had not read yet. So our half is ended first, and what the target still says is read and dropped until it ends
//! its half too, for a short time. With TLS, the end of our half begins with its close_notify: without that a target may
//! take the end for somebody's attack. What it still says is dropped undecrypted.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use nginx_sys::{ngx_connection_t, ngx_cycle, ngx_event_t, ngx_reusable_connection};
use websockify_tunnel::Io;

use super::connection::{Connection, Ended};
use super::guard::guard;
use super::pool::Pool;
use super::{is_terminating, shim};

/// How long a target may take to end its half, in milliseconds: so long again whenever it has taken something of what it
/// was sent, [`MOST`] times.
const LINGER: usize = 5_000;
const MOST: u64 = 12;

/// How much a target that has taken everything may still say: turns of [`TURN`] reads.
const TURNS: usize = 64;
const TURN: usize = 16;

/// What is kept of a connection that lingers, in its own pool.
struct State {
    /// Whether our half is ended. The end of TLS may have to wait for room.
    ended: Cell<bool>,
    rounds: Cell<u64>,
    turns: Cell<usize>,
    unacknowledged: Cell<usize>,
}

/// Takes over an upstream's connection, whose request is going. `false` if there is nothing to wait for: nginx then
/// closes the connection.
pub(crate) fn take_over(connection: Connection) -> bool {
    let (in_a_hurry, has_ended) = (connection.is_closing() || is_terminating(), connection.has_ended());
    if in_a_hurry || (has_ended && !connection.is_tls()) {
        return false;
    }
    let ended = match connection.end() {
        Ended::Failed => return false,
        Ended::Done if has_ended => return false,
        Ended::Done => true,
        Ended::Again => false,
    };
    let state = State {
        ended: Cell::new(ended),
        rounds: Cell::new(0),
        turns: Cell::new(0),
        unacknowledged: Cell::new(connection.unacknowledged()),
    };
    // SAFETY: the connection is open, and its pool goes with it.
    let Some(state) = NonNull::new(unsafe { shim::wsk_connection_pool(connection.as_ptr()) })
        .and_then(|pool| unsafe { Pool::new(pool) }.keep(state))
    else {
        return false;
    };
    // SAFETY: the connection is open, and nothing of the request's is left in it after this block.
    unsafe {
        let c = connection.as_ptr();
        let (read, write) = ((*c).read, (*c).write);
        let log = (*ngx_cycle).log;
        (*c).log = log;
        (*(*c).pool).log = log;
        (*read).log = log;
        (*write).log = log;
        shim::wsk_connection_log_errors_as_info(c);
        (*c).data = ptr::from_ref(state).cast_mut().cast();
        (*read).handler = Some(on_event);
        (*write).handler = Some(on_event);
        shim::wsk_event_delete_timer(write);
        shim::wsk_event_delete_timer(read);
        // Where connections run out, these are the first to go.
        ngx_reusable_connection(c, 1);
    }
    if go_on(connection, state) && connection.watch() {
        wait(connection);
    } else {
        close(connection);
    }
    true
}

fn wait(connection: Connection) {
    // SAFETY: the connection is open and ours alone.
    unsafe { shim::wsk_event_set_timer((*connection.as_ptr()).read, LINGER) };
}

unsafe extern "C" fn on_event(event: *mut ngx_event_t) {
    guard(|| {
        // SAFETY: nginx calls a connection's handlers with its own events, whose data is the open connection; its own
        // data is the state that `take_over` made.
        let (connection, state, fired) = unsafe {
            let Some(c) = NonNull::new((*event).data.cast::<ngx_connection_t>()) else { return };
            let state = &*(*c.as_ptr()).data.cast::<State>();
            (Connection::new(c), state, shim::wsk_event_take_timedout(event) != 0)
        };
        if connection.is_closing()
            || (fired && !has_taken_something(connection, state))
            || !go_on(connection, state)
            || !connection.watch()
        {
            close(connection);
        } else if fired {
            wait(connection);
        }
    });
}

/// Whether the target has taken something since it was last asked, and may have more time for it.
fn has_taken_something(connection: Connection, state: &State) -> bool {
    let before = state.unacknowledged.replace(connection.unacknowledged());
    state.rounds.set(state.rounds.get() + 1);
    state.unacknowledged.get() < before && state.rounds.get() < MOST
}

/// Does what can be done now. `false` when there is nothing to wait for any more.
fn go_on(connection: Connection, state: &State) -> bool {
    if !state.ended.get() {
        match connection.end() {
            Ended::Done => state.ended.set(true),
            Ended::Failed => return false,
            Ended::Again => {
                drain(connection, state);
                return true;
            }
        }
    }
    drain(connection, state)
}

/// Drops what has arrived. `false` once the target has ended its half, or has taken everything and does not stop talking.
fn drain(connection: Connection, state: &State) -> bool {
    let mut scratch = [0; 4096];
    for _ in 0..TURN {
        if !connection.is_readable() {
            return true;
        }
        match connection.recv(&mut scratch) {
            Io::Done(_) => {}
            Io::Again => return true,
            Io::Eof | Io::Error => return false,
        }
    }
    state.turns.set(state.turns.get() + 1);
    // SAFETY: the connection is open and ours alone.
    unsafe { shim::wsk_event_post_next((*connection.as_ptr()).read) };
    state.turns.get() < TURNS || connection.unacknowledged() > 0
}

fn close(connection: Connection) {
    // SAFETY: the connection is ours alone, and nobody uses it after this.
    unsafe { shim::wsk_connection_close(connection.as_ptr()) };
}
