//! One tunnel: both directions, the control frames between them, and its end.

use std::fmt::{self, Write};

use websockify_protocol::close::CloseCode;
use websockify_protocol::encoder::ControlFrame;
use websockify_protocol::frame::MAX_CONTROL_PAYLOAD;
use websockify_protocol::subprotocol::Encoding;

use crate::blocked::Blocked;
use crate::control::ControlQueue;
use crate::download::{Download, OutflowEnd};
use crate::ending::{Cause, CloseReason, End, Side};
use crate::stream::{Buffers, Ends, HangUp, Io, Msec, Stream};
use crate::upload::{InflowEnd, Upload};

/// The least a relay buffer may hold: a whole control frame beside some data, and a target's greeting.
pub const SMALLEST_BUFFER: usize = 1024;

/// Bytes a tunnel may move before the other sessions of the worker get their turn.
const TURN: usize = 1024 * 1024;

/// How long the client has to answer our Close, and a target to take at least a byte once its client is gone.
const LAST_WORDS: Msec = 5_000;

/// Bytes of a target that still go out to a client that has sent its Close: more than two sockets' buffers hold,
/// so that only a target that keeps sending is cut short.
const DRAIN: usize = 16 * 1024 * 1024;

/// What configuration says of a tunnel's times, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a blocked write may take nothing.
    pub send_timeout: Msec,
    /// How long neither side may say anything.
    pub read_timeout: Msec,
}

/// What a tunnel has moved so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Payload bytes from the client, as the target gets them.
    pub bytes_received: u64,
    /// Payload bytes to the client, as the target said them.
    pub bytes_sent: u64,
    /// Messages ended by the client.
    pub frames_received: u64,
    /// Data frames made for the client.
    pub frames_sent: u64,
    /// When either side was last heard.
    pub heard_at: Msec,
}

/// What to do after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Drive again when an end has news, and at this time at the latest.
    Wait(Msec),
    /// Drive again once the others had their turn.
    Yield,
    /// The tunnel has ended: close both ends. It must not be driven any more.
    Ended(End),
}

/// No memory for a buffer.
pub(crate) struct OutOfMemory;

/// Where the closing handshake stands (RFC 6455 section 7.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    None,
    Queued,
    Sent(Msec),
}

/// What has waited too long.
#[derive(Clone, Copy)]
enum Expiry {
    /// The client took nothing.
    Client,
    /// The target took nothing.
    Target,
    /// The client did not answer our Close.
    Answer,
    /// Nobody said anything.
    Silence,
}

/// One session's data phase.
pub struct Tunnel {
    upload: Upload,
    download: Download,
    control: ControlQueue,
    stats: Stats,
    /// How the client takes what waits for it.
    client_blocked: Blocked,
    /// The client takes no more; what it sent before may still be read.
    client_gone: bool,
    /// The client ended its stream, and what it sent last is not read yet because the target is full.
    client_left: bool,
    /// What a target may still send to a client that has said goodbye.
    drain: usize,
    cause: Option<Cause>,
    close: Close,
}

impl Tunnel {
    /// A tunnel that begins at `now`. No client's frame may be longer than `max_frame_size`, if one is given.
    #[must_use]
    pub fn new(now: Msec, encoding: Encoding, max_frame_size: Option<u64>) -> Self {
        Self {
            upload: Upload::new(encoding, max_frame_size),
            download: Download::new(encoding),
            control: ControlQueue::default(),
            stats: Stats { heard_at: now, ..Stats::default() },
            client_blocked: Blocked::default(),
            client_gone: false,
            client_left: false,
            drain: DRAIN,
            cause: None,
            close: Close::None,
        }
    }

    /// Hands over what the target said before the tunnel stood, at most half of [`SMALLEST_BUFFER`].
    pub fn greet(&mut self, greeting: &[u8], buffers: &mut impl Buffers) {
        if self.download.greet(greeting, buffers, &mut self.stats).is_err() {
            self.fail(Cause::OutOfMemory);
        }
    }

    /// What was moved so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Begins the end from outside (a shutdown, a fault of our own): nothing more is relayed, and the client is
    /// told as soon as a frame may begin. Does nothing in a tunnel that is ending already.
    pub fn fail(&mut self, cause: Cause) {
        if self.cause.is_none() {
            self.cause = Some(cause);
            self.upload.refuse();
        }
    }

    /// Gives the buffers back; the tunnel must not be driven any more.
    pub fn release(&mut self, buffers: &mut impl Buffers) {
        self.upload.release(buffers);
        self.download.release(buffers);
    }

    /// Moves what can be moved now, about [`TURN`] bytes at most.
    pub fn drive<C: Stream, T: Stream, B: Buffers>(
        &mut self,
        now: Msec,
        limits: &Limits,
        ends: &mut Ends<'_, C, T, B>,
    ) -> Turn {
        let mut moved = 0;
        while moved < TURN {
            let before = (moved, self.cause, self.close);
            moved += self.round(now, ends);
            self.find_cause(ends);
            self.begin_close(now, ends);
            if let Some(cause) = self.cause.filter(|&cause| self.is_over(cause)) {
                return Turn::Ended(self.end(cause));
            }
            if before != (moved, self.cause, self.close) {
                continue;
            }
            let (deadline, expiry) = self.deadline(limits);
            if now < deadline {
                self.download.release_if_empty(ends.buffers);
                return Turn::Wait(deadline);
            }
            if let Some(end) = self.expire(now, limits, expiry, ends) {
                return Turn::Ended(end);
            }
        }
        Turn::Yield
    }

    /// One round over both directions. Returns how many bytes moved.
    fn round<C: Stream, T: Stream, B: Buffers>(&mut self, now: Msec, ends: &mut Ends<'_, C, T, B>) -> usize {
        let mut moved = self.send_to_client(now, ends.client);
        if self.reads_target() {
            match self.download.receive(now, ends.target, ends.buffers, &mut self.stats) {
                Ok(0) => {}
                Ok(len) => {
                    if self.cause.is_some() {
                        self.drain = self.drain.saturating_sub(len);
                    }
                    moved += len + self.send_to_client(now, ends.client);
                }
                Err(OutOfMemory) => self.fail(Cause::OutOfMemory),
            }
        }
        if self.reads_client() {
            match self.upload.advance(now, ends, &mut self.control, &mut self.stats) {
                Ok(len) => moved += len,
                Err(OutOfMemory) => self.fail(Cause::OutOfMemory),
            }
        }
        moved + self.send_to_client(now, ends.client)
    }

    /// Whether what the target says still goes to the client: always, until the end begins; then only what a
    /// client that said goodbye is still owed.
    fn reads_target(&self) -> bool {
        match self.cause {
            _ if self.client_gone => false,
            None => true,
            Some(Cause::ClientClose(_) | Cause::ClientEof) => self.close == Close::None && self.drain > 0,
            Some(_) => false,
        }
    }

    /// Whether what the client says, or has said before its end, still goes to the target.
    fn reads_client(&self) -> bool {
        match self.cause {
            None | Some(Cause::ClientClose(_) | Cause::ClientEof | Cause::Fault(_) | Cause::TargetEof) => {
                true
            }
            Some(_) => false,
        }
    }

    /// Sends what waits for the client; a frame that has begun is finished before another begins.
    fn send_to_client(&mut self, now: Msec, client: &mut impl Stream) -> usize {
        let mut moved = 0;
        while self.owes_client() && client.is_writable() {
            let control_first = !self.download.is_begun() && !self.control.is_empty();
            let bytes = if control_first { self.control.begin() } else { self.download.begin() };
            match client.send(bytes) {
                Io::Done(len) if control_first => {
                    self.control.advance(len);
                    moved += len;
                }
                Io::Done(len) => {
                    self.download.advance(len);
                    moved += len;
                }
                Io::Again => break,
                Io::Eof | Io::Error => self.client_gone = true,
            }
        }
        self.client_blocked.note(now, moved > 0, self.owes_client());
        moved
    }

    fn owes_client(&self) -> bool {
        !self.client_gone && (!self.download.is_empty() || !self.control.is_empty())
    }

    /// Finds what ends the tunnel, if something did.
    fn find_cause<C: Stream, T: Stream, B: Buffers>(&mut self, ends: &mut Ends<'_, C, T, B>) {
        if self.cause.is_some() {
            return;
        }
        let hang_up = self.upload.blocked().is_blocked().then(|| ends.client.hang_up()).flatten();
        self.client_left = hang_up.is_some();
        self.cause = match (self.upload.end(), self.download.end()) {
            _ if hang_up == Some(HangUp::Reset) => Some(Cause::ClientReset),
            (Some(InflowEnd::Close(code)), _) => Some(Cause::ClientClose(code)),
            (Some(InflowEnd::Eof), _) => Some(Cause::ClientEof),
            (Some(InflowEnd::Reset), _) => Some(Cause::ClientReset),
            (Some(InflowEnd::Fault(fault)), _) => Some(Cause::Fault(fault)),
            (None, _) if self.client_gone && !has_more(ends.client) => Some(Cause::ClientReset),
            (None, Some(OutflowEnd::Eof)) if self.download.is_empty() => Some(Cause::TargetEof),
            (None, Some(OutflowEnd::Reset)) if self.download.is_empty() => Some(Cause::TargetReset),
            (None, None)
                if self.upload.is_refused() && self.download.is_empty() && !has_more(ends.target) =>
            {
                Some(Cause::TargetReset)
            }
            (None, _) => None,
        };
        if self.cause == Some(Cause::TargetReset) {
            self.upload.refuse();
        }
    }

    /// Queues and sends our Close as soon as nothing has to go out in front of it.
    fn begin_close<C: Stream, T: Stream, B: Buffers>(&mut self, now: Msec, ends: &mut Ends<'_, C, T, B>) {
        let Some(cause) = self.cause else { return };
        let flushed = self.download.is_empty() && !self.drains(ends.target);
        if self.close == Close::None && (flushed || self.client_gone) {
            self.close = Close::Queued;
            if let Some((code, reason)) = cause.close() {
                if !self.client_gone && !self.control.push(close_frame(code, reason)) {
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
    fn is_over(&self, cause: Cause) -> bool {
        let delivered = self.upload.is_empty();
        let told = matches!(self.close, Close::Sent(_));
        match cause {
            Cause::ClientReset => true,
            Cause::ClientClose(_) | Cause::ClientEof | Cause::Fault(_) => told && delivered,
            Cause::TargetEof => match self.upload.end() {
                Some(InflowEnd::Reset) => true,
                Some(_) => told && delivered,
                None => told && (self.upload.is_refused() || self.client_gone),
            },
            _ => told,
        }
    }

    /// What the tunnel waits for at most until when.
    fn deadline(&mut self, limits: &Limits) -> (Msec, Expiry) {
        let client = self.client_blocked.deadline(limits.send_timeout).map(|at| (at, Expiry::Client));
        let timeout = self.upload_timeout(limits);
        let target = self.upload.blocked().deadline(timeout).map(|at| (at, Expiry::Target));
        let answer = match self.close {
            Close::Sent(at) if self.cause == Some(Cause::TargetEof) => {
                Some((at + LAST_WORDS, Expiry::Answer))
            }
            _ => None,
        };
        let silence = (self.stats.heard_at + limits.read_timeout, Expiry::Silence);
        [client, target, answer].into_iter().flatten().min_by_key(|&(at, _)| at).unwrap_or(silence)
    }

    /// How long the target may take nothing: less for a client that has gone, whose last bytes these are.
    fn upload_timeout(&self, limits: &Limits) -> Msec {
        if self.cause.is_some() || self.client_left {
            LAST_WORDS.min(limits.send_timeout)
        } else {
            limits.send_timeout
        }
    }

    /// Draws the consequence of a deadline that has passed.
    fn expire<C: Stream, T: Stream, B: Buffers>(
        &mut self,
        now: Msec,
        limits: &Limits,
        expiry: Expiry,
        ends: &mut Ends<'_, C, T, B>,
    ) -> Option<End> {
        match expiry {
            Expiry::Client => {
                let expired = self.client_blocked.has_expired(now, limits.send_timeout, ends.client);
                expired.then(|| self.end(self.cause.unwrap_or(Cause::SendTimeout(Side::Client))))
            }
            Expiry::Target => {
                let timeout = self.upload_timeout(limits);
                if self.upload.blocked().has_expired(now, timeout, ends.target) {
                    let cause =
                        if self.client_left { Cause::ClientEof } else { Cause::SendTimeout(Side::Target) };
                    self.cause.get_or_insert(cause);
                    self.upload.refuse();
                }
                None
            }
            Expiry::Answer => Some(self.end(Cause::TargetEof)),
            Expiry::Silence if self.cause.is_none() => {
                self.fail(Cause::ReadTimeout);
                None
            }
            Expiry::Silence => self.cause.map(|cause| self.end(cause)),
        }
    }

    fn end(&self, cause: Cause) -> End {
        let close_sent = matches!(self.close, Close::Sent(_)) && !self.client_gone && cause.close().is_some();
        End { cause, close_sent, undelivered: self.upload.dropped() }
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
