//! Records of live sessions, by the chunk: whoever has a chunk writes to its records, and everybody reads them.

use std::sync::atomic::{fence, AtomicU64, Ordering};

use crate::order::Mark;
use crate::table::{write_bytes, Bytes, Table, CHUNKS};

/// How many records a chunk has.
pub(crate) const RECORDS: usize = 23;
const RECORD: usize = 22;
const HEAD: usize = 6;
/// A page of memory.
pub(crate) const SIZE: usize = HEAD + RECORDS * RECORD;

// A chunk's head.
const NEXT: usize = 0;
/// The slot it belongs to, counted from 1; 0 for none.
const OWNER: usize = 1;

// A record.
/// Odd while there is a session. Changes whenever one begins or ends.
const STATE: usize = 0;
const ID: usize = 1;
const OPENED: usize = 2;
const CLIENT: usize = 3;
const CLIENT_WORDS: usize = 6;
const TARGET: usize = CLIENT + CLIENT_WORDS;
const TARGET_WORDS: usize = 6;
const TARGET_HASH: usize = TARGET + TARGET_WORDS;
const TOKEN_HASH: usize = TARGET_HASH + 1;
/// The number of its name, and how long a ping took: one more than the milliseconds, or 0.
const NAME_AND_ROUND_TRIP: usize = TOKEN_HASH + 1;
const BYTES_RECEIVED: usize = NAME_AND_ROUND_TRIP + 1;
const BYTES_SENT: usize = BYTES_RECEIVED + 1;
const PAYLOAD_AT: usize = BYTES_SENT + 1;
const ORDER: usize = PAYLOAD_AT + 1;
const _: () = assert!(ORDER + 1 == RECORD && SIZE == 512);

/// What is written of a session when it begins.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// By which the session is told from all others.
    pub id: u64,
    /// When it began, in milliseconds on a clock that all processes share.
    pub opened_at: u64,
    /// The client's address; what is too long is cut off here and in the target.
    pub client: &'a [u8],
    /// The target as configuration or a token names it.
    pub target: &'a [u8],
    /// [`Table::hash`] of the token, 0 for none.
    pub token_hash: u64,
    /// The number of the session's name.
    pub name: usize,
}

/// A live session, as it is listed.
pub struct Listed {
    /// By which the session is told from all others.
    pub id: u64,
    pub(crate) opened_at: u64,
    pub(crate) client: Bytes<CLIENT_WORDS>,
    pub(crate) target: Bytes<TARGET_WORDS>,
    /// [`Table::hash`] of its target.
    pub target_hash: u64,
    /// [`Table::hash`] of its token, 0 for none.
    pub token_hash: u64,
    pub(crate) name: usize,
    pub(crate) round_trip: Option<u64>,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) payload_at: u64,
}

/// The chunks of a table.
pub(crate) struct Chunks<'t> {
    table: Table<'t>,
    next: &'t AtomicU64,
}

impl<'t> Chunks<'t> {
    pub(crate) fn of(table: Table<'t>) -> Self {
        Self { table, next: table.word(CHUNKS) }
    }
}

impl<'t> Iterator for Chunks<'t> {
    type Item = Chunk<'t>;

    fn next(&mut self) -> Option<Chunk<'t>> {
        let at = usize::try_from(self.next.load(Ordering::Acquire)).ok().filter(|&at| at != 0)?;
        let chunk = Chunk { table: self.table, at };
        self.next = &chunk.words()[NEXT];
        Some(chunk)
    }
}

/// A page of records.
#[derive(Clone, Copy)]
pub(crate) struct Chunk<'t> {
    table: Table<'t>,
    at: usize,
}

impl<'t> Chunk<'t> {
    /// A chunk that nobody has, for the slot `slot`.
    pub(crate) fn take(table: Table<'t>, slot: usize) -> Option<Self> {
        let mine = slot as u64 + 1;
        let free = |chunk: &Self| {
            let owner = &chunk.words()[OWNER];
            owner.load(Ordering::Relaxed) == 0
                && owner.compare_exchange(0, mine, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        Chunks::of(table).find(free).or_else(|| Self::make(table, mine))
    }

    fn make(table: Table<'t>, owner: u64) -> Option<Self> {
        let chunk = Self { table, at: table.allocate(SIZE)? };
        chunk.words()[OWNER].store(owner, Ordering::Relaxed);
        let first = table.word(CHUNKS);
        let mut next = first.load(Ordering::Relaxed);
        loop {
            chunk.words()[NEXT].store(next, Ordering::Relaxed);
            match first.compare_exchange_weak(next, chunk.at as u64, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(chunk),
                Err(other) => next = other,
            }
        }
    }

    fn words(self) -> &'t [AtomicU64] {
        self.table.slice(self.at, SIZE)
    }

    fn record(self, at: usize) -> &'t [AtomicU64] {
        &self.words()[HEAD + at * RECORD..][..RECORD]
    }

    /// The slot it belongs to, if any.
    pub(crate) fn slot(self) -> Option<usize> {
        usize::try_from(self.words()[OWNER].load(Ordering::Acquire)).ok()?.checked_sub(1)
    }

    pub(crate) fn belongs_to(self, slot: usize) -> bool {
        self.slot() == Some(slot)
    }

    /// Ends all of its sessions, and gives it back.
    pub(crate) fn clear(self) {
        for at in 0..RECORDS {
            self.end(at);
        }
        self.words()[OWNER].store(0, Ordering::Release);
    }

    pub(crate) fn begin(self, at: usize, session: &Record<'_>) {
        let words = self.record(at);
        let state = words[STATE].load(Ordering::Relaxed) & !1;
        // Whoever reads what follows sees that the state is another one.
        words[STATE].store(state.wrapping_add(2), Ordering::Relaxed);
        fence(Ordering::Release);
        let set = |at: usize, value: u64| words[at].store(value, Ordering::Relaxed);
        set(ID, session.id);
        set(OPENED, session.opened_at);
        write_bytes(&words[CLIENT..TARGET], session.client);
        write_bytes(&words[TARGET..TARGET_HASH], session.target);
        set(TARGET_HASH, self.table.hash(session.target));
        set(TOKEN_HASH, session.token_hash);
        set(NAME_AND_ROUND_TRIP, session.name as u64);
        set(BYTES_RECEIVED, 0);
        set(BYTES_SENT, 0);
        set(PAYLOAD_AT, session.opened_at);
        set(ORDER, 0);
        words[STATE].store(state.wrapping_add(3), Ordering::Release);
    }

    pub(crate) fn update(self, at: usize, received: u64, sent: u64, payload_at: u64) {
        let words = self.record(at);
        words[BYTES_RECEIVED].store(received, Ordering::Relaxed);
        words[BYTES_SENT].store(sent, Ordering::Relaxed);
        words[PAYLOAD_AT].store(payload_at, Ordering::Relaxed);
    }

    pub(crate) fn set_round_trip(self, at: usize, time: u64) {
        let word = &self.record(at)[NAME_AND_ROUND_TRIP];
        let name = word.load(Ordering::Relaxed) & 0xffff_ffff;
        word.store(name | (time.min(u64::from(u32::MAX) - 1) + 1) << 32, Ordering::Relaxed);
    }

    pub(crate) fn end(self, at: usize) {
        let state = &self.record(at)[STATE];
        let now = state.load(Ordering::Relaxed);
        if now % 2 == 1 {
            state.store(now.wrapping_add(1), Ordering::Release);
        }
    }

    /// The session at `at`, if there is one.
    pub(crate) fn read(self, at: usize) -> Option<Listed> {
        let words = self.record(at);
        let state = words[STATE].load(Ordering::Acquire);
        if state % 2 == 0 {
            return None;
        }
        let word = |at: usize| words[at].load(Ordering::Relaxed);
        let listed = Listed {
            id: word(ID),
            opened_at: word(OPENED),
            client: Bytes::read(&words[CLIENT..TARGET]),
            target: Bytes::read(&words[TARGET..TARGET_HASH]),
            target_hash: word(TARGET_HASH),
            token_hash: word(TOKEN_HASH),
            name: usize::try_from(word(NAME_AND_ROUND_TRIP) & 0xffff_ffff).unwrap_or(0),
            round_trip: (word(NAME_AND_ROUND_TRIP) >> 32).checked_sub(1),
            bytes_received: word(BYTES_RECEIVED),
            bytes_sent: word(BYTES_SENT),
            payload_at: word(PAYLOAD_AT),
        };
        fence(Ordering::Acquire);
        // Another session may have taken its place meanwhile.
        (words[STATE].load(Ordering::Relaxed) == state).then_some(listed)
    }

    /// Orders the session at `at` to end.
    pub(crate) fn order(self, at: usize, mark: Mark) {
        self.record(at)[ORDER].store(mark.0, Ordering::Release);
    }

    /// Takes the order that was given for the session at `at`, if there is one.
    pub(crate) fn take_order(self, at: usize) -> Option<Mark> {
        let words = self.record(at);
        if words[ORDER].load(Ordering::Acquire) == 0 {
            return None;
        }
        let mark = Mark(words[ORDER].swap(0, Ordering::AcqRel));
        mark.is_for(words[ID].load(Ordering::Relaxed)).then_some(mark)
    }
}
