//! The client's side of RFC 6455: opening handshake, masked frames out, plain frames in.
//!
//! [`handshake::open`] works over anything that reads and writes. [`frame`] is pure: bytes in, bytes and events out.
//! [`Sender`] and [`Receiver`] put the two on a blocking stream, one half each, so that two threads can share a session.

pub mod frame;
pub mod handshake;
mod keys;
mod receiver;
mod sender;

pub use keys::Keys;
pub use receiver::{Event, ReceiveError, Receiver};
pub use sender::Sender;
