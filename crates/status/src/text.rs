//! Text of any length, which may run out of memory.

use std::fmt;

use crate::table::Bytes;

/// Text in the making. Memory that runs out is an error, not the end of the process.
#[derive(Default)]
pub struct Text(Vec<u8>);

impl Text {
    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.try_reserve(text.len()).map_err(|_| fmt::Error)?;
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Bytes as the inside of a JSON string or of a label in the text format of Prometheus.
pub(crate) struct Escaped<'a, const WORDS: usize>(pub(crate) &'a Bytes<WORDS>);

impl<const WORDS: usize> fmt::Display for Escaped<'_, WORDS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                b' '..=b'~' => write!(f, "{}", char::from(byte))?,
                // Neither a name, an address nor a target is written with anything else.
                _ => f.write_str("?")?,
            }
        }
        Ok(())
    }
}

/// Milliseconds as seconds.
pub(crate) struct Seconds(pub(crate) u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}
