//! What tests, benchmarks and native programs need to speak to a WebSocket server.
//!
//! [`client`] is the protocol, [`url`] and [`socket`] the way to the server, [`join`] ties a WebSocket to a pair of
//! local ends. The program `ws-stdio` is these four on a command line.

pub mod client;
pub mod join;
pub mod socket;
pub mod url;
