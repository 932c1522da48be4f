//! Frames: masked ones out, a server's in (RFC 6455 section 5).

use std::fmt;

use websockify_protocol::frame::{MAX_CLIENT_HEADER, MAX_CONTROL_PAYLOAD};
use websockify_protocol::{mask, MaskingKey};

pub use websockify_protocol::Opcode;

/// The bit that ends a message.
const FIN: u8 = 0x80;
/// The bit that says a masking key follows.
const MASK: u8 = 0x80;
/// The longest header of a frame from a client: 2 bytes, a 64-bit length, the masking key.
pub const HEADER_LIMIT: usize = MAX_CLIENT_HEADER;

/// Appends one whole frame (FIN set) to `out`, masked with `key`.
pub fn encode(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
    encode_fragment(out, true, opcode, payload, key);
}

/// Appends one frame to `out`, masked with `key`; `fin` tells whether it ends its message.
pub fn encode_fragment(out: &mut Vec<u8>, fin: bool, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
    let (header, size) = header(fin, opcode, payload.len(), key);
    out.reserve(size + payload.len());
    out.extend_from_slice(&header[..size]);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply(MaskingKey::new(key), &mut out[start..]);
}

/// Makes one binary frame out of `buffer[HEADER_LIMIT..]`, in place, and returns the bytes to send.
///
/// The payload stays where it was read and the header goes in front of it: one read, one write, no copy.
///
/// # Panics
/// If `buffer` is shorter than [`HEADER_LIMIT`].
pub fn encode_in_place(buffer: &mut [u8], key: [u8; 4]) -> &[u8] {
    let (header, size) = header(true, Opcode::Binary, buffer.len() - HEADER_LIMIT, key);
    let start = HEADER_LIMIT - size;
    buffer[start..HEADER_LIMIT].copy_from_slice(&header[..size]);
    mask::apply(MaskingKey::new(key), &mut buffer[HEADER_LIMIT..]);
    &buffer[start..]
}

/// The header of a masked frame and its size in bytes.
fn header(fin: bool, opcode: Opcode, len: usize, key: [u8; 4]) -> ([u8; HEADER_LIMIT], usize) {
    let mut header = [0; HEADER_LIMIT];
    header[0] = if fin { FIN } else { 0 } | opcode as u8;
    let size = match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ 0..=125), _) => {
            header[1] = MASK | len;
            2
        }
        (_, Ok(len)) => {
            header[1] = MASK | 126;
            header[2..4].copy_from_slice(&len.to_be_bytes());
            4
        }
        _ => {
            header[1] = MASK | 127;
            header[2..10].copy_from_slice(&(len as u64).to_be_bytes());
            10
        }
    };
    header[size..size + 4].copy_from_slice(&key);
    (header, size + 4)
}

/// What the server did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// A reserved bit is set and no extension was agreed on.
    ReservedBit,
    /// An opcode RFC 6455 does not name.
    UnknownOpcode,
    /// A server must not mask (section 5.1).
    Masked,
    /// A length in more bytes than it needs, or with its top bit set.
    BadLength,
    /// A control frame in fragments or over 125 bytes.
    BadControl,
    /// A continuation of nothing, or a new message inside another.
    OutOfPlace,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedBit => "frame with a reserved bit",
            Self::UnknownOpcode => "frame with an unknown opcode",
            Self::Masked => "masked frame from the server",
            Self::BadLength => "frame with a malformed length",
            Self::BadControl => "fragmented or oversized control frame",
            Self::OutOfPlace => "frame out of place in its message",
        })
    }
}

impl std::error::Error for FrameError {}

/// The next thing in a server's stream: `skip` bytes of header, then `take` bytes of payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What the payload belongs to; a continuation goes by the opcode its message began with.
    pub opcode: Opcode,
    /// Whether these bytes end their message.
    pub last: bool,
    /// Bytes of header to step over.
    pub skip: usize,
    /// Bytes of payload behind it.
    pub take: usize,
}

/// Takes a server's stream apart, never holding any of it.
#[derive(Debug, Default)]
pub struct Decoder {
    message: Option<Opcode>,
    payload: Option<Payload>,
}

/// The data frame whose payload is passing.
#[derive(Debug)]
struct Payload {
    left: u64,
    fin: bool,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at `input`, the part of the stream that begins where the last step ended.
    ///
    /// Payload of data frames comes as it arrives; a control frame comes whole, in one step. `None` while `input`
    /// ends before the next step.
    ///
    /// # Errors
    /// [`FrameError`]: the server broke RFC 6455, and nothing that follows can be trusted.
    pub fn step(&mut self, input: &[u8]) -> Result<Option<Step>, FrameError> {
        match self.payload.take() {
            Some(payload) => Ok(self.pass(payload, 0, input)),
            None => self.begin(input),
        }
    }

    fn begin(&mut self, input: &[u8]) -> Result<Option<Step>, FrameError> {
        let Some((&[b0, b1], rest)) = input.split_first_chunk::<2>() else { return Ok(None) };
        if b0 & 0x70 != 0 {
            return Err(FrameError::ReservedBit);
        }
        if b1 & MASK != 0 {
            return Err(FrameError::Masked);
        }
        let (opcode, fin) = (opcode(b0 & 0x0F)?, b0 & FIN != 0);
        if opcode.is_control() {
            return Self::control(opcode, fin, b1, rest);
        }
        let Some((left, length_size)) = length(b1, rest)? else { return Ok(None) };
        self.message = match (opcode, self.message) {
            (Opcode::Continuation, Some(begun)) => Some(begun),
            (Opcode::Text | Opcode::Binary, None) => Some(opcode),
            _ => return Err(FrameError::OutOfPlace),
        };
        let skip = 2 + length_size;
        let payload = Payload { left, fin };
        Ok(self.pass(payload, skip, &input[skip..]).or(Some(self.nothing_yet(skip))))
    }

    fn control(opcode: Opcode, fin: bool, len: u8, rest: &[u8]) -> Result<Option<Step>, FrameError> {
        let take = usize::from(len);
        match (fin, take) {
            (false, _) => Err(FrameError::BadControl),
            (_, take) if take > MAX_CONTROL_PAYLOAD => Err(FrameError::BadControl),
            _ if rest.len() < take => Ok(None),
            _ => Ok(Some(Step { opcode, last: true, skip: 2, take })),
        }
    }

    /// Hands on what `input` has of the payload; `None` if that is nothing though something is left.
    fn pass(&mut self, payload: Payload, skip: usize, input: &[u8]) -> Option<Step> {
        let take = usize::try_from(payload.left).map_or(input.len(), |left| left.min(input.len()));
        let left = payload.left - take as u64;
        let (fin, done) = (payload.fin, left == 0);
        if !done {
            self.payload = Some(Payload { left, fin });
            if take == 0 {
                return None;
            }
        }
        let opcode = self.message.unwrap_or(Opcode::Binary);
        let last = done && fin;
        if last {
            self.message = None;
        }
        Some(Step { opcode, last, skip, take })
    }

    /// A header that was taken before any of its payload came.
    fn nothing_yet(&self, skip: usize) -> Step {
        Step { opcode: self.message.unwrap_or(Opcode::Binary), last: false, skip, take: 0 }
    }
}

fn opcode(bits: u8) -> Result<Opcode, FrameError> {
    Ok(match bits {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xA => Opcode::Pong,
        _ => return Err(FrameError::UnknownOpcode),
    })
}

/// The payload's length and how many bytes beyond the first two spell it, or `None` while they are incomplete.
fn length(b1: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    let (len, size, minimum) = match b1 {
        126 => match rest.first_chunk::<2>() {
            Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 2, 126),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 8, 65_536),
            None => return Ok(None),
        },
        short => return Ok(Some((u64::from(short), 0))),
    };
    // Section 5.2: "the minimal number of bytes MUST be used", "the most significant bit MUST be 0".
    if len < minimum || len > i64::MAX as u64 {
        return Err(FrameError::BadLength);
    }
    Ok(Some((len, size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

    fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, opcode, payload, KEY);
        out
    }

    /// Decodes `stream` arriving in pieces that end at `splits`.
    fn decode(stream: &[u8], splits: &[usize]) -> Result<Vec<(Opcode, bool, Vec<u8>)>, FrameError> {
        let (mut decoder, mut at, mut found) = (Decoder::new(), 0, Vec::new());
        for &end in splits.iter().chain([&stream.len()]) {
            while let Some(step) = decoder.step(&stream[at..end])? {
                let payload = &stream[at + step.skip..][..step.take];
                at += step.skip + step.take;
                found.push((step.opcode, step.last, payload.to_vec()));
                if at == end {
                    break;
                }
            }
        }
        assert_eq!(at, stream.len(), "something was left over");
        Ok(found)
    }

    /// What arrived, with the pieces of each message put together again.
    fn messages(pieces: Vec<(Opcode, bool, Vec<u8>)>) -> Vec<(Opcode, Vec<u8>)> {
        let (mut whole, mut under_way) = (Vec::new(), Vec::new());
        for (opcode, last, payload) in pieces {
            if opcode.is_control() {
                whole.push((opcode, payload));
                continue;
            }
            under_way.extend(payload);
            if last {
                whole.push((opcode, std::mem::take(&mut under_way)));
            }
        }
        whole
    }

    #[test]
    fn masks_the_hello_of_section_5_7() {
        assert_eq!(masked(Opcode::Text, b"Hello"), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    }

    #[test]
    fn writes_lengths_in_as_few_bytes_as_they_need() {
        for (len, header) in [
            (0, &b"\x82\x80"[..]),
            (125, b"\x82\xFD"),
            (126, b"\x82\xFE\0\x7E"),
            (65_535, b"\x82\xFE\xFF\xFF"),
            (65_536, b"\x82\xFF\0\0\0\0\0\x01\0\0"),
        ] {
            let frame = masked(Opcode::Binary, &vec![b'a'; len]);
            assert_eq!(&frame[..header.len()], header);
            assert_eq!(frame.len(), header.len() + 4 + len);
        }
    }

    #[test]
    fn encodes_the_same_in_place() {
        for len in [0, 1, 125, 126, 65_535, 65_536] {
            let mut buffer = vec![b'a'; HEADER_LIMIT + len];
            assert_eq!(encode_in_place(&mut buffer, KEY), masked(Opcode::Binary, &vec![b'a'; len]));
        }
    }

    #[test]
    fn leaves_fin_out_of_a_fragment() {
        let mut out = Vec::new();
        encode_fragment(&mut out, false, Opcode::Binary, b"", KEY);
        assert_eq!(out[0], 0x02);
    }

    #[test]
    fn reads_fragments_around_a_ping_at_every_split() {
        let stream = b"\x01\x03Hel\x89\x02hi\x00\x00\x80\x02lo\x82\x00\x88\x02\x03\xE8";
        let expected = vec![
            (Opcode::Ping, b"hi".to_vec()),
            (Opcode::Text, b"Hello".to_vec()),
            (Opcode::Binary, Vec::new()),
            (Opcode::Close, vec![3, 0xE8]),
        ];
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                assert_eq!(messages(decode(stream, &[first, second]).unwrap()), expected, "{first} {second}");
            }
        }
    }

    #[test]
    fn reads_long_lengths_at_every_split_of_the_header() {
        for header in [&b"\x82\x7E\0\x7E"[..], b"\x82\x7F\0\0\0\0\0\x01\0\0"] {
            let len = if header.len() == 4 { 126 } else { 65_536 };
            let stream = [header, &vec![b'x'; len]].concat();
            for split in 0..header.len() + 2 {
                assert_eq!(messages(decode(&stream, &[split]).unwrap()), [(Opcode::Binary, vec![b'x'; len])]);
            }
        }
    }

    #[test]
    fn refuses_what_the_rfc_forbids() {
        for (stream, error) in [
            (&b"\xC2\x00"[..], FrameError::ReservedBit),
            (b"\x83\x00", FrameError::UnknownOpcode),
            (b"\x82\x80", FrameError::Masked),
            (b"\x82\x7E\x00\x03", FrameError::BadLength),
            (b"\x82\x7F\0\0\0\0\0\0\xFF\xFF", FrameError::BadLength),
            (b"\x82\x7F\x80\0\0\0\0\0\0\0", FrameError::BadLength),
            (b"\x09\x00", FrameError::BadControl),
            (b"\x89\x7E", FrameError::BadControl),
            (b"\x80\x00", FrameError::OutOfPlace),
            (b"\x02\x00\x82\x00", FrameError::OutOfPlace),
        ] {
            assert_eq!(decode(stream, &[]), Err(error), "{stream:x?}");
        }
    }
}
