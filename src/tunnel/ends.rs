//! nginx's connections as the two ends of a tunnel.

use websockify_tunnel::{HangUp, Io, Stream};

use crate::nginx::connection::Connection;
use crate::nginx::request::Request;
use crate::nginx::upstream::Upstream;

/// The WebSocket client: what it sent with its handshake comes before what its connection receives.
pub(super) struct Client {
    request: Request,
    connection: Connection,
    /// The 101 has gone to the socket, frames may follow it.
    may_send: bool,
}

impl Client {
    /// `None` if the client turned out to be gone.
    pub(super) fn new(request: Request) -> Option<Self> {
        let connection = request.connection();
        let mut may_send = !request.has_unsent_header() && !connection.is_buffered();
        if !may_send && connection.is_writable() {
            // A failure leaves the connection in a state that the tunnel's own calls will meet.
            may_send = request.flush_header() && !request.has_unsent_header() && !connection.is_buffered();
        }
        Some(Self { request, connection, may_send })
    }
}

impl Stream for Client {
    fn is_readable(&self) -> bool {
        self.connection.is_readable() || !self.request.early_bytes().is_empty()
    }

    fn is_writable(&self) -> bool {
        self.may_send && self.connection.is_writable()
    }

    fn recv(&mut self, room: &mut [u8]) -> Io {
        let early = self.request.early_bytes();
        if early.is_empty() {
            return self.connection.recv(room);
        }
        let len = early.len().min(room.len());
        room[..len].copy_from_slice(&early[..len]);
        self.request.consume_early(len);
        Io::Done(len)
    }

    fn send(&mut self, bytes: &[u8]) -> Io {
        self.connection.send(bytes)
    }

    fn has_more(&mut self) -> bool {
        !self.request.early_bytes().is_empty() || self.connection.has_more()
    }

    fn unacknowledged(&mut self) -> usize {
        self.connection.unacknowledged()
    }

    fn hang_up(&mut self) -> Option<HangUp> {
        self.connection.hang_up()
    }
}

/// The TCP target.
pub(super) struct Target {
    upstream: Upstream,
    connection: Connection,
}

impl Target {
    /// `None` where there is no connection.
    pub(super) fn new(upstream: Upstream) -> Option<Self> {
        Some(Self { upstream, connection: upstream.connection()? })
    }
}

impl Stream for Target {
    fn is_readable(&self) -> bool {
        self.connection.is_readable()
    }

    fn is_writable(&self) -> bool {
        self.connection.is_writable()
    }

    fn recv(&mut self, room: &mut [u8]) -> Io {
        let received = self.connection.recv(room);
        if let Io::Done(len) = received {
            self.upstream.count_received(len);
        }
        received
    }

    fn send(&mut self, bytes: &[u8]) -> Io {
        self.connection.send(bytes)
    }

    fn has_more(&mut self) -> bool {
        self.connection.has_more()
    }

    fn unacknowledged(&mut self) -> usize {
        self.connection.unacknowledged()
    }

    fn hang_up(&mut self) -> Option<HangUp> {
        self.connection.hang_up()
    }
}
