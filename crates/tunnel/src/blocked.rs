//! A write that does not go on: since when, and whether the peer really takes nothing.

use crate::stream::{Msec, Stream};

/// What waits for one peer. A socket announces room only when a good part of its buffer is free, so a slow peer can
/// take data for minutes while no write succeeds: halfway to the deadline it is noted how much the peer has not
/// acknowledged yet, and at the deadline it is compared.
#[derive(Clone, Copy, Default)]
pub(crate) struct Blocked {
    since: Option<Msec>,
    unacknowledged: Option<usize>,
}

impl Blocked {
    pub(crate) fn is_blocked(self) -> bool {
        self.since.is_some()
    }

    /// Takes note of an attempt to send: whether some bytes went out, and whether some are still waiting.
    pub(crate) fn note(&mut self, now: Msec, moved: bool, waiting: bool) {
        if !waiting {
            *self = Self::default();
        } else if moved || self.since.is_none() {
            *self = Self { since: Some(now), unacknowledged: None };
        }
    }

    /// When to look at it again.
    pub(crate) fn deadline(self, timeout: Msec) -> Option<Msec> {
        let half = if self.unacknowledged.is_some() { timeout } else { timeout / 2 };
        self.since.map(|since| since + half)
    }

    /// Looks at it at its deadline: whether the peer has taken nothing for all of `timeout`.
    pub(crate) fn has_expired(&mut self, now: Msec, timeout: Msec, peer: &mut impl Stream) -> bool {
        let unacknowledged = peer.unacknowledged();
        match self.unacknowledged.replace(unacknowledged) {
            None => self.since.is_some_and(|since| now >= since + timeout),
            Some(before) if unacknowledged < before => {
                self.since = Some(now - timeout / 2);
                false
            }
            Some(_) => true,
        }
    }
}
