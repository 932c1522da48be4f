//! What a client understands of the bytes it gets.

use websockify_protocol::base64_stream::Base64Decoder;
use websockify_protocol::subprotocol::Encoding;

/// A whole frame of the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Data(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

/// Takes the stream apart, and insists that each frame is one a server may send.
pub(crate) struct Listener {
    encoding: Encoding,
    bytes: Vec<u8>,
    /// Where in `bytes` the next frame begins.
    start: usize,
    closed: bool,
}

impl Listener {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self { encoding, bytes: Vec::new(), start: 0, closed: false }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        assert!(!self.closed, "bytes behind a Close");
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether the bytes end where a frame does.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.start == self.bytes.len()
    }

    pub(crate) fn next(&mut self) -> Option<Heard> {
        let bytes = &self.bytes[self.start..];
        let (opcode, len, size) = header(bytes)?;
        let payload = bytes.get(size..size + len)?;
        let heard = understood(opcode, payload, self.encoding);
        self.closed = matches!(heard, Heard::Close(..));
        self.start += size + len;
        if self.is_between_frames() {
            (self.bytes, self.start) = (Vec::new(), 0);
        } else {
            assert!(!self.closed, "bytes behind a Close");
        }
        Some(heard)
    }
}

fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(first & 0xF0, 0x80, "not a final frame without reserved bits");
    assert_eq!(second & 0x80, 0, "a masked frame");
    let (len, size) = match second {
        126 => (u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize, 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        len => (len as usize, 2),
    };
    Some((first & 0x0F, len, size))
}

fn understood(opcode: u8, payload: &[u8], encoding: Encoding) -> Heard {
    match opcode {
        2 if encoding == Encoding::Binary => Heard::Data(payload.to_vec()),
        1 if encoding == Encoding::Base64 => Heard::Data(decoded(payload)),
        1 if encoding == Encoding::Text => {
            assert!(std::str::from_utf8(payload).is_ok(), "a text frame that is no text");
            assert!(!payload.is_empty(), "a frame for nothing");
            Heard::Data(payload.to_vec())
        }
        8 if payload.is_empty() => Heard::Close(None, String::new()),
        8 => {
            let code = u16::from_be_bytes([payload[0], payload[1]]);
            Heard::Close(Some(code), String::from_utf8(payload[2..].to_vec()).expect("a reason in UTF-8"))
        }
        9 => Heard::Ping(payload.to_vec()),
        10 => Heard::Pong(payload.to_vec()),
        _ => panic!("opcode {opcode} in {encoding:?}"),
    }
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    let len = Base64Decoder::new()
        .decode_within(&mut bytes, 0..text.len(), 0, true)
        .expect("whole base64 in a frame");
    bytes.truncate(len);
    bytes
}
