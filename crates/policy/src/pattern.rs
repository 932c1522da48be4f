//! What a rule is written as: `CIDR[:port[-port]] | unix:[path] | all[:port[-port]]`.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;
use core::str::FromStr;

use crate::network::Network;
use crate::peer::{is_plain_path, Forms, Peer};

/// The peers that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    who: Who,
    /// A CIDR was written with bits behind its prefix.
    meaningless_bits: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Everybody,
    /// Of any address, those with these ports.
    Ports(RangeInclusive<u16>),
    Network(Network, Option<RangeInclusive<u16>>),
    UnixSockets,
    /// The socket of this path, or those below it. The path is a plain one.
    UnixPath(Box<[u8]>),
}

/// Why a text is no pattern.
///
/// `Display` reads on from the text itself: `"10.0.0.0/33": prefix is too long`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// Neither an address, nor `unix:`, nor `all`.
    NoAddress,
    /// What follows the slash is no number.
    NoPrefix,
    /// The prefix has more bits than an address.
    PrefixTooLong,
    /// No number from 1 to 65535, or no two of them with a hyphen between them.
    NoPort,
    /// The first port is above the last.
    PortsBackwards,
    /// A bracket is not closed, or something other than a port follows it.
    Brackets,
    /// A path that is relative, or has `.`, `..` or an empty name in it.
    PathNotPlain,
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, PatternError> {
        if let Some(path) = text.strip_prefix(b"unix:") {
            return Ok(Self { who: unix(path)?, meaningless_bits: false });
        }
        let text = core::str::from_utf8(text).map_err(|_| PatternError::NoAddress)?;
        if text == "all" {
            return Ok(Self { who: Who::Everybody, meaningless_bits: false });
        }
        if let Some(ports) = text.strip_prefix("all:") {
            return Ok(Self { who: Who::Ports(parse_ports(ports)?), meaningless_bits: false });
        }
        let (cidr, ports) = split(text)?;
        let ((network, meaningless_bits), ports) = (cidr.network()?, ports.map(parse_ports).transpose()?);
        Ok(Self { who: Who::Network(network, ports), meaningless_bits })
    }

    /// Whether bits were written behind the prefix, as in `10.0.0.1/8`: they mean nothing.
    #[must_use]
    pub fn has_meaningless_bits(&self) -> bool {
        self.meaningless_bits
    }

    /// Whether a connection to `peer` goes, beyond doubt, to what the pattern names.
    #[must_use]
    pub fn covers(&self, peer: Peer<'_>) -> bool {
        self.holds(peer, Forms::is_really_in, false)
    }

    /// Whether a connection to `peer` may go to what the pattern names, by whatever translation.
    #[must_use]
    pub fn touches(&self, peer: Peer<'_>) -> bool {
        self.holds(peer, Forms::is_somehow_in, true)
    }

    /// `unclear` is the answer for a path that may lead anywhere.
    fn holds(&self, peer: Peer<'_>, is_in: fn(Forms, &Network) -> bool, unclear: bool) -> bool {
        match (&self.who, peer) {
            (Who::Everybody, _) | (Who::UnixSockets, Peer::Unix(_)) => true,
            (Who::Ports(ports), Peer::Ip(address)) => ports.contains(&address.port()),
            (Who::Network(network, ports), Peer::Ip(address)) => {
                ports.as_ref().is_none_or(|ports| ports.contains(&address.port()))
                    && is_in(Forms::of(address.ip()), network)
            }
            (Who::UnixPath(_), Peer::Unix(path)) if !is_plain_path(path) => unclear,
            (Who::UnixPath(above), Peer::Unix(path)) => {
                path.strip_prefix(&**above).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
            }
            _ => false,
        }
    }
}

fn unix(path: &[u8]) -> Result<Who, PatternError> {
    if path.is_empty() {
        return Ok(Who::UnixSockets);
    }
    let path = path.strip_suffix(b"/").unwrap_or(path);
    if is_plain_path(path) {
        Ok(Who::UnixPath(path.into()))
    } else {
        Err(PatternError::PathNotPlain)
    }
}

/// A CIDR's text, of the one family that it can be of.
enum Cidr<'a> {
    V4(&'a str),
    V6(&'a str),
}

/// Takes the ports off a CIDR. Without brackets a second colon makes it an address of IPv6, which has none.
fn split(text: &str) -> Result<(Cidr<'_>, Option<&str>), PatternError> {
    if let Some(inside) = text.strip_prefix('[') {
        let (cidr, rest) = inside.split_once(']').ok_or(PatternError::Brackets)?;
        return match rest.strip_prefix(':') {
            Some(ports) => Ok((Cidr::V6(cidr), Some(ports))),
            None if rest.is_empty() => Ok((Cidr::V6(cidr), None)),
            None => Err(PatternError::Brackets),
        };
    }
    Ok(match text.split_once(':') {
        Some((cidr, ports)) if !ports.contains(':') => (Cidr::V4(cidr), Some(ports)),
        Some(_) => (Cidr::V6(text), None),
        None => (Cidr::V4(text), None),
    })
}

impl Cidr<'_> {
    /// The network, and whether bits behind its prefix were written.
    fn network(&self) -> Result<(Network, bool), PatternError> {
        let (Self::V4(text) | Self::V6(text)) = *self;
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(number(prefix).ok_or(PatternError::NoPrefix)?)),
            None => (text, None),
        };
        let address = match self {
            Self::V4(_) => Ipv4Addr::from_str(address).map(IpAddr::V4),
            Self::V6(_) => Ipv6Addr::from_str(address).map(IpAddr::V6),
        }
        .map_err(|_| PatternError::NoAddress)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let network = Network::new(address, prefix.unwrap_or(bits)).ok_or(PatternError::PrefixTooLong)?;
        let meaningless = match network {
            Network::V4 { base, .. } => IpAddr::V4(base) != address.to_canonical(),
            Network::V6 { base, .. } => IpAddr::V6(base) != address,
        };
        Ok((network, meaningless))
    }
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, PatternError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text| {
        let port = number(text).and_then(|port| u16::try_from(port).ok()).filter(|&port| port > 0);
        port.ok_or(PatternError::NoPort)
    };
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(PatternError::PortsBackwards);
    }
    Ok(first..=last)
}

/// Digits, and nothing but digits: no sign, no space.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAddress => "neither an address, nor \"unix:\", nor \"all\"",
            Self::NoPrefix => "invalid prefix length",
            Self::PrefixTooLong => "prefix length is longer than the address",
            Self::NoPort => "invalid port",
            Self::PortsBackwards => "the first port is above the last",
            Self::Brackets => "invalid brackets",
            Self::PathNotPlain => "the path is not absolute, or has \".\", \"..\" or \"//\" in it",
        })
    }
}
