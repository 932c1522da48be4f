//! What the pump needs of the world: two ends, a clock's reading and buffers.

/// Milliseconds on a clock that never goes back; its zero means nothing.
pub type Msec = u64;

/// What one non-blocking call on a [`Stream`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// So many bytes were taken or given, at least one.
    Done(usize),
    /// Nothing now; the end will say when it is worth another try.
    Again,
    /// The peer will send no more (from `recv` only).
    Eof,
    /// The connection is broken.
    Error,
}

/// How a peer left while nobody was reading from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// It ended its stream in order: bytes may still wait in front of the end.
    Eof,
    /// It reset the connection.
    Reset,
}

/// One end of a tunnel: a connection that never blocks.
pub trait Stream {
    /// Whether [`Stream::recv`] is worth a call.
    fn is_readable(&self) -> bool;

    /// Whether [`Stream::send`] is worth a call.
    fn is_writable(&self) -> bool;

    /// Receives into `room`, which is never empty.
    fn recv(&mut self, room: &mut [u8]) -> Io;

    /// Sends the front of `bytes`, which are never empty. After [`Io::Again`] the same bytes, at the same
    /// address, are offered again (TLS libraries demand it).
    fn send(&mut self, bytes: &[u8]) -> Io;

    /// As [`Stream::send`], for bytes that our end of the stream follows as soon as they are taken: both may go together.
    fn send_last(&mut self, bytes: &[u8]) -> Io {
        self.send(bytes)
    }

    /// Whether bytes are waiting that [`Stream::is_readable`] has not announced yet.
    fn has_more(&mut self) -> bool;

    /// How many bytes were sent and not acknowledged by the peer yet: while it shrinks, the peer takes data, also
    /// where there is no room for more.
    fn unacknowledged(&mut self) -> usize;

    /// Whether the peer left; asked while the pump may not read.
    fn hang_up(&mut self) -> Option<HangUp>;
}

/// Where relay buffers come from and go back to.
pub trait Buffers {
    /// A buffer of at least [`SMALLEST_BUFFER`](crate::SMALLEST_BUFFER) bytes with any content, or `None` when
    /// memory is out.
    fn take(&mut self) -> Option<Box<[u8]>>;

    /// Takes a buffer back.
    fn give(&mut self, buffer: Box<[u8]>);
}

/// The two ends and the buffers of a tunnel, for the time of one turn.
pub struct Ends<'a, C, T, B> {
    /// The WebSocket client.
    pub client: &'a mut C,
    /// The TCP target.
    pub target: &'a mut T,
    /// Where buffers come from.
    pub buffers: &'a mut B,
}
