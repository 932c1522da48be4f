//! A token as it stands in an address.

use std::borrow::Cow;

/// `text` with each `%XX` made the byte that it stands for, as websockify's tokens are read. A `+` is a `+`: base64 has
/// them. What is no `%XX` stays.
#[must_use]
pub fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        match behind {
            [high, low, behind @ ..] if first == b'%' => {
                if let (Some(high), Some(low)) = (digit(*high), digit(*low)) {
                    decoded.push(high << 4 | low);
                    rest = behind;
                    continue;
                }
            }
            _ => {}
        }
        decoded.push(first);
        rest = behind;
    }
    Cow::Owned(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_not_copied() {
        assert!(matches!(decode(b"desk+1"), Cow::Borrowed(b"desk+1")));
    }

    #[test]
    fn each_byte_can_be_written_so() {
        for byte in 0..=255_u8 {
            assert_eq!(*decode(format!("a%{byte:02x}b%{byte:02X}").as_bytes()), [b'a', byte, b'b', byte]);
        }
    }

    #[test]
    fn what_is_no_code_stays() {
        for text in ["%", "%4", "%g1", "%1g", "%%", "a%", "100%"] {
            assert_eq!(*decode(text.as_bytes()), *text.as_bytes());
        }
        assert_eq!(*decode(b"%%41%4"), *b"%A%4");
        assert_eq!(*decode(b"%2541"), *b"%41");
    }
}
