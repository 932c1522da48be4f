//! `websockify_origin`: what is the same origin, and what only looks so.

use websockify_protocol::origin::{Foreign, Given, OriginError, Origins, Site};

const HERE: Site<'_> = Site { secure: true, host: Some(b"desktop.example") };

fn origins(words: &str) -> Origins {
    Origins::parse(words.split_ascii_whitespace().map(str::as_bytes)).unwrap_or_else(|(word, error)| {
        panic!("{}: {error}", word.escape_ascii());
    })
}

fn judge(words: &str, value: &str) -> Result<(), Foreign> {
    origins(words).judge(Given::One(value.as_bytes()), HERE)
}

fn refused(words: &str, values: &[&str]) {
    for value in values {
        assert_eq!(judge(words, value), Err(Foreign::Other), "{words}: {value}");
    }
}

fn accepted(words: &str, values: &[&str]) {
    for value in values {
        assert_eq!(judge(words, value), Ok(()), "{words}: {value}");
    }
}

#[test]
fn any_is_any_and_none_and_two() {
    for given in [Given::Missing, Given::Repeated, Given::One(b"https://evil.example"), Given::One(b"\xff\0")]
    {
        assert_eq!(origins("any").judge(given, HERE), Ok(()));
    }
}

#[test]
fn scheme_host_and_port_are_compared() {
    let list = "https://desktop.example http://intranet.example:8080";
    accepted(list, &["https://desktop.example", "http://intranet.example:8080"]);
    refused(
        list,
        &[
            "http://desktop.example",
            "https://desktop.example:8443",
            "https://intranet.example:8080",
            "http://intranet.example",
            "https://other.example",
            "wss://desktop.example",
        ],
    );
}

#[test]
fn a_default_port_may_be_written_or_not() {
    accepted("https://desktop.example", &["https://desktop.example:443"]);
    accepted("https://desktop.example:443", &["https://desktop.example"]);
    accepted("http://desktop.example:80", &["http://desktop.example"]);
    refused("https://desktop.example", &["https://desktop.example:80"]);
    refused("http://desktop.example", &["http://desktop.example:443"]);
    // Other schemes have none.
    refused("app://desktop.example", &["app://desktop.example:80", "app://desktop.example:443"]);
    accepted("app://desktop.example", &["app://desktop.example"]);
}

#[test]
fn case_does_not_count() {
    accepted("https://Desktop.Example", &["https://desktop.example", "HTTPS://DESKTOP.EXAMPLE"]);
}

#[test]
fn suffixes_prefixes_and_their_like_gain_nothing() {
    refused(
        "https://desktop.example",
        &[
            "https://desktop.example.evil.example",
            "https://evil-desktop.example",
            "https://evildesktop.example",
            "https://evil.example/https://desktop.example",
            "https://evil.example#https://desktop.example",
            "https://evil.example?https://desktop.example",
            "https://desktop.example@evil.example",
            "https://desktop.example:443@evil.example",
            "https://evil.example:443:desktop.example",
            "https://desktop.example:443evil.example",
            "https://desktop.example\\.evil.example",
            "https://desktop.example%2eevil.example",
            "https://desktop.example%00.evil.example",
            "https://desktop.example\0.evil.example",
            "https://user@desktop.example",
            "https://user:password@desktop.example",
            "https://desktop.example.",
            "https://.desktop.example",
            "https://desktop.example/",
            "https://desktop.example/page",
            "https://desktop.example:",
            "https://desktop.example:443443",
            "https://desktop.example:+443",
            "https://desktop.example:65979",
            "https://desktop.example https://evil.example",
            "https://evil.example https://desktop.example",
            "https://desktop.example, https://evil.example",
            " https://desktop.example",
            "https://desktop.example\t",
            "https:/desktop.example",
            "https:desktop.example",
            "://desktop.example",
            "desktop.example",
            "https://",
            "https://desktop\u{3002}example",
            "https://d\u{435}sktop.example",
            "",
        ],
    );
}

#[test]
fn an_international_name_is_compared_as_browsers_send_it() {
    accepted(
        "https://xn--bcher-kva.example",
        &["https://xn--bcher-kva.example", "https://XN--Bcher-KVA.example"],
    );
    refused("https://xn--bcher-kva.example", &["https://b\u{fc}cher.example", "https://bucher.example"]);
}

#[test]
fn an_ipv6_address_is_a_number() {
    accepted(
        "https://[2001:db8::1]",
        &["https://[2001:db8::1]", "https://[2001:DB8:0:0::1]:443", "https://[2001:0db8::0001]"],
    );
    refused(
        "https://[2001:db8::1]",
        &[
            "https://[2001:db8::2]",
            "https://2001:db8::1",
            "https://[2001:db8::1",
            "https://[2001:db8::1]evil.example",
            "https://[2001:db8::1]:443evil",
            "https://[2001:db8::1%25eth0]",
        ],
    );
    accepted("http://[::1]:8080", &["http://[0:0:0:0:0:0:0:1]:8080"]);
    // An address and its mapped form are two origins.
    refused("http://127.0.0.1", &["http://[::ffff:127.0.0.1]"]);
}

#[test]
fn null_only_where_it_is_listed() {
    refused("same none https://desktop.example", &["null"]);
    accepted("null", &["null"]);
    refused("null", &["NULL", "Null", "null ", "https://null"]);
}

#[test]
fn a_missing_origin_only_where_none_is_listed() {
    let missing = |words| origins(words).judge(Given::Missing, HERE);
    assert_eq!(missing("https://desktop.example"), Err(Foreign::Missing));
    assert_eq!(missing("same"), Err(Foreign::Missing));
    assert_eq!(missing("null"), Err(Foreign::Missing));
    assert_eq!(missing("same none"), Ok(()));
    assert_eq!(missing("none https://desktop.example"), Ok(()));
    // An empty one is not a missing one.
    refused("none", &["", "none"]);
}

#[test]
fn two_origins_are_none() {
    assert_eq!(origins("none same").judge(Given::Repeated, HERE), Err(Foreign::Repeated));
}

#[test]
fn headers_are_counted() {
    let given = |values: &[&'static str]| Given::of(values.iter().map(|value| value.as_bytes()));
    assert_eq!(given(&[]), Given::Missing);
    assert_eq!(given(&["http://a"]), Given::One(b"http://a"));
    assert_eq!(given(&["http://a", "http://a"]), Given::Repeated);
    assert_eq!(Origins::OWN_OR_NONE, origins("same none"));
}

#[test]
fn same_is_the_host_and_the_connections_scheme() {
    for (secure, host, same, other) in [
        (true, "desktop.example", "https://desktop.example", "http://desktop.example"),
        (false, "desktop.example", "http://desktop.example", "https://desktop.example"),
        (true, "desktop.example:443", "https://desktop.example", "https://desktop.example:8443"),
        (true, "desktop.example:8443", "https://desktop.example:8443", "https://desktop.example"),
        (false, "[::1]:8080", "http://[::1]:8080", "http://[::1]"),
        (false, "127.0.0.1", "http://127.0.0.1:80", "http://127.0.0.2"),
        (true, "DESKTOP.example", "https://desktop.EXAMPLE", "https://desktop.example."),
    ] {
        let site = Site { secure, host: Some(host.as_bytes()) };
        let judge = |value: &str| origins("same").judge(Given::One(value.as_bytes()), site);
        assert_eq!(judge(same), Ok(()), "{same} on {host}");
        assert_eq!(judge(other), Err(Foreign::Other), "{other} on {host}");
    }
    let nowhere = Site { secure: false, host: None };
    assert_eq!(origins("same").judge(Given::One(b"http://"), nowhere), Err(Foreign::Other));
    refused("https://other.example", &["https://desktop.example"]);
    accepted("same https://other.example", &["https://desktop.example", "https://other.example"]);
}

#[test]
fn words_that_are_none_are_named() {
    use OriginError::*;
    for (words, wrong, error) in [
        ("any same", "any", AnyBesideOthers),
        ("same any", "any", AnyBesideOthers),
        ("any any", "any", AnyBesideOthers),
        ("same same", "same", Twice),
        ("https://a.example HTTPS://A.example:443", "HTTPS://A.example:443", Twice),
        ("desktop.example", "desktop.example", NoScheme),
        ("Same", "Same", NoScheme),
        ("https://desktop.example/", "https://desktop.example/", Path),
        ("https://desktop.example/page", "https://desktop.example/page", Path),
        ("https://*.example", "https://*.example", Wildcard),
        ("*", "*", Wildcard),
        ("https://b\u{fc}cher.example", "https://b\u{fc}cher.example", NotAscii),
        ("https://", "https://", Invalid),
        ("https://a.example:x", "https://a.example:x", Invalid),
        ("https://user@a.example", "https://user@a.example", Invalid),
        ("https://[::1", "https://[::1", Invalid),
        ("1https://a.example", "1https://a.example", Invalid),
    ] {
        let parsed = Origins::parse(words.split_ascii_whitespace().map(str::as_bytes));
        assert_eq!(parsed, Err((wrong.as_bytes(), error)), "{words}");
    }
}
