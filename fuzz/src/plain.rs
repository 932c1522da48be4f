//! RFC 6455 section 5 read as it is written: one byte at a time, everything kept, nothing clever.

use websockify_protocol::error::ProtocolError;

/// What a client has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Payload of a message, as much as came together.
    Data(Vec<u8>),
    /// The message is complete.
    EndOfMessage,
    /// A control frame: its opcode and its payload.
    Control(u8, Vec<u8>),
}

/// Everything a client has said, and how it went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// In order; pieces of data that follow each other are one.
    pub said: Vec<Said>,
    /// The fault that ended it.
    pub fault: Option<ProtocolError>,
}

impl Transcript {
    /// Adds a piece of data to the one before it.
    pub fn add_data(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match self.said.last_mut() {
            Some(Said::Data(data)) => data.extend_from_slice(bytes),
            _ => self.said.push(Said::Data(bytes.to_vec())),
        }
    }

    /// All payload of all messages.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for said in &self.said {
            if let Said::Data(data) = said {
                all.extend_from_slice(data);
            }
        }
        all
    }

    /// Ends at the first Close frame, and returns its payload.
    pub fn cut_at_close(&mut self) -> Option<Vec<u8>> {
        let at = self.said.iter().position(|said| matches!(said, Said::Control(8, _)))?;
        let Some(Said::Control(_, payload)) = self.said.drain(at..).next() else { return None };
        self.fault = None;
        Some(payload)
    }
}

/// A header's bytes so far, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// More bytes are needed.
    Unfinished,
    /// It is whole.
    Whole {
        /// The first byte's top bit.
        fin: bool,
        /// The first byte's lower half.
        opcode: u8,
        /// What the length fields say.
        len: u64,
        /// The four bytes behind them.
        key: [u8; 4],
    },
    /// It is wrong.
    Wrong(ProtocolError),
}

/// Judges the first bytes of a frame. `in_message` is given where the order of frames counts.
#[must_use]
pub fn header(bytes: &[u8], in_message: Option<bool>, limit: Option<u64>) -> Header {
    use Header::{Unfinished, Whole, Wrong};
    if bytes.is_empty() {
        return Unfinished;
    }
    let (fin, rsv, opcode) = (bytes[0] >= 128, bytes[0] / 16 % 8, bytes[0] % 16);
    if rsv != 0 {
        return Wrong(ProtocolError::ReservedBit);
    }
    if ![0, 1, 2, 8, 9, 10].contains(&opcode) {
        return Wrong(ProtocolError::UnknownOpcode(opcode));
    }
    let control = opcode >= 8;
    if control && !fin {
        return Wrong(ProtocolError::FragmentedControl);
    }
    if in_message == Some(false) && opcode == 0 {
        return Wrong(ProtocolError::ContinuationOutOfPlace);
    }
    if in_message == Some(true) && (opcode == 1 || opcode == 2) {
        return Wrong(ProtocolError::DataInsideMessage);
    }
    if bytes.len() < 2 {
        return Unfinished;
    }
    if bytes[1] < 128 {
        return Wrong(ProtocolError::Unmasked);
    }
    let short = bytes[1] % 128;
    if control && short > 125 {
        return Wrong(ProtocolError::ControlTooLong);
    }
    let width = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let extended: Vec<u8> = bytes[2..].iter().copied().take(width).collect();
    if width == 8 && extended.first().is_some_and(|&top| top >= 128) {
        return Wrong(ProtocolError::LengthTopBit);
    }
    // As soon as it is certain: with six zero bytes fewer than 65,536 are left.
    if width == 8 && extended.len() >= 6 && extended[..6].iter().all(|&byte| byte == 0) {
        return Wrong(ProtocolError::LengthNotMinimal);
    }
    if extended.len() < width {
        return Unfinished;
    }
    let mut len = 0;
    for &byte in &extended {
        len = len * 256 + u64::from(byte);
    }
    if width == 0 {
        len = u64::from(short);
    }
    if width == 2 && len < 126 {
        return Wrong(ProtocolError::LengthNotMinimal);
    }
    if !control && limit.is_some_and(|limit| len > limit) {
        return Wrong(ProtocolError::TooBig);
    }
    if bytes.len() < 2 + width + 4 {
        return Unfinished;
    }
    let key = [bytes[2 + width], bytes[3 + width], bytes[4 + width], bytes[5 + width]];
    Whole { fin, opcode, len, key }
}

/// Reads all that a client has sent. Control frames count once they are whole.
#[must_use]
pub fn listen(wire: &[u8], limit: Option<u64>) -> Transcript {
    let mut transcript = Transcript::default();
    let mut in_message = false;
    let mut head: Vec<u8> = Vec::new();
    let mut bytes = wire.iter();
    loop {
        match header(&head, Some(in_message), limit) {
            Header::Unfinished => match bytes.next() {
                Some(&byte) => head.push(byte),
                None => return transcript,
            },
            Header::Wrong(fault) => {
                transcript.fault = Some(fault);
                return transcript;
            }
            Header::Whole { fin, opcode, len, key } => {
                head.clear();
                let mut payload = Vec::new();
                while (payload.len() as u64) < len {
                    let Some(&byte) = bytes.next() else { break };
                    payload.push(byte ^ key[payload.len() % 4]);
                }
                let whole = payload.len() as u64 == len;
                if opcode >= 8 {
                    if whole {
                        transcript.said.push(Said::Control(opcode, payload));
                    }
                } else {
                    transcript.add_data(&payload);
                    in_message = !(whole && fin);
                    if whole && fin {
                        transcript.said.push(Said::EndOfMessage);
                    }
                }
            }
        }
    }
}

/// A frame of a client's.
#[must_use]
pub fn frame(first: u8, key: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(128 + u8::try_from(len).unwrap_or(0)),
        len @ 126..=65535 => {
            bytes.push(128 + 126);
            bytes.extend(u16::try_from(len).unwrap_or(0).to_be_bytes());
        }
        len => {
            bytes.push(128 + 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(key);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]));
    bytes
}
