//! How fast one direction of a tunnel may go.
//!
//! What may be received is saved up while time passes, up to what a tenth of a second brings, so that a keystroke never
//! waits and a transfer goes on in small steps. Once it is spent, nothing is received until it is worth a read again.

use crate::stream::Msec;

/// The part of a second for which is saved, and the part after which it is worth a read.
const SAVED: u64 = 10;
const STEP: u64 = 20;

/// A read of so many bytes is worth it, however fast the direction may go.
const MOST_OF_A_STEP: u64 = 16 * 1024;

/// Thousandths of a byte: at so many bytes a second, a millisecond brings as many of them.
const BYTE: u64 = 1000;

#[derive(Default)]
pub(crate) struct Pace {
    /// Bytes a second; 0 for any.
    rate: u64,
    /// What may be received now, in thousandths of a byte, as of `at`.
    saved: u64,
    at: Msec,
    waits: bool,
}

impl Pace {
    pub(crate) fn new(now: Msec, rate: u64) -> Self {
        let mut pace = Self { rate: rate.min(u64::MAX / BYTE / BYTE), saved: 0, at: now, waits: false };
        pace.saved = pace.most();
        pace
    }

    /// How many bytes may be received now. If none, the direction waits: see [`Pace::waits_until`].
    pub(crate) fn room(&mut self, now: Msec) -> usize {
        self.waits = false;
        if self.rate == 0 {
            return usize::MAX;
        }
        let brought = now.saturating_sub(self.at).saturating_mul(self.rate);
        self.saved = self.saved.saturating_add(brought).min(self.most());
        self.at = self.at.max(now);
        self.waits = self.saved < self.step();
        if self.waits {
            return 0;
        }
        usize::try_from(self.saved / BYTE).unwrap_or(usize::MAX)
    }

    /// `len` bytes have been received.
    pub(crate) fn spend(&mut self, len: u64) {
        self.saved = self.saved.saturating_sub(len.saturating_mul(BYTE));
    }

    /// The direction may be read, or has nothing to be read for, until [`Pace::room`] says otherwise.
    pub(crate) fn go_on(&mut self) {
        self.waits = false;
    }

    /// From here on any speed will do, and nothing waits any more.
    pub(crate) fn lift(&mut self) {
        (self.rate, self.saved) = (0, u64::MAX);
    }

    /// When there will be room, where the direction waits for it.
    pub(crate) fn waits_until(&self) -> Option<Msec> {
        let missing = self.step().saturating_sub(self.saved);
        self.waits.then(|| self.at + missing.div_ceil(self.rate.max(1)))
    }

    fn step(&self) -> u64 {
        (self.rate / STEP).clamp(1, MOST_OF_A_STEP) * BYTE
    }

    fn most(&self) -> u64 {
        (self.rate / SAVED * BYTE).max(self.step())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is received in `time` by one who reads as much as he may, in pieces of `piece`, and sleeps as long as he has
    /// to; and how long he sleeps at most.
    fn received(rate: u64, time: Msec, piece: usize) -> (u64, Msec) {
        let (mut pace, mut now, mut sum, mut longest) = (Pace::new(0, rate), 0, 0, 0);
        while now <= time {
            match pace.room(now) {
                0 => {
                    let next = pace.waits_until().expect("a time");
                    assert!(next > now, "waits for the past");
                    longest = longest.max(next - now);
                    now = next;
                }
                room => {
                    let len = room.min(piece) as u64;
                    pace.spend(len);
                    sum += len;
                }
            }
        }
        (sum, longest)
    }

    #[test]
    fn as_fast_as_it_may_and_no_faster() {
        for (rate, seconds, piece) in [
            (1, 100, 1),
            (3, 100, 1),
            (7, 100, 100),
            (100, 100, 1),
            (999, 100, 1),
            (999, 100, 48_000),
            (10_000, 10, 7),
            (1_234_567, 10, 1_000),
            (1_234_567, 10, 48_000),
            (100_000_000, 1, 48_000),
        ] {
            let (sum, _) = received(rate, seconds * 1000, piece);
            let (least, most) = (rate * seconds, rate * seconds + (rate / 10).max(1));
            let step = (rate / 20).clamp(1, 16_384);
            assert!((least - step..=most).contains(&sum), "{sum} at {rate} in {seconds} s");
        }
    }

    #[test]
    fn in_small_steps() {
        for rate in [20, 1000, 1_234_567, 100_000_000] {
            assert!(received(rate, 1000, 1 << 20).1 <= 51, "{rate}");
        }
        assert_eq!(received(1, 10_000, 1).1, 1000, "as slow as it is");
    }

    #[test]
    fn what_was_not_used_is_not_saved_for_long() {
        let mut pace = Pace::new(0, 1000);
        assert_eq!(pace.room(0), 100);
        pace.spend(100);
        assert_eq!(pace.room(3_600_000), 100);
    }

    #[test]
    fn a_little_does_not_wait() {
        let mut pace = Pace::new(0, 1000);
        for now in (0..10_000).step_by(100) {
            assert!(pace.room(now) > 0);
            pace.spend(1);
        }
    }

    #[test]
    fn without_a_rate_or_when_it_is_lifted_anything_goes() {
        assert_eq!(Pace::new(0, 0).room(0), usize::MAX);
        let mut pace = Pace::new(0, 10);
        pace.spend(1);
        assert_eq!((pace.room(0), pace.waits_until()), (0, Some(100)));
        pace.lift();
        assert_eq!(pace.waits_until(), Some(0), "now");
        assert_eq!((pace.room(0), pace.waits_until()), (usize::MAX, None));
    }

    #[test]
    fn no_rate_is_too_much() {
        assert!(Pace::new(0, u64::MAX).room(u64::MAX) > 0);
    }
}
