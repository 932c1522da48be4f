//! Rules in their order, and what holds where none of them matches.

use websockify_policy::{Action, Pattern, Peer, Refusal, Rules};

/// `allow`s and `deny`s, a line each, placed at their line numbers.
fn rules(text: &str) -> Rules<usize> {
    let mut rules = Rules::default();
    for (at, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let (action, pattern) = line.split_once(' ').expect("two words");
        let action = if action == "allow" { Action::Allow } else { Action::Deny };
        rules.push(action, Pattern::parse(pattern.trim().as_bytes()).expect("a pattern"), at + 1);
    }
    rules
}

fn ip(text: &str) -> Peer<'_> {
    Peer::Ip(text.parse().expect("an address"))
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = rules(
        "deny  10.0.0.1
         allow 10.0.0.0/8:5900-5999
         deny  10.0.0.0/8
         allow all",
    );
    assert_eq!(rules.judge(ip("10.0.0.1:5900"), false), Err(Refusal::Denied(&1)));
    assert_eq!(rules.judge(ip("10.0.0.2:5900"), false), Ok(()));
    assert_eq!(rules.judge(ip("10.0.0.2:22"), false), Err(Refusal::Denied(&3)));
    assert_eq!(rules.judge(ip("11.0.0.2:22"), false), Ok(()));
    assert_eq!(rules.judge(Peer::Unix(b"/run/vnc"), false), Ok(()));
}

#[test]
fn a_list_that_allows_something_refuses_the_rest() {
    let rules = rules(
        "allow 10.0.0.0/8
         deny  11.0.0.0/8",
    );
    assert_eq!(rules.judge(ip("10.0.0.1:22"), false), Ok(()));
    assert_eq!(rules.judge(ip("11.0.0.1:22"), false), Err(Refusal::Denied(&2)));
    assert_eq!(rules.judge(ip("12.0.0.1:22"), false), Err(Refusal::Unlisted(&2)));
    assert_eq!(rules.judge(Peer::Unix(b"/run/vnc"), false), Err(Refusal::Unlisted(&2)));
}

#[test]
fn a_list_that_only_denies_lets_the_rest_pass() {
    let rules = rules("deny unix:");
    assert_eq!(rules.judge(ip("12.0.0.1:22"), false), Ok(()));
    assert_eq!(rules.judge(Peer::Unix(b"/run/vnc"), false), Err(Refusal::Denied(&1)));
}

#[test]
fn no_rules_let_everything_pass_but_what_is_guarded() {
    let rules = rules("");
    assert!(rules.is_empty());
    for guarded in [
        "169.254.169.254:80",
        "169.254.0.1:22",
        "[::ffff:169.254.169.254]:80",
        "[64:ff9b::a9fe:a9fe]:80",
        "[::169.254.169.254]:80",
        "[fe80::1]:80",
        "[febf::1]:80",
        "[fd00:ec2::254]:80",
        "[fd20:ce::254]:80",
        "100.100.100.200:80",
    ] {
        assert_eq!(rules.judge(ip(guarded), true), Err(Refusal::Guarded), "{guarded}");
        assert_eq!(rules.judge(ip(guarded), false), Ok(()), "{guarded}");
    }
    for other in ["169.253.0.1:80", "10.0.0.1:80", "127.0.0.1:80", "[fec0::1]:80", "[fd00:ec2::253]:80"] {
        assert_eq!(rules.judge(ip(other), true), Ok(()), "{other}");
    }
    assert_eq!(rules.judge(Peer::Unix(b"/run/vnc"), true), Ok(()));
}

#[test]
fn what_is_guarded_is_reached_only_by_a_rule() {
    let metadata = ip("169.254.169.254:80");
    assert_eq!(rules("deny 10.0.0.0/8").judge(metadata, true), Err(Refusal::Guarded));
    assert_eq!(rules("allow 10.0.0.0/8").judge(metadata, true), Err(Refusal::Guarded));
    assert_eq!(rules("allow 169.254.169.254").judge(metadata, true), Ok(()));
    assert_eq!(rules("allow all").judge(metadata, true), Ok(()));
    assert_eq!(
        rules("allow 169.254.169.254").judge(ip("[64:ff9b::a9fe:a9fe]:80"), true),
        Err(Refusal::Guarded)
    );
}
