//! The shared words: what stands where, and who may write to it.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::chunk::{self, Chunks};
use crate::counters::{self, Counters};
use crate::owner::Owner;

/// How many processes may have a slot at once, those of older configurations included.
pub const SLOTS: usize = 256;
/// How many names sessions may be counted by.
pub const MAX_NAMES: usize = 32;
/// How long a name may be, in bytes.
pub const MAX_NAME: usize = (NAME - 1) * 8;

const FORMAT: u64 = 0x7765_6273_0001;

// The words at the front.
const MAGIC: usize = 0;
const KEY: usize = 1;
const NEXT: usize = 2;
const NAMES: usize = 3;
pub(crate) const CHUNKS: usize = 4;
pub(crate) const ORDERS: usize = 5;

const SLOTS_AT: usize = 8;
const SLOT: usize = 2;
const NAMES_AT: usize = SLOTS_AT + SLOTS * SLOT;
const NAME: usize = 8;
pub(crate) const ORDERS_AT: usize = NAMES_AT + MAX_NAMES * NAME;
const HEAP_AT: usize = ORDERS_AT + crate::order::RING_SIZE;

/// The memory that the processes share.
#[derive(Clone, Copy)]
pub struct Table<'t> {
    words: &'t [AtomicU64],
}

impl<'t> Table<'t> {
    /// The least number of words that a table needs.
    pub const LEAST: usize = HEAP_AT + counters::SIZE + chunk::SIZE;

    /// Takes `words` for a table, and makes them one if they are all 0, with `key` for what is not to be guessed. To
    /// be called by one process, before there are others. `None` where there are too few of them.
    #[must_use]
    pub fn open(words: &'t [AtomicU64], key: u64) -> Option<Self> {
        let table = Self::of(words)?;
        if table.word(MAGIC).load(Ordering::Acquire) != FORMAT {
            table.word(KEY).store(key, Ordering::Relaxed);
            table.word(NEXT).store(HEAP_AT as u64, Ordering::Relaxed);
            table.word(NAMES).store(1, Ordering::Relaxed);
            table.word(MAGIC).store(FORMAT, Ordering::Release);
        }
        Some(table)
    }

    /// The table that [`Table::open`] has made of these words.
    #[must_use]
    pub fn of(words: &'t [AtomicU64]) -> Option<Self> {
        (words.len() >= Self::LEAST).then_some(Self { words })
    }

    /// What tells this table from all others that are or have been; not to be guessed.
    #[must_use]
    pub fn key(self) -> u64 {
        self.word(KEY).load(Ordering::Relaxed)
    }

    pub(crate) fn word(self, at: usize) -> &'t AtomicU64 {
        &self.words[at]
    }

    pub(crate) fn slice(self, at: usize, len: usize) -> &'t [AtomicU64] {
        &self.words[at..at + len]
    }

    /// New words, all 0; `None` when there are not so many left.
    pub(crate) fn allocate(self, len: usize) -> Option<usize> {
        let fits = |next: u64| {
            let end = next + len as u64;
            (end <= self.words.len() as u64).then_some(end)
        };
        let at = self.word(NEXT).fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        usize::try_from(at).ok()
    }

    /// How many bytes the table has, and how many of them are in use or have been.
    #[must_use]
    pub fn size(self) -> (usize, usize) {
        let used = usize::try_from(self.word(NEXT).load(Ordering::Relaxed)).unwrap_or(0);
        (self.words.len() * 8, used * 8)
    }

    /// The number by which sessions called `name` are counted. To be called by one process at a time. 0, the number of
    /// sessions without a name, where there is no room for another name.
    #[must_use]
    pub fn name(self, name: &[u8]) -> usize {
        let count = self.names();
        if let Some(at) = (0..count).find(|&at| self.name_of(at).bytes().eq(name.iter().copied())) {
            return at;
        }
        if count == MAX_NAMES || name.len() > MAX_NAME {
            return 0;
        }
        write_bytes(self.slice(NAMES_AT + count * NAME, NAME), name);
        self.word(NAMES).store(count as u64 + 1, Ordering::Release);
        count
    }

    pub(crate) fn names(self) -> usize {
        usize::try_from(self.word(NAMES).load(Ordering::Acquire)).map_or(1, |count| count.clamp(1, MAX_NAMES))
    }

    pub(crate) fn name_of(self, at: usize) -> Bytes<NAME> {
        Bytes::read(self.slice(NAMES_AT + at * NAME, NAME))
    }

    /// What stands for `text` where that itself must not.
    #[must_use]
    pub fn hash(self, text: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.key());
        hasher.write(text);
        // 0 stands for no text.
        hasher.finish().max(1)
    }

    /// A slot among those that `may_use` allows, for a process that has none. Books of the dead are closed first.
    pub fn claim(
        self,
        me: Owner,
        is_alive: impl Fn(Owner) -> bool,
        may_use: impl Fn(usize) -> bool,
    ) -> Option<Slot<'t>> {
        self.bury_dead(me, is_alive);
        (0..SLOTS).filter(|&index| may_use(index)).map(|index| Slot { table: self, index }).find(|slot| {
            slot.owner().compare_exchange(0, me.word(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }

    /// Closes the books of processes that are gone: their sessions have ended with them.
    pub fn bury_dead(self, me: Owner, is_alive: impl Fn(Owner) -> bool) {
        for slot in self.slots() {
            let word = slot.owner().load(Ordering::Acquire);
            let Some(owner) = Owner::of_word(word) else { continue };
            if owner == me || is_alive(owner) {
                continue;
            }
            // Who dies at this leaves a slot that the next one takes up again: nothing in it is done twice.
            if slot.owner().compare_exchange(word, me.burying(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
            {
                slot.close_books();
                slot.owner().store(0, Ordering::Release);
            }
        }
    }

    /// The slots that some process has.
    pub fn claimed(self) -> impl Iterator<Item = usize> + 't {
        self.slots().filter(|slot| slot.owner().load(Ordering::Acquire) != 0).map(|slot| slot.index)
    }

    pub(crate) fn slots(self) -> impl Iterator<Item = Slot<'t>> {
        (0..SLOTS).map(move |index| Slot { table: self, index })
    }
}

/// One process's part of a table.
#[derive(Clone, Copy)]
pub struct Slot<'t> {
    pub(crate) table: Table<'t>,
    pub(crate) index: usize,
}

impl<'t> Slot<'t> {
    /// The slot's number.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// The table it is in.
    #[must_use]
    pub fn table(self) -> Table<'t> {
        self.table
    }

    fn owner(self) -> &'t AtomicU64 {
        self.table.word(SLOTS_AT + self.index * SLOT)
    }

    /// Where the first of its counters stand, or 0.
    fn first(self) -> &'t AtomicU64 {
        self.table.word(SLOTS_AT + self.index * SLOT + 1)
    }

    /// The counters of all names.
    pub(crate) fn all_counters(self) -> impl Iterator<Item = Counters<'t>> {
        let mut next = self.first();
        std::iter::from_fn(move || {
            let at = usize::try_from(next.load(Ordering::Acquire)).ok().filter(|&at| at != 0)?;
            let counters = Counters::at(self.table, at);
            next = counters.next();
            Some(counters)
        })
    }

    /// The slot's counters for the name of this number; those of another one where there is no room for them.
    #[must_use]
    pub fn counters(self, name: usize) -> Option<Counters<'t>> {
        if let Some(found) = self.all_counters().find(|counters| counters.name() == name) {
            return Some(found);
        }
        let Some(at) = self.table.allocate(counters::SIZE) else {
            return self.all_counters().next();
        };
        let new = Counters::at(self.table, at);
        new.begin(name, self.first().load(Ordering::Relaxed));
        self.first().store(at as u64, Ordering::Release);
        Some(new)
    }

    /// Ends the slot's use: sessions that have not ended are lost.
    pub fn release(self) {
        self.close_books();
        self.owner().store(0, Ordering::Release);
    }

    fn close_books(self) {
        for counters in self.all_counters() {
            counters.lose_the_rest();
        }
        for chunk in Chunks::of(self.table).filter(|chunk| chunk.belongs_to(self.index)) {
            chunk.clear();
        }
    }
}

/// Bytes from shared words, the first of which says how many there are.
pub(crate) struct Bytes<const WORDS: usize> {
    len: usize,
    words: [u64; WORDS],
}

impl<const WORDS: usize> Bytes<WORDS> {
    pub(crate) fn read(from: &[AtomicU64]) -> Self {
        let mut words = [0; WORDS];
        for (to, from) in words.iter_mut().zip(from) {
            *to = from.load(Ordering::Relaxed);
        }
        let len = usize::try_from(words[0]).map_or(0, |len| len.min((WORDS - 1) * 8));
        Self { len, words }
    }

    pub(crate) fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.words[1..].iter().flat_map(|word| word.to_le_bytes()).take(self.len)
    }
}

/// Writes what [`Bytes::read`] reads; what does not fit is cut off.
pub(crate) fn write_bytes(to: &[AtomicU64], bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min((to.len() - 1) * 8)];
    for (word, piece) in to[1..].iter().zip(bytes.chunks(8)) {
        let mut padded = [0; 8];
        padded[..piece.len()].copy_from_slice(piece);
        word.store(u64::from_le_bytes(padded), Ordering::Relaxed);
    }
    to[0].store(bytes.len() as u64, Ordering::Relaxed);
}
