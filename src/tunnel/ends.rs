//! nginx's connections as the two ends of a tunnel.

use websockify_tunnel::{HangUp, Io, Stream};

use crate::nginx::connection::Connection;
use crate::nginx::request::Request;
use crate::nginx::upstream::Upstream;

/// The WebSocket client: what it sent with its handshake comes before what its connection receives.
pub(super) struct Client {
    request: Request,
    connection: Connection,
    header: Header,
}

/// Whether the 101 has gone to the socket, so that frames may follow it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Header {
    Waiting,
    Sent,
    Failed,
}

/// Whether the 101 has gone to the socket whole.
pub(super) fn is_answered(request: Request) -> bool {
    !request.has_unsent_header() && !request.connection().is_buffered()
}

impl Client {
    pub(super) fn new(request: Request) -> Self {
        let connection = request.connection();
        let header = if is_answered(request) {
            Header::Sent
        } else if !connection.is_writable() {
            Header::Waiting
        } else if !request.flush_header() {
            Header::Failed
        } else if is_answered(request) {
            Header::Sent
        } else {
            Header::Waiting
        };
        Self { request, connection, header }
    }
}

impl Stream for Client {
    fn is_readable(&self) -> bool {
        self.connection.is_readable() || !self.request.early_bytes().is_empty()
    }

    fn is_writable(&self) -> bool {
        match self.header {
            Header::Waiting => false,
            Header::Sent => self.connection.is_writable(),
            // To be told so.
            Header::Failed => true,
        }
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
        if self.header == Header::Failed {
            return Io::Error;
        }
        self.connection.send(bytes)
    }

    fn send_last(&mut self, bytes: &[u8]) -> Io {
        // Where nginx does not linger, the end may be a reset, which drops what is kept back.
        if self.request.may_linger() {
            self.connection.cork();
        }
        self.send(bytes)
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
