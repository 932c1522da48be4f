//! What both directions of a tunnel write to: control frames, the time of the last sign of life, counts.

use websockify_protocol::heartbeat::Heartbeat;

use crate::control::ControlQueue;
use crate::limits::Stats;
use crate::stream::Msec;

pub(crate) struct Desk {
    pub(crate) control: ControlQueue,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) stats: Stats,
    pub(crate) started_at: Msec,
    /// When either side last said anything, a pong included.
    pub(crate) heard_at: Msec,
    /// When payload last came from either side, or went to one.
    pub(crate) payload_at: Msec,
}

impl Desk {
    pub(crate) fn new(now: Msec) -> Self {
        Self {
            control: ControlQueue::default(),
            heartbeat: Heartbeat::new(now),
            stats: Stats::default(),
            started_at: now,
            heard_at: now,
            payload_at: now,
        }
    }

    /// The client said something; `payload` whether some of it was for the target.
    pub(crate) fn client_heard(&mut self, now: Msec, payload: bool) {
        self.heartbeat.on_heard(now);
        self.heard_at = now;
        if payload {
            self.payload_at = now;
        }
    }

    /// A block is over, in which a side could not be heard: its silence begins now.
    pub(crate) fn stood_still(&mut self, now: Msec) {
        self.heartbeat.on_heard(now);
        self.heard_at = now;
    }

    /// The target said something.
    pub(crate) fn target_heard(&mut self, now: Msec) {
        self.heard_at = now;
        self.payload_at = now;
    }
}
