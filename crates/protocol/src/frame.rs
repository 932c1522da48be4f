//! The header of one client frame (RFC 6455 section 5.2).

use crate::error::ProtocolError;
use crate::mask::MaskingKey;

/// Most bytes a frame header from the server takes: it has no masking key.
pub const MAX_SERVER_HEADER: usize = 10;
/// Most bytes a frame header from a client takes.
pub const MAX_CLIENT_HEADER: usize = 14;
/// Most bytes of payload a control frame may have (section 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

pub(crate) const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
pub(crate) const MASK: u8 = 0x80;
pub(crate) const LENGTH_IN_16_BITS: u8 = 126;
pub(crate) const LENGTH_IN_64_BITS: u8 = 127;

/// What a frame is (RFC 6455 section 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message that is open.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The closing handshake (section 5.5.1).
    Close = 0x8,
    /// A ping (section 5.5.2).
    Ping = 0x9,
    /// A pong (section 5.5.3).
    Pong = 0xa,
}

impl Opcode {
    /// Whether frames of this kind are control frames: short, whole, allowed between fragments (section 5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// One client frame header, with nothing wrong in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this frame is the last of its message.
    pub fin: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// Bytes of payload, 0 to 2^63-1.
    pub len: u64,
    /// The key that unmasks the first byte of the payload on.
    pub key: MaskingKey,
}

/// Reads one client frame header from the front of `input` (RFC 6455 section 5.2).
///
/// Returns the header and its size in bytes (6 to 14), or `None` while `input` still ends inside it. A fault
/// is reported as soon as the byte that makes it is there, also where the header is not whole yet. How frames
/// follow each other (section 5.4) is the business of [`Decoder`](crate::decoder::Decoder).
///
/// # Errors
/// [`ProtocolError`]: fail the connection with [`ProtocolError::close_code`].
#[inline]
pub fn decode(input: &[u8]) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
    let Some((&first, rest)) = input.split_first() else { return Ok(None) };
    let (fin, opcode) = decode_kind(first)?;
    let Some((len, rest)) = decode_length(opcode, rest)? else { return Ok(None) };
    let Some((key, payload)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    Ok(Some((FrameHeader { fin, opcode, len, key: MaskingKey::new(*key) }, input.len() - payload.len())))
}

/// Reads a header's first byte: FIN and the opcode.
#[inline]
pub(crate) fn decode_kind(first: u8) -> Result<(bool, Opcode), ProtocolError> {
    if first & RESERVED != 0 {
        return Err(ProtocolError::ReservedBit);
    }
    let fin = first & FIN != 0;
    let opcode = match first & OPCODE {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xa => Opcode::Pong,
        unknown => return Err(ProtocolError::UnknownOpcode(unknown)),
    };
    if opcode.is_control() && !fin {
        return Err(ProtocolError::FragmentedControl);
    }
    Ok((fin, opcode))
}

/// Reads the MASK bit and the payload length from what follows a header's first byte, and returns the length
/// with what follows it; `None` while `input` ends inside the length.
#[inline]
pub(crate) fn decode_length(opcode: Opcode, input: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    let Some((&second, rest)) = input.split_first() else { return Ok(None) };
    if second & MASK == 0 {
        return Err(ProtocolError::Unmasked);
    }
    match second & !MASK {
        LENGTH_IN_16_BITS | LENGTH_IN_64_BITS if opcode.is_control() => Err(ProtocolError::ControlTooLong),
        LENGTH_IN_16_BITS => decode_16_bits(rest),
        LENGTH_IN_64_BITS => decode_64_bits(rest),
        len => Ok(Some((u64::from(len), rest))),
    }
}

fn decode_16_bits(input: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    let Some((bytes, rest)) = input.split_first_chunk::<2>() else { return Ok(None) };
    let len = u16::from_be_bytes(*bytes);
    if len < u16::from(LENGTH_IN_16_BITS) {
        return Err(ProtocolError::LengthNotMinimal);
    }
    Ok(Some((u64::from(len), rest)))
}

fn decode_64_bits(input: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    if input.first().is_some_and(|top| top & 0x80 != 0) {
        return Err(ProtocolError::LengthTopBit);
    }
    // Six zero bytes leave 16 bits: the fault is certain before the last two are there.
    if input.starts_with(&[0; 6]) {
        return Err(ProtocolError::LengthNotMinimal);
    }
    let Some((bytes, rest)) = input.split_first_chunk::<8>() else { return Ok(None) };
    Ok(Some((u64::from_be_bytes(*bytes), rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::KEY;
    use ProtocolError as Fault;

    fn header(fin: bool, opcode: Opcode, len: u64) -> FrameHeader {
        FrameHeader { fin, opcode, len, key: MaskingKey::new(KEY) }
    }

    #[test]
    fn reads_a_masked_hello() {
        let frame = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(decode(frame), Ok(Some((header(true, Opcode::Text, 5), 6))));
    }

    #[test]
    fn reads_a_masked_pong() {
        let frame = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(decode(frame), Ok(Some((header(true, Opcode::Pong, 5), 6))));
    }

    #[test]
    fn reads_each_opcode_and_fin() {
        let opcodes = [(0, Opcode::Continuation), (1, Opcode::Text), (2, Opcode::Binary)];
        for (first, opcode) in opcodes {
            for (fin, bit) in [(false, 0), (true, 0x80)] {
                let frame = [&[bit | first, 0x80][..], &KEY].concat();
                assert_eq!(decode(&frame), Ok(Some((header(fin, opcode, 0), 6))));
                assert!(!opcode.is_control());
            }
        }
        for (first, opcode) in [(0x88, Opcode::Close), (0x89, Opcode::Ping), (0x8a, Opcode::Pong)] {
            let frame = [&[first, 0x80][..], &KEY].concat();
            assert_eq!(decode(&frame), Ok(Some((header(true, opcode, 0), 6))));
            assert!(opcode.is_control());
        }
    }

    #[test]
    fn reads_lengths_of_7_16_and_64_bits_and_waits_at_every_split() {
        let cases: [(&[u8], u64); 8] = [
            (b"\x82\x80", 0),
            (b"\x82\xfd", 125),
            (b"\x82\xfe\0\x7e", 126),
            (b"\x82\xfe\x01\0", 256),
            (b"\x82\xfe\xff\xff", 65535),
            (b"\x82\xff\0\0\0\0\0\x01\0\0", 65536),
            (b"\x82\xff\0\x01\x02\x03\x04\x05\x06\x07", 0x0001_0203_0405_0607),
            (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", u64::MAX / 2),
        ];
        for (start, len) in cases {
            let frame = [start, &KEY, b"payload"].concat();
            let size = start.len() + 4;
            for end in 0..size {
                assert_eq!(decode(&frame[..end]), Ok(None), "{len} cut to {end}");
            }
            for end in size..=frame.len() {
                assert_eq!(decode(&frame[..end]), Ok(Some((header(true, Opcode::Binary, len), size))));
            }
        }
    }

    /// Each fault of a header, where its bytes end: one byte less is nothing yet, and no byte more changes
    /// it.
    #[test]
    fn refuses_each_fault_as_soon_as_its_byte_is_there() {
        let cases: [(&[u8], Fault); 24] = [
            (b"\x81\x05", Fault::Unmasked),
            (b"\x82\x7e", Fault::Unmasked),
            (b"\x82\x7f", Fault::Unmasked),
            (b"\x88\x00", Fault::Unmasked),
            (b"\x89\x7e", Fault::Unmasked),
            (b"\xc2", Fault::ReservedBit),
            (b"\xa2", Fault::ReservedBit),
            (b"\x92", Fault::ReservedBit),
            (b"\xf3", Fault::ReservedBit),
            (b"\x83", Fault::UnknownOpcode(0x3)),
            (b"\x07", Fault::UnknownOpcode(0x7)),
            (b"\x8b", Fault::UnknownOpcode(0xb)),
            (b"\x0f", Fault::UnknownOpcode(0xf)),
            (b"\x08", Fault::FragmentedControl),
            (b"\x09", Fault::FragmentedControl),
            (b"\x0a", Fault::FragmentedControl),
            (b"\x89\xfe", Fault::ControlTooLong),
            (b"\x88\xff", Fault::ControlTooLong),
            (b"\x82\xfe\0\x03", Fault::LengthNotMinimal),
            (b"\x82\xfe\0\x7d", Fault::LengthNotMinimal),
            (b"\x82\xff\0\0\0\0\0\0", Fault::LengthNotMinimal),
            (b"\x81\xff\x80", Fault::LengthTopBit),
            (b"\x01\xff\xff", Fault::LengthTopBit),
            (b"\x00\xff\x80", Fault::LengthTopBit),
        ];
        for (faulty, fault) in cases {
            for end in 0..faulty.len() {
                assert_eq!(decode(&faulty[..end]), Ok(None), "{fault} in {:02x?}", &faulty[..end]);
            }
            for more in [&b""[..], b"\0", b"\xff\xff", &[0; 12], &[0xff; 12]] {
                assert_eq!(decode(&[faulty, more].concat()), Err(fault), "{faulty:02x?} and {more:02x?}");
            }
        }
    }

    #[test]
    fn refuses_every_opcode_that_the_rfc_reserves() {
        for opcode in (0x3..=0x7).chain(0xb..=0xf) {
            assert_eq!(decode(&[0x80 | opcode]), Err(Fault::UnknownOpcode(opcode)));
            assert_eq!(decode(&[opcode]), Err(Fault::UnknownOpcode(opcode)));
        }
    }

    #[test]
    fn takes_control_frames_of_125_bytes_at_most() {
        for len in 0..=125 {
            let frame = [&[0x89, 0x80 | len][..], &KEY].concat();
            assert_eq!(decode(&frame), Ok(Some((header(true, Opcode::Ping, u64::from(len)), 6))));
        }
    }

    #[test]
    fn refuses_three_written_as_sixteen_bits() {
        assert_eq!(decode(b"\x82\xFE\0\x03\0\0\0\0"), Err(Fault::LengthNotMinimal));
    }
}
