//! SipHash-2-4 (Aumasson and Bernstein, 2012): who does not know the key cannot choose tokens that collide, nor learn
//! from the time of a look-up what tokens there are.

/// What makes the hashes of one table different from those of others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub [u8; 16]);

/// The hash of `bytes` under `key`.
#[must_use]
pub fn hash(key: Key, bytes: &[u8]) -> u64 {
    let (k0, k1) = key.halves();
    let mut state = State {
        v0: k0 ^ 0x736f_6d65_7073_6575,
        v1: k1 ^ 0x646f_7261_6e64_6f6d,
        v2: k0 ^ 0x6c79_6765_6e65_7261,
        v3: k1 ^ 0x7465_6462_7974_6573,
    };
    let mut rest = bytes;
    while let Some((word, behind)) = rest.split_first_chunk() {
        state.absorb(u64::from_le_bytes(*word));
        rest = behind;
    }
    // The last word: what is left, and the length's lowest byte on top.
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    state.absorb(u64::from_le_bytes(last) | (bytes.len() as u64) << 56);
    state.v2 ^= 0xff;
    for _ in 0..4 {
        state.round();
    }
    state.v0 ^ state.v1 ^ state.v2 ^ state.v3
}

impl Key {
    #[allow(clippy::cast_possible_truncation, reason = "that is what a half is")]
    fn halves(self) -> (u64, u64) {
        let whole = u128::from_le_bytes(self.0);
        (whole as u64, (whole >> 64) as u64)
    }
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    fn absorb(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.round();
        self.v0 ^= word;
    }

    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hasher;

    const KEY: Key = Key([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

    #[test]
    fn the_papers_own_example() {
        let input: Vec<u8> = (0..15).collect();
        assert_eq!(hash(KEY, &input), 0xa129_ca61_49be_45e5);
    }

    #[test]
    #[allow(deprecated, reason = "the standard library's own SipHash-2-4 takes a key, and has no successor")]
    fn the_standard_librarys_answers_at_each_length() {
        let input: Vec<u8> = (0..=255).cycle().take(600).collect();
        for len in 0..input.len() {
            let (k0, k1) = KEY.halves();
            let mut oracle = std::hash::SipHasher::new_with_keys(k0, k1);
            oracle.write(&input[..len]);
            assert_eq!(hash(KEY, &input[..len]), oracle.finish(), "{len}");
        }
    }

    #[test]
    fn another_key_gives_another_hash() {
        for bit in 0..128 {
            let mut other = KEY;
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(hash(KEY, b"desk"), hash(other, b"desk"), "{bit}");
        }
    }
}
