//! The opening handshake (RFC 6455 sections 4.2.1 and 4.2.2): whether a request asks for a WebSocket, and
//! what to answer.

use crate::origin::{Foreign, Given, Origins, Site};
use crate::subprotocol::{Encoding, Negotiation, NoneAcceptable, Subprotocols};
use base64::engine::{general_purpose::STANDARD, Engine};
use sha1::{Digest, Sha1};

mod refusal;

pub use refusal::{Advertised, Refusal};

#[cfg(feature = "raw")]
mod raw;

#[cfg(feature = "raw")]
pub use raw::{parse_request, RawRequest};

/// The version of HTTP a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0, and 0.9 with it: no Upgrade.
    Http10,
    /// HTTP/1.1, the one version RFC 6455 upgrades.
    Http11,
    /// HTTP/2, which forbids Connection and Upgrade.
    Http2,
    /// HTTP/3, which forbids them too.
    Http3,
}

/// A valid opening handshake and what to answer it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted<'a> {
    /// The value of the `Sec-WebSocket-Accept` header.
    pub accept: [u8; 28],
    /// The value of the `Sec-WebSocket-Protocol` header, where there is to be one: a token that the client
    /// offered.
    pub subprotocol: Option<&'a [u8]>,
    /// How payload will stand in the frames.
    pub encoding: Encoding,
}

/// What a location demands of a handshake, beside its being one.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'t> {
    /// The pages that may open one.
    pub origins: &'t Origins,
    /// Whether the request came over TLS.
    pub secure: bool,
    /// The subprotocols to choose from.
    pub subprotocols: &'t Subprotocols<'t>,
}

/// Validates a request as an opening handshake (RFC 6455 section 4.2.1) on a location's terms, and negotiates the
/// subprotocol.
///
/// `get` says whether the method is GET; `headers` are all of the request's in their order, names in any
/// case, values with or without the white space around them. Lists may be spread over repeated headers.
///
/// # Errors
/// The first [`Refusal`] that applies, in the order of its variants.
pub fn validate<'a>(
    get: bool,
    version: HttpVersion,
    headers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    terms: &Terms<'_>,
) -> Result<Accepted<'a>, Refusal> {
    if !get {
        return Err(Refusal::MethodNotGet);
    }
    match version {
        HttpVersion::Http2 | HttpVersion::Http3 => return Err(Refusal::Http2Or3),
        HttpVersion::Http10 => return Err(Refusal::Http10),
        HttpVersion::Http11 => {}
    }
    let mut seen = Seen::new(terms);
    for (name, value) in headers {
        seen.take(name, trim(value));
    }
    seen.into_accepted()
}

/// The `Sec-WebSocket-Accept` that answers `Sec-WebSocket-Key: key` (RFC 6455 section 1.3).
#[must_use]
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let digest =
        Sha1::new().chain_update(key).chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    let mut accept = [0; 28];
    // 20 bytes are always 28 characters.
    let written = STANDARD.encode_slice(digest, &mut accept);
    debug_assert_eq!(written, Ok(28));
    accept
}

/// What the headers said that the handshake is about.
struct Seen<'s, 'a> {
    upgrade: bool,
    connection: bool,
    version: Version,
    key: Key<'a>,
    offers: Negotiation<'s, 'a>,
    terms: &'s Terms<'s>,
    origin: Given<'a>,
    host: Option<&'a [u8]>,
}

enum Version {
    Missing,
    Thirteen,
    Other,
}

enum Key<'a> {
    Missing,
    One(&'a [u8]),
    Repeated,
}

impl<'s, 'a> Seen<'s, 'a> {
    fn new(terms: &'s Terms<'s>) -> Self {
        Self {
            upgrade: false,
            connection: false,
            version: Version::Missing,
            key: Key::Missing,
            offers: Negotiation::new(terms.subprotocols),
            terms,
            origin: Given::Missing,
            host: None,
        }
    }

    fn take(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is("upgrade") {
            self.upgrade |= holds_token(value, b"websocket");
        } else if is("connection") {
            self.connection |= holds_token(value, b"upgrade");
        } else if is("sec-websocket-version") {
            self.version = match (&self.version, value) {
                (Version::Missing | Version::Thirteen, b"13") => Version::Thirteen,
                _ => Version::Other,
            };
        } else if is("sec-websocket-key") {
            self.key = match self.key {
                Key::Missing => Key::One(value),
                Key::One(_) | Key::Repeated => Key::Repeated,
            };
        } else if is("sec-websocket-protocol") {
            elements(value).for_each(|offer| self.offers.offer(offer));
        } else if is("origin") {
            self.origin = match self.origin {
                Given::Missing => Given::One(value),
                Given::One(_) | Given::Repeated => Given::Repeated,
            };
        } else if is("host") {
            self.host = Some(value);
        }
    }

    fn into_accepted(self) -> Result<Accepted<'a>, Refusal> {
        if !self.upgrade {
            return Err(Refusal::NoUpgrade);
        }
        if matches!(self.version, Version::Other) {
            return Err(Refusal::VersionNotSupported);
        }
        if !self.connection {
            return Err(Refusal::NoConnectionUpgrade);
        }
        let key = match self.key {
            Key::Missing => return Err(Refusal::NoKey),
            Key::Repeated => return Err(Refusal::RepeatedKey),
            Key::One(key) if !is_16_bytes_in_base64(key) => return Err(Refusal::InvalidKey),
            Key::One(key) => key,
        };
        if matches!(self.version, Version::Missing) {
            return Err(Refusal::NoVersion);
        }
        let site = Site { secure: self.terms.secure, host: self.host };
        self.terms.origins.judge(self.origin, site).map_err(|foreign| match foreign {
            Foreign::Missing => Refusal::NoOrigin,
            Foreign::Repeated => Refusal::RepeatedOrigin,
            Foreign::Other => Refusal::OriginNotAllowed,
        })?;
        let (subprotocol, encoding) =
            self.offers.finish().map_err(|NoneAcceptable| Refusal::NoSubprotocolAcceptable)?;
        Ok(Accepted { accept: accept_key(key), subprotocol, encoding })
    }
}

/// Whether `key` is the base64 of 16 bytes. The four bits that its last character has to spare may be
/// anything: section 4.2.1 asks for the length alone, and some clients make keys up from random characters.
fn is_16_bytes_in_base64(key: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|digits| digits.len() == 22 && digits.iter().all(is_base64))
}

fn holds_token(list: &[u8], token: &[u8]) -> bool {
    elements(list).any(|element| element.eq_ignore_ascii_case(token))
}

/// The elements of a comma-separated list; empty ones count for nothing (RFC 9110 section 5.6.1.2).
fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(trim).filter(|element| !element.is_empty())
}

/// `value` without the optional white space of HTTP around it: spaces and tabs (RFC 9110 section 5.6.3).
fn trim(value: &[u8]) -> &[u8] {
    let is_value = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = value.iter().position(is_value).unwrap_or(value.len());
    let end = value.iter().rposition(is_value).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}
