//! The half of a session that writes.

use std::io::{self, Write};

use websockify_protocol::CloseCode;

use super::frame::{self, Opcode};
use super::Keys;

/// Writes masked frames to a stream, each with one `write_all`.
pub struct Sender<W> {
    stream: W,
    keys: Keys,
    scratch: Vec<u8>,
}

impl<W: Write> Sender<W> {
    /// A sender on `stream`, whose handshake is done.
    pub fn new(stream: W) -> Self {
        Self { stream, keys: Keys::new(), scratch: Vec::new() }
    }

    /// Sends `payload` as one frame.
    ///
    /// # Errors
    /// The stream's.
    pub fn send(&mut self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        self.scratch.clear();
        frame::encode(&mut self.scratch, opcode, payload, self.keys.masking_key());
        self.stream.write_all(&self.scratch)
    }

    /// Sends `buffer[frame::HEADER_LIMIT..]` as one binary frame, without copying it; its bytes are masked in place.
    ///
    /// # Errors
    /// The stream's.
    pub fn send_in_place(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.stream.write_all(frame::encode_in_place(buffer, self.keys.masking_key()))
    }

    /// Sends a Close with `code` and `reason` (at most 123 bytes), or an empty one.
    ///
    /// # Errors
    /// The stream's.
    pub fn close(&mut self, code: Option<CloseCode>, reason: &str) -> io::Result<()> {
        let body = match code {
            Some(code) => [&code.as_u16().to_be_bytes(), reason.as_bytes()].concat(),
            None => Vec::new(),
        };
        self.send(Opcode::Close, &body)
    }
}
