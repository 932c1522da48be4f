//! Names and values, as queries and forms have them.

/// The value of `name` in `text`, decoded; empty where it has none. `None` if it is not there.
#[must_use]
pub fn field(text: &[u8], name: &str) -> Option<Vec<u8>> {
    text.split(|&byte| byte == b'&').find_map(|pair| {
        let mut parts = pair.splitn(2, |&byte| byte == b'=');
        let (key, value) = (parts.next()?, parts.next().unwrap_or_default());
        (key == name.as_bytes()).then(|| decode(value))?
    })
}

/// `None` when memory is out.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    decoded.try_reserve_exact(text.len()).ok()?;
    let mut rest = text;
    while let [byte, more @ ..] = rest {
        rest = more;
        let escaped = more.first_chunk::<2>().and_then(|&[high, low]| Some(digit(high)? << 4 | digit(low)?));
        decoded.push(match (byte, escaped) {
            (b'%', Some(escaped)) => {
                rest = &more[2..];
                escaped
            }
            (b'+', _) => b' ',
            _ => *byte,
        });
    }
    Some(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(form: &str, name: &str) -> Option<String> {
        field(form.as_bytes(), name).map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        assert_eq!(text("id=1&identity=2", "identity"), Some("2".into()));
        assert_eq!(text("identity=2&id=1", "id"), Some("1".into()));
        assert_eq!(text("sessions", "sessions"), Some(String::new()));
        assert_eq!(text("a=b", "b"), None);
        assert_eq!(text("", "a"), None);
    }

    #[test]
    fn a_value_is_decoded() {
        assert_eq!(text("reason=see+you%21%20%c3%A9", "reason"), Some("see you! é".into()));
        assert_eq!(text("a=b=c", "a"), Some("b=c".into()));
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(text("a=100%&b=%4", "a"), Some("100%".into()));
        assert_eq!(text("a=100%&b=%4", "b"), Some("%4".into()));
        assert_eq!(text("a=%zz", "a"), Some("%zz".into()));
    }
}
