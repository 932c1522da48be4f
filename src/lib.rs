//! nginx module: a WebSocket in front of any TCP server.
//!
//! request -> handshake -> target -> connect -> tunnel -> close -> log; [`handler`] tells the whole trip.
#![deny(unsafe_code)]

mod books;
mod conf;
mod connect;
mod errors;
mod fault;
mod handler;
mod handshake;
#[allow(unsafe_code, reason = "the module's table for nginx")]
mod module;
#[allow(unsafe_code, reason = "the one floor that speaks nginx's C")]
mod nginx;
mod session;
mod status;
mod target;
mod token;
mod tunnel;
mod variables;
mod waiting;
