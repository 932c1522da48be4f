//! The target that a line names, in websockify's words, made an address in nginx's.

use core::net::Ipv6Addr;
use std::io::Write;

use crate::line::Fault;

/// The longest path of a socket on Linux, without the zero behind it.
const PATH_LIMIT: usize = 107;
const HOST_LIMIT: usize = 253;
/// More than any target comes to, as nginx reads it.
pub(crate) const WRITTEN_LIMIT: usize = HOST_LIMIT + "[]:65535".len();

/// A target as a line of a token file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// `unix_socket:/path`
    Unix(&'a [u8]),
    /// `host:port`
    Host(&'a [u8], u16),
    /// `[address]:port`, or without the brackets, which websockify does not know
    Ipv6(&'a [u8], u16),
}

impl<'a> Target<'a> {
    /// Parses what stands behind a token.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, Fault> {
        if let Some(path) = text.strip_prefix(b"unix_socket:").or(text.strip_prefix(b"unix:")) {
            return is_path(path).then_some(Self::Unix(path)).ok_or(Fault::Path);
        }
        let colon = text.iter().rposition(|&byte| byte == b':').ok_or(Fault::NoPort)?;
        let (host, port) = (&text[..colon], &text[colon + 1..]);
        if let Some(address) = host.strip_prefix(b"[").and_then(|it| it.strip_suffix(b"]")) {
            return is_ipv6(address).then_some(Self::Ipv6(address, parse_port(port)?)).ok_or(Fault::Host);
        }
        if text.ends_with(b"]") {
            return Err(Fault::NoPort);
        }
        if host.contains(&b':') {
            return is_ipv6(host).then_some(Self::Ipv6(host, parse_port(port)?)).ok_or(Fault::Host);
        }
        is_host(host).then_some(Self::Host(host, parse_port(port)?)).ok_or(Fault::Host)
    }

    /// Writes it as nginx reads addresses.
    pub(crate) fn write_to(self, out: &mut Vec<u8>) {
        match self {
            Self::Unix(path) => {
                out.extend_from_slice(b"unix:");
                out.extend_from_slice(path);
            }
            Self::Host(host, port) => {
                out.extend_from_slice(host);
                write_port(out, port);
            }
            Self::Ipv6(address, port) => {
                out.push(b'[');
                out.extend_from_slice(address);
                out.push(b']');
                write_port(out, port);
            }
        }
    }
}

fn write_port(out: &mut Vec<u8>, port: u16) {
    // To a vector it cannot fail.
    _ = write!(out, ":{port}");
}

fn parse_port(text: &[u8]) -> Result<u16, Fault> {
    if text.is_empty() {
        return Err(Fault::NoPort);
    }
    // A number's own parser would take a `+`.
    let digits = text.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(text).ok()).flatten();
    digits.and_then(|digits| digits.parse().ok()).filter(|&port| port > 0).ok_or(Fault::Port)
}

fn is_ipv6(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

fn is_host(text: &[u8]) -> bool {
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    (1..=HOST_LIMIT).contains(&text.len()) && text.iter().all(name) && !b"-.".contains(&text[0])
}

fn is_path(text: &[u8]) -> bool {
    (2..=PATH_LIMIT).contains(&text.len()) && text[0] == b'/' && !text.iter().any(u8::is_ascii_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, Fault> {
        let mut out = Vec::new();
        Target::parse(text.as_bytes())?.write_to(&mut out);
        Ok(String::from_utf8(out).expect("an address"))
    }

    #[test]
    fn what_websockify_takes() {
        for (text, address) in [
            ("10.0.0.11:5900", "10.0.0.11:5900"),
            ("desk-1.example:1", "desk-1.example:1"),
            ("desk_1:65535", "desk_1:65535"),
            ("127.0.0.1:05900", "127.0.0.1:5900"),
            ("unix_socket:/run/vnc/a b:c", "unix:/run/vnc/a b:c"),
            ("::1:5900", "[::1]:5900"),
            ("2001:db8::7:5901", "[2001:db8::7]:5901"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(address), "{text}");
        }
    }

    #[test]
    fn and_what_nginx_writes() {
        for text in ["[::1]:5900", "[2001:db8::7]:1", "[::ffff:10.0.0.1]:5900", "unix:/run/vnc.sock"] {
            assert_eq!(parsed(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_port_there_must_be() {
        for text in ["", "desk", "10.0.0.1", "desk:", "[::1]", "[::1]:"] {
            assert_eq!(parsed(text), Err(Fault::NoPort), "{text}");
        }
        for text in
            ["desk:0", "desk:65536", "desk:+1", "desk:-1", "desk:vnc", "desk:1 ", "[::1]:x", "::1:99999"]
        {
            assert_eq!(parsed(text), Err(Fault::Port), "{text}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        let long = format!("{}:1", "a".repeat(254));
        for text in [
            ":5900",
            "a b:1",
            "a/b:1",
            ".:1",
            "-x:1",
            "http://a:1",
            "[desk]:1",
            "[::1:1",
            "::1]:1",
            "a:b:1",
            "[fe80::1%eth0]:1",
            "d\u{e9}sk:1",
            "$x:1",
            &long,
        ] {
            assert_eq!(parsed(text), Err(Fault::Host), "{text}");
        }
    }

    #[test]
    fn a_sockets_path_is_absolute_and_fits() {
        let fits = format!("unix:/{}", "a".repeat(106));
        assert_eq!(parsed(&fits).as_ref(), Ok(&fits));
        for text in [
            "unix:",
            "unix_socket:",
            "unix:/",
            "unix:run/vnc",
            "unix_socket:../x",
            "unix:/a\tb",
            &format!("{fits}b"),
        ] {
            assert_eq!(parsed(text), Err(Fault::Path), "{text}");
        }
    }
}
