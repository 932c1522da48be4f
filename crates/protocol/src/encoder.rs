//! Server frames: unmasked, whole, no extension (RFC 6455 section 5.2).

use crate::close::CloseCode;
use crate::frame::{self, Opcode, MAX_CONTROL_PAYLOAD, MAX_SERVER_HEADER};
use core::ops::Range;

/// Writes the header of a whole message (FIN) right in front of `buf[payload]` and returns where the frame
/// begins: 2, 4 or 10 bytes before the payload, the shortest that holds its length (RFC 6455 section 5.2).
///
/// # Panics
/// If `payload.start` is less than [`MAX_SERVER_HEADER`] or lies behind `buf`: the caller's fault, whatever
/// the target sent.
#[inline]
pub fn put_header_before(buf: &mut [u8], payload: Range<usize>, opcode: Opcode) -> usize {
    assert!(payload.start >= MAX_SERVER_HEADER, "no room for a frame header");
    let before = &mut buf[..payload.start];
    let first = frame::FIN | opcode as u8;
    let len = payload.len() as u64;
    if let Ok(len @ 0..=125) = u8::try_from(len) {
        return put_at_end(before, [first, len]);
    }
    if let Ok(len) = u16::try_from(len) {
        let [a, b] = len.to_be_bytes();
        return put_at_end(before, [first, frame::LENGTH_IN_16_BITS, a, b]);
    }
    let [a, b, c, d, e, f, g, h] = len.to_be_bytes();
    put_at_end(before, [first, frame::LENGTH_IN_64_BITS, a, b, c, d, e, f, g, h])
}

#[inline]
fn put_at_end<const N: usize>(before: &mut [u8], header: [u8; N]) -> usize {
    let start = before.len() - N;
    before[start..].copy_from_slice(&header);
    start
}

/// A control frame of the server, ready to be sent (RFC 6455 section 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlFrame {
    /// Bytes of `bytes` that are the frame; what follows them is zero.
    len: u8,
    bytes: [u8; HEADER + MAX_CONTROL_PAYLOAD],
}

/// A control frame's header is always the short one.
const HEADER: usize = 2;

impl ControlFrame {
    /// A ping; of a payload over 125 bytes only the first 125 are taken (section 5.5.2).
    #[must_use]
    pub fn ping(payload: &[u8]) -> Self {
        Self::new(Opcode::Ping, payload)
    }

    /// The answer to a ping of this payload, of which a valid one never has more than 125 bytes (section
    /// 5.5.3).
    #[must_use]
    pub fn pong(payload: &[u8]) -> Self {
        Self::new(Opcode::Pong, payload)
    }

    /// A Close frame (section 5.5.1). The reason is cut to 123 bytes, at the boundary of a character; without
    /// a code the body is empty, for a reason cannot stand alone.
    #[must_use]
    pub fn close(code: Option<CloseCode>, reason: &str) -> Self {
        let Some(code) = code else { return Self::new(Opcode::Close, b"") };
        let [high, low] = code.as_u16().to_be_bytes();
        let mut frame = Self::new(Opcode::Close, &[high, low]);
        frame.append(cut(reason, MAX_CONTROL_PAYLOAD - 2).as_bytes());
        frame
    }

    /// The frame, header and payload: 2 to 127 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The payload: 0 to 125 bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.as_bytes()[HEADER..]
    }

    /// What the frame is: [`Opcode::Ping`], [`Opcode::Pong`] or [`Opcode::Close`].
    #[must_use]
    pub const fn opcode(&self) -> Opcode {
        match self.bytes[0] & !frame::FIN {
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            _ => Opcode::Pong,
        }
    }

    fn new(opcode: Opcode, payload: &[u8]) -> Self {
        let mut bytes = [0; HEADER + MAX_CONTROL_PAYLOAD];
        bytes[0] = frame::FIN | opcode as u8;
        let mut frame = Self { len: 2, bytes };
        frame.append(payload);
        frame
    }

    /// Puts as much of `more` behind the payload as there is room for.
    fn append(&mut self, more: &[u8]) {
        let room = &mut self.bytes[usize::from(self.len)..];
        for (byte, more) in room.iter_mut().zip(more) {
            *byte = *more;
            self.len += 1;
        }
        self.bytes[1] = self.len - 2;
    }
}

/// As much of the front of `text` as fits into `limit` bytes without splitting a character.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mut buf = [&[0xee; 12][..], payload, b"after"].concat();
        let start = put_header_before(&mut buf, 12..12 + payload.len(), opcode);
        assert!(buf[..start].iter().all(|byte| *byte == 0xee), "nothing in front of the frame is touched");
        assert!(buf.ends_with(b"after"));
        buf[start..12 + payload.len()].to_vec()
    }

    #[test]
    fn frames_hello() {
        assert_eq!(framed(Opcode::Text, b"Hello"), b"\x81\x05\x48\x65\x6c\x6c\x6f");
        assert_eq!(framed(Opcode::Binary, b""), b"\x82\x00");
    }

    #[test]
    fn frames_256_bytes_and_64_kib_as_the_rfc_does() {
        assert_eq!(framed(Opcode::Binary, &[1; 256])[..5], *b"\x82\x7e\x01\x00\x01");
        assert_eq!(framed(Opcode::Binary, &[1; 65536])[..11], *b"\x82\x7f\0\0\0\0\0\x01\0\0\x01");
    }

    #[test]
    fn writes_each_length_in_as_few_bytes_as_it_needs() {
        let cases: [(usize, &[u8]); 7] = [
            (1, b"\x82\x01"),
            (125, b"\x82\x7d"),
            (126, b"\x82\x7e\0\x7e"),
            (255, b"\x82\x7e\0\xff"),
            (65535, b"\x82\x7e\xff\xff"),
            (65536, b"\x82\x7f\0\0\0\0\0\x01\0\0"),
            (0x0102_0304, b"\x82\x7f\0\0\0\0\x01\x02\x03\x04"),
        ];
        let mut buf = vec![0; 10 + 0x0102_0304];
        for (len, header) in cases {
            let start = put_header_before(&mut buf, 10..10 + len, Opcode::Binary);
            assert_eq!(&buf[start..10], header, "{len} bytes");
        }
    }

    #[test]
    #[should_panic(expected = "no room")]
    fn wants_room_for_the_longest_header() {
        put_header_before(&mut [0; 20], 9..12, Opcode::Binary);
    }

    #[test]
    fn pings_and_pongs_hello() {
        assert_eq!(ControlFrame::ping(b"Hello").as_bytes(), b"\x89\x05\x48\x65\x6c\x6c\x6f");
        assert_eq!(ControlFrame::pong(b"Hello").as_bytes(), b"\x8a\x05\x48\x65\x6c\x6c\x6f");
        assert_eq!(ControlFrame::ping(b"").as_bytes(), b"\x89\x00");
        assert_eq!(ControlFrame::pong(b"Hello").payload(), b"Hello");
    }

    #[test]
    fn holds_125_bytes_of_payload_and_no_more() {
        let payload: Vec<u8> = (0..=255).collect();
        for len in 0..payload.len() {
            let frame = ControlFrame::pong(&payload[..len]);
            let kept = len.min(125);
            assert_eq!(frame.payload(), &payload[..kept]);
            assert_eq!(usize::from(frame.as_bytes()[1]), kept);
            assert_eq!(frame.as_bytes().len(), kept + 2);
        }
    }

    #[test]
    fn closes_with_a_code_and_a_reason() {
        assert_eq!(ControlFrame::close(None, "").as_bytes(), b"\x88\x00");
        assert_eq!(ControlFrame::close(None, "unsaid").as_bytes(), b"\x88\x00");
        assert_eq!(ControlFrame::close(Some(CloseCode::NORMAL), "").as_bytes(), b"\x88\x02\x03\xe8");
        let closed = ControlFrame::close(Some(CloseCode::NORMAL), "target closed");
        assert_eq!(closed.as_bytes(), b"\x88\x0f\x03\xe8target closed");
    }

    #[test]
    fn cuts_a_reason_to_123_bytes_between_characters() {
        for (character, kept) in [("a", 123), ("é", 122), ("⌘", 123), ("🖥", 120)] {
            let frame = ControlFrame::close(Some(CloseCode::NORMAL), &character.repeat(124));
            assert_eq!(frame.payload().len(), 2 + kept, "{character}");
            assert_eq!(crate::close::parse(frame.payload()).map(|body| body.reason.len()), Ok(kept));
        }
        let exact = "x".repeat(123);
        assert_eq!(ControlFrame::close(Some(CloseCode::NORMAL), &exact).payload()[2..], *exact.as_bytes());
    }

    #[test]
    fn knows_its_opcode() {
        assert_eq!(ControlFrame::ping(b"").opcode(), Opcode::Ping);
        assert_eq!(ControlFrame::pong(b"").opcode(), Opcode::Pong);
        assert_eq!(ControlFrame::close(None, "").opcode(), Opcode::Close);
    }
}
