//! One of a tunnel's two connections.

use std::ptr::NonNull;

use nginx_sys::{ngx_connection_t, ngx_tcp_nodelay};
use websockify_tunnel::{HangUp, Io};

use super::log::Log;
use super::{rc, shim};

/// A connection of nginx's, plain or TLS.
#[derive(Clone, Copy)]
pub(crate) struct Connection(NonNull<ngx_connection_t>);

/// What came of [`Connection::end`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    /// To be asked again when the connection is writable.
    Again,
    Failed,
}

impl Connection {
    /// # Safety
    ///
    /// `connection` must be open, and stay so for as long as the value is used.
    pub(crate) unsafe fn new(connection: NonNull<ngx_connection_t>) -> Self {
        Self(connection)
    }

    pub(crate) fn as_ptr(self) -> *mut ngx_connection_t {
        self.0.as_ptr()
    }

    /// The connection's log.
    pub(crate) fn log(self) -> Log {
        // SAFETY: an open connection has a log.
        unsafe { Log::new((*self.as_ptr()).log) }
    }

    /// Whether the worker has been told to close the connection.
    pub(crate) fn is_closing(self) -> bool {
        // SAFETY: the connection is open by the promise of `new`.
        unsafe { shim::wsk_connection_is_closing(self.as_ptr()) != 0 }
    }

    /// Whether TLS or a filter holds bytes that are not sent yet.
    pub(crate) fn is_buffered(self) -> bool {
        // SAFETY: the connection is open by the promise of `new`.
        unsafe { shim::wsk_connection_is_buffered(self.as_ptr()) != 0 }
    }

    pub(crate) fn is_tls(self) -> bool {
        #[cfg(ngx_feature = "http_ssl")]
        // SAFETY: the connection is open by the promise of `new`.
        return unsafe { !(*self.as_ptr()).ssl.is_null() };
        #[cfg(not(ngx_feature = "http_ssl"))]
        false
    }

    pub(crate) fn is_readable(self) -> bool {
        // SAFETY: an open connection has a read event.
        unsafe { shim::wsk_event_is_ready((*self.as_ptr()).read) != 0 }
    }

    pub(crate) fn is_writable(self) -> bool {
        // SAFETY: an open connection has a write event.
        unsafe { shim::wsk_event_is_ready((*self.as_ptr()).write) != 0 }
    }

    /// Whether the peer's end of stream has been read.
    pub(crate) fn has_ended(self) -> bool {
        // SAFETY: an open connection has a read event.
        unsafe { shim::wsk_event_is_eof((*self.as_ptr()).read) != 0 }
    }

    /// Receives through nginx, which logs what fails at the connection's level.
    pub(crate) fn recv(self, room: &mut [u8]) -> Io {
        // SAFETY: nginx sets `recv` when it opens a connection, and `room` is ours for the call.
        let n = unsafe {
            match (*self.as_ptr()).recv {
                Some(recv) => recv(self.as_ptr(), room.as_mut_ptr(), room.len()),
                None => rc::ERROR,
            }
        };
        match n {
            0 if self.was_reset() => Io::Error,
            0 => Io::Eof,
            n if n > 0 => Io::Done(n.unsigned_abs()),
            rc::AGAIN => Io::Again,
            _ => Io::Error,
        }
    }

    /// Whether the end that has been read was a reset, which nginx's TLS does not tell.
    fn was_reset(self) -> bool {
        #[cfg(ngx_feature = "http_ssl")]
        // SAFETY: the connection is open by the promise of `new`.
        return unsafe { shim::wsk_connection_was_reset(self.as_ptr()) != 0 };
        #[cfg(not(ngx_feature = "http_ssl"))]
        false
    }

    /// Sends through nginx, which logs what fails at the connection's level.
    pub(crate) fn send(self, bytes: &[u8]) -> Io {
        // SAFETY: nginx sets `send` when it opens a connection, and does not write to the bytes.
        let n = unsafe {
            match (*self.as_ptr()).send {
                Some(send) => send(self.as_ptr(), bytes.as_ptr().cast_mut(), bytes.len()),
                None => rc::ERROR,
            }
        };
        match n {
            n if n > 0 => Io::Done(n.unsigned_abs()),
            0 | rc::AGAIN => Io::Again,
            _ => Io::Error,
        }
    }

    /// Whether bytes wait that the event loop has not announced yet.
    pub(crate) fn has_more(self) -> bool {
        // SAFETY: the connection is open by the promise of `new`.
        unsafe { shim::wsk_connection_has_more(self.as_ptr()) != 0 }
    }

    /// How many bytes the kernel has taken and the peer has not acknowledged; 0 where that cannot be known.
    pub(crate) fn unacknowledged(self) -> usize {
        // SAFETY: the connection is open by the promise of `new`.
        unsafe { shim::wsk_connection_unacknowledged(self.as_ptr()) as usize }
    }

    /// Whether epoll has announced that the peer left.
    pub(crate) fn hang_up(self) -> Option<HangUp> {
        // SAFETY: an open connection has a read event.
        unsafe {
            if shim::wsk_event_has_pending_eof((*self.as_ptr()).read) == 0 {
                return None;
            }
            match shim::wsk_connection_socket_error(self.as_ptr()) {
                0 => Some(HangUp::Eof),
                _ => Some(HangUp::Reset),
            }
        }
    }

    /// Ends our half of the stream; what was sent before arrives in front of the end. From here on the connection is a
    /// plain one, and what is received is only good for being dropped. `Again` where the end of TLS has to wait for
    /// room.
    pub(crate) fn end(self) -> Ended {
        #[cfg(ngx_feature = "http_ssl")]
        // SAFETY: the connection is open by the promise of `new`, and its TLS, if there is one, is alive.
        if self.is_tls() && unsafe { shim::wsk_connection_end_tls(self.as_ptr()) } == rc::AGAIN {
            return Ended::Again;
        }
        // SAFETY: as above.
        match unsafe { shim::wsk_connection_shutdown_write(self.as_ptr()) } {
            rc::OK => Ended::Done,
            _ => Ended::Failed,
        }
    }

    /// Sends small writes at once.
    pub(crate) fn set_nodelay(self) -> bool {
        // SAFETY: the connection is open by the promise of `new`.
        unsafe { ngx_tcp_nodelay(self.as_ptr()) == rc::OK }
    }

    /// Keeps a last segment that is not full back until our half ends, or for a moment, so that it can take the end along.
    pub(crate) fn cork(self) {
        // SAFETY: the connection is open by the promise of `new`.
        unsafe { shim::wsk_connection_cork(self.as_ptr()) };
    }

    /// Sets the size of the kernel's buffer for what is sent, in bytes.
    pub(crate) fn set_sndbuf(self, size: i32) {
        // SAFETY: the connection is open by the promise of `new`.
        unsafe { shim::wsk_connection_set_sndbuf(self.as_ptr(), size) };
    }

    /// Tells the event loop what the connection waits for, after a turn that used it.
    pub(crate) fn watch(self) -> bool {
        self.watch_for_room(0)
    }

    /// As [`Connection::watch`], where less than `lowat` bytes of room are not worth an event.
    pub(crate) fn watch_for_room(self, lowat: usize) -> bool {
        // SAFETY: an open connection has both events.
        unsafe { shim::wsk_connection_watch(self.as_ptr(), lowat) == rc::OK }
    }
}
