//! A client's stream of bytes as data and control events (RFC 6455 sections 5.4 and 5.5), a piece at a time.

use core::ops::Range;

use crate::error::ProtocolError;
use crate::frame::{self, Opcode};
use crate::mask::{self, MaskingKey};

/// Follows one client's frames through whatever pieces they arrive in. It holds no byte of them: only where
/// it is.
#[derive(Clone, Debug)]
pub struct Decoder {
    phase: Phase,
    /// Whether a message has begun and its last byte was not taken yet.
    in_message: bool,
    max_frame_size: u64,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The next byte is the first of a header.
    Between,
    /// The next byte is payload of a data frame; `remaining` is not zero and `key` is rotated for that byte.
    Payload { remaining: u64, key: MaskingKey, fin: bool },
}

/// What stands at the front of the input: drop `skip` bytes of header, then take `len` bytes of payload,
/// still masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of header at the front of the input.
    pub skip: usize,
    /// Bytes of payload behind them.
    pub len: usize,
    /// What that payload is.
    pub event: Event,
}

/// What [`Decoder::decode_run`] has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Bytes of input: frames with their headers.
    pub taken: usize,
    /// Bytes of payload.
    pub put: usize,
    /// Frames, each of them a whole message.
    pub frames: usize,
}

/// What the payload of a [`Step`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A piece, perhaps an empty one, of a text or binary message.
    Data {
        /// Unmasks this piece, from its first byte on.
        key: MaskingKey,
        /// Whether the message ends with this piece.
        end_of_message: bool,
    },
    /// A whole control frame.
    Control {
        /// Which one.
        opcode: ControlOpcode,
        /// Unmasks its payload.
        key: MaskingKey,
    },
}

/// The opcodes of control frames (RFC 6455 section 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlOpcode {
    /// The client closes: see [`close::parse`](crate::close::parse).
    Close,
    /// To be answered with a pong of the same payload.
    Ping,
    /// A sign of life.
    Pong,
}

impl Decoder {
    /// A decoder at the start of a connection. A data frame whose payload is longer than `max_frame_size`
    /// bytes is refused. The limit is one of frames: a message of several may be longer, and control frames
    /// have their own.
    #[must_use]
    pub const fn new(max_frame_size: Option<u64>) -> Self {
        let max_frame_size = match max_frame_size {
            Some(limit) => limit,
            None => u64::MAX,
        };
        Self { phase: Phase::Between, in_message: false, max_frame_size }
    }

    /// Looks at `input`, which begins where the last step ended, and takes the next step.
    ///
    /// A step's `skip + len` bytes are taken: the caller drops them from the front of its input before it
    /// asks again. Data comes as it arrives, as much of the current frame as `input` holds; a step may be a
    /// header alone (`len` 0), and an empty piece that ends a message is reported too. A control frame comes
    /// whole. `None` takes nothing and means that more input is needed.
    ///
    /// # Errors
    /// [`ProtocolError`], as soon as the byte that makes the fault is in `input`, after all steps before it.
    /// Nothing is taken; fail the connection with [`ProtocolError::close_code`].
    #[inline]
    pub fn decode(&mut self, input: &[u8]) -> Result<Option<Step>, ProtocolError> {
        match self.phase {
            Phase::Between => match self.decode_usual(input) {
                Some(step) => Ok(Some(step)),
                None => self.decode_frame(input),
            },
            Phase::Payload { .. } if input.is_empty() => Ok(None),
            Phase::Payload { remaining, key, fin } => {
                Ok(Some(self.take_data(0, input.len(), remaining, key, fin)))
            }
        }
    }

    /// Whether the last step ended a frame, or there was none: the caller's input begins with a header, if
    /// not empty.
    #[must_use]
    pub const fn is_between_frames(&self) -> bool {
        matches!(self.phase, Phase::Between)
    }

    /// Whether a message has begun and its last byte was not taken yet (control frames may come in between).
    #[must_use]
    pub const fn in_message(&self) -> bool {
        self.in_message
    }

    /// The shortcut for what most small frames are: a whole binary message with a length of 7 bits, all there. The
    /// decoder is after it where it was before it.
    #[inline]
    fn decode_usual(&self, input: &[u8]) -> Option<Step> {
        let (key, len) = usual_header(input)?;
        if input.len() - HEADER < len || self.in_message || len as u64 > self.max_frame_size {
            return None;
        }
        Some(Step { skip: HEADER, len, event: Event::Data { key, end_of_message: true } })
    }

    /// The shortcut for a run of such frames: takes those at the front of `buf[wire]` and moves their payload, unmasked,
    /// to `buf[to..]`, as [`mask::apply_moving`] does. It is there from where the headers of frames that went before have
    /// left a gap of some bytes; what it does not take is for [`Decoder::decode`].
    #[inline]
    pub fn decode_run(&self, buf: &mut [u8], wire: Range<usize>, to: usize) -> Run {
        let mut run = Run { taken: 0, put: 0, frames: 0 };
        if self.in_message || !self.is_between_frames() {
            return run;
        }
        while let Some((header, len)) = usual_header(&buf[wire.start + run.taken..wire.end]) {
            let (from, to) = (wire.start + run.taken + HEADER, to + run.put);
            let fits = wire.end - from >= len && buf.len() - from >= len + mask::BLOCK;
            if !fits || from.saturating_sub(to) < mask::BLOCK || len as u64 > self.max_frame_size {
                break;
            }
            mask::apply_in_blocks(header, &mut buf[to..], from - to, len);
            run.taken += HEADER + len;
            run.put += len;
            run.frames += 1;
        }
        run
    }

    #[inline]
    fn decode_frame(&mut self, input: &[u8]) -> Result<Option<Step>, ProtocolError> {
        let Some((&first, rest)) = input.split_first() else { return Ok(None) };
        let (fin, opcode) = frame::decode_kind(first)?;
        self.check_order(opcode)?;
        let Some((len, rest)) = frame::decode_length(opcode, rest)? else { return Ok(None) };
        if len > self.max_frame_size && !opcode.is_control() {
            return Err(ProtocolError::TooBig);
        }
        let Some((key, payload)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let (skip, key) = (input.len() - payload.len(), MaskingKey::new(*key));
        let opcode = match opcode {
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                return Ok(Some(self.take_data(skip, payload.len(), len, key, fin)));
            }
            Opcode::Close => ControlOpcode::Close,
            Opcode::Ping => ControlOpcode::Ping,
            Opcode::Pong => ControlOpcode::Pong,
        };
        if (payload.len() as u64) < len {
            return Ok(None);
        }
        Ok(Some(Step { skip, len: shorter(len, payload.len()), event: Event::Control { opcode, key } }))
    }

    /// Section 5.4: a message is one text or binary frame and continuations up to FIN; no second one begins
    /// inside it.
    #[inline]
    fn check_order(&self, opcode: Opcode) -> Result<(), ProtocolError> {
        match opcode {
            Opcode::Continuation if !self.in_message => Err(ProtocolError::ContinuationOutOfPlace),
            Opcode::Text | Opcode::Binary if self.in_message => Err(ProtocolError::DataInsideMessage),
            _ => Ok(()),
        }
    }

    /// Takes what is `present` of the `remaining` payload of a data frame.
    #[inline]
    fn take_data(&mut self, skip: usize, present: usize, remaining: u64, key: MaskingKey, fin: bool) -> Step {
        let len = shorter(remaining, present);
        let remaining = remaining - len as u64;
        self.phase = match remaining {
            0 => Phase::Between,
            remaining => Phase::Payload { remaining, key: key.rotated(len), fin },
        };
        let end_of_message = fin && remaining == 0;
        self.in_message = !end_of_message;
        Step { skip, len, event: Event::Data { key, end_of_message } }
    }
}

/// The length of a client's header with a length of 7 bits.
const HEADER: usize = 6;

/// The key and the length of a whole binary message in front of `input`, if it is one of up to 125 bytes.
#[inline]
fn usual_header(input: &[u8]) -> Option<(MaskingKey, usize)> {
    const FIRST: u8 = frame::FIN | Opcode::Binary as u8;
    let &[FIRST, second, a, b, c, d] = input.first_chunk::<HEADER>()? else { return None };
    let len = second ^ frame::MASK;
    (len < frame::LENGTH_IN_16_BITS).then(|| (MaskingKey::new([a, b, c, d]), usize::from(len)))
}

/// The smaller of a declared length and the bytes that are present.
#[inline]
fn shorter(declared: u64, present: usize) -> usize {
    usize::try_from(declared).map_or(present, |declared| declared.min(present))
}
