//! The grammar of `websockify_allow` and `websockify_deny`, and what each pattern matches.

use websockify_policy::{Pattern, PatternError, Peer};

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn peer(text: &str) -> Peer<'_> {
    match text.strip_prefix("unix:") {
        Some(path) => Peer::Unix(path.as_bytes()),
        None => Peer::Ip(text.parse().unwrap_or_else(|_| panic!("{text} is an address"))),
    }
}

/// Those of `peers` that the pattern covers; it touches no others.
fn covered<'p>(text: &str, peers: &[&'p str]) -> Vec<&'p str> {
    let pattern = pattern(text);
    let found = |matches: fn(&Pattern, Peer<'_>) -> bool| -> Vec<&str> {
        peers.iter().copied().filter(|it| matches(&pattern, peer(it))).collect()
    };
    let covered = found(Pattern::covers);
    assert_eq!(covered, found(Pattern::touches), "{text}");
    covered
}

const MANY: [&str; 9] = [
    "10.0.0.1:5900",
    "10.0.0.1:22",
    "10.255.0.1:5901",
    "11.0.0.1:5900",
    "[2001:db8::1]:5900",
    "[2001:db8::1]:5950",
    "[2001:db9::1]:5900",
    "unix:/run/vnc/1.sock",
    "unix:/run/docker.sock",
];

#[test]
fn all_is_everybody_and_with_ports_every_address() {
    assert_eq!(covered("all", &MANY), MANY);
    assert_eq!(covered("all:5900", &MANY), [MANY[0], MANY[3], MANY[4], MANY[6]]);
    assert_eq!(covered("all:5901-5999", &MANY), [MANY[2], MANY[5]]);
}

#[test]
fn a_network_of_ipv4() {
    assert_eq!(covered("10.0.0.0/8", &MANY), MANY[..3]);
    assert_eq!(covered("10.0.0.1", &MANY), MANY[..2]);
    assert_eq!(covered("10.0.0.1:5900", &MANY), MANY[..1]);
    assert_eq!(covered("10.0.0.0/8:5900-5901", &MANY), [MANY[0], MANY[2]]);
    assert_eq!(covered("0.0.0.0/0", &MANY), MANY[..4]);
}

#[test]
fn a_network_of_ipv6_in_brackets_or_without() {
    assert_eq!(covered("2001:db8::/32", &MANY), MANY[4..6]);
    assert_eq!(covered("[2001:db8::/32]", &MANY), MANY[4..6]);
    assert_eq!(covered("[2001:db8::/32]:5900", &MANY), MANY[4..5]);
    assert_eq!(covered("[2001:db8::1]:5901-65535", &MANY), MANY[5..6]);
    assert_eq!(covered("::/0", &MANY), MANY[4..7]);
    // Without brackets all of it is the address.
    assert_eq!(covered("2001:db8::1:5900", &MANY), [""; 0]);
}

#[test]
fn unix_sockets_by_their_path() {
    assert_eq!(covered("unix:", &MANY), MANY[7..]);
    for vnc in ["unix:/run/vnc", "unix:/run/vnc/", "unix:/run/vnc/1.sock"] {
        assert_eq!(covered(vnc, &MANY), MANY[7..8], "{vnc}");
    }
    assert_eq!(covered("unix:/run/vn", &MANY), [""; 0]);
    assert_eq!(covered("unix:/run/vnc/1.sock/", &["unix:/run/vnc/1.sock2"]), [""; 0]);
}

#[test]
fn a_path_that_may_lead_anywhere_is_denied_and_not_allowed() {
    for path in ["unix:/run/vnc/../docker.sock", "unix:vnc/1.sock", "unix:/run/vnc//1", "unix:/run/./vnc/1"] {
        let pattern = pattern("unix:/run/vnc");
        assert!(pattern.touches(peer(path)) && !pattern.covers(peer(path)), "{path}");
    }
}

#[test]
fn a_mapped_address_matches_the_rule_of_ipv4() {
    let mapped = ["[::ffff:10.0.0.1]:5900"];
    for text in ["10.0.0.0/8", "10.0.0.1:5900", "::ffff:10.0.0.0/104", "[::ffff:10.0.0.1]:5900"] {
        assert_eq!(covered(text, &mapped), mapped, "{text}");
    }
    for text in ["::/0", "::ffff:10.0.0.0/64", "11.0.0.0/8", "10.0.0.1:5901"] {
        assert_eq!(covered(text, &mapped), [""; 0], "{text}");
    }
    assert_eq!(covered("::ffff:10.0.0.0/104", &MANY), MANY[..3]);
}

#[test]
fn what_is_translated_to_ipv4_is_denied_and_not_allowed() {
    for translated in ["[64:ff9b::10.0.0.1]:5900", "[::10.0.0.1]:5900"] {
        let pattern = pattern("10.0.0.0/8");
        assert!(pattern.touches(peer(translated)) && !pattern.covers(peer(translated)), "{translated}");
    }
    assert_eq!(covered("64:ff9b::/96", &["[64:ff9b::10.0.0.1]:5900"]).len(), 1);
}

#[test]
fn the_unspecified_address_is_the_machine_itself() {
    let own = ["0.0.0.0:22", "[::ffff:0.0.0.0]:22", "127.0.0.1:22"];
    assert_eq!(covered("127.0.0.0/8", &own), own);
    assert_eq!(covered("::1", &["[::]:22", "[::1]:22"]), ["[::]:22", "[::1]:22"]);
    // Written as it is, it can be denied, but nobody means it by allowing 0.0.0.0/8.
    assert!(
        pattern("0.0.0.0/8").touches(peer("0.0.0.0:22")) && !pattern("0.0.0.0/8").covers(peer("0.0.0.0:22"))
    );
}

#[test]
fn bits_behind_the_prefix_mean_nothing_and_are_told() {
    for (text, meaningless) in [
        ("10.0.0.0/8", false),
        ("10.0.0.1/8", true),
        ("10.0.0.1", false),
        ("2001:db8::/32", false),
        ("[2001:db8::1/32]:5900", true),
        ("::ffff:10.0.0.0/104", false),
        ("::ffff:10.0.0.1/104", true),
        ("all", false),
    ] {
        assert_eq!(pattern(text).has_meaningless_bits(), meaningless, "{text}");
    }
    assert_eq!(covered("10.9.9.9/8", &MANY), MANY[..3]);
}

#[test]
fn what_is_no_pattern_is_named() {
    use PatternError::*;
    for (text, error) in [
        ("", NoAddress),
        ("All", NoAddress),
        ("any", NoAddress),
        ("localhost", NoAddress),
        ("desktop.example:5900", NoAddress),
        ("10.0.0", NoAddress),
        ("10.0.0.256", NoAddress),
        ("010.0.0.1", NoAddress),
        ("0x0a.0.0.1", NoAddress),
        ("10.0.0.1 ", NoAddress),
        ("10.0.0.1/", NoPrefix),
        ("10.0.0.0/x", NoPrefix),
        ("10.0.0.0/+8", NoPrefix),
        ("10.0.0.0/8/8", NoPrefix),
        ("10.0.0.0/33", PrefixTooLong),
        ("2001:db8::/129", PrefixTooLong),
        ("10.0.0.0/99999999999", NoPrefix),
        ("10.0.0.1:", NoPort),
        ("10.0.0.1:0", NoPort),
        ("10.0.0.1:65536", NoPort),
        ("10.0.0.1:vnc", NoPort),
        ("10.0.0.1:-5900", NoPort),
        ("10.0.0.1:5900-", NoPort),
        ("10.0.0.1:5900-5901-5902", NoPort),
        ("10.0.0.1:5901-5900", PortsBackwards),
        ("all:", NoPort),
        (":5900", NoAddress),
        ("[::1", Brackets),
        ("[::1]5900", Brackets),
        ("[::1]/64:5900", Brackets),
        ("[10.0.0.1]:5900", NoAddress),
        ("[::1]:", NoPort),
        ("::1::2", NoAddress),
        ("fe80::1%eth0", NoAddress),
        ("unix:run/vnc", PathNotPlain),
        ("unix:/", PathNotPlain),
        ("unix:/run/../etc", PathNotPlain),
        ("unix:/run//vnc", PathNotPlain),
    ] {
        assert_eq!(Pattern::parse(text.as_bytes()), Err(error), "{text}");
    }
    assert_eq!(Pattern::parse(b"10.0.0.\xff"), Err(NoAddress));
}
