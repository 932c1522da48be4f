//! What one process counts of the sessions of one name.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::{kind_of, Ending, Event, ENDED};
use crate::table::Table;

// The words, from the front.
const NEXT: usize = 0;
const NAME: usize = 1;
/// How many words of the tally are in use.
const TALLIED: usize = 2;
const PLAIN: usize = 4;
pub(crate) const PLAINS: usize = 9 + BOUNDS.len();
/// Keys and counts of what is counted by cause.
const TALLY: usize = PLAIN + PLAINS;
pub(crate) const TALLIES: usize = 80;
pub(crate) const SIZE: usize = TALLY + TALLIES * 2;

// The plain counters.
pub(crate) const OPENED: usize = 0;
pub(crate) const BYTES_RECEIVED: usize = 1;
pub(crate) const BYTES_SENT: usize = 2;
pub(crate) const FRAMES_RECEIVED: usize = 3;
pub(crate) const FRAMES_SENT: usize = 4;
pub(crate) const PINGS: usize = 5;
pub(crate) const ROUND_TRIP_SUM: usize = 6;
pub(crate) const ORDERED: usize = 7;
/// Round trips by their length; the last are longer than all bounds.
pub(crate) const ROUND_TRIPS: usize = 8;

/// The bounds of round trips, in milliseconds.
pub(crate) const BOUNDS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/// What a session has done since it was last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Payload bytes from the client.
    pub bytes_received: u64,
    /// Payload bytes to the client.
    pub bytes_sent: u64,
    /// Data frames from the client.
    pub frames_received: u64,
    /// Data frames to the client.
    pub frames_sent: u64,
    /// Pings to the client.
    pub pings: u64,
    /// How long the last one took there and back, in milliseconds, if it has come back since.
    pub round_trip: Option<u64>,
}

/// Counters with one writer and many readers. They only grow, also when their process is gone and another has them.
#[derive(Clone, Copy)]
pub struct Counters<'t> {
    words: &'t [AtomicU64],
}

impl<'t> Counters<'t> {
    pub(crate) fn at(table: Table<'t>, at: usize) -> Self {
        Self { words: table.slice(at, SIZE) }
    }

    pub(crate) fn next(self) -> &'t AtomicU64 {
        &self.words[NEXT]
    }

    pub(crate) fn begin(self, name: usize, next: u64) {
        self.words[NAME].store(name as u64, Ordering::Relaxed);
        self.words[NEXT].store(next, Ordering::Relaxed);
    }

    /// The number of the name.
    #[must_use]
    pub fn name(self) -> usize {
        usize::try_from(self.words[NAME].load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// A session has begun.
    pub fn opened(self) {
        self.add(OPENED, 1);
    }

    /// Sessions were told to end.
    pub fn ordered(self, count: u64) {
        self.add(ORDERED, count);
    }

    /// A session goes on.
    pub fn moved(self, by: &Progress) {
        self.add(BYTES_RECEIVED, by.bytes_received);
        self.add(BYTES_SENT, by.bytes_sent);
        self.add(FRAMES_RECEIVED, by.frames_received);
        self.add(FRAMES_SENT, by.frames_sent);
        self.add(PINGS, by.pings);
        if let Some(time) = by.round_trip {
            let bucket = BOUNDS.iter().position(|&bound| time <= bound).unwrap_or(BOUNDS.len());
            self.add(ROUND_TRIP_SUM, time);
            self.add(ROUND_TRIPS + bucket, 1);
        }
    }

    /// Something has happened.
    pub fn count(self, event: Event) {
        self.tally(event.key(), 1);
    }

    fn add(self, at: usize, count: u64) {
        if count > 0 {
            increase(&self.words[PLAIN + at], count);
        }
    }

    fn tally(self, key: u64, count: u64) {
        let used = self.tallied();
        let found = (0..used).find(|&at| self.key(at).load(Ordering::Relaxed) == key);
        // There are fewer causes than there is room; if not, the last one is counted for all that came later.
        let at = found.unwrap_or(used.min(TALLIES - 1));
        increase(&self.words[TALLY + at * 2 + 1], count);
        if at == used {
            self.key(at).store(key, Ordering::Relaxed);
            self.words[TALLIED].store((used + 1) as u64, Ordering::Release);
        }
    }

    fn tallied(self) -> usize {
        usize::try_from(self.words[TALLIED].load(Ordering::Acquire)).map_or(0, |used| used.min(TALLIES))
    }

    fn key(self, at: usize) -> &'t AtomicU64 {
        &self.words[TALLY + at * 2]
    }

    /// The tally: keys and counts.
    pub(crate) fn tallies(self) -> impl Iterator<Item = (u64, u64)> + 't {
        (0..self.tallied()).map(move |at| {
            (self.key(at).load(Ordering::Relaxed), self.words[TALLY + at * 2 + 1].load(Ordering::Acquire))
        })
    }

    pub(crate) fn plain(self, at: usize) -> u64 {
        self.words[PLAIN + at].load(Ordering::Acquire)
    }

    /// The process is gone, and what of its sessions has not ended ended with it.
    pub(crate) fn lose_the_rest(self) {
        let ended: u64 =
            self.tallies().filter(|&(key, _)| kind_of(key) == ENDED).map(|(_, count)| count).sum();
        let lost = self.plain(OPENED).saturating_sub(ended);
        if lost > 0 {
            self.tally(Event::Ended(Ending::Lost, 1006).key(), lost);
        }
    }
}

/// There is one writer: no other can have changed the word in between.
fn increase(word: &AtomicU64, by: u64) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(by), Ordering::Release);
}
