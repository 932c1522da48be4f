//! What the tests share: a small generator of random numbers, and frames as a client sends them.
#![allow(dead_code)]

/// xorshift64*: small, and the same on every machine.
pub(crate) struct Prng(u64);

impl Prng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number from 0 up to but not including `limit`, which is not zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from((self.next() >> 32) % limit as u64).expect("below a usize")
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    /// Cuts `bytes` into pieces of 0 to `longest` bytes.
    pub(crate) fn pieces<'a>(&mut self, mut bytes: &'a [u8], longest: usize) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(self.below(longest + 1).min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}

/// Runs `check` with `cases` generators; if one fails, its seed is printed, and `SEED=` in the environment
/// repeats it.
pub(crate) fn property(cases: u64, check: impl Fn(&mut Prng)) {
    struct Seed(u64);
    impl Drop for Seed {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("failed with SEED={}", self.0);
            }
        }
    }
    let wanted = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in wanted.map_or(1..=cases, |seed| seed..=seed) {
        let printed = Seed(seed);
        // Multiplied, because neighbouring seeds begin alike.
        check(&mut Prng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        drop(printed);
    }
}

/// The key of the RFC's own examples (section 5.7).
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client frame of first byte `first`, masked with [`KEY`], its length in as few bytes as it needs.
pub(crate) fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len();
    let mut frame = vec![first];
    match len {
        0..=125 => frame.push(0x80 | u8::try_from(len).expect("a small number")),
        126..=0xffff => {
            frame.push(0xfe);
            frame.extend(u16::try_from(len).expect("16 bits").to_be_bytes());
        }
        _ => {
            frame.push(0xff);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ KEY[i % 4]));
    frame
}
