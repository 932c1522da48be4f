//! The closing handshake: what ends a tunnel, when the client is told, and when nothing is left to do.

use std::fmt::{self, Write};

use websockify_protocol::close::CloseCode;
use websockify_protocol::encoder::ControlFrame;
use websockify_protocol::frame::MAX_CONTROL_PAYLOAD;

use super::{Close, Tunnel};
use crate::download::OutflowEnd;
use crate::ending::{Cause, CloseReason, End};
use crate::stream::{Buffers, Ends, HangUp, Msec, Stream};
use crate::upload::InflowEnd;

impl Tunnel {
    /// Finds what ends the tunnel, if something did.
    pub(super) fn find_cause<C: Stream, T: Stream, B: Buffers>(
        &mut self,
        now: Msec,
        ends: &mut Ends<'_, C, T, B>,
    ) {
        if self.cause.is_some() {
            return;
        }
        if self.gate.is_some() {
            self.cause = self.find_cause_at_gate(ends);
            return;
        }
        let hang_up = self.upload.blocked().is_blocked().then(|| ends.client.hang_up()).flatten();
        if hang_up.is_some() && !self.client_left {
            self.client_left = true;
            self.upload.blocked().restart(now);
        }
        self.cause = match (self.upload.end(), self.download.end()) {
            _ if hang_up == Some(HangUp::Reset) => Some(Cause::ClientReset),
            (Some(InflowEnd::Close(code)), _) => Some(Cause::ClientClose(code)),
            (Some(InflowEnd::Eof), _) => Some(Cause::ClientEof),
            (Some(InflowEnd::Reset), _) => Some(Cause::ClientReset),
            (Some(InflowEnd::Fault(fault)), _) => Some(Cause::Fault(fault)),
            (None, _) if self.client_gone && !has_more(ends.client) => Some(Cause::ClientReset),
            (None, Some(OutflowEnd::Eof)) if self.download.is_empty() => Some(Cause::TargetEof),
            (None, Some(OutflowEnd::Reset)) if self.download.is_empty() => Some(Cause::TargetReset),
            (None, Some(OutflowEnd::NotUtf8)) if self.download.is_empty() => Some(Cause::TargetNotUtf8),
            (None, None)
                if self.upload.is_refused() && self.download.is_empty() && !has_more(ends.target) =>
            {
                Some(Cause::TargetReset)
            }
            (None, _) => None,
        };
        if matches!(self.cause, Some(Cause::TargetReset | Cause::TargetNotUtf8)) {
            self.upload.refuse();
        } else if self.cause.is_some() && self.upload.blocked().is_blocked() {
            // The last words have their time from here on, however long the target was full before.
            self.upload.blocked().restart(now);
        }
    }

    /// Queues and sends our Close as soon as nothing has to go out in front of it.
    pub(super) fn begin_close<C: Stream, T: Stream, B: Buffers>(
        &mut self,
        now: Msec,
        ends: &mut Ends<'_, C, T, B>,
    ) {
        let Some(cause) = self.cause else { return };
        let flushed = self.download.is_empty() && !self.drains(ends.target);
        if self.close == Close::None && (flushed || self.client_gone) {
            self.close = Close::Queued;
            if let Some((code, reason)) = cause.close() {
                if !self.client_gone && !self.desk.control.push(close_frame(code, reason)) {
                    self.client_gone = true;
                }
                self.send_to_client(now, ends.client);
            }
        }
        if self.close == Close::Queued && !self.owes_client() {
            self.close = Close::Sent(now);
        }
    }

    /// Whether the target has something left for a client that said goodbye.
    fn drains(&self, target: &mut impl Stream) -> bool {
        matches!(self.cause, Some(Cause::ClientClose(_) | Cause::ClientEof))
            && self.reads_target()
            && self.download.end().is_none()
            && has_more(target)
    }

    /// Whether nothing is left to do in a tunnel that ends for this `cause`.
    pub(super) fn is_over(&self, cause: Cause) -> bool {
        let delivered = self.upload.is_empty();
        let told = matches!(self.close, Close::Sent(_));
        match cause {
            Cause::ClientReset => true,
            Cause::ClientClose(_) | Cause::ClientEof | Cause::Fault(_) => told && delivered,
            cause if cause.awaits_answer() => match self.upload.end() {
                Some(InflowEnd::Reset) => true,
                Some(_) => told && delivered,
                None => told && (self.upload.is_refused() || self.client_gone),
            },
            _ => told,
        }
    }

    pub(super) fn end(&self, cause: Cause) -> End {
        let close_sent = matches!(self.close, Close::Sent(_)) && !self.client_gone && cause.close().is_some();
        End { cause, close_sent, undelivered: self.upload.undelivered() }
    }
}

fn has_more(end: &mut impl Stream) -> bool {
    end.is_readable() || end.has_more()
}

fn close_frame(code: Option<CloseCode>, reason: CloseReason) -> ControlFrame {
    match reason {
        CloseReason::Text(text) => ControlFrame::close(code, text),
        CloseReason::Fault(fault) => {
            let mut text = ReasonText::default();
            // A reason that is too long is cut: the code has said what matters.
            let _ = write!(text, "{fault}");
            ControlFrame::close(code, text.as_str())
        }
    }
}

/// A close reason in the making, without an allocation that could fail.
struct ReasonText {
    len: usize,
    bytes: [u8; MAX_CONTROL_PAYLOAD],
}

impl Default for ReasonText {
    fn default() -> Self {
        Self { len: 0, bytes: [0; MAX_CONTROL_PAYLOAD] }
    }
}

impl ReasonText {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl Write for ReasonText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}
