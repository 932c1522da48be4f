//! A rule's text, and an address: parsing never panics, and what it matches is what a comparison of digits says.
//!
//! Input: the rule in the first line; behind it a port of two bytes, and an address of four or sixteen.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libfuzzer_sys::fuzz_target;
use websockify_fuzz::Input;
use websockify_policy::{Action, Pattern, Peer, Rules};

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (text, rest) = (&data[..end], Input::new(data).rest);
    let Ok(pattern) = Pattern::parse(text) else { return };
    if let Some((port, address)) = rest.split_first_chunk::<2>() {
        let address = match *address {
            [a, b, c, d] => IpAddr::from([a, b, c, d]),
            _ => match <[u8; 16]>::try_from(address) {
                Ok(bytes) => IpAddr::from(bytes),
                Err(_) => return unix(&pattern, rest),
            },
        };
        ip(text, &pattern, SocketAddr::new(address, u16::from_be_bytes(*port)));
    }
    unix(&pattern, rest);
});

fn ip(text: &[u8], pattern: &Pattern, address: SocketAddr) {
    let peer = Peer::Ip(address);
    let (covers, touches) = (pattern.covers(peer), pattern.touches(peer));
    assert!(touches || !covers, "what is covered is touched");
    decides(pattern, peer);
    if let IpAddr::V4(v4) = address.ip() {
        let mapped = Peer::Ip(SocketAddr::new(v4.to_ipv6_mapped().into(), address.port()));
        assert_eq!((pattern.covers(mapped), pattern.touches(mapped)), (covers, touches), "the same address");
    }
    let plain = !address.ip().is_unspecified() && address.ip().to_canonical() == address.ip();
    if let (true, Some(expected)) = (plain, twin(text, address)) {
        assert_eq!(covers, expected, "{} and {address}", text.escape_ascii());
    }
}

/// The slow way: digits of two compared. `None` for what it does not read.
fn twin(text: &[u8], address: SocketAddr) -> Option<bool> {
    let text = std::str::from_utf8(text).ok()?;
    let (cidr, ports) = match text.strip_prefix('[') {
        Some(inside) => {
            let (cidr, rest) = inside.split_once(']')?;
            (cidr, rest.strip_prefix(':'))
        }
        None if text.matches(':').count() == 1 => {
            text.split_once(':').map(|(cidr, ports)| (cidr, Some(ports)))?
        }
        None => (text, None),
    };
    let (first, prefix) = cidr.split_once('/').map_or((cidr, None), |(first, prefix)| (first, Some(prefix)));
    let first: IpAddr = first.parse().ok()?;
    if first.to_canonical() != first {
        return None;
    }
    let (wanted, given) = (digits(first), digits(address.ip()));
    let len = prefix.map_or(wanted.len(), |prefix| prefix.parse().unwrap_or(999));
    let ports_match = match ports.map(|ports| ports.split_once('-').unwrap_or((ports, ports))) {
        Some((low, high)) => (low.parse().ok()?..=high.parse().ok()?).contains(&address.port()),
        None => true,
    };
    Some(ports_match && wanted.len() == given.len() && wanted.get(..len)? == given.get(..len)?)
}

fn digits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(it) => Ipv4Addr::octets(&it).iter().map(|byte| format!("{byte:08b}")).collect(),
        IpAddr::V6(it) => Ipv6Addr::octets(&it).iter().map(|byte| format!("{byte:08b}")).collect(),
    }
}

fn unix(pattern: &Pattern, path: &[u8]) {
    let peer = Peer::Unix(path);
    assert!(pattern.touches(peer) || !pattern.covers(peer), "what is covered is touched");
    decides(pattern, peer);
}

/// One rule alone.
fn decides(pattern: &Pattern, peer: Peer<'_>) {
    let judged = |action| {
        let mut rules = Rules::default();
        rules.push(action, pattern.clone(), ());
        rules.judge(peer, false).is_ok()
    };
    assert_eq!(judged(Action::Allow), pattern.covers(peer));
    assert_eq!(judged(Action::Deny), !pattern.touches(peer));
}
