//! The pump between a WebSocket client and a TCP target, over any pair of non-blocking ends.
//!
//! [`Tunnel::drive`] moves what can be moved and says what to wait for. It knows no nginx, no socket and no
//! clock: an end is a [`Stream`], time is an argument, memory comes from [`Buffers`]. nginx's connections drive
//! it in the module, simulated ones in the tests, so that both run the same pump.
#![forbid(unsafe_code)]

mod blocked;
mod control;
mod desk;
mod download;
mod ending;
mod first_bytes;
mod limits;
mod pace;
mod stream;
mod text;
mod tunnel;
mod upload;

pub use ending::{Cause, CloseReason, ClosedBy, End, Side};
pub use first_bytes::{FirstBytes, FirstBytesError, Unlike};
pub use limits::{Limits, Stats};
pub use stream::{Buffers, Ends, HangUp, Io, Msec, Stream};
pub use tunnel::{Tunnel, Turn, SMALLEST_BUFFER};
