//! Masking keys and handshake nonces.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// An endless supply of random bits.
///
/// RFC 6455 section 10.3 wants masking keys that whoever supplies the payload cannot predict. The standard library's
/// hasher is a keyed pseudo-random function whose key comes from the operating system: counting through it needs
/// neither a file nor a crate.
pub struct Keys {
    secret: RandomState,
    count: u64,
}

impl Keys {
    /// A supply of its own secret.
    #[must_use]
    pub fn new() -> Self {
        Self { secret: RandomState::new(), count: 0 }
    }

    /// The masking key for the next frame.
    pub fn masking_key(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.word();
        [a, b, c, d]
    }

    /// The nonce of an opening handshake (section 4.1, item 7).
    pub fn nonce(&mut self) -> [u8; 16] {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.word());
        nonce[8..].copy_from_slice(&self.word());
        nonce
    }

    fn word(&mut self) -> [u8; 8] {
        self.count += 1;
        self.secret.hash_one(self.count).to_ne_bytes()
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn does_not_repeat_itself() {
        let mut keys = Keys::new();
        assert_ne!(keys.nonce(), keys.nonce());
        assert_ne!(Keys::new().nonce(), Keys::new().nonce());
    }
}
