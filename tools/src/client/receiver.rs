//! The half of a session that reads.

use std::fmt;
use std::io::{self, Read};

use websockify_protocol::{close, CloseBody, ProtocolError};

use super::frame::{Decoder, FrameError, Opcode, Step};

/// Room for what one read brings; a control frame, which must be whole, fits many times.
const BUFFER_SIZE: usize = 64 * 1024;

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A piece of a message, as it arrived.
    Data {
        /// Text or binary.
        opcode: Opcode,
        /// The bytes; none where a header came alone or a message ends without any.
        payload: &'a [u8],
        /// Whether they end their message.
        last: bool,
    },
    /// A ping, to be answered with the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The server's last word.
    Close(CloseBody<'a>),
}

/// Why nothing more can be read.
#[derive(Debug)]
pub enum ReceiveError {
    /// The connection failed.
    Io(io::Error),
    /// The server broke the protocol.
    Frame(FrameError),
    /// The server's Close has a body that section 7.4 does not know.
    Close(ProtocolError),
    /// The connection ended without a Close.
    Lost,
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "connection failed: {error}"),
            Self::Frame(error) => write!(f, "server broke the protocol: {error}"),
            Self::Close(error) => write!(f, "server broke the protocol: {error}"),
            Self::Lost => f.write_str("server ended the connection without a close frame"),
        }
    }
}

impl std::error::Error for ReceiveError {}

/// Reads a server's frames from a stream.
pub struct Receiver<R> {
    stream: R,
    decoder: Decoder,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<R: Read> Receiver<R> {
    /// A receiver on `stream`, whose handshake is done and left `rest` behind.
    pub fn new(stream: R, rest: &[u8]) -> Self {
        let mut buffer = vec![0; BUFFER_SIZE.max(rest.len())].into_boxed_slice();
        buffer[..rest.len()].copy_from_slice(rest);
        Self { stream, decoder: Decoder::new(), buffer, start: 0, end: rest.len() }
    }

    /// Waits for the next event.
    ///
    /// # Errors
    /// [`ReceiveError`]; a read that timed out or would block may be tried again.
    pub fn receive(&mut self) -> Result<Event<'_>, ReceiveError> {
        let step = loop {
            let input = &self.buffer[self.start..self.end];
            if let Some(step) = self.decoder.step(input).map_err(ReceiveError::Frame)? {
                break step;
            }
            self.fill()?;
        };
        let payload = self.start + step.skip;
        self.start = payload + step.take;
        event(step, &self.buffer[payload..self.start])
    }

    fn fill(&mut self) -> Result<(), ReceiveError> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        loop {
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Err(ReceiveError::Lost),
                Ok(n) => {
                    self.end += n;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReceiveError::Io(error)),
            }
        }
    }
}

fn event(step: Step, payload: &[u8]) -> Result<Event<'_>, ReceiveError> {
    Ok(match step.opcode {
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        Opcode::Close => Event::Close(close::parse(payload).map_err(ReceiveError::Close)?),
        opcode => Event::Data { opcode, payload, last: step.last },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use websockify_protocol::CloseCode;

    #[test]
    fn begins_with_what_the_handshake_left_and_ends_with_the_close() {
        let mut receiver = Receiver::new(&b"i\x88\x04\x03\xF3no"[..], b"\x82\x02h");
        let data = |payload, last| Event::Data { opcode: Opcode::Binary, payload, last };
        assert_eq!(receiver.receive().unwrap(), data(b"h", false));
        assert_eq!(receiver.receive().unwrap(), data(b"i", true));
        assert_eq!(
            receiver.receive().unwrap(),
            Event::Close(CloseBody { code: Some(CloseCode::INTERNAL_ERROR), reason: "no" })
        );
        assert!(matches!(receiver.receive(), Err(ReceiveError::Lost)));
    }
}
