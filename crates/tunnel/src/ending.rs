//! Why a tunnel ends, and what its client is told.

use websockify_protocol::close::CloseCode;
use websockify_protocol::error::ProtocolError;

use crate::first_bytes::Unlike;

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
    /// The target did not begin as is demanded of it.
    FirstBytes(Unlike),
    /// The target said what is not UTF-8, where it has to be.
    TargetNotUtf8,
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
    /// The right to the session has ended.
    RightExpired,
    /// An administrator has ended it, for this reason.
    Admin(&'static str),
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
    /// The target, by its end of stream, a reset or what it said.
    Target,
    /// A timeout.
    Timeout,
    /// An administrator.
    Admin,
    /// The worker's shutdown.
    Shutdown,
    /// We ourselves.
    Proxy,
}

impl ClosedBy {
    /// The name in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Target => "target",
            Self::Timeout => "timeout",
            Self::Admin => "admin",
            Self::Shutdown => "shutdown",
            Self::Proxy => "proxy",
        }
    }
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
            Self::FirstBytes(_) => (CloseCode::INTERNAL_ERROR, "first bytes"),
            Self::TargetNotUtf8 => (CloseCode::INTERNAL_ERROR, "target sent invalid UTF-8"),
            Self::SendTimeout(Side::Client) => (CloseCode::INTERNAL_ERROR, "client timed out"),
            Self::SendTimeout(Side::Target) => (CloseCode::INTERNAL_ERROR, "target timed out"),
            Self::ReadTimeout => (CloseCode::INTERNAL_ERROR, "timed out"),
            Self::NoPong => (CloseCode::GOING_AWAY, "no pong"),
            Self::IdleTimeout => (CloseCode::NORMAL, "idle"),
            Self::SessionTimeout => (CloseCode::NORMAL, "session timeout"),
            Self::RightExpired => (CloseCode::UNAUTHORIZED, "right expired"),
            Self::Admin(reason) => (CloseCode::ENDED, reason),
            Self::Shutdown => (CloseCode::GOING_AWAY, "server is shutting down"),
            Self::OutOfMemory | Self::Internal => (CloseCode::INTERNAL_ERROR, "internal error"),
        };
        Some((Some(code), CloseReason::Text(reason)))
    }

    /// Whether we end the session in order: the client's answer to our Close is awaited, and what it sends before
    /// that still goes to the target. Not so where the right to the session has ended.
    #[must_use]
    pub fn awaits_answer(self) -> bool {
        matches!(self, Self::TargetEof | Self::IdleTimeout | Self::SessionTimeout | Self::Shutdown)
    }

    /// Who ended the session.
    #[must_use]
    pub fn closed_by(self) -> ClosedBy {
        match self {
            Self::ClientClose(_) | Self::ClientEof | Self::ClientReset | Self::Fault(_) => ClosedBy::Client,
            Self::TargetEof | Self::TargetReset | Self::TargetNotUtf8 | Self::FirstBytes(_) => {
                ClosedBy::Target
            }
            Self::SendTimeout(_)
            | Self::ReadTimeout
            | Self::NoPong
            | Self::IdleTimeout
            | Self::SessionTimeout
            | Self::RightExpired => ClosedBy::Timeout,
            Self::Admin(_) => ClosedBy::Admin,
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

impl End {
    /// The code by which the client knows of the end: its own, ours if that has left, or what RFC 6455 section 7.4.1
    /// has for a Close without a code (1005) and for an end without a Close (1006).
    #[must_use]
    pub fn close_code(&self) -> u16 {
        let told = self.close_sent || matches!(self.cause, Cause::ClientClose(_));
        match self.cause.close() {
            Some((code, _)) if told => code.map_or(1005, CloseCode::as_u16),
            _ => 1006,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(cause: Cause, close_sent: bool) -> u16 {
        End { cause, close_sent, undelivered: 0 }.close_code()
    }

    #[test]
    fn a_clients_own_code_is_the_one_whether_it_could_be_echoed_or_not() {
        for close_sent in [true, false] {
            assert_eq!(code(Cause::ClientClose(Some(CloseCode::GOING_AWAY)), close_sent), 1001);
            assert_eq!(code(Cause::ClientClose(None), close_sent), 1005);
        }
    }

    #[test]
    fn ours_is_the_one_if_it_has_left() {
        assert_eq!(code(Cause::TargetEof, true), 1000);
        assert_eq!(code(Cause::SendTimeout(Side::Client), false), 1006);
        assert_eq!(code(Cause::Shutdown, false), 1006);
    }

    #[test]
    fn who_leaves_without_a_close_is_told_none() {
        for cause in [Cause::ClientEof, Cause::ClientReset] {
            assert_eq!(code(cause, false), 1006);
            assert_eq!(code(cause, true), 1006);
        }
    }
}
