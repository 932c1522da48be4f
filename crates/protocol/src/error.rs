//! What a client can do wrong inside the tunnel, and the close code that answers it.

use crate::close::CloseCode;
use core::fmt;

/// A fault in what the client sent after the opening handshake. It ends the session: the connection is failed
/// (RFC 6455 section 7.1.7) with [`close_code`](Self::close_code).
///
/// `Display` names the fault in at most 123 bytes, so that it fits a Close frame as its reason, and reads on
/// from "client sent" in a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A frame without the MASK bit (section 5.1).
    Unmasked,
    /// RSV1, RSV2 or RSV3 set, though no extension was negotiated (section 5.2).
    ReservedBit,
    /// An opcode of 0x3 to 0x7 or 0xB to 0xF (section 5.2).
    UnknownOpcode(u8),
    /// A control frame without FIN (section 5.5).
    FragmentedControl,
    /// A control frame whose payload is longer than 125 bytes (section 5.5).
    ControlTooLong,
    /// A payload length in more bytes than it needs (section 5.2).
    LengthNotMinimal,
    /// A 64-bit payload length with its most significant bit set (section 5.2).
    LengthTopBit,
    /// A continuation frame where no message is open (section 5.4).
    ContinuationOutOfPlace,
    /// A text or binary frame inside a fragmented message (section 5.4).
    DataInsideMessage,
    /// A Close frame whose body is one byte, too short for a code (section 5.5.1).
    CloseBodyOfOneByte,
    /// A close code that must not be sent in a frame (section 7.4).
    CloseCodeInvalid(u16),
    /// A close reason that is not UTF-8 (section 5.5.1).
    CloseReasonNotUtf8,
    /// A data frame longer than the configured limit (section 10.4).
    TooBig,
    /// A message of the `base64` subprotocol that is not base64 (RFC 4648 section 4).
    Base64(Base64Fault),
}

/// How a message of the `base64` subprotocol fails to be base64 (RFC 4648 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base64Fault {
    /// A character outside the standard alphabet: white space and the URL-safe alphabet included.
    Character,
    /// A `=` where a group does not allow one, or a lone one where two are needed.
    Padding,
    /// Anything at all after the padding that ended the text.
    AfterPadding,
    /// Bits that the last character carries and no byte takes are not zero (RFC 4648 section 3.5).
    TrailingBits,
    /// The message ended inside a group of four.
    Incomplete,
}

impl ProtocolError {
    /// The close code to fail the connection with (RFC 6455 section 7.4.1).
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::CloseReasonNotUtf8 | Self::Base64(_) => CloseCode::INVALID_PAYLOAD,
            Self::TooBig => CloseCode::TOO_BIG,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmasked => f.write_str("unmasked frame"),
            Self::ReservedBit => f.write_str("frame with a reserved bit set"),
            Self::UnknownOpcode(opcode) => write!(f, "unknown opcode 0x{opcode:x}"),
            Self::FragmentedControl => f.write_str("fragmented control frame"),
            Self::ControlTooLong => f.write_str("control frame over 125 bytes"),
            Self::LengthNotMinimal => f.write_str("non-minimal payload length"),
            Self::LengthTopBit => f.write_str("64-bit payload length with its top bit set"),
            Self::ContinuationOutOfPlace => f.write_str("continuation frame outside a message"),
            Self::DataInsideMessage => f.write_str("new data frame inside a message"),
            Self::CloseBodyOfOneByte => f.write_str("close body of one byte"),
            Self::CloseCodeInvalid(code) => write!(f, "invalid close code {code}"),
            Self::CloseReasonNotUtf8 => f.write_str("close reason that is not UTF-8"),
            Self::TooBig => f.write_str("too big frame"),
            Self::Base64(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for Base64Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Character => "base64 with a character outside its alphabet",
            Self::Padding => "base64 with misplaced padding",
            Self::AfterPadding => "base64 that goes on after its padding",
            Self::TrailingBits => "base64 with non-zero trailing bits",
            Self::Incomplete => "base64 message that ends inside a group of four",
        })
    }
}

impl core::error::Error for ProtocolError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ProtocolError; 18] = [
        ProtocolError::Unmasked,
        ProtocolError::ReservedBit,
        ProtocolError::UnknownOpcode(0xf),
        ProtocolError::FragmentedControl,
        ProtocolError::ControlTooLong,
        ProtocolError::LengthNotMinimal,
        ProtocolError::LengthTopBit,
        ProtocolError::ContinuationOutOfPlace,
        ProtocolError::DataInsideMessage,
        ProtocolError::CloseBodyOfOneByte,
        ProtocolError::CloseCodeInvalid(65535),
        ProtocolError::CloseReasonNotUtf8,
        ProtocolError::TooBig,
        ProtocolError::Base64(Base64Fault::Character),
        ProtocolError::Base64(Base64Fault::Padding),
        ProtocolError::Base64(Base64Fault::AfterPadding),
        ProtocolError::Base64(Base64Fault::TrailingBits),
        ProtocolError::Base64(Base64Fault::Incomplete),
    ];

    #[test]
    fn answers_1002_but_1007_for_bad_text_and_1009_for_too_big() {
        for fault in ALL {
            let code = match fault {
                ProtocolError::CloseReasonNotUtf8 | ProtocolError::Base64(_) => 1007,
                ProtocolError::TooBig => 1009,
                _ => 1002,
            };
            assert_eq!(fault.close_code().as_u16(), code, "{fault}");
        }
    }

    #[test]
    fn names_each_fault_differently_and_short_enough_for_a_close_frame() {
        let names = ALL.map(|fault| fault.to_string());
        for (i, name) in names.iter().enumerate() {
            assert!((1..=123).contains(&name.len()) && !name.ends_with('.'), "{name}");
            assert!(!names[..i].contains(name), "{name} twice");
        }
    }

    #[test]
    fn names_what_the_client_sent() {
        assert_eq!(ProtocolError::Unmasked.to_string(), "unmasked frame");
        assert_eq!(ProtocolError::UnknownOpcode(0xb).to_string(), "unknown opcode 0xb");
        assert_eq!(ProtocolError::CloseCodeInvalid(1005).to_string(), "invalid close code 1005");
    }
}
