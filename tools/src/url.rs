//! `ws://host[:port][/path][?query]`.

use std::fmt;

/// Where a WebSocket server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Name or address, an IPv6 one without its brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The value of the Host header: host, and port unless it is 80.
    pub authority: String,
    /// Path and query, beginning with a slash.
    pub path: String,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlError {
    /// Neither ws:// nor anything close.
    Scheme,
    /// wss:// is not spoken here.
    Tls,
    /// No host, or one that is not spelled right.
    Host,
    /// Not a port.
    Port,
    /// A space or control character.
    Character,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the URL must begin with ws://",
            Self::Tls => "wss:// is not supported, only ws://",
            Self::Host => "the URL has no valid host",
            Self::Port => "the URL's port is not a number from 1 to 65535",
            Self::Character => "the URL holds a space or control character",
        })
    }
}

impl std::error::Error for UrlError {}

impl std::str::FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7F) {
            return Err(UrlError::Character);
        }
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => rest,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("wss") => return Err(UrlError::Tls),
            _ => return Err(UrlError::Scheme),
        };
        // RFC 6455 section 3: a fragment has no meaning here.
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = split_port(authority)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host: host.to_owned(), port, authority: authority.to_owned(), path })
    }
}

fn split_port(authority: &str) -> Result<(&str, u16), UrlError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(UrlError::Host)?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(UrlError::Port)?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() || host.contains('@') {
        return Err(UrlError::Host);
    }
    match port.map_or(Ok(80), str::parse) {
        Ok(port @ 1..) => Ok((host, port)),
        _ => Err(UrlError::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, u16, String) {
        let url: Url = text.parse().unwrap();
        (url.host, url.port, url.path)
    }

    #[test]
    fn reads_host_port_and_path() {
        let own = str::to_owned;
        assert_eq!(parts("ws://example.com"), (own("example.com"), 80, own("/")));
        assert_eq!(parts("ws://example.com:81?token=a"), (own("example.com"), 81, own("/?token=a")));
        assert_eq!(parts("WS://[::1]:5900/a/b?c=d#e"), (own("::1"), 5900, own("/a/b?c=d")));
        assert_eq!(parts("ws://[::1]"), (own("::1"), 80, own("/")));
    }

    #[test]
    fn names_what_is_wrong() {
        for (text, error) in [
            ("example.com", UrlError::Scheme),
            ("http://example.com", UrlError::Scheme),
            ("wss://example.com", UrlError::Tls),
            ("ws://", UrlError::Host),
            ("ws://:80/", UrlError::Host),
            ("ws://user@host/", UrlError::Host),
            ("ws://[::1/", UrlError::Host),
            ("ws://[::1]5900/", UrlError::Port),
            ("ws://a:0/", UrlError::Port),
            ("ws://a:65536/", UrlError::Port),
            ("ws://::1/", UrlError::Host),
            ("ws://a/\r\nEvil: yes", UrlError::Character),
        ] {
            assert_eq!(text.parse::<Url>(), Err(error), "{text}");
        }
    }
}
