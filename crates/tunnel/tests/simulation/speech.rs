//! What a client says: frames, each with what a target, a pong and a waiting buffer owe to it.

use std::ops::Range;

use websockify_protocol::base64_stream;
use websockify_protocol::mask::{apply_scalar, MaskingKey};
use websockify_protocol::subprotocol::Encoding;

use crate::random::Random;

/// One frame of a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    pub(crate) wire: Vec<u8>,
    /// What of it the target gets.
    pub(crate) payload: Vec<u8>,
    /// The front of `wire` that has to be there as a whole before the pump can take it.
    pub(crate) atom: usize,
    /// What a pong has to repeat.
    pub(crate) ping: Option<Vec<u8>>,
    /// Nothing may follow it.
    pub(crate) is_last: bool,
}

impl Words {
    /// What a target says: bytes.
    pub(crate) fn raw(wire: Vec<u8>) -> Self {
        Self { payload: wire.clone(), wire, ..Self::default() }
    }

    pub(crate) fn control(random: &mut Random, opcode: u8, body: &[u8]) -> Self {
        let wire = frame(random, true, opcode, body);
        let ping = (opcode == 9).then(|| body.to_vec());
        Self { atom: wire.len(), wire, ping, is_last: opcode == 8, ..Self::default() }
    }

    /// Only the first `len` bytes of it: the client's stream ends inside.
    fn cut(mut self, len: usize, encoding: Encoding) -> Self {
        self.is_last = true;
        self.wire.truncate(len);
        self.payload.truncate(decoded_len(len.saturating_sub(self.atom), encoding));
        self
    }
}

/// Everything a client has written so far.
#[derive(Default)]
pub(crate) struct Spoken {
    /// Bytes on the wire.
    pub(crate) written: usize,
    pub(crate) payload: Vec<u8>,
    /// Each ping, and where on the wire it ends.
    pub(crate) pings: Vec<(usize, Vec<u8>)>,
    /// The last word is among it.
    pub(crate) is_over: bool,
    atoms: Vec<Range<usize>>,
}

impl Spoken {
    pub(crate) fn add(&mut self, words: &Words) {
        self.atoms.push(self.written..self.written + words.atom);
        self.written += words.wire.len();
        self.payload.extend(&words.payload);
        self.is_over |= words.is_last;
        self.pings.extend(words.ping.iter().map(|body| (self.written, body.clone())));
    }

    /// How many frames begin within the first `len` bytes of the wire.
    pub(crate) fn frames_in(&self, len: usize) -> usize {
        self.atoms.partition_point(|atom| atom.start < len)
    }

    /// Whether a header or a control frame is cut in two behind the first `len` bytes of the wire.
    pub(crate) fn is_cut_at(&self, len: usize) -> bool {
        let next = self.atoms.partition_point(|atom| atom.end <= len);
        self.atoms.get(next).is_some_and(|atom| atom.start < len)
    }
}

/// A few messages, with control frames between their fragments.
pub(crate) fn messages(random: &mut Random, encoding: Encoding) -> Vec<Words> {
    let mut words = Vec::new();
    let style = random.below(100);
    let (most, sizes): (usize, &[usize]) = match style {
        0..=9 => (3, &[0]),
        10..=12 => (4, &[700_000]),
        _ => (20, &[0, 3, 200, 5000, 90_000]),
    };
    for _ in 0..random.below(most) {
        let size = random.pick(sizes);
        let len = random.below(size + 1);
        let payload = random.bytes(len);
        message(random, encoding, &payload, &mut words);
    }
    if random.chance(6) {
        crumbs(random, encoding, &mut words);
    }
    if random.chance(15) {
        for _ in 0..random.pick(&[10, 16, 40, 100]) {
            let ping = ping_or_pong(random, 9);
            words.push(ping);
        }
    }
    words
}

/// A frame that is a message of its own.
pub(crate) fn single(random: &mut Random, opcode: u8, payload: &[u8]) -> Words {
    if opcode >= 8 {
        return Words::control(random, opcode, payload);
    }
    let wire = frame(random, true, opcode, payload);
    Words { atom: wire.len() - payload.len(), wire, payload: payload.to_vec(), ..Words::default() }
}

fn message(random: &mut Random, encoding: Encoding, payload: &[u8], words: &mut Vec<Words>) {
    let text = if encoding == Encoding::Base64 { base64_text(payload) } else { payload.to_vec() };
    let fragments = 1 + random.below(4);
    let mut start = 0;
    for at in 0..fragments {
        let last = at + 1 == fragments;
        let end = if last { text.len() } else { start + random.below(text.len() - start + 1) };
        words.push(fragment(random, encoding, (&text, payload), start..end, (at == 0, last)));
        start = end;
        if random.chance(15) {
            let opcode = 9 + u8::from(random.chance(40));
            let control = ping_or_pong(random, opcode);
            words.push(control);
        }
    }
}

/// A message in fragments of one byte.
fn crumbs(random: &mut Random, encoding: Encoding, words: &mut Vec<Words>) {
    let len = 300 + random.below(1500);
    let payload = random.bytes(len);
    let text = if encoding == Encoding::Base64 { base64_text(&payload) } else { payload.clone() };
    for at in 0..text.len() {
        let place = (at == 0, at + 1 == text.len());
        words.push(fragment(random, encoding, (&text, &payload), at..at + 1, place));
    }
}

fn fragment(
    random: &mut Random,
    encoding: Encoding,
    (text, payload): (&[u8], &[u8]),
    range: Range<usize>,
    (first, last): (bool, bool),
) -> Words {
    let opcode = if first { 1 + u8::from(random.chance(50)) } else { 0 };
    let wire = frame(random, last, opcode, &text[range.clone()]);
    let decoded = |len| decoded_len(len, encoding).min(payload.len());
    let payload = payload[decoded(range.start)..decoded(range.end)].to_vec();
    Words { atom: wire.len() - range.len(), wire, payload, ..Words::default() }
}

fn ping_or_pong(random: &mut Random, opcode: u8) -> Words {
    let len = random.below(126);
    let body = random.bytes(len);
    Words::control(random, opcode, &body)
}

/// A message that is never finished.
pub(crate) fn unfinished(random: &mut Random, encoding: Encoding) -> Words {
    let payload = random.bytes(300);
    let text = if encoding == Encoding::Base64 { base64_text(&payload) } else { payload.clone() };
    let words = fragment(random, encoding, (&text, &payload), 0..text.len(), (true, true));
    let len = 1 + random.below(words.wire.len() - 1);
    words.cut(len, encoding)
}

/// How many bytes `len` characters of a base64 text are, as far as they can be known.
fn decoded_len(len: usize, encoding: Encoding) -> usize {
    match encoding {
        Encoding::Binary | Encoding::Text => len,
        Encoding::Base64 => len / 4 * 3 + [0, 0, 1, 2][len % 4],
    }
}

/// A client's frame, masked with a key of its own.
pub(crate) fn frame(random: &mut Random, fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::from(fin) << 7 | opcode];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..=65535 => {
            bytes.push(0xFE);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            bytes.push(0xFF);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    let key: [u8; 4] = random.bytes(4).try_into().unwrap();
    bytes.extend(key);
    let start = bytes.len();
    bytes.extend(payload);
    apply_scalar(MaskingKey::new(key), &mut bytes[start..]);
    bytes
}

fn base64_text(bytes: &[u8]) -> Vec<u8> {
    let mut buffer = bytes.to_vec();
    buffer.splice(0..0, vec![0; bytes.len() + 8]);
    let src = bytes.len() + 8..buffer.len();
    let len = base64_stream::encode_within(&mut buffer, src, 0);
    buffer.truncate(len);
    buffer
}

/// A breach of the protocol, and the close code that answers it.
pub(crate) fn fault(random: &mut Random, encoding: Encoding) -> (Words, u16) {
    let kinds = if encoding == Encoding::Base64 { 8 } else { 7 };
    let (wire, code) = match random.below(kinds) {
        0 => (b"\x82\x03abc".to_vec(), 1002),
        1 => (frame(random, true, 0x40 | 2, b"abc"), 1002),
        2 => (frame(random, true, 3, b"abc"), 1002),
        3 => (frame(random, true, 0, b"abc"), 1002),
        4 => (frame(random, true, 8, b"\x03\xE7"), 1002),
        5 => (frame(random, true, 8, b"\x03\xE8\xFF"), 1007),
        6 => (too_big(), 1009),
        _ => (frame(random, true, 1, b"!!!!"), 1007),
    };
    (Words { atom: wire.len(), wire, is_last: true, ..Words::default() }, code)
}

/// The longest frame a client may send, where there is a limit.
pub(crate) const MAX_FRAME_SIZE: u64 = 1_000_000;

fn too_big() -> Vec<u8> {
    [&[0x82, 0xFF][..], &(MAX_FRAME_SIZE + 1).to_be_bytes()].concat()
}
