//! Unmasking (RFC 6455 section 5.3): payload byte `i` is XORed with byte `i % 4` of the frame's key.
//!
//! Masking is its own inverse, so the same functions mask. The fast loops are the plain one over fixed-size
//! blocks, which the compiler turns into vector instructions; [`apply_scalar`] stays as what they are proved
//! against.

use core::ops::Range;

/// The masking key of a frame, rotated so that its first byte belongs to the next byte of payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskingKey([u8; 4]);

impl MaskingKey {
    /// The key as it stands in the frame header.
    #[inline]
    #[must_use]
    pub const fn new(key: [u8; 4]) -> Self {
        Self(key)
    }

    /// The key for what follows `by` bytes of payload.
    #[inline]
    #[must_use]
    pub fn rotated(self, by: usize) -> Self {
        let [low, ..] = by.to_le_bytes();
        // Little-endian, so that a rotation to the right moves later key bytes to the front on every machine.
        Self(u32::from_le_bytes(self.0).rotate_right(u32::from(low % 4) * 8).to_le_bytes())
    }

    /// The key twice, as the eight bytes it is in memory.
    #[inline]
    fn word(self) -> u64 {
        let key = u64::from(u32::from_ne_bytes(self.0));
        key << 32 | key
    }
}

/// Unmasks `bytes` one at a time and returns the key for the byte behind them: the plain twin of [`apply`].
pub fn apply_scalar(key: MaskingKey, bytes: &mut [u8]) -> MaskingKey {
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte ^= key.0[i % 4];
    }
    key.rotated(bytes.len())
}

/// Unmasks `bytes` in place and returns the key for the byte behind them.
#[inline]
pub fn apply(key: MaskingKey, bytes: &mut [u8]) -> MaskingKey {
    let len = bytes.len();
    unmask(key, bytes, 0);
    key.rotated(len)
}

/// Unmasks `buf[src]` and moves it to `dst` in one go, to close the gap that frame headers leave. Returns the
/// key for the byte behind `src`.
///
/// # Panics
/// If `dst > src.start` or `src` is not within `buf`: the caller's fault, whatever the client sent.
#[inline]
pub fn apply_moving(key: MaskingKey, buf: &mut [u8], src: Range<usize>, dst: usize) -> MaskingKey {
    assert!(dst <= src.start, "payload moved over bytes that are not read yet");
    let (len, gap) = (src.len(), src.start - dst);
    unmask(key, &mut buf[dst..src.end], gap);
    key.rotated(len)
}

/// How many bytes [`apply_in_blocks`] may read and write beyond what it is asked for.
pub(crate) const BLOCK: usize = 32;

/// As [`apply_moving`] for the `len` bytes at `gap`, which go to the front of `window`, but in whole blocks: less to
/// decide on for a few bytes. What stands behind them must be there for [`BLOCK`] bytes, and be read already as far as
/// it is written over: `gap` is not less than that.
#[inline(always)]
pub(crate) fn apply_in_blocks(key: MaskingKey, window: &mut [u8], gap: usize, len: usize) {
    let word = key.word();
    let mut at = 0;
    while at < len && unmask_block::<{ BLOCK / 8 }>(word, window, at, gap) {
        at += BLOCK;
    }
}

/// Unmasks `window[gap..]` to the front of `window`.
#[inline]
fn unmask(key: MaskingKey, window: &mut [u8], gap: usize) {
    #[cfg(target_arch = "x86_64")]
    if window.len() - gap >= wide::WORTH_IT_FROM && wide::unmask(key, window, gap) {
        return;
    }
    unmask_blocks(key, window, gap);
}

/// Goes forward block by block, each read before it is written: no write reaches a byte that is not read yet.
#[inline(always)]
fn unmask_blocks(key: MaskingKey, window: &mut [u8], gap: usize) {
    let word = key.word();
    let mut at = 0;
    while unmask_block::<8>(word, window, at, gap) {
        at += 64;
    }
    while unmask_block::<1>(word, window, at, gap) {
        at += 8;
    }
    for mask in word.to_ne_bytes() {
        let Some(&byte) = window.get(at + gap) else { break };
        window[at] = byte ^ mask;
        at += 1;
    }
}

/// Moves the block of `WORDS` eight-byte words at `at + gap` to `at`, unmasked; false where there is none.
#[inline(always)]
fn unmask_block<const WORDS: usize>(mask: u64, window: &mut [u8], at: usize, gap: usize) -> bool {
    let Some(source) = window.get(at + gap..at + gap + WORDS * 8) else { return false };
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(source.chunks_exact(8)) {
        let mut masked = [0; 8];
        masked.copy_from_slice(bytes);
        *word = u64::from_ne_bytes(masked) ^ mask;
    }
    let Some(target) = window.get_mut(at..at + WORDS * 8) else { return false };
    for (word, bytes) in words.iter().zip(target.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&word.to_ne_bytes());
    }
    true
}

/// The same safe loop, compiled once more for AVX2: about 1.5 times as fast while the bytes are in the cache.
#[cfg(target_arch = "x86_64")]
mod wide {
    use super::MaskingKey;

    /// For fewer bytes the call costs more than it saves.
    pub(super) const WORTH_IT_FROM: usize = 256;

    /// As `super::unmask`; false, and nothing done, where the machine has no AVX2.
    #[allow(unsafe_code)]
    pub(super) fn unmask(key: MaskingKey, window: &mut [u8], gap: usize) -> bool {
        #[target_feature(enable = "avx2")]
        unsafe fn unmask_blocks(key: MaskingKey, window: &mut [u8], gap: usize) {
            super::unmask_blocks(key, window, gap);
        }

        if !std::arch::is_x86_feature_detected!("avx2") {
            return false;
        }
        // SAFETY: AVX2 was detected, which is all that the call asks for; the body is safe code.
        unsafe { unmask_blocks(key, window, gap) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{property, KEY};

    #[test]
    fn unmasks_hello() {
        let mut bytes = *b"\x7f\x9f\x4d\x51\x58";
        let next = apply(MaskingKey::new(KEY), &mut bytes);
        assert_eq!(&bytes, b"Hello");
        assert_eq!(next, MaskingKey::new([0xfa, 0x21, 0x3d, 0x37]));
    }

    #[test]
    fn rotates_by_the_bytes_that_went_by() {
        let key = MaskingKey::new([0, 1, 2, 3]);
        for by in 0..1000 {
            let mut bytes = [0, 1, 2, 3];
            bytes.rotate_left(by % 4);
            assert_eq!(key.rotated(by), MaskingKey::new(bytes));
        }
        assert_eq!(key.rotated(usize::MAX), MaskingKey::new([3, 0, 1, 2]));
    }

    #[test]
    fn the_scalar_twin_is_the_rfcs_formula() {
        let mut bytes: Vec<u8> = (0..=255).collect();
        apply_scalar(MaskingKey::new(KEY), &mut bytes);
        for (i, byte) in bytes.into_iter().enumerate() {
            assert_eq!(usize::from(byte), i ^ usize::from(KEY[i % 4]));
        }
    }

    #[test]
    fn equals_its_scalar_twin_at_each_length_alignment_and_rotation() {
        for len in (0..=200).chain([255, 256, 257, 511, 512, 513, 4095, 4097]) {
            for start in 0..=8 {
                let key = MaskingKey::new(KEY).rotated(start);
                let bytes: Vec<u8> = (0..=250).cycle().take(start + len + 9).collect();
                let (mut fast, mut slow) = (bytes.clone(), bytes);
                let next = apply(key, &mut fast[start..start + len]);
                assert_eq!(next, apply_scalar(key, &mut slow[start..start + len]));
                assert_eq!(fast, slow, "{len} bytes at {start}");
            }
        }
    }

    #[test]
    fn unmasks_pieces_as_it_unmasks_the_whole() {
        property(500, |random| {
            let len = random.below(2000);
            let bytes = random.bytes(len);
            let (mut whole, mut pieced) = (bytes.clone(), Vec::new());
            let mut key = MaskingKey::new(KEY);
            apply(key, &mut whole);
            for piece in random.pieces(&bytes, 300) {
                let mut piece = piece.to_vec();
                key = apply(key, &mut piece);
                pieced.extend(piece);
            }
            assert_eq!(pieced, whole);
        });
    }

    #[test]
    fn moves_as_it_unmasks_at_each_small_gap_and_length() {
        for gap in 0..=70 {
            for len in (0..=150).chain([256, 300]) {
                moves_as_copied_and_unmasked(&vec![0x5a; len + gap + 20], gap + 3..gap + 3 + len, 3);
            }
        }
    }

    #[test]
    fn moves_as_it_unmasks_wherever_it_is() {
        property(2000, |random| {
            let len = 1 + random.below(1500);
            let bytes = random.bytes(len);
            let end = random.below(len + 1);
            let start = random.below(end + 1);
            moves_as_copied_and_unmasked(&bytes, start..end, random.below(start + 1));
        });
    }

    fn moves_as_copied_and_unmasked(bytes: &[u8], src: Range<usize>, dst: usize) {
        let key = MaskingKey::new(KEY);
        let (mut moved, mut unmasked) = (bytes.to_vec(), bytes[src.clone()].to_vec());
        let next = apply_moving(key, &mut moved, src.clone(), dst);
        assert_eq!(next, apply_scalar(key, &mut unmasked));
        let end = dst + src.len();
        assert_eq!(moved[dst..end], unmasked, "{src:?} of {} to {dst}", bytes.len());
        assert_eq!(moved[..dst], bytes[..dst], "bytes in front of {dst}");
        assert_eq!(moved[src.end..], bytes[src.end..], "bytes behind {}", src.end);
    }

    #[test]
    #[should_panic(expected = "not read yet")]
    fn does_not_move_towards_the_end() {
        apply_moving(MaskingKey::new(KEY), &mut [0; 16], 4..8, 5);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_narrow_body_equals_the_wide_one() {
        for len in 0..600 {
            for gap in [0, 1, 6, 14] {
                let mut narrow: Vec<u8> = (0..=250).cycle().take(len + gap).collect();
                let mut wide = narrow.clone();
                if wide::unmask(MaskingKey::new(KEY), &mut wide, gap) {
                    unmask_blocks(MaskingKey::new(KEY), &mut narrow, gap);
                }
                assert_eq!(narrow, wide, "{len} bytes, gap {gap}");
            }
        }
    }
}
