//! Who owns a slot.

/// A process: its number, and when it started, since numbers are given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(u64);

/// Bits of a process's number; Linux gives none above 2^22.
const PID_BITS: u32 = 22;

/// The owner is at closing the books of the one before it.
const BURYING: u64 = 1 << 63;

impl Owner {
    /// The process `pid`, which is not 0, that started at `start`, in whatever unit.
    #[must_use]
    pub const fn new(pid: u32, start: u64) -> Self {
        let pid = pid as u64 & ((1 << PID_BITS) - 1);
        Self((pid | start << PID_BITS) & !BURYING)
    }

    /// The number of the process.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "22 bits")]
    pub const fn pid(self) -> u32 {
        (self.0 & ((1 << PID_BITS) - 1)) as u32
    }

    pub(crate) fn of_word(word: u64) -> Option<Self> {
        (word != 0).then_some(Self(word & !BURYING))
    }

    pub(crate) fn word(self) -> u64 {
        self.0
    }

    pub(crate) fn burying(self) -> u64 {
        self.0 | BURYING
    }
}
