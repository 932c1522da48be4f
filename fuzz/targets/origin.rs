//! A list of origins, and a page that wants to connect: parsing never panics, and what is let in is what a comparison of
//! whole addresses, each written in one way, says.
//!
//! Input: the words of the list in the first line; then the address of the site, and one line for each `Origin` header.
#![no_main]

use std::net::Ipv6Addr;

use libfuzzer_sys::fuzz_target;
use websockify_protocol::origin::{Given, Origins, Site};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|&byte| byte == b'\n');
    let words: Vec<_> = lines.next().unwrap_or_default().split(u8::is_ascii_whitespace).collect();
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let parsed = Origins::parse(words.iter().copied());
    let expected = List::of(&words);
    if let Err((word, error)) = &parsed {
        assert!(words.contains(word) && !error.to_string().is_empty());
    }
    assert_eq!(parsed.is_ok(), expected.is_some(), "{parsed:?}");
    let (Ok(origins), Some(expected)) = (parsed, expected) else { return };

    let site = lines.next().unwrap_or_default();
    let (secure, host) = match site.strip_prefix(b"https://") {
        Some(host) => (true, Some(host)),
        None => (false, site.strip_prefix(b"http://")),
    };
    let given: Vec<_> = lines.collect();
    let judged = origins.judge(Given::of(given.iter().copied()), Site { secure, host });
    assert_eq!(judged.is_ok(), expected.lets_in(&given, host.map(|_| site)), "{judged:?}");
});

/// The slow way.
#[derive(Default)]
struct List<'w> {
    words: Vec<&'w [u8]>,
    written: Vec<String>,
}

impl<'w> List<'w> {
    fn of(words: &[&'w [u8]]) -> Option<Self> {
        let mut list = Self::default();
        for &word in words {
            if matches!(word, b"any" | b"same" | b"none" | b"null") {
                list.words.push(word);
            } else {
                list.written.push(in_one_way(word)?);
            }
        }
        let (mut flags, mut written) = (list.words.clone(), list.written.clone());
        flags.sort_unstable();
        flags.dedup();
        written.sort_unstable();
        written.dedup();
        let once = flags.len() == list.words.len() && written.len() == list.written.len();
        (once && (!list.has("any") || words.len() == 1)).then_some(list)
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains(&word.as_bytes())
    }

    fn lets_in(&self, given: &[&[u8]], site: Option<&[u8]>) -> bool {
        match given {
            _ if self.has("any") => true,
            [] => self.has("none"),
            [b"null"] => self.has("null"),
            [page] => in_one_way(page).is_some_and(|page| {
                self.written.contains(&page)
                    || self.has("same") && site.and_then(in_one_way).is_some_and(|own| own == page)
            }),
            _ => false,
        }
    }
}

/// An origin in lower case and with its port; `None` for what is none.
fn in_one_way(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.to_ascii_lowercase();
    let (scheme, authority) = text.split_once("://")?;
    let is_letter = |it: char| it.is_ascii_lowercase();
    let in_scheme = |it: char| is_letter(it) || it.is_ascii_digit() || "+-.".contains(it);
    if !scheme.starts_with(is_letter) || !scheme.chars().all(in_scheme) {
        return None;
    }
    let colon = authority.rfind(':').filter(|&at| !authority[at..].contains(']'));
    let (host, port) = colon.map_or((authority, None), |at| (&authority[..at], Some(&authority[at + 1..])));
    let host = match host.strip_prefix('[') {
        Some(inside) => format!("[{}]", inside.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?),
        None => host.to_owned(),
    };
    let in_name = |it: char| is_letter(it) || it.is_ascii_digit() || "-._~".contains(it);
    if host.is_empty() || !host.starts_with('[') && !host.chars().all(in_name) {
        return None;
    }
    let port = match (port, scheme) {
        (Some(port), _) if !port.chars().all(|it| it.is_ascii_digit()) => return None,
        (Some(port), _) => port.parse::<u16>().ok()?.to_string(),
        (None, "https") => "443".into(),
        (None, "http") => "80".into(),
        (None, _) => String::new(),
    };
    Some(format!("{scheme}://{host}:{port}"))
}
