//! The PROXY protocol's header, by which a target is told who the client is before anything else is said
//! (proxy-protocol.txt of HAProxy, sections 2.1 and 2.2).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io::Write as _;

/// The longest header, which is one of version 1: "the worst case" of section 2.1.
const LONGEST: usize = 107;

/// What a header of version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Which of the two the target understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    One,
    /// Binary.
    Two,
}

/// A header, ready to be sent.
pub struct ProxyHeader {
    bytes: [u8; LONGEST],
    len: usize,
}

impl ProxyHeader {
    /// The header for a client at `source` that has connected to `destination`; `None` for what is no IP address, as
    /// with a unix socket.
    ///
    /// Both have to be of one family. Where they are not, as when a proxy in front has named a client of the other one,
    /// the IPv4 address is written as an IPv6 one (RFC 4291 section 2.5.5.2); a destination that is none is written as
    /// the unspecified address. A client without an address is "unknown", or `LOCAL` in version 2: the target then takes
    /// the connection for what it is.
    #[must_use]
    pub fn new(version: Version, source: Option<SocketAddr>, destination: Option<SocketAddr>) -> Self {
        let pair = source.map(|source| one_family(source, destination));
        let mut header = Self { bytes: [0; LONGEST], len: 0 };
        let mut room = &mut header.bytes[..];
        let written = match version {
            Version::One => write_text(&mut room, pair),
            Version::Two => write_binary(&mut room, pair),
        };
        debug_assert!(written.is_ok(), "there is room for the longest header");
        header.len = LONGEST - room.len();
        header
    }

    /// The bytes to send.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn one_family(source: SocketAddr, destination: Option<SocketAddr>) -> (SocketAddr, SocketAddr) {
    let nowhere = match source {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let destination = destination.unwrap_or(SocketAddr::new(nowhere, 0));
    if source.is_ipv4() == destination.is_ipv4() {
        (source, destination)
    } else {
        (as_v6(source), as_v6(destination))
    }
}

fn as_v6(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), address.port()),
        IpAddr::V6(_) => address,
    }
}

fn write_text(room: &mut &mut [u8], pair: Option<(SocketAddr, SocketAddr)>) -> std::io::Result<()> {
    let Some((source, destination)) = pair else { return room.write_all(b"PROXY UNKNOWN\r\n") };
    let family = if source.is_ipv4() { 4 } else { 6 };
    let (from, to) = (source.ip(), destination.ip());
    write!(room, "PROXY TCP{family} {from} {to} {} {}\r\n", source.port(), destination.port())
}

fn write_binary(room: &mut &mut [u8], pair: Option<(SocketAddr, SocketAddr)>) -> std::io::Result<()> {
    room.write_all(&SIGNATURE)?;
    // Version 2 and LOCAL, no family, nothing behind it.
    let Some((source, destination)) = pair else { return room.write_all(&[0x20, 0, 0, 0]) };
    // Version 2 and PROXY; the family, and a stream.
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            room.write_all(&[0x21, 0x11, 0, 12])?;
            room.write_all(&from.octets())?;
            room.write_all(&to.octets())?;
        }
        (from, to) => {
            room.write_all(&[0x21, 0x21, 0, 36])?;
            for ip in [from, to] {
                let ip = match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                room.write_all(&ip.octets())?;
            }
        }
    }
    room.write_all(&source.port().to_be_bytes())?;
    room.write_all(&destination.port().to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: Version, source: &str, destination: &str) -> Vec<u8> {
        let (source, destination) = (source.parse().ok(), destination.parse().ok());
        ProxyHeader::new(version, source, destination).as_bytes().to_vec()
    }

    #[test]
    fn is_a_line_of_text() {
        let line = header(Version::One, "192.168.0.1:56324", "192.168.0.11:443");
        assert_eq!(line, b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
    }

    #[test]
    fn is_a_line_of_text_for_ipv6() {
        let line = header(Version::One, "[2001:db8::7]:1", "[::1]:80");
        assert_eq!(line, b"PROXY TCP6 2001:db8::7 ::1 1 80\r\n");
    }

    #[test]
    fn is_a_line_for_a_client_without_an_address() {
        assert_eq!(header(Version::One, "unix:", "unix:"), b"PROXY UNKNOWN\r\n");
        assert_eq!(header(Version::One, "unix:", "127.0.0.1:80"), b"PROXY UNKNOWN\r\n");
    }

    #[test]
    fn is_of_one_family() {
        let line = header(Version::One, "[2001:db8::7]:1", "127.0.0.1:80");
        assert_eq!(line, b"PROXY TCP6 2001:db8::7 ::ffff:127.0.0.1 1 80\r\n");
        let line = header(Version::One, "192.0.2.7:1", "[::1]:80");
        assert_eq!(line, b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 80\r\n");
    }

    #[test]
    fn names_a_client_whose_proxy_came_by_a_unix_socket() {
        assert_eq!(header(Version::One, "192.0.2.7:0", "unix:"), b"PROXY TCP4 192.0.2.7 0.0.0.0 0 0\r\n");
        assert_eq!(header(Version::One, "[2001:db8::7]:0", "unix:"), b"PROXY TCP6 2001:db8::7 :: 0 0\r\n");
    }

    #[test]
    fn is_binary() {
        let bytes = header(Version::Two, "192.168.0.1:256", "10.0.0.2:443");
        let expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\xa8\0\x01\x0a\0\0\x02\x01\0\x01\xbb";
        assert_eq!(bytes, expected);
    }

    #[test]
    fn is_binary_for_ipv6() {
        let bytes = header(Version::Two, "[2001:db8::7]:1", "127.0.0.1:80");
        let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
        expected.extend(b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07");
        expected.extend(b"\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01");
        expected.extend(b"\0\x01\0\x50");
        assert_eq!(bytes, expected);
    }

    #[test]
    fn is_binary_for_a_client_without_an_address() {
        assert_eq!(header(Version::Two, "unix:", "127.0.0.1:80"), b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    }

    #[test]
    fn has_room_for_the_longest() {
        let address = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
        let line = header(Version::One, address, address);
        assert_eq!(line.len(), 104);
        assert!(line.ends_with(b" 65535 65535\r\n"));
    }
}
