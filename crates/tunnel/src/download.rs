//! Target to client: a read becomes a frame, its header written in front of it where it stands.

use std::ops::Range;

use websockify_protocol::base64_stream;
use websockify_protocol::encoder;
use websockify_protocol::frame::{Opcode, MAX_SERVER_HEADER};
use websockify_protocol::subprotocol::Encoding;

use crate::desk::Desk;
use crate::limits::Stats;
use crate::pace::Pace;
use crate::stream::{Buffers, Io, Msec, Stream};
use crate::text::{Carry, MAX_CARRY};
use crate::tunnel::OutOfMemory;

/// How the target's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutflowEnd {
    Eof,
    Reset,
    /// It said what cannot stand in a text frame.
    NotUtf8,
}

pub(crate) struct Download {
    buffer: Option<Box<[u8]>>,
    /// The frame, or what is left of it.
    frame: Range<usize>,
    /// The frame was offered to the client: nothing may go before its rest.
    begun: bool,
    encoding: Encoding,
    /// What waits for the rest of its character.
    carry: Carry,
    end: Option<OutflowEnd>,
    pace: Pace,
}

impl Download {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self {
            buffer: None,
            frame: 0..0,
            begun: false,
            encoding,
            carry: Carry::default(),
            end: None,
            pace: Pace::default(),
        }
    }

    /// How fast the target is read.
    pub(crate) fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    pub(crate) fn end(&self) -> Option<OutflowEnd> {
        self.end
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frame.is_empty()
    }

    pub(crate) fn is_begun(&self) -> bool {
        self.begun
    }

    /// The bytes to offer to the client next. From here on they are begun.
    pub(crate) fn begin(&mut self) -> &[u8] {
        self.begun = !self.frame.is_empty();
        self.buffer.as_deref().map_or(&[], |buffer| &buffer[self.frame.clone()])
    }

    /// Takes note that `len` bytes of [`Download::begin`] went out.
    pub(crate) fn advance(&mut self, len: usize) {
        self.frame.start += len;
        self.begun = !self.frame.is_empty();
    }

    /// Frames what the target has to say, if the last frame is gone. Returns how many bytes were received.
    pub(crate) fn receive(
        &mut self,
        now: Msec,
        target: &mut impl Stream,
        buffers: &mut impl Buffers,
        desk: &mut Desk,
    ) -> Result<usize, OutOfMemory> {
        if !self.frame.is_empty() || self.end.is_some() || !target.is_readable() {
            return Ok(0);
        }
        let most = self.pace.room(now);
        if most == 0 {
            return Ok(0);
        }
        if self.buffer.is_none() {
            self.buffer = Some(buffers.take().ok_or(OutOfMemory)?);
        }
        let Some(buffer) = self.buffer.as_deref_mut() else { return Ok(0) };
        let start = room_start(buffer.len(), self.encoding);
        let most = most.min(buffer.len() - start);
        match target.recv(&mut buffer[start..start + most]) {
            Io::Done(len) => {
                desk.target_heard(now);
                self.pace.spend(len as u64);
                self.put(start..start + len, &mut desk.stats);
                return Ok(len);
            }
            Io::Again => {}
            Io::Eof if self.carry.is_empty() => self.end = Some(OutflowEnd::Eof),
            Io::Eof => self.end = Some(OutflowEnd::NotUtf8),
            Io::Error => self.end = Some(OutflowEnd::Reset),
        }
        Ok(0)
    }

    /// Frames the target's first words, which were read elsewhere.
    pub(crate) fn put_first(
        &mut self,
        words: &[u8],
        buffers: &mut impl Buffers,
        desk: &mut Desk,
    ) -> Result<(), OutOfMemory> {
        let mut buffer = buffers.take().ok_or(OutOfMemory)?;
        let start = room_start(buffer.len(), self.encoding);
        buffer[start..start + words.len()].copy_from_slice(words);
        self.buffer = Some(buffer);
        self.put(start..start + words.len(), &mut desk.stats);
        Ok(())
    }

    fn put(&mut self, raw: Range<usize>, stats: &mut Stats) {
        let Some(buffer) = self.buffer.as_deref_mut() else { return };
        let mut said = raw.len();
        let (opcode, payload) = match self.encoding {
            Encoding::Binary => (Opcode::Binary, raw),
            Encoding::Text => {
                let (text, is_utf8) = self.carry.text_within(buffer, raw);
                if !is_utf8 {
                    self.end = Some(OutflowEnd::NotUtf8);
                }
                said = text.len();
                (Opcode::Text, text)
            }
            Encoding::Base64 => {
                let len = base64_stream::encode_within(buffer, raw, MAX_SERVER_HEADER);
                (Opcode::Text, MAX_SERVER_HEADER..MAX_SERVER_HEADER + len)
            }
        };
        if said == 0 {
            return;
        }
        stats.bytes_sent += said as u64;
        stats.frames_sent += 1;
        let start = encoder::put_header_before(buffer, payload.clone(), opcode);
        self.frame = start..payload.end;
    }

    /// Gives the buffer back while there is nothing in it.
    pub(crate) fn release_if_empty(&mut self, buffers: &mut impl Buffers) {
        if self.frame.is_empty() {
            self.release(buffers);
        }
    }

    pub(crate) fn release(&mut self, buffers: &mut impl Buffers) {
        self.frame = 0..0;
        if let Some(buffer) = self.buffer.take() {
            buffers.give(buffer);
        }
    }
}

/// Where in a buffer of `size` bytes the target's bytes are received: behind the room for a header, for text behind
/// the beginning of a character, and for base64 so far behind that the longer text, written from the front, never
/// overtakes what it is made from.
fn room_start(size: usize, encoding: Encoding) -> usize {
    match encoding {
        Encoding::Binary => MAX_SERVER_HEADER,
        Encoding::Text => MAX_SERVER_HEADER + MAX_CARRY,
        // The last group's four characters may stand up to two bytes behind the bytes they are made from.
        Encoding::Base64 => size - base64_stream::raw_len_for(size - MAX_SERVER_HEADER - 4),
    }
}
