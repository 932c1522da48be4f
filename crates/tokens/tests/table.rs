//! Files in, targets out.

use std::collections::HashMap;

use websockify_tokens::{Broken, Builder, Built, Duplicate, Fault, Key, Place, Table, TOKEN_LIMIT};

const KEY: Key = Key(*b"0123456789abcdef");

fn built(files: &[&str]) -> Result<Built, Broken> {
    let mut builder = Builder::new(KEY);
    for file in files {
        builder.add_file(file.as_bytes(), None)?;
    }
    Ok(builder.finish().expect("memory"))
}

fn broken(file: &str) -> Option<(u32, Fault)> {
    built(&[file]).err().map(|broken| (broken.line, broken.fault))
}

fn found<'t>(built: &'t Built, token: &str) -> Option<&'t str> {
    let target = Table::new(&built.bytes).expect("a table").find(token.as_bytes())?;
    Some(std::str::from_utf8(target).expect("an address"))
}

#[test]
fn each_token_has_its_target() {
    let file =
        "# desks\n\none: 10.0.0.1:5901\r\ntwo:\t[::1]:5902\n three : ::1:5903\nfour: unix_socket:/run/4";
    let built = built(&[file]).expect("a good file");
    for (token, target) in
        [("one", "10.0.0.1:5901"), ("two", "[::1]:5902"), ("three", "[::1]:5903"), ("four", "unix:/run/4")]
    {
        assert_eq!(found(&built, token), Some(target));
    }
    for token in ["", "on", "onee", "One", "one ", "one: 10.0.0.1:5901", "#", "10.0.0.1:5901"] {
        assert_eq!(found(&built, token), None, "{token}");
    }
    assert_eq!((built.tokens, built.duplicate), (4, None));
}

#[test]
fn nothing_at_all_is_a_table_without_tokens() {
    for files in [&[][..], &[""], &["\n\n"], &["# nobody"], &["\u{feff}", ""]] {
        let built = built(files).expect("a good file");
        let table = Table::new(&built.bytes).expect("a table");
        assert!(table.is_empty() && table.find(b"").is_none() && table.find(b"one").is_none());
    }
}

#[test]
fn a_mark_of_byte_order_is_no_part_of_a_token() {
    assert_eq!(found(&built(&["\u{feff}one: h:1\n"]).expect("good"), "one"), Some("h:1"));
}

#[test]
fn the_first_broken_line_is_named() {
    assert_eq!(broken("one: h:1\n\n# x\ntwo h:2\n: h:3"), Some((4, Fault::Separator)));
    assert_eq!(broken("one: h:1\ntwo: h:0"), Some((2, Fault::Port)));
    assert_eq!(broken("\n\n\0"), Some((3, Fault::ControlCharacter)));
}

#[test]
fn the_last_of_a_token_counts_and_is_told() {
    let built = built(&["one: h:1\ntwo: h:2\none: h:3\n", "two: h:4\n# x\none: h:5"]).expect("good files");
    assert_eq!((found(&built, "one"), found(&built, "two")), (Some("h:5"), Some("h:4")));
    let place = |file, line| Place { file, line };
    let duplicate = Duplicate { before: place(0, 1), again: place(0, 3), count: 3 };
    assert_eq!((built.tokens, built.duplicate), (2, Some(duplicate)));
    assert_eq!(Table::new(&built.bytes).map(|table| table.len()), Some(2));
}

#[test]
fn a_named_file_may_be_a_target() {
    let mut builder = Builder::new(KEY);
    for (name, text) in [
        ("one", "10.0.0.1:5901"),
        ("two", "\n# the second\n  [::1]:5902 \n"),
        ("list", "three: h:3\nfour: h:4\n"),
        ("five", "unix_socket:/run/5\n"),
        ("empty", ""),
    ] {
        builder.add_file(text.as_bytes(), Some(name.as_bytes())).expect(name);
    }
    let built = builder.finish().expect("memory");
    let expected =
        [("one", "10.0.0.1:5901"), ("two", "[::1]:5902"), ("three", "h:3"), ("five", "unix:/run/5")];
    for (token, target) in expected {
        assert_eq!(found(&built, token), Some(target));
    }
    for token in ["list", "empty"] {
        assert_eq!(found(&built, token), None);
    }
    let mut builder = Builder::new(KEY);
    for text in ["h:1\nh:2\n", "h", "h:1\nthree: h:3"] {
        let broken = Broken { line: 1, fault: Fault::Separator };
        assert_eq!(builder.add_file(text.as_bytes(), Some(b"x")), Err(broken), "{text}");
    }
    assert_eq!(builder.add_file(b"h:1", None), Err(Broken { line: 1, fault: Fault::Separator }));
}

#[test]
fn sockets_have_their_names_for_tokens() {
    let mut builder = Builder::new(KEY);
    builder.add_socket(b"desk.1", b"/run/vnc/desk.1").expect("a socket");
    assert_eq!(builder.add_socket(b"a\nb", b"/run/vnc/a"), Err(Fault::ControlCharacter));
    assert_eq!(builder.add_socket(b"x", b"/run/vnc/a\nb"), Err(Fault::Path));
    assert_eq!(builder.add_socket(b"x", &[b'/'; 200]), Err(Fault::Path));
    assert_eq!(builder.add_socket(&[b'x'; TOKEN_LIMIT + 1], b"/run/x"), Err(Fault::LongToken));
    assert_eq!(found(&builder.finish().expect("memory"), "desk.1"), Some("unix:/run/vnc/desk.1"));
}

#[test]
fn as_a_hash_map_does_it() {
    for count in [1_u32, 2, 3, 5, 6, 7, 100, 5000] {
        let mut text = String::new();
        let mut map = HashMap::new();
        for number in 0..count * 2 {
            let token = format!("{:x}", number.wrapping_mul(0x9e37_79b1) % (count + count / 2));
            let target = format!("10.0.{}.{}:{}", number >> 8 & 255, number & 255, 1 + number % 65535);
            text += &format!("{token}: {target}\n");
            map.insert(token, target);
        }
        let built = built(&[&text]).expect("a good file");
        assert_eq!(built.tokens, map.len(), "{count}");
        for number in 0..count * 3 {
            let token = format!("{number:x}");
            assert_eq!(found(&built, &token), map.get(&token).map(|it| &**it), "{count}: {token}");
        }
    }
}

#[test]
fn damage_finds_nothing_wrong_and_never_panics() {
    let good = built(&["one: h:1\ntwo: h:2\nthree: h:3\nfour: h:4\n"]).expect("a good file").bytes;
    for end in 0..good.len() {
        assert!(Table::new(&good[..end]).is_none(), "cut at {end}");
    }
    for at in 0..good.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            let Some(table) = Table::new(&bytes) else { continue };
            for token in ["one", "two", "three", "four", "five"] {
                let target = table.find(token.as_bytes());
                assert!(target.is_none_or(|it| it.len() < bytes.len()));
            }
        }
    }
}
