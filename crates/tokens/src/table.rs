//! The block of bytes in which tokens are looked up: a head, slots, entries. All numbers are little-endian.
//!
//! ```text
//! head     magic 8, key 16, size 8, slots 8, tokens 8
//! slots    each 8: 0, or the upper half of a token's hash above the place of its entry
//! entries  each: length of the token 2, length of the target 2, token, target
//! ```
//!
//! The slots are a power of two, at most three quarters of them used. A token's first slot is given by the lower half
//! of its hash, and the next ones follow.

use crate::same::same;
use crate::siphash::{hash, Key};

const MAGIC: [u8; 8] = *b"wstokens";
pub(crate) const HEAD: usize = 48;
pub(crate) const SLOT: usize = 8;
pub(crate) const ENTRY_HEAD: usize = 4;

/// A table of tokens, in bytes that somebody else holds.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    bytes: &'a [u8],
    slots: &'a [u8],
    key: Key,
}

impl<'a> Table<'a> {
    /// The table in `bytes`, if there is one.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (key, rest) = rest.split_first_chunk::<16>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let count = usize::try_from(u64::from_le_bytes(*rest.first_chunk()?)).ok()?;
        let whole = *magic == MAGIC && u64::from_le_bytes(*size) == bytes.len() as u64;
        let end = count.checked_mul(SLOT)?.checked_add(HEAD)?;
        (whole && count.is_power_of_two()).then_some(())?;
        Some(Self { bytes, slots: bytes.get(HEAD..end)?, key: Key(*key) })
    }

    /// The target of a token.
    #[must_use]
    pub fn find(&self, token: &[u8]) -> Option<&'a [u8]> {
        let hash = hash(self.key, token);
        for step in 0..self.slot_count() {
            let (tag, place) = self.slot(first_slot(hash).wrapping_add(step))?;
            if tag == tag_of(hash) {
                let (there, target) = self.entry(place)?;
                if same(there, token) {
                    return Some(target);
                }
            }
        }
        None
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.bytes.get(HEAD - 8..HEAD).and_then(|it| it.first_chunk()).map_or(0, |it| u64::from_le_bytes(*it))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn slot_count(&self) -> usize {
        self.slots.len() / SLOT
    }

    /// `None` for one that is free.
    fn slot(&self, number: usize) -> Option<(u32, usize)> {
        let at = (number & (self.slot_count() - 1)) * SLOT;
        let slot = u64::from_le_bytes(*self.slots.get(at..)?.first_chunk()?);
        let place = usize::try_from(slot & u64::from(u32::MAX)).ok()?;
        (place != 0).then_some((tag_of(slot), place))
    }

    /// The token and the target at a place.
    fn entry(&self, place: usize) -> Option<(&'a [u8], &'a [u8])> {
        entry_at(self.bytes, place)
    }
}

pub(crate) fn entry_at(bytes: &[u8], place: usize) -> Option<(&[u8], &[u8])> {
    let (token, rest) = bytes.get(place..)?.split_first_chunk::<2>()?;
    let (target, rest) = rest.split_first_chunk::<2>()?;
    let (token, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*token)))?;
    Some((token, rest.get(..usize::from(u16::from_le_bytes(*target)))?))
}

pub(crate) fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[allow(clippy::cast_possible_truncation, reason = "slots are counted by as much of it as they are")]
pub(crate) fn first_slot(hash: u64) -> usize {
    hash as u32 as usize
}

/// Writes the head of a table into its first bytes.
pub(crate) fn write_head(bytes: &mut [u8], key: Key, slots: usize, tokens: usize) {
    let size = (bytes.len() as u64).to_le_bytes();
    let head = [&MAGIC[..], &key.0, &size, &(slots as u64).to_le_bytes(), &(tokens as u64).to_le_bytes()];
    bytes[..HEAD].copy_from_slice(&head.concat());
}
