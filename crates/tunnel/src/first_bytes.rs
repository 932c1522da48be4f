//! What a target has to say first, so that a session is one with the kind of server it is meant for.

use std::fmt;
use std::rc::Rc;

/// The most bytes that one greeting may have.
const LONGEST: usize = 255;

/// The greetings of which a target's must be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstBytes(Rc<[Box<[u8]>]>);

/// Why a text is no greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBytesError {
    /// It is empty, as every target's is.
    Empty,
    /// It has more than 255 bytes.
    TooLong,
    /// A `\x` without two hexadecimal digits behind it.
    Escape,
}

/// Why a target was not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlike {
    /// It said something else.
    Different,
    /// It ended, or reset the connection, before it had said enough.
    Ended,
    /// It did not say enough in time.
    Late,
}

/// A target's first bytes, against the greetings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// They are one.
    Greeting,
    /// They may become one.
    NotYet,
    /// They never will.
    Different,
}

impl FirstBytes {
    /// Reads greetings; in each `\xHH` is a byte.
    ///
    /// # Errors
    /// The first text that is none, and why.
    pub fn parse<'t>(texts: impl Iterator<Item = &'t [u8]>) -> Result<Self, (&'t [u8], FirstBytesError)> {
        let parsed: Result<Vec<_>, _> =
            texts.map(|text| parse(text).map_err(|error| (text, error))).collect();
        Ok(Self(parsed?.into()))
    }

    /// How many bytes the longest greeting has.
    pub(crate) fn longest(&self) -> usize {
        self.0.iter().map(|greeting| greeting.len()).max().unwrap_or(0)
    }

    pub(crate) fn look(&self, seen: &[u8]) -> Look {
        if self.0.iter().any(|greeting| seen.starts_with(greeting)) {
            Look::Greeting
        } else if self.0.iter().any(|greeting| greeting.starts_with(seen)) {
            Look::NotYet
        } else {
            Look::Different
        }
    }
}

fn parse(text: &[u8]) -> Result<Box<[u8]>, FirstBytesError> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let byte;
        (byte, rest) = match (first, behind) {
            (b'\\', [b'x', high, low, behind @ ..]) => {
                let digit =
                    |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let (high, low) = digit(high).zip(digit(low)).ok_or(FirstBytesError::Escape)?;
                (high * 16 + low, behind)
            }
            (b'\\', [b'x', ..]) => return Err(FirstBytesError::Escape),
            _ => (first, behind),
        };
        bytes.push(byte);
    }
    match bytes.len() {
        0 => Err(FirstBytesError::Empty),
        1..=LONGEST => Ok(bytes.into()),
        _ => Err(FirstBytesError::TooLong),
    }
}

impl fmt::Display for FirstBytesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::TooLong => "longer than 255 bytes",
            Self::Escape => "\"\\x\" without two hexadecimal digits",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_bytes(texts: &[&str]) -> FirstBytes {
        FirstBytes::parse(texts.iter().map(|text| text.as_bytes())).expect("greetings")
    }

    #[test]
    fn a_greeting_is_seen_at_each_split() {
        let either = first_bytes(&["RFB 003.", "RFB 004.", "SSH-"]);
        for (said, at, look) in [
            ("RFB 003.008\n", 8, Look::Greeting),
            ("RFB 004.001\n", 8, Look::Greeting),
            ("SSH-2.0-OpenSSH", 4, Look::Greeting),
            ("RFB 005.000\n", 7, Look::Different),
            ("HTTP/1.1 400", 1, Look::Different),
            ("SSh-", 3, Look::Different),
            ("RSH-", 2, Look::Different),
        ] {
            for len in 0..said.len() {
                let expected = if len < at { Look::NotYet } else { look };
                assert_eq!(either.look(&said.as_bytes()[..len]), expected, "{:?}", &said[..len]);
            }
        }
    }

    #[test]
    fn a_shorter_greeting_is_enough() {
        assert_eq!(first_bytes(&["SSH-2.0", "SSH"]).look(b"SSH-1"), Look::Greeting);
    }

    #[test]
    fn bytes_are_written_in_hexadecimal() {
        let bytes = first_bytes(&[r"\x00\xff\x5cx41", r"a\n\\"]);
        assert_eq!(bytes.look(b"\0\xff\\x41"), Look::Greeting);
        assert_eq!(bytes.look(br"a\n\\"), Look::Greeting);
        assert_eq!(bytes.look(b"a\n"), Look::Different);
    }

    #[test]
    fn what_is_no_greeting_is_named() {
        let error = |text: &str| parse(text.as_bytes()).err();
        assert_eq!(error(""), Some(FirstBytesError::Empty));
        assert_eq!(error(&"x".repeat(255)), None);
        assert_eq!(error(&r"\x20".repeat(255)), None);
        assert_eq!(error(&"x".repeat(256)), Some(FirstBytesError::TooLong));
        for text in [r"\x", r"\x0", r"\x0g", r"\x+1", r"RFB\x", r"\x 1"] {
            assert_eq!(error(text), Some(FirstBytesError::Escape), "{text}");
        }
        let listed = FirstBytes::parse([&b"RFB "[..], b"", b"SSH-"].into_iter());
        assert_eq!(listed, Err((&b""[..], FirstBytesError::Empty)));
    }
}
