//! The text of the `base64` subprotocol, decoded and encoded in place (RFC 4648 section 4).

use crate::error::{Base64Fault, ProtocolError};
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use base64::engine::Engine;
use core::ops::Range;

/// Bytes that go through the stack at a time, and the text they are.
const CHUNK: usize = 768;
const CHUNK_TEXT: usize = encoded_len(CHUNK);

/// Decodes one message after the other from pieces that may split a group of four anywhere.
///
/// It is eager: a byte is out as soon as its eight bits are known. So every character gives at most one byte,
/// no text waits for more, and what is written in place never overtakes what is not read yet.
#[derive(Clone, Debug)]
pub struct Base64Decoder {
    group: Group,
}

/// What of the current group of four was read, and the bits of it that no byte has taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Empty,
    /// One character: 6 bits wait.
    One(u8),
    /// Two characters: 4 bits wait.
    Two(u8),
    /// Three characters: 2 bits wait.
    Three(u8),
    /// Two characters and a `=`: another must follow.
    HalfPadded,
    /// The padding is complete and with it the text.
    Ended,
}

impl Default for Base64Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Base64Decoder {
    /// A decoder at the start of a message.
    #[must_use]
    pub const fn new() -> Self {
        Self { group: Group::Empty }
    }

    /// Decodes the piece of text `buf[src]`, already unmasked, to `buf[dst..]`, and returns how many bytes it
    /// gave: at most `src.len()`. With `end_of_message` the text must be complete, and the next piece begins
    /// a new one.
    ///
    /// # Errors
    /// [`ProtocolError::Base64`]: fail the connection. What stands at `dst` is then of no meaning.
    ///
    /// # Panics
    /// If `dst > src.start` or `src` is not within `buf`: the caller's fault, whatever the client sent.
    pub fn decode_within(
        &mut self,
        buf: &mut [u8],
        src: Range<usize>,
        dst: usize,
        end_of_message: bool,
    ) -> Result<usize, ProtocolError> {
        assert!(dst <= src.start, "base64 decoded over text that is not read yet");
        let mut window = Window { read: src.start - dst, written: 0, bytes: &mut buf[dst..src.end] };
        while self.group != Group::Empty && self.decode_character(&mut window)? {}
        while decode_chunk(&mut window) {}
        while self.decode_character(&mut window)? {}
        if end_of_message {
            self.finish().map_err(ProtocolError::Base64)?;
        }
        Ok(window.written)
    }

    /// Decodes the next character; false where there is none.
    fn decode_character(&mut self, window: &mut Window<'_>) -> Result<bool, ProtocolError> {
        let Some(character) = window.peek() else { return Ok(false) };
        window.read += 1;
        if let Some(byte) = self.push(character).map_err(ProtocolError::Base64)? {
            window.write(&[byte]);
        }
        Ok(true)
    }

    /// Takes one character and returns the byte it completes.
    fn push(&mut self, character: u8) -> Result<Option<u8>, Base64Fault> {
        if self.group == Group::Ended {
            return Err(Base64Fault::AfterPadding);
        }
        if character == b'=' {
            self.group = pad(self.group)?;
            return Ok(None);
        }
        let bits = value(character).ok_or(Base64Fault::Character)?;
        let (group, byte) = match self.group {
            Group::Empty => (Group::One(bits), None),
            Group::One(six) => (Group::Two(bits & 0x0f), Some(six << 2 | bits >> 4)),
            Group::Two(four) => (Group::Three(bits & 0x03), Some(four << 4 | bits >> 2)),
            Group::Three(two) => (Group::Empty, Some(two << 6 | bits)),
            Group::HalfPadded | Group::Ended => return Err(Base64Fault::Padding),
        };
        self.group = group;
        Ok(byte)
    }

    fn finish(&mut self) -> Result<(), Base64Fault> {
        match core::mem::replace(&mut self.group, Group::Empty) {
            Group::Empty | Group::Ended => Ok(()),
            Group::HalfPadded => Err(Base64Fault::Padding),
            Group::One(_) | Group::Two(_) | Group::Three(_) => Err(Base64Fault::Incomplete),
        }
    }
}

/// The group after a `=`. RFC 4648 section 3.5: decoders may refuse bits that are not zero where no byte
/// takes them; we do, since only then is a message one text and no other.
fn pad(group: Group) -> Result<Group, Base64Fault> {
    match group {
        Group::Two(0) => Ok(Group::HalfPadded),
        Group::Three(0) | Group::HalfPadded => Ok(Group::Ended),
        Group::Two(_) | Group::Three(_) => Err(Base64Fault::TrailingBits),
        Group::Empty | Group::One(_) | Group::Ended => Err(Base64Fault::Padding),
    }
}

/// The six bits of a character of the standard alphabet (RFC 4648 table 1).
fn value(character: u8) -> Option<u8> {
    Some(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// The part of a buffer that is decoded: bytes already written at its front, text not yet read at its end.
struct Window<'a> {
    bytes: &'a mut [u8],
    read: usize,
    written: usize,
}

impl Window<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.read).copied()
    }

    fn unread(&self) -> &[u8] {
        self.bytes.get(self.read..).unwrap_or_default()
    }

    fn write(&mut self, decoded: &[u8]) {
        let end = self.written + decoded.len();
        self.bytes[self.written..end].copy_from_slice(decoded);
        self.written = end;
    }
}

/// Decodes the next whole groups at once, as many as fit a chunk. False where there is none, or where one holds
/// what only [`Base64Decoder::push`] can judge: padding, or a fault to be named.
fn decode_chunk(window: &mut Window<'_>) -> bool {
    let text = whole_groups(window.unread());
    let mut decoded = [0; CHUNK];
    let Ok(size @ 1..) = STANDARD_NO_PAD.decode_slice(text, &mut decoded) else { return false };
    window.read += text.len();
    window.write(&decoded[..size]);
    true
}

/// The groups of four at the front of `text`, at most a chunk of them, without a padded one at their end.
fn whole_groups(text: &[u8]) -> &[u8] {
    let len = text.len().min(CHUNK_TEXT) / 4 * 4;
    match text.get(..len).unwrap_or_default() {
        [groups @ .., _, _, _, b'='] => groups,
        groups => groups,
    }
}

/// Encodes `buf[src]` to `buf[dst..]` as one complete text, padded at once, and returns its length
/// ([`encoded_len`]). It goes forward a chunk at a time, so the bytes to encode may stand at the end of
/// the room for their text: the text never overtakes them while `dst + encoded_len(src.len()) <= src.end`.
///
/// # Panics
/// If that does not hold or `src` is not within `buf`: the caller's fault, whatever the target sent.
pub fn encode_within(buf: &mut [u8], src: Range<usize>, dst: usize) -> usize {
    assert!(dst + encoded_len(src.len()) <= src.end, "base64 encoded over bytes that are not read yet");
    let (mut read, mut written) = (src.start, dst);
    let mut text = [0; CHUNK_TEXT];
    while read < src.end {
        let next = src.end.min(read + CHUNK);
        // The one error is too little room for the text, and a chunk's text fits.
        let len = STANDARD.encode_slice(&buf[read..next], &mut text).unwrap_or(0);
        buf[written..written + len].copy_from_slice(&text[..len]);
        (read, written) = (next, written + len);
    }
    written - dst
}

/// Bytes of base64 text that `n` bytes become: 4 for every 3, the last ones padded.
#[must_use]
pub const fn encoded_len(n: usize) -> usize {
    n.div_ceil(3) * 4
}

/// The most bytes whose base64 text fits into `room` bytes.
#[must_use]
pub const fn raw_len_for(room: usize) -> usize {
    room / 4 * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    // What a chunk gives is proved in tests/base64.rs; here, that there is one: the slow way gives the same.

    #[test]
    fn takes_whole_groups_at_once_but_for_a_padded_one() {
        assert_eq!(whole_groups(b""), b"");
        assert_eq!(whole_groups(b"Zm9"), b"");
        assert_eq!(whole_groups(b"Zm9v"), b"Zm9v");
        assert_eq!(whole_groups(b"Zm9vYm"), b"Zm9v");
        assert_eq!(whole_groups(b"Zm9vYmE="), b"Zm9v");
        assert_eq!(whole_groups(b"Zg=="), b"");
        assert_eq!(whole_groups(&[b'A'; 3000]).len(), CHUNK_TEXT);
    }

    #[test]
    fn decodes_whole_groups_at_once() {
        let mut text = *b"Zm9vYmFyZg==";
        let mut window = Window { bytes: &mut text, read: 0, written: 0 };
        assert!(decode_chunk(&mut window) && !decode_chunk(&mut window));
        assert_eq!((window.read, window.written), (8, 6));
        assert_eq!(text[..6], *b"foobar");
    }
}
