//! Client to target: wire bytes come in, payload goes out of the same buffer.
//!
//! ```text
//! buffer  |....| ready: payload for the target |....| wire: not decoded yet |..... room .....|
//! ```
//! Payload is unmasked where it was received, and the gaps that headers leave are closed, so that many small
//! frames become one send. Nothing is received while `ready` holds a byte: that is the backpressure.

use std::ops::Range;

use websockify_protocol::base64_stream::Base64Decoder;
use websockify_protocol::close::{self, CloseCode};
use websockify_protocol::decoder::{ControlOpcode, Decoder, Event};
use websockify_protocol::encoder::ControlFrame;
use websockify_protocol::error::ProtocolError;
use websockify_protocol::frame::MAX_CONTROL_PAYLOAD;
use websockify_protocol::mask::{self, MaskingKey};
use websockify_protocol::subprotocol::Encoding;

use crate::blocked::Blocked;
use crate::desk::Desk;
use crate::limits::Stats;
use crate::pace::Pace;
use crate::stream::{Buffers, Ends, Io, Msec, Stream};
use crate::tunnel::OutOfMemory;

/// How the client's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InflowEnd {
    Close(Option<CloseCode>),
    Eof,
    Reset,
    Fault(ProtocolError),
}

/// What a frame costs beside its bytes: there may be one for every six of them.
const FRAME: usize = 128;

pub(crate) struct Upload {
    buffer: Option<Box<[u8]>>,
    ready: Range<usize>,
    wire: Range<usize>,
    decoder: Decoder,
    base64: Option<Base64Decoder>,
    end: Option<InflowEnd>,
    /// The target takes no more: what still comes is dropped.
    refused: bool,
    /// Payload that was given up because the target did not take it.
    dropped: u64,
    blocked: Blocked,
    pace: Pace,
}

impl Upload {
    pub(crate) fn new(encoding: Encoding, max_frame_size: Option<u64>) -> Self {
        Self {
            buffer: None,
            ready: 0..0,
            wire: 0..0,
            decoder: Decoder::new(max_frame_size),
            base64: (encoding == Encoding::Base64).then(Base64Decoder::new),
            end: None,
            refused: false,
            dropped: 0,
            blocked: Blocked::default(),
            pace: Pace::default(),
        }
    }

    /// How fast the client is read.
    pub(crate) fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    /// How the client's stream ended, once it has.
    pub(crate) fn end(&self) -> Option<InflowEnd> {
        self.end
    }

    /// Whether nothing waits for the target.
    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Bytes of payload that the target did not take, those included that still wait for it.
    pub(crate) fn undelivered(&self) -> u64 {
        self.dropped + self.ready.len() as u64
    }

    /// Whether the target's connection broke while it was written to.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    /// How the target takes what waits for it.
    pub(crate) fn blocked(&mut self) -> &mut Blocked {
        &mut self.blocked
    }

    /// Drops what waits for the target, and all that comes after it.
    pub(crate) fn refuse(&mut self) {
        self.refused = true;
        self.drop_ready();
    }

    fn drop_ready(&mut self) {
        self.dropped += self.ready.len() as u64;
        self.ready = 0..0;
        self.blocked = Blocked::default();
    }

    /// One round: send what is ready, decode what was received, receive. Returns how much work it was, in bytes moved.
    pub(crate) fn advance<C: Stream, T: Stream, B: Buffers>(
        &mut self,
        now: Msec,
        ends: &mut Ends<'_, C, T, B>,
        desk: &mut Desk,
    ) -> Result<usize, OutOfMemory> {
        let mut sent = self.send(ends.target);
        let mut received = 0;
        if self.ready.is_empty() && self.end.is_none() {
            received = self.receive(now, ends, desk)?;
            sent += self.send(ends.target);
        }
        if sent > 0 {
            desk.payload_at = now;
        }
        if self.blocked.note(now, sent > 0 || received > 0, !self.ready.is_empty()) {
            desk.stood_still(now);
        }
        if self.ready.is_empty() && (self.wire.is_empty() || self.end.is_some()) {
            self.release(ends.buffers);
        }
        Ok(sent + received)
    }

    fn send(&mut self, target: &mut impl Stream) -> usize {
        let Some(buffer) = self.buffer.as_deref() else { return 0 };
        if self.ready.is_empty() || !target.is_writable() {
            return 0;
        }
        match target.send(&buffer[self.ready.clone()]) {
            Io::Done(len) => {
                self.ready.start += len;
                len
            }
            Io::Again => 0,
            Io::Eof | Io::Error => {
                self.refuse();
                0
            }
        }
    }

    fn receive<C: Stream, T: Stream, B: Buffers>(
        &mut self,
        now: Msec,
        ends: &mut Ends<'_, C, T, B>,
        desk: &mut Desk,
    ) -> Result<usize, OutOfMemory> {
        if !ends.client.is_readable() {
            return Ok(0);
        }
        let most = self.pace.room(now);
        if most == 0 {
            return Ok(0);
        }
        if self.buffer.is_none() {
            self.buffer = Some(ends.buffers.take().ok_or(OutOfMemory)?);
        }
        let Some(buffer) = self.buffer.as_deref_mut() else { return Ok(0) };
        // What is left undecoded is less than a control frame, so there is always room behind it.
        buffer.copy_within(self.wire.clone(), 0);
        self.wire = 0..self.wire.len();
        let most = most.min(buffer.len() - self.wire.end);
        match ends.client.recv(&mut buffer[self.wire.end..self.wire.end + most]) {
            Io::Done(len) => {
                self.wire.end += len;
                let before = desk.stats.bytes_received;
                let frames = self.decode(now, desk)?;
                let payload = desk.stats.bytes_received - before;
                desk.client_heard(now, payload > 0);
                self.pace.spend(payload);
                if self.refused {
                    self.drop_ready();
                }
                Ok(len + frames * FRAME)
            }
            Io::Again => Ok(0),
            Io::Eof => Ok(self.finish(InflowEnd::Eof)),
            Io::Error => Ok(self.finish(InflowEnd::Reset)),
        }
    }

    /// Decodes all of `wire` but a header or control frame that is not whole yet. Returns how many frames it met.
    fn decode(&mut self, now: Msec, desk: &mut Desk) -> Result<usize, OutOfMemory> {
        self.ready = self.wire.start..self.wire.start;
        let mut frames = 0;
        while self.end.is_none() {
            frames += self.take_run(&mut desk.stats);
            let Some(buffer) = self.buffer.as_deref_mut() else { break };
            let step = match self.decoder.decode(&buffer[self.wire.clone()]) {
                Ok(Some(step)) => step,
                Ok(None) => break,
                Err(fault) => {
                    self.finish(InflowEnd::Fault(fault));
                    break;
                }
            };
            let payload = self.wire.start + step.skip..self.wire.start + step.skip + step.len;
            self.wire.start = payload.end;
            frames += 1;
            match step.event {
                Event::Data { key, end_of_message } => {
                    desk.stats.frames_received += u64::from(self.decoder.is_between_frames());
                    self.take_data(payload, key, end_of_message, &mut desk.stats);
                }
                Event::Control { opcode, key } => self.take_control(now, opcode, payload, key, desk)?,
            }
        }
        Ok(frames)
    }

    /// Takes a run of small messages behind others.
    fn take_run(&mut self, stats: &mut Stats) -> usize {
        let Some(buffer) =
            self.buffer.as_deref_mut().filter(|_| !self.ready.is_empty() && self.base64.is_none())
        else {
            return 0;
        };
        let run = self.decoder.decode_run(buffer, self.wire.clone(), self.ready.end);
        self.wire.start += run.taken;
        self.ready.end += run.put;
        stats.bytes_received += run.put as u64;
        stats.frames_received += run.frames as u64;
        run.frames
    }

    fn take_data(&mut self, payload: Range<usize>, key: MaskingKey, end_of_message: bool, stats: &mut Stats) {
        let Some(buffer) = self.buffer.as_deref_mut() else { return };
        if self.ready.is_empty() {
            self.ready = payload.start..payload.start;
        }
        let at = self.ready.end;
        let mut len = payload.len();
        if at == payload.start {
            mask::apply(key, &mut buffer[payload]);
        } else {
            mask::apply_moving(key, buffer, payload, at);
        }
        if let Some(base64) = &mut self.base64 {
            match base64.decode_within(buffer, at..at + len, at, end_of_message) {
                Ok(decoded) => len = decoded,
                Err(fault) => {
                    self.finish(InflowEnd::Fault(fault));
                    return;
                }
            }
        }
        self.ready.end = at + len;
        stats.bytes_received += len as u64;
    }

    fn take_control(
        &mut self,
        now: Msec,
        opcode: ControlOpcode,
        payload: Range<usize>,
        key: MaskingKey,
        desk: &mut Desk,
    ) -> Result<(), OutOfMemory> {
        let Some(buffer) = self.buffer.as_deref_mut() else { return Ok(()) };
        let mut body = [0; MAX_CONTROL_PAYLOAD];
        let body = &mut body[..payload.len()];
        body.copy_from_slice(&buffer[payload]);
        mask::apply(key, body);
        match opcode {
            ControlOpcode::Ping if desk.control.push(ControlFrame::pong(body)) => {}
            ControlOpcode::Ping => return Err(OutOfMemory),
            ControlOpcode::Pong => {
                desk.stats.round_trips += u32::from(desk.heartbeat.on_pong(now, body));
            }
            ControlOpcode::Close => {
                self.finish(match close::parse(body) {
                    Ok(close) => InflowEnd::Close(close.code),
                    Err(fault) => InflowEnd::Fault(fault),
                });
            }
        }
        Ok(())
    }

    fn finish(&mut self, end: InflowEnd) -> usize {
        self.end = Some(end);
        self.wire = 0..0;
        0
    }

    pub(crate) fn release(&mut self, buffers: &mut impl Buffers) {
        if let Some(buffer) = self.buffer.take() {
            buffers.give(buffer);
        }
    }
}
