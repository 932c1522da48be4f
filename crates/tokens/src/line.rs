//! One line of a token file: `token: host:port`.

use std::fmt;

use crate::address::Target;

/// The longest token, in bytes. It has to fit in a request line beside other things.
pub const TOKEN_LIMIT: usize = 1024;

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Nothing: it is blank, or a comment.
    Nothing,
    /// Where the bearer of a token is taken.
    Entry(&'a [u8], Target<'a>),
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No colon with white space behind it.
    Separator,
    /// Nothing in front of the colon.
    EmptyToken,
    /// A token that is longer than [`TOKEN_LIMIT`].
    LongToken,
    /// A byte that nobody writes by intention.
    ControlCharacter,
    /// A target without a port.
    NoPort,
    /// A port that is none.
    Port,
    /// A host that is neither a name nor an address.
    Host,
    /// A socket's path that is relative, or too long.
    Path,
    /// More than a table can hold.
    TooMany,
    /// The line is good, but memory is out.
    NoMemory,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Separator => "no \": \" between token and target",
            Self::EmptyToken => "empty token",
            Self::LongToken => "token is too long",
            Self::ControlCharacter => "control character",
            Self::NoPort => "no port in target",
            Self::Port => "invalid port in target",
            Self::Host => "invalid host in target",
            Self::Path => "invalid path in target",
            Self::TooMany => "too many tokens",
            Self::NoMemory => "no memory for tokens",
        })
    }
}

impl<'a> Line<'a> {
    /// Parses a line, without its line feed.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, Fault> {
        let line = line.trim_ascii();
        if line.is_empty() || line[0] == b'#' {
            return Ok(Self::Nothing);
        }
        if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(Fault::ControlCharacter);
        }
        // The colon of "token:" is the first one with white space behind it: a token may have others.
        let blank = |pair: &[u8]| pair[0] == b':' && pair[1].is_ascii_whitespace();
        let colon = line.windows(2).position(blank).ok_or(Fault::Separator)?;
        let token = check_token(line[..colon].trim_ascii_end())?;
        Ok(Self::Entry(token, Target::parse(line[colon + 1..].trim_ascii_start())?))
    }
}

/// Refuses what cannot be a token.
pub(crate) fn check_token(token: &[u8]) -> Result<&[u8], Fault> {
    match token.len() {
        0 => Err(Fault::EmptyToken),
        1..=TOKEN_LIMIT => Ok(token),
        _ => Err(Fault::LongToken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: &str) -> Result<(&str, Target<'_>), Fault> {
        match Line::parse(line.as_bytes())? {
            Line::Entry(token, target) => Ok((std::str::from_utf8(token).expect("text"), target)),
            Line::Nothing => panic!("an entry: {line}"),
        }
    }

    #[test]
    fn a_token_and_its_target() {
        let target = Target::Host(b"10.0.0.11", 5900);
        for (line, token) in [
            ("desk: 10.0.0.11:5900", "desk"),
            ("desk:\t10.0.0.11:5900", "desk"),
            ("  desk :   10.0.0.11:5900\t\r", "desk"),
            ("my desk: 10.0.0.11:5900", "my desk"),
            ("a:b::c: 10.0.0.11:5900", "a:b::c"),
            ("d\u{e9}sk: 10.0.0.11:5900", "d\u{e9}sk"),
            ("%41+/=: 10.0.0.11:5900", "%41+/="),
        ] {
            assert_eq!(entry(line), Ok((token, target)), "{line}");
        }
        assert_eq!(entry("x: unix_socket:/run/x"), Ok(("x", Target::Unix(b"/run/x"))));
    }

    #[test]
    fn blank_lines_and_comments_say_nothing() {
        for line in ["", " ", "\t\r", "#", "# desk: 10.0.0.11:5900", "  # indented"] {
            assert_eq!(Line::parse(line.as_bytes()), Ok(Line::Nothing), "{line:?}");
        }
    }

    #[test]
    fn broken_lines() {
        let long = format!("{}: 10.0.0.1:1", "t".repeat(TOKEN_LIMIT + 1));
        for (line, fault) in [
            ("desk", Fault::Separator),
            ("desk:10.0.0.11:5900", Fault::Separator),
            ("desk 10.0.0.11:5900", Fault::Separator),
            ("desk:", Fault::Separator),
            (": 10.0.0.11:5900", Fault::EmptyToken),
            (&long, Fault::LongToken),
            ("de\0sk: 10.0.0.11:5900", Fault::ControlCharacter),
            ("desk: 10.0.0.11:5900\u{7f}", Fault::ControlCharacter),
            ("one: 10.0.0.1:1\rtwo: 10.0.0.2:2", Fault::ControlCharacter),
            ("desk: 10.0.0.11", Fault::NoPort),
            ("desk: 10.0.0.11:5900 # mine", Fault::Port),
            ("desk: 10.0.0.11:vnc", Fault::Port),
            ("desk: a: b:1", Fault::Host),
        ] {
            assert_eq!(entry(line), Err(fault), "{line:?}");
        }
    }

    #[test]
    fn the_longest_token() {
        let longest = "t".repeat(TOKEN_LIMIT);
        assert_eq!(entry(&format!("{longest}: h:1")), Ok((&*longest, Target::Host(b"h", 1))));
    }
}
