//! What the fuzz targets share: a slow and simple decoder, and how a target's input is cut up.

pub mod plain;

/// A target's input: what it needs to decide, and then the bytes it is about.
///
/// A corpus file reads as text: a line of settings, and all that follows its line feed as it is. What a setting lacks
/// is as if the line were repeated for ever.
pub struct Input<'a> {
    settings: &'a [u8],
    at: usize,
    /// All behind the first line feed.
    pub rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// Cuts `data` at its first line feed.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
        Self { settings: &data[..end], at: 0, rest: data.get(end + 1..).unwrap_or_default() }
    }

    /// The next setting; 0 where there are none.
    pub fn byte(&mut self) -> u8 {
        let Some(&setting) = self.settings.get(self.at % self.settings.len().max(1)) else { return 0 };
        self.at += 1;
        setting
    }

    /// Whether the settings have been gone through once.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.at >= self.settings.len()
    }

    /// A choice of fewer than `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    /// The size of the next piece of something: mostly small, at times large, never 0.
    pub fn size(&mut self) -> usize {
        match self.byte() {
            small @ 0..=191 => 1 + usize::from(small) % 64,
            large => 1 + (usize::from(large) - 191) * 67,
        }
    }

    /// The sizes of pieces that `len` bytes come in.
    pub fn split(&mut self, len: usize) -> Vec<usize> {
        let mut sizes = Vec::new();
        let mut left = len;
        while left > 0 {
            let size = self.size().min(left);
            sizes.push(size);
            left -= size;
        }
        sizes
    }
}
