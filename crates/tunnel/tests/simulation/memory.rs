//! Relay buffers that are counted, and that run out when they are told to.

use websockify_tunnel::Buffers;

pub(crate) struct Memory {
    size: usize,
    /// How many buffers are out.
    pub(crate) out: usize,
    /// Which one, counted from 1, is the first there is no memory for, and whether any is after it.
    fails: Option<(usize, bool)>,
    taken: usize,
    pub(crate) has_failed: bool,
}

impl Memory {
    pub(crate) fn new(size: usize) -> Self {
        Self { size, out: 0, fails: None, taken: 0, has_failed: false }
    }

    pub(crate) fn fail_from(&mut self, number: usize, for_good: bool) {
        self.fails = Some((number, for_good));
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }
}

impl Buffers for Memory {
    fn take(&mut self) -> Option<Box<[u8]>> {
        self.taken += 1;
        let is_out =
            |(number, for_good): (usize, bool)| self.taken == number || (for_good && self.taken > number);
        if self.fails.is_some_and(is_out) {
            self.has_failed = true;
            return None;
        }
        self.out += 1;
        assert!(self.out <= 2, "more than two buffers");
        Some(vec![0xAA; self.size].into_boxed_slice())
    }

    fn give(&mut self, buffer: Box<[u8]>) {
        assert_eq!(buffer.len(), self.size);
        self.out -= 1;
    }
}
