//! Target to client: a read becomes a frame, its header written in front of it where it stands.

use std::ops::Range;

use websockify_protocol::base64_stream;
use websockify_protocol::encoder;
use websockify_protocol::frame::{Opcode, MAX_SERVER_HEADER};
use websockify_protocol::subprotocol::Encoding;

use crate::desk::Desk;
use crate::limits::Stats;
use crate::stream::{Buffers, Io, Msec, Stream};
use crate::tunnel::OutOfMemory;
use crate::unseen::{Flow, Next, UnseenFrame, LONGEST};

/// How the target's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutflowEnd {
    Eof,
    Reset,
}

pub(crate) struct Download {
    buffer: Option<Box<[u8]>>,
    /// The frame, or what is left of it.
    frame: Range<usize>,
    /// The frame, where it is not in the buffer.
    unseen: Option<UnseenFrame>,
    flow: Flow,
    /// The frame was offered to the client: nothing may go before its rest.
    begun: bool,
    encoding: Encoding,
    end: Option<OutflowEnd>,
}

impl Download {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self {
            buffer: None,
            frame: 0..0,
            unseen: None,
            flow: Flow::default(),
            begun: false,
            encoding,
            end: None,
        }
    }

    pub(crate) fn end(&self) -> Option<OutflowEnd> {
        self.end
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frame.is_empty() && self.unseen.as_ref().is_none_or(UnseenFrame::is_empty)
    }

    pub(crate) fn is_begun(&self) -> bool {
        self.begun
    }

    /// Sends what is next of the frame, which is begun from here on.
    pub(crate) fn send(&mut self, client: &mut impl Stream) -> Io {
        self.begun = true;
        let sent = match (&self.unseen, self.buffer.as_deref()) {
            (Some(frame), _) => match frame.next() {
                Next::Header(header) => client.send_before(header),
                Next::Payload(pipe, len) => client.send_from(pipe, len),
            },
            (None, Some(buffer)) => client.send(&buffer[self.frame.clone()]),
            (None, None) => return Io::Again,
        };
        if let Io::Done(len) = sent {
            match &mut self.unseen {
                Some(frame) => frame.advance(len),
                None => self.frame.start += len,
            }
            self.begun = !self.is_empty();
        }
        sent
    }

    /// The client did not take all of the frame.
    pub(crate) fn note_wait(&mut self) {
        self.flow.note_wait();
    }

    /// Frames what the target has to say, if the last frame is gone. Returns how many bytes were received.
    pub(crate) fn receive(
        &mut self,
        now: Msec,
        target: &mut impl Stream,
        buffers: &mut impl Buffers,
        can_pipe: bool,
        desk: &mut Desk,
    ) -> Result<usize, OutOfMemory> {
        if !self.is_empty() || self.end.is_some() || !target.is_readable() {
            return Ok(0);
        }
        if can_pipe && self.flow.is_steady() && self.encoding == Encoding::Binary {
            let len = self.receive_unseen(now, target, buffers, desk);
            if len > 0 || self.end.is_some() || !target.is_readable() {
                return Ok(len);
            }
        }
        self.give_pipe(buffers);
        if self.buffer.is_none() {
            self.buffer = Some(buffers.take().ok_or(OutOfMemory)?);
        }
        let Some(buffer) = self.buffer.as_deref_mut() else { return Ok(0) };
        let start = room_start(buffer.len(), self.encoding);
        match target.recv(&mut buffer[start..]) {
            Io::Done(len) => {
                desk.target_heard(now);
                self.flow.note_received(len, start + len == buffer.len());
                self.put(start..start + len, &mut desk.stats);
                return Ok(len);
            }
            Io::Again => {}
            Io::Eof => self.end = Some(OutflowEnd::Eof),
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

    /// The same through a pipe. Receives nothing where there is none, or where the target cannot do it.
    fn receive_unseen(
        &mut self,
        now: Msec,
        target: &mut impl Stream,
        buffers: &mut impl Buffers,
        desk: &mut Desk,
    ) -> usize {
        let kept = self.unseen.take().map(|frame| frame.into_pipe().0);
        let Some(pipe) = kept.or_else(|| buffers.take_pipe()) else { return 0 };
        let received = target.recv_into(pipe, LONGEST);
        if let Io::Done(len) = received {
            desk.target_heard(now);
            desk.stats.bytes_sent += len as u64;
            desk.stats.frames_sent += 1;
            self.flow.note_received(len, true);
            self.unseen = Some(UnseenFrame::new(pipe, len));
            return len;
        }
        buffers.give_pipe(pipe, 0);
        match received {
            Io::Done(_) | Io::Again => {}
            Io::Eof => self.end = Some(OutflowEnd::Eof),
            Io::Error => self.end = Some(OutflowEnd::Reset),
        }
        0
    }

    fn put(&mut self, raw: Range<usize>, stats: &mut Stats) {
        let Some(buffer) = self.buffer.as_deref_mut() else { return };
        stats.bytes_sent += raw.len() as u64;
        stats.frames_sent += 1;
        let (opcode, payload) = match self.encoding {
            Encoding::Binary => (Opcode::Binary, raw),
            Encoding::Base64 => {
                let len = base64_stream::encode_within(buffer, raw, MAX_SERVER_HEADER);
                (Opcode::Text, MAX_SERVER_HEADER..MAX_SERVER_HEADER + len)
            }
        };
        let start = encoder::put_header_before(buffer, payload.clone(), opcode);
        self.frame = start..payload.end;
    }

    /// Gives the buffer back while there is nothing in it, and the pipe.
    pub(crate) fn release_if_empty(&mut self, buffers: &mut impl Buffers) {
        if self.is_empty() {
            self.release(buffers);
        }
    }

    pub(crate) fn release(&mut self, buffers: &mut impl Buffers) {
        self.frame = 0..0;
        self.give_pipe(buffers);
        if let Some(buffer) = self.buffer.take() {
            buffers.give(buffer);
        }
    }

    fn give_pipe(&mut self, buffers: &mut impl Buffers) {
        if let Some(frame) = self.unseen.take() {
            let (pipe, left) = frame.into_pipe();
            buffers.give_pipe(pipe, left);
        }
    }
}

/// Where in a buffer of `size` bytes the target's bytes are received: behind the room for a header, and for
/// base64 so far behind that the longer text, written from the front, never overtakes what it is made from.
fn room_start(size: usize, encoding: Encoding) -> usize {
    match encoding {
        Encoding::Binary => MAX_SERVER_HEADER,
        // The last group's four characters may stand up to two bytes behind the bytes they are made from.
        Encoding::Base64 => size - base64_stream::raw_len_for(size - MAX_SERVER_HEADER - 4),
    }
}
