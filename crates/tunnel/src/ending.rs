//! Why a tunnel ends, and what its client is told.

use websockify_protocol::close::CloseCode;
use websockify_protocol::error::ProtocolError;

/// One of the two peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The WebSocket client.
    Client,
    /// The TCP target.
    Target,
}

/// What ended a tunnel; the first cause stands, whatever follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The client sent a Close frame, with this code.
    ClientClose(Option<CloseCode>),
    /// The client ended its stream without a Close frame.
    ClientEof,
    /// The client's connection broke.
    ClientReset,
    /// The client broke the protocol.
    Fault(ProtocolError),
    /// The target ended its stream.
    TargetEof,
    /// The target's connection broke.
    TargetReset,
    /// This side took nothing for the whole of the send timeout.
    SendTimeout(Side),
    /// Neither side said anything for the whole of the read timeout.
    ReadTimeout,
    /// The client did not answer a ping in time.
    NoPong,
    /// No payload went either way for all of the idle timeout.
    IdleTimeout,
    /// The session has lasted as long as it may.
    SessionTimeout,
    /// The worker is shutting down.
    Shutdown,
    /// There was no memory for a buffer.
    OutOfMemory,
    /// A fault of our own.
    Internal,
}

/// Who ended a session, as `$websockify_close_by` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// The client, by a Close, its end of stream, a reset or a fault.
    Client,
    /// The target, by its end of stream or a reset.
    Target,
    /// A timeout.
    Timeout,
    /// The worker's shutdown.
    Shutdown,
    /// We ourselves.
    Proxy,
}

impl Cause {
    /// The code and the reason of the Close frame the client is sent, or `None` where it gets none.
    ///
    /// A client's own Close is answered with its own code, which may be none (RFC 6455 section 5.5.1).
    #[must_use]
    pub fn close(self) -> Option<(Option<CloseCode>, CloseReason)> {
        let (code, reason) = match self {
            Self::ClientClose(code) => return Some((code, CloseReason::Text(""))),
            Self::ClientEof | Self::ClientReset => return None,
            Self::Fault(fault) => return Some((Some(fault.close_code()), CloseReason::Fault(fault))),
            Self::TargetEof => (CloseCode::NORMAL, "target closed"),
            Self::TargetReset => (CloseCode::INTERNAL_ERROR, "target reset the connection"),
            Self::SendTimeout(Side::Client) => (CloseCode::INTERNAL_ERROR, "client timed out"),
            Self::SendTimeout(Side::Target) => (CloseCode::INTERNAL_ERROR, "target timed out"),
            Self::ReadTimeout => (CloseCode::INTERNAL_ERROR, "timed out"),
            Self::NoPong => (CloseCode::GOING_AWAY, "no pong"),
            Self::IdleTimeout => (CloseCode::NORMAL, "idle"),
            Self::SessionTimeout => (CloseCode::NORMAL, "session timeout"),
            Self::Shutdown => (CloseCode::GOING_AWAY, "server is shutting down"),
            Self::OutOfMemory | Self::Internal => (CloseCode::INTERNAL_ERROR, "internal error"),
        };
        Some((Some(code), CloseReason::Text(reason)))
    }

    /// Whether we end the session in order: the client's answer to our Close is awaited, and what it sends before
    /// that still goes to the target.
    #[must_use]
    pub fn awaits_answer(self) -> bool {
        matches!(self, Self::TargetEof | Self::IdleTimeout | Self::SessionTimeout | Self::Shutdown)
    }

    /// Who ended the session.
    #[must_use]
    pub fn closed_by(self) -> ClosedBy {
        match self {
            Self::ClientClose(_) | Self::ClientEof | Self::ClientReset | Self::Fault(_) => ClosedBy::Client,
            Self::TargetEof | Self::TargetReset => ClosedBy::Target,
            Self::SendTimeout(_)
            | Self::ReadTimeout
            | Self::NoPong
            | Self::IdleTimeout
            | Self::SessionTimeout => ClosedBy::Timeout,
            Self::Shutdown => ClosedBy::Shutdown,
            Self::OutOfMemory | Self::Internal => ClosedBy::Proxy,
        }
    }
}

/// The reason in a Close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Words of our own.
    Text(&'static str),
    /// The name of a protocol fault.
    Fault(ProtocolError),
}

/// How a tunnel ended: what is left for its owner to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// What ended it.
    pub cause: Cause,
    /// Whether a Close frame has gone to the client, whose connection must now be closed so that the frame is
    /// not lost.
    pub close_sent: bool,
    /// Bytes received from the client that the target did not take.
    pub undelivered: u64,
}
