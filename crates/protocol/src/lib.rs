//! RFC 6455 and websockify's subprotocols as pure functions: bytes in, events and bytes out.
//!
//! Floor 0 of the module: nothing here knows of nginx, a socket, a file or a clock, and nothing a peer sends
//! panics. A decoder looks at its input and takes only what is whole; "not yet" is `None`, a fault is a
//! [`ProtocolError`] that knows its close code, and a refused opening handshake is a
//! [`Refusal`](handshake::Refusal) that knows its HTTP status.
//!
//! One frame from a client to the bytes its target gets, and back:
//!
//! ```
//! use websockify_protocol::{decoder::{Decoder, Event}, encoder, frame::Opcode, mask};
//!
//! let mut input = *b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
//! let mut decoder = Decoder::new(None);
//! let step = decoder.decode(&input)?.expect("a whole frame");
//! let Event::Data { key, end_of_message: true } = step.event else { panic!("a binary message") };
//! mask::apply(key, &mut input[step.skip..step.skip + step.len]);
//! assert_eq!(&input[6..], b"Hello");
//!
//! let mut output = *b"..........Hello";
//! let start = encoder::put_header_before(&mut output, 10..15, Opcode::Binary);
//! assert_eq!(&output[start..], b"\x82\x05Hello");
//! # Ok::<(), websockify_protocol::ProtocolError>(())
//! ```
#![deny(unsafe_code)]

pub mod base64_stream;
pub mod close;
pub mod decoder;
pub mod encoder;
pub mod error;
pub mod frame;
pub mod handshake;
pub mod heartbeat;
pub mod mask;
pub mod origin;
pub mod proxy_header;
pub mod subprotocol;
#[cfg(test)]
mod testing;

pub use close::{CloseBody, CloseCode};
pub use decoder::{ControlOpcode, Decoder, Event, Run, Step};
pub use encoder::ControlFrame;
pub use error::{Base64Fault, ProtocolError};
pub use frame::{FrameHeader, Opcode};
pub use mask::MaskingKey;
pub use origin::Origins;
pub use subprotocol::{Encoding, Subprotocols};
