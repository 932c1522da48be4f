//! A write that does not go on: since when, and whether the peer really takes nothing.

use crate::stream::{Msec, Stream};

/// What waits for one peer.
///
/// A socket announces room only when a good part of its buffer is free, so a slow peer can take data for minutes while
/// no write succeeds. Soon after a block has begun, and then at each deadline, it is noted how much the peer has not
/// acknowledged: while that shrinks, the peer is not given up.
#[derive(Clone, Copy, Default)]
pub(crate) struct Blocked {
    since: Option<Msec>,
    sample: Option<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Msec,
    unacknowledged: usize,
}

/// The part of a timeout after which the first sample is taken: most blocks are over by then and cost nothing.
const FIRST_SAMPLE: Msec = 16;

impl Blocked {
    pub(crate) fn is_blocked(self) -> bool {
        self.since.is_some()
    }

    /// Takes note of an attempt to send: whether some bytes went out, and whether some are still waiting. Returns
    /// whether a block is over.
    pub(crate) fn note(&mut self, now: Msec, moved: bool, waiting: bool) -> bool {
        let was_blocked = self.is_blocked();
        if !waiting {
            *self = Self::default();
        } else if moved || !was_blocked {
            self.restart(now);
        }
        was_blocked && !waiting
    }

    /// Gives the peer all of its time again, if something waits for it.
    pub(crate) fn restart(&mut self, now: Msec) {
        *self = Self { since: Some(now), sample: None };
    }

    /// When to look at it again.
    pub(crate) fn deadline(self, timeout: Msec) -> Option<Msec> {
        let since = self.since?;
        Some(self.sample.map_or(since + timeout / FIRST_SAMPLE, |sample| sample.at + timeout))
    }

    /// Looks at it at its deadline: whether the peer has taken nothing for all of the timeout.
    pub(crate) fn has_expired(&mut self, now: Msec, peer: &mut impl Stream) -> bool {
        let sample = Sample { at: now, unacknowledged: peer.unacknowledged() };
        match self.sample {
            Some(before) if sample.unacknowledged >= before.unacknowledged => true,
            _ => {
                self.sample = Some(sample);
                false
            }
        }
    }
}
