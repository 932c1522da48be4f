//! What configuration allows a tunnel, and what a tunnel has moved.

use websockify_protocol::heartbeat::Rhythm;

use crate::stream::Msec;

/// What configuration says of a tunnel. Times are in milliseconds, and 0 means never where it is said so.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a blocked write may take nothing.
    pub send_timeout: Msec,
    /// How long neither side may say anything.
    pub read_timeout: Msec,
    /// When a silent client is pinged, and given up.
    pub heartbeat: Rhythm,
    /// How long no payload may go either way; 0 for ever.
    pub idle_timeout: Msec,
    /// How long the tunnel may stand; 0 for ever.
    pub session_timeout: Msec,
}

/// What a tunnel has moved so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Payload bytes from the client, as the target gets them.
    pub bytes_received: u64,
    /// Payload bytes to the client, as the target said them.
    pub bytes_sent: u64,
    /// Data frames that the client sent whole.
    pub frames_received: u64,
    /// Data frames made for the client.
    pub frames_sent: u64,
    /// Pings that have left.
    pub pings: u32,
    /// Pings whose answer was measured.
    pub round_trips: u32,
}
