//! The decoder's slow twin, to prove it against.

use websockify_protocol::{ControlOpcode, ProtocolError};

/// What a client said, whatever the pieces it came in: the bytes of data between two other things are one
/// entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Data(Vec<u8>),
    EndOfMessage,
    Control(ControlOpcode, Vec<u8>),
    Fault(ProtocolError),
}

/// The slow twin: reads the whole of a stream at once, in the order of the RFC's text, with no thought for
/// speed.
pub(crate) fn read_slowly(stream: &[u8], max_frame_size: u64) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    let (mut at, mut open) = (0, false);
    let fault = |mut said: Vec<Said>, fault| {
        said.push(Said::Fault(fault));
        said
    };
    while at < stream.len() {
        let byte = |offset: usize| stream.get(at + offset).copied();
        let first = stream[at];
        let (fin, opcode) = (first >= 0x80, first % 16);
        if first / 16 % 8 != 0 {
            return fault(said, ProtocolError::ReservedBit);
        }
        if ![0, 1, 2, 8, 9, 10].contains(&opcode) {
            return fault(said, ProtocolError::UnknownOpcode(opcode));
        }
        let control = opcode >= 8;
        if control && !fin {
            return fault(said, ProtocolError::FragmentedControl);
        }
        if opcode == 0 && !open {
            return fault(said, ProtocolError::ContinuationOutOfPlace);
        }
        if !control && opcode != 0 && open {
            return fault(said, ProtocolError::DataInsideMessage);
        }
        let Some(second) = byte(1) else { break };
        if second < 0x80 {
            return fault(said, ProtocolError::Unmasked);
        }
        let short = second - 0x80;
        if control && short > 125 {
            return fault(said, ProtocolError::ControlTooLong);
        }
        let size = [0, 2, 8][usize::from(short.saturating_sub(125))];
        let known: Vec<u8> = (0..size).map_while(|i| byte(2 + i)).collect();
        if size == 8 && known.first() >= Some(&0x80) {
            return fault(said, ProtocolError::LengthTopBit);
        }
        if size == 8 && known.len() >= 6 && known[..6] == [0; 6] {
            return fault(said, ProtocolError::LengthNotMinimal);
        }
        if known.len() < size {
            break;
        }
        let long = known.iter().fold(0, |len, byte| len * 256 + u64::from(*byte));
        if size == 2 && long < 126 {
            return fault(said, ProtocolError::LengthNotMinimal);
        }
        let len = if size == 0 { u64::from(short) } else { long };
        if !control && len > max_frame_size {
            return fault(said, ProtocolError::TooBig);
        }
        let Some(key) = stream.get(at + 2 + size..at + 6 + size) else { break };
        let start = at + 6 + size;
        let present = usize::try_from(len).unwrap_or(usize::MAX).min(stream.len() - start);
        let payload: Vec<u8> = (0..present).map(|i| stream[start + i] ^ key[i % 4]).collect();
        let whole = present as u64 == len;
        at = start + present;
        if control {
            if !whole {
                break;
            }
            let opcodes = [ControlOpcode::Close, ControlOpcode::Ping, ControlOpcode::Pong];
            said.push(Said::Control(opcodes[usize::from(opcode - 8)], payload));
            continue;
        }
        match said.last_mut() {
            _ if payload.is_empty() => {}
            Some(Said::Data(data)) => data.extend(payload),
            _ => said.push(Said::Data(payload)),
        }
        open = !(fin && whole);
        if !open {
            said.push(Said::EndOfMessage);
        }
    }
    said
}
