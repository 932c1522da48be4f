//! Where a connection would go, and by which other names an address leads to the same place.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::network::Network;

/// Where a connection would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer<'a> {
    /// An address and a port of TCP.
    Ip(SocketAddr),
    /// The path of a unix socket.
    Unix(&'a [u8]),
}

/// As nginx writes it; what is not a printable character of ASCII is escaped.
impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.escape_ascii()),
        }
    }
}

/// An address as rules look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forms {
    /// Where the kernel really connects to.
    pub(crate) real: IpAddr,
    /// What else it may lead to, or is written as. Refused if this is, never allowed because this is.
    pub(crate) alias: Option<IpAddr>,
}

impl Forms {
    /// A mapped address (RFC 4291 section 2.5.5.2) is one of IPv4. The unspecified address connects to the machine
    /// itself. IPv4-compatible addresses (section 2.5.5.1) and those of NAT64 (RFC 6052 section 2.1) stay what they
    /// are, and may be translated to the IPv4 address in their last bits.
    pub(crate) fn of(address: IpAddr) -> Self {
        const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
        let real = address.to_canonical();
        let (real, alias) = match real {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => (IpAddr::V4(Ipv4Addr::LOCALHOST), Some(real)),
            IpAddr::V4(_) => (real, None),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => (IpAddr::V6(Ipv6Addr::LOCALHOST), Some(real)),
            IpAddr::V6(Ipv6Addr::LOCALHOST) => (real, None),
            IpAddr::V6(it) => {
                let front = it.to_bits() >> 32;
                let translated = front == 0 || front == NAT64.to_bits() >> 32;
                let [.., a, b, c, d] = it.octets();
                (real, translated.then_some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))))
            }
        };
        Self { real, alias }
    }

    pub(crate) fn is_really_in(self, network: &Network) -> bool {
        network.contains(self.real)
    }

    pub(crate) fn is_somehow_in(self, network: &Network) -> bool {
        network.contains(self.real) || self.alias.is_some_and(|alias| network.contains(alias))
    }
}

/// Whether `path` names its file without a way around: absolute, and each of its parts a name.
pub(crate) fn is_plain_path(path: &[u8]) -> bool {
    path.strip_prefix(b"/").is_some_and(|names| {
        names.split(|&byte| byte == b'/').all(|name| !matches!(name, b"" | b"." | b".."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(address: &str) -> (String, Option<String>) {
        let forms = Forms::of(address.parse().expect("an address"));
        (forms.real.to_string(), forms.alias.map(|alias| alias.to_string()))
    }

    #[test]
    fn an_address_is_what_it_leads_to() {
        for (written, real, alias) in [
            ("10.0.0.1", "10.0.0.1", None),
            ("::ffff:10.0.0.1", "10.0.0.1", None),
            ("0.0.0.0", "127.0.0.1", Some("0.0.0.0")),
            ("::ffff:0.0.0.0", "127.0.0.1", Some("0.0.0.0")),
            ("::", "::1", Some("::")),
            ("::1", "::1", None),
            ("::10.0.0.1", "::a00:1", Some("10.0.0.1")),
            ("64:ff9b::a9fe:a9fe", "64:ff9b::a9fe:a9fe", Some("169.254.169.254")),
            ("64:ff9b:1::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", None),
            ("2001:db8::a9fe:a9fe", "2001:db8::a9fe:a9fe", None),
        ] {
            assert_eq!(forms(written), (real.to_owned(), alias.map(str::to_owned)), "{written}");
        }
    }

    #[test]
    fn a_peer_is_shown_as_nginx_writes_it() {
        for text in ["10.0.0.1:5900", "[2001:db8::1]:5900", "[::ffff:10.0.0.1]:22"] {
            assert_eq!(Peer::Ip(text.parse().expect("an address")).to_string(), text);
        }
        assert_eq!(Peer::Unix(b"/run/v\n\x1b.sock").to_string(), "unix:/run/v\\n\\x1b.sock");
    }

    #[test]
    fn a_plain_path_goes_down_only() {
        for plain in ["/run/vnc/1.sock", "/a", "/a/...", "/a/.b"] {
            assert!(is_plain_path(plain.as_bytes()), "{plain}");
        }
        for other in ["", "/", "a", "run/vnc", "/run//vnc", "/run/./vnc", "/run/../vnc", "/run/vnc/", "/.."] {
            assert!(!is_plain_path(other.as_bytes()), "{other}");
        }
    }
}
