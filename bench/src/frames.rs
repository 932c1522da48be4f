//! A client's side of RFC 6455, as cheap as it gets: frames are made before the clock runs.

use crate::pattern::{Pattern, LONGEST, PERIOD};

/// A client's frame around `payload`.
pub(crate) fn masked(opcode: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | u8::try_from(len).unwrap_or(0)),
        len @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(len).unwrap_or(0).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// One period of the stream.
pub(crate) fn period_of(pattern: &Pattern) -> Vec<u8> {
    let mut period = Vec::with_capacity(PERIOD + LONGEST);
    while period.len() < PERIOD {
        period.extend_from_slice(pattern.from(period.len()));
    }
    period.truncate(PERIOD);
    period
}

/// The same in frames of `size` bytes, each with a key of its own.
pub(crate) fn stream_of(size: usize, pattern: &Pattern) -> Vec<u8> {
    let period = period_of(pattern);
    let frames = period.chunks(size).enumerate();
    frames.flat_map(|(at, payload)| masked(2, payload, key(at))).collect()
}

/// A key without a zero in it, different from its neighbours.
fn key(at: usize) -> [u8; 4] {
    [17_usize, 29, 43, 61].map(|step| u8::try_from((at + 1) * step % 255).unwrap_or(0) + 1)
}

/// Takes a server's frames apart as they come in.
#[derive(Default)]
pub(crate) struct FrameReader {
    header: Vec<u8>,
    left: u64,
    control: bool,
}

/// What a server has sent that is no data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// All of it was data.
    Data,
    /// The server says goodbye.
    Close,
}

impl FrameReader {
    /// Calls `data` with each piece of payload in `bytes`.
    pub(crate) fn read(&mut self, mut bytes: &[u8], mut data: impl FnMut(&[u8])) -> Word {
        let mut word = Word::Data;
        while !bytes.is_empty() {
            if self.left > 0 {
                let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                if !self.control {
                    data(&bytes[..len]);
                }
                self.left -= len as u64;
                bytes = &bytes[len..];
                continue;
            }
            self.header.push(bytes[0]);
            bytes = &bytes[1..];
            if let Some((opcode, len)) = parsed(&self.header) {
                (self.left, self.control) = (len, opcode >= 8);
                self.header.clear();
                if opcode == 8 {
                    word = Word::Close;
                }
            }
        }
        word
    }
}

impl FrameReader {
    /// How much of a data frame is still to come.
    pub(crate) fn left_of_data(&self) -> usize {
        if self.control {
            0
        } else {
            usize::try_from(self.left).unwrap_or(usize::MAX)
        }
    }

    /// Takes note that `len` bytes of it were dropped. Returns how much is left.
    pub(crate) fn skip(&mut self, len: usize) -> usize {
        self.left = self.left.saturating_sub(len as u64);
        self.left_of_data()
    }
}

/// A server's header, once it is whole: its opcode and the payload's length.
fn parsed(header: &[u8]) -> Option<(u8, u64)> {
    let len = match *header {
        [_, len @ 0..=125] => u64::from(len),
        [_, 126, a, b] => u64::from(u16::from_be_bytes([a, b])),
        [_, 127, ref rest @ ..] => u64::from_be_bytes(rest.try_into().ok()?),
        _ => return None,
    };
    Some((header[0] & 0x0f, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rfcs_masked_hello() {
        let frame = masked(1, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(frame, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn a_stream_of_frames_holds_one_period() {
        let pattern = Pattern::new();
        assert_eq!(stream_of(64, &pattern).len(), PERIOD / 64 * (64 + 6));
        assert_eq!(stream_of(1 << 20, &pattern).len(), PERIOD + 14);
    }

    #[test]
    fn frames_come_apart_at_any_split() {
        let long = [&[0x82, 126, 1, 0][..], &[7; 256]].concat();
        let wire = [&b"\x82\x03abc\x89\x01p\x82\x00"[..], &long, &b"\x88\x02\x03\xe8"[..]].concat();
        for split in 0..wire.len() {
            let (mut reader, mut seen) = (FrameReader::default(), Vec::new());
            let (front, back) = wire.split_at(split);
            reader.read(front, |piece| seen.extend_from_slice(piece));
            let last = reader.read(back, |piece| seen.extend_from_slice(piece));
            assert_eq!(seen, [&b"abc"[..], &[7; 256]].concat());
            if split + 4 < wire.len() {
                assert_eq!(last, Word::Close);
            }
        }
    }
}
