//! A frame whose payload nobody looks at: it goes from the target to the client through a pipe of the kernel's, which
//! moves pages instead of copying bytes.
//!
//! That pays for long transfers only, and costs a small message another call. So it begins when several buffers in a row
//! were full and the client took each at once, and ends when there is little to move or the client does not keep up: a
//! slow client is to have the small frames that it can make use of early.

use websockify_protocol::encoder;
use websockify_protocol::frame::{Opcode, MAX_SERVER_HEADER};

use crate::stream::Pipe;

/// The most of one frame: less than any client refuses, and soon over for a slow one.
pub(crate) const LONGEST: usize = 256 * 1024;

/// Buffers in a row that have to be full, and of what size at least.
const FULL_BUFFERS: u8 = 4;
const WORTH_IT: usize = 32 * 1024;

/// Whether a flow is long and steady.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flow(u8);

impl Flow {
    pub(crate) fn is_steady(self) -> bool {
        self.0 >= FULL_BUFFERS
    }

    /// `len` bytes were received, and `all` that there was room for.
    pub(crate) fn note_received(&mut self, len: usize, all: bool) {
        self.0 = if all && len >= WORTH_IT { self.0.saturating_add(1) } else { 0 };
    }

    /// The client did not take everything at once.
    pub(crate) fn note_wait(&mut self) {
        self.0 = 0;
    }
}

/// What is next of a frame.
pub(crate) enum Next<'a> {
    Header(&'a [u8]),
    Payload(Pipe, usize),
}

pub(crate) struct UnseenFrame {
    pipe: Pipe,
    header: [u8; MAX_SERVER_HEADER],
    /// Where in `header` what is not sent yet begins.
    start: usize,
    /// Bytes in the pipe.
    len: usize,
}

impl UnseenFrame {
    /// A frame around the `len` bytes that are in `pipe`.
    pub(crate) fn new(pipe: Pipe, len: usize) -> Self {
        let mut header = [0; MAX_SERVER_HEADER];
        let start = encoder::put_header_before(
            &mut header,
            MAX_SERVER_HEADER..MAX_SERVER_HEADER + len,
            Opcode::Binary,
        );
        Self { pipe, header, start, len }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn next(&self) -> Next<'_> {
        match &self.header[self.start..] {
            [] => Next::Payload(self.pipe, self.len),
            header => Next::Header(header),
        }
    }

    /// Takes note that `len` bytes of it went out.
    pub(crate) fn advance(&mut self, len: usize) {
        if self.start < self.header.len() {
            self.start += len;
        } else {
            self.len -= len;
        }
    }

    /// The pipe, and what is left in it.
    pub(crate) fn into_pipe(self) -> (Pipe, usize) {
        (self.pipe, self.len)
    }
}
