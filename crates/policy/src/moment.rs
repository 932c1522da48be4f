//! A moment, written as `@` and seconds since the epoch, as the `exp` of a token has them.

/// Parses `@1767225600` or `@1767225600.25`, to milliseconds since the epoch; `None` if it is none.
///
/// What is less than a millisecond is cut off. A moment beyond all clocks is the last that there is.
#[must_use]
pub fn parse(text: &[u8]) -> Option<u64> {
    let text = text.strip_prefix(b"@")?;
    let (seconds, fraction) = match text.iter().position(|&byte| byte == b'.') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let milliseconds = match fraction {
        None => 0,
        Some(digits) => {
            number(digits)?;
            digits.iter().chain(b"000").take(3).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
        }
    };
    Some(number(seconds)?.saturating_mul(1000).saturating_add(milliseconds))
}

/// At least one digit, and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_an_at_sign_and_seconds() {
        for (text, moment) in [
            ("@1767225600", 1_767_225_600_000),
            ("@0", 0),
            ("@1767225600.5", 1_767_225_600_500),
            ("@1767225600.0429", 1_767_225_600_042),
            ("@007.001", 7001),
            ("@99999999999999999999999999", u64::MAX),
            ("@1.99999999999999999999999999", 1999),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(moment), "{text}");
        }
    }

    #[test]
    fn what_only_resembles_one_is_none() {
        for text in [
            "",
            "@",
            "1767225600",
            "@-1",
            "@+1",
            "@1e9",
            "@ 1",
            "@1 ",
            "@1.",
            "@.5",
            "@1.5.5",
            "@1,5",
            "@0x10",
            "@1h",
            "@@1",
            "@1767225600Z",
            "@\u{661}",
            "@1.x",
            "@undefined",
            "@null",
            "@NaN",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"@1\0"), None);
        assert_eq!(parse(b"@\xff"), None);
    }
}
