//! Orders to end sessions: a ring of reasons, and a mark in the record of each session that is meant.

use std::sync::atomic::{fence, Ordering};

use crate::chunk::{Chunks, Listed, RECORDS};
use crate::table::{write_bytes, Bytes, Table, ORDERS, ORDERS_AT, SLOTS};

/// How many orders may be on their way at once with their reasons.
const RING: u64 = 16;
const ENTRY: usize = 1 + REASON_WORDS;
const REASON_WORDS: usize = 17;
pub(crate) const RING_SIZE: usize = 16 * ENTRY;

/// The longest reason: what a Close frame has room for.
pub const MAX_REASON: usize = 123;

/// What a session that is to end finds in its record: the order's number, and the half of the session's id, since the
/// record may be another session's by the time the order comes.
#[derive(Clone, Copy)]
pub(crate) struct Mark(pub(crate) u64);

impl Mark {
    fn new(number: u64, id: u64) -> Self {
        Self((number & 0xffff_ffff) << 32 | id & 0xffff_ffff)
    }

    pub(crate) fn is_for(self, id: u64) -> bool {
        self.0 & 0xffff_ffff == id & 0xffff_ffff
    }

    fn number(self) -> u64 {
        self.0 >> 32
    }
}

/// What came of an order: how many sessions it was for, and which slots have them.
pub struct Order {
    /// How many sessions were told to end.
    pub count: u64,
    slots: [bool; SLOTS],
}

impl Order {
    /// The slots whose processes have to look.
    pub fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        self.slots.iter().enumerate().filter(|(_, &told)| told).map(|(index, _)| index)
    }
}

/// Why a session is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    len: usize,
    bytes: [u8; MAX_REASON],
}

impl Reason {
    /// The reason's text, as it was given.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Table<'_> {
    /// Orders all sessions that are `meant` to end for `reason`, of which no more than [`MAX_REASON`] bytes are kept.
    pub fn order(self, reason: &[u8], meant: impl Fn(&Listed) -> bool) -> Order {
        // Numbers begin at 1: a mark is never 0.
        let number = self.word(ORDERS).fetch_add(1, Ordering::Relaxed) % 0xffff_ffff + 1;
        self.write_reason(number, &reason[..reason.len().min(MAX_REASON)]);
        let mut order = Order { count: 0, slots: [false; SLOTS] };
        for chunk in Chunks::of(self) {
            let Some(told) = chunk.slot().and_then(|slot| order.slots.get_mut(slot)) else { continue };
            for at in 0..RECORDS {
                if let Some(listed) = chunk.read(at).filter(|listed| meant(listed)) {
                    chunk.order(at, Mark::new(number, listed.id));
                    order.count += 1;
                    *told = true;
                }
            }
        }
        order
    }

    fn write_reason(self, number: u64, reason: &[u8]) {
        let words = self.slice(Self::entry_at(number), ENTRY);
        words[0].store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        write_bytes(&words[1..], reason);
        words[0].store(number, Ordering::Release);
    }

    /// The reason of the order with this mark; empty where so many came after it that it is gone.
    pub(crate) fn reason(self, mark: Mark) -> Reason {
        let words = self.slice(Self::entry_at(mark.number()), ENTRY);
        let mut reason = Reason { len: 0, bytes: [0; MAX_REASON] };
        if words[0].load(Ordering::Acquire) != mark.number() {
            return reason;
        }
        let text = Bytes::<REASON_WORDS>::read(&words[1..]);
        fence(Ordering::Acquire);
        if words[0].load(Ordering::Relaxed) == mark.number() {
            for (to, from) in reason.bytes.iter_mut().zip(text.bytes()) {
                *to = from;
                reason.len += 1;
            }
        }
        reason
    }

    #[allow(clippy::cast_possible_truncation, reason = "less than 16")]
    fn entry_at(number: u64) -> usize {
        ORDERS_AT + (number % RING) as usize * ENTRY
    }
}
