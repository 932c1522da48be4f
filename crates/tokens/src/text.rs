//! A token as it stands in an address.

/// Makes each `%XX` in `text` the byte that it stands for, as websockify's tokens are read, where it stands. A `+` is a
/// `+`: base64 has them. What is no `%XX` stays. Returns what the text is then.
pub fn decode(text: &mut [u8]) -> &[u8] {
    let (mut at, mut len) = (0, 0);
    while at < text.len() {
        let escaped = match text[at..] {
            [b'%', high, low, ..] => digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        text[len] = escaped.unwrap_or(text[at]);
        at += if escaped.is_some() { 3 } else { 1 };
        len += 1;
    }
    &text[..len]
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

    fn decoded(text: &[u8]) -> Vec<u8> {
        decode(&mut text.to_vec()).to_vec()
    }

    #[test]
    fn plain_text_stays() {
        assert_eq!(decoded(b""), b"");
        assert_eq!(decoded(b"desk+1"), b"desk+1");
    }

    #[test]
    fn each_byte_can_be_written_so() {
        for byte in 0..=255_u8 {
            assert_eq!(decoded(format!("a%{byte:02x}b%{byte:02X}").as_bytes()), [b'a', byte, b'b', byte]);
        }
    }

    #[test]
    fn what_is_no_code_stays() {
        for text in ["%", "%4", "%g1", "%1g", "%%", "a%", "100%"] {
            assert_eq!(decoded(text.as_bytes()), text.as_bytes());
        }
        assert_eq!(decoded(b"%%41%4"), b"%A%4");
        assert_eq!(decoded(b"%2541"), b"%41");
    }
}
