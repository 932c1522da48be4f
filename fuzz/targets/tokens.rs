//! Token files, read by the builder and by a plain twin; and look-ups in blocks that are damaged.
#![no_main]

use std::collections::HashMap;

use libfuzzer_sys::fuzz_target;
use websockify_fuzz::Input;
use websockify_tokens::{decode, Builder, Key, Table};

const KEY: Key = Key(*b"0123456789abcdef");

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let text = input.rest;
    let mut builder = Builder::new(KEY);
    let read = builder.add_file(text, None);
    let twin = plain(text);
    assert_eq!(read.is_ok(), twin.is_some(), "{read:?}");
    let built = builder.finish().expect("memory");
    let table = Table::new(&built.bytes).expect("a table");
    if let Some(twin) = twin {
        assert_eq!(built.tokens, twin.len());
        assert_eq!(table.len(), twin.len() as u64);
        for (token, target) in &twin {
            assert_eq!(table.find(token), Some(&target[..]), "{:?}", String::from_utf8_lossy(token));
            let longer = [token, &b"x"[..]].concat();
            assert_eq!(table.find(&longer), twin.get(&longer).map(|it| &it[..]));
        }
    }
    assert!(decode(&mut text.to_vec()).len() <= text.len());
    damaged(&mut input, &built.bytes, text);
    _ = Table::new(data).map(|table| table.find(text));
});

/// Whatever a block has come to, a look-up ends, and stays within it.
fn damaged(input: &mut Input<'_>, block: &[u8], text: &[u8]) {
    let mut block = block.to_vec();
    let at = usize::from(input.byte()) * 7 % block.len();
    block[at] ^= input.byte();
    let Some(table) = Table::new(&block) else { return };
    for token in text.split(|&byte| byte == b'\n').filter_map(|line| line.split(|&byte| byte == b':').next())
    {
        assert!(table.find(token).is_none_or(|target| target.len() < block.len()));
    }
}

/// The lines as docs/directives.md has them; `None` where one is broken.
fn plain(text: &[u8]) -> Option<HashMap<Vec<u8>, Vec<u8>>> {
    let mut tokens = HashMap::new();
    for line in text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).split(|&byte| byte == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if line.iter().any(|&byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
            return None;
        }
        let colon = (0..line.len() - 1).find(|&at| line[at] == b':' && b" \t".contains(&line[at + 1]))?;
        let token = line[..colon].trim_ascii();
        if !(1..=1024).contains(&token.len()) {
            return None;
        }
        tokens.insert(token.to_vec(), target(line[colon + 1..].trim_ascii())?);
    }
    Some(tokens)
}

fn target(text: &[u8]) -> Option<Vec<u8>> {
    for word in [&b"unix_socket:"[..], b"unix:"] {
        if let Some(path) = text.strip_prefix(word) {
            let good = path.starts_with(b"/") && (2..=107).contains(&path.len()) && !path.contains(&b'\t');
            return good.then(|| [b"unix:", path].concat());
        }
    }
    let text = std::str::from_utf8(text).ok()?;
    let (host, port) = text.rsplit_once(':')?;
    let number: u16 = port.parse().ok().filter(|&it| it > 0 && !port.starts_with('+'))?;
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    if bare.unwrap_or(host).parse::<std::net::Ipv6Addr>().is_ok() {
        return Some(format!("[{}]:{number}", bare.unwrap_or(host)).into_bytes());
    }
    let name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let good = (1..=253).contains(&host.len()) && host.chars().all(name) && !host.starts_with(['-', '.']);
    good.then(|| format!("{host}:{number}").into_bytes())
}
