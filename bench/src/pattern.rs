//! The bytes that are moved, and the proof that they are the right ones.

/// The stream repeats after so many bytes; every frame size measured divides it.
pub(crate) const PERIOD: usize = 1 << 20;

/// The longest piece that [`Pattern::from`] gives.
pub(crate) const LONGEST: usize = 256 << 10;

/// A stream without end in which no piece looks like its neighbour.
pub(crate) struct Pattern(Vec<u8>);

impl Pattern {
    pub(crate) fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut bytes = Vec::with_capacity(PERIOD + LONGEST);
        while bytes.len() < PERIOD {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.extend_from_within(..LONGEST);
        Self(bytes)
    }

    /// [`LONGEST`] bytes of the stream from `at` on.
    pub(crate) fn from(&self, at: usize) -> &[u8] {
        &self.0[at % PERIOD..][..LONGEST]
    }

    /// Compares what was seen, and moves on behind it.
    pub(crate) fn check_piece(&self, at: &mut usize, piece: Piece<'_>) -> bool {
        match piece {
            Piece::Seen(bytes) => self.check(at, bytes),
            Piece::Unseen(len) => {
                *at = (*at + len) % PERIOD;
                true
            }
        }
    }

    /// Compares `bytes` with the stream at `at`, and moves on behind them.
    pub(crate) fn check(&self, at: &mut usize, bytes: &[u8]) -> bool {
        bytes.chunks(LONGEST).all(|piece| {
            let right = self.from(*at)[..piece.len()] == *piece;
            *at = (*at + piece.len()) % PERIOD;
            right
        })
    }
}

/// Some of a stream as it was received.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    Seen(&'a [u8]),
    Unseen(usize),
}

impl Piece<'_> {
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Seen(bytes) => bytes.len(),
            Self::Unseen(len) => len,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_goes_on_where_it_begins_again() {
        let pattern = Pattern::new();
        let mut at = PERIOD - 10;
        assert!(pattern.check(&mut at, &pattern.from(PERIOD - 10)[..30]));
        assert_eq!(at, 20);
        assert!(pattern.check(&mut at, &pattern.from(20)[..5]));
    }

    #[test]
    fn a_lost_byte_and_a_doubled_one_are_seen() {
        let pattern = Pattern::new();
        for start in [1, 65_536, 16_384] {
            assert!(!pattern.check(&mut 0, &pattern.from(start)[..16]));
        }
    }
}
