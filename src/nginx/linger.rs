//! A target's connection after its session: closed so that nothing on its way to the target is lost.
//!
//! To close a socket in which unread bytes wait, or arrive later, resets the connection, and the peer may lose what
//! it had not read yet. So our half is ended first, and what the target still says is read and dropped until it ends
//! its half too, for a short time.

use std::ptr;

use nginx_sys::{ngx_connection_t, ngx_cycle, ngx_event_t};
use websockify_tunnel::Io;

use super::connection::Connection;
use super::guard::guard;
use super::{is_terminating, shim};

/// How long a target may take to end its half, in milliseconds.
const LINGER: usize = 5_000;

/// How much it may say meanwhile: turns of [`TURN`] reads.
const TURNS: usize = 64;
const TURN: usize = 16;

/// Takes over an upstream's connection, whose request is going. `false` if there is nothing to wait for: nginx then
/// closes the connection.
pub(crate) fn take_over(connection: Connection) -> bool {
    let in_a_hurry = connection.is_closing() || is_terminating();
    if in_a_hurry || connection.is_tls() || connection.has_ended() || !connection.shutdown_write() {
        return false;
    }
    // SAFETY: the connection is open, and nothing of the request's is left in it after this block.
    unsafe {
        let c = connection.as_ptr();
        let (read, write) = ((*c).read, (*c).write);
        let log = (*ngx_cycle).log;
        (*c).log = log;
        (*(*c).pool).log = log;
        (*read).log = log;
        (*write).log = log;
        (*c).data = ptr::null_mut();
        // The count of requests is free to count turns.
        (*c).requests = 0;
        (*read).handler = Some(on_event);
        (*write).handler = Some(on_event);
        shim::wsk_event_delete_timer(write);
        shim::wsk_event_delete_timer(read);
    }
    if drain(connection) && connection.watch() {
        // SAFETY: as above.
        unsafe { shim::wsk_event_set_timer((*connection.as_ptr()).read, LINGER) };
    } else {
        close(connection);
    }
    true
}

unsafe extern "C" fn on_event(event: *mut ngx_event_t) {
    guard(|| {
        // SAFETY: nginx calls a connection's handlers with its own events, whose data is the open connection.
        let (connection, fired) = unsafe {
            let Some(c) = ptr::NonNull::new((*event).data.cast::<ngx_connection_t>()) else { return };
            (Connection::new(c), shim::wsk_event_take_timedout(event) != 0)
        };
        if fired || connection.is_closing() || !drain(connection) || !connection.watch() {
            close(connection);
        }
    });
}

/// Drops what has arrived. `false` once the target has ended its half, or does not stop talking.
fn drain(connection: Connection) -> bool {
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
    // SAFETY: the connection is open and ours alone.
    unsafe {
        let c = connection.as_ptr();
        (*c).requests += 1;
        shim::wsk_event_post_next((*c).read);
        (*c).requests < TURNS
    }
}

fn close(connection: Connection) {
    // SAFETY: the connection is ours alone, and nobody uses it after this.
    unsafe { shim::wsk_connection_close(connection.as_ptr()) };
}
