//! From whose pages a WebSocket may be opened (RFC 6455 section 10.2): origins as RFC 6454 writes them, compared by
//! scheme, host and port.

use core::fmt;
use core::net::Ipv6Addr;

/// The origins that a location accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Any, none, and what is no origin at all.
    Any,
    /// Those of a list.
    Listed(List),
}

/// A list of origins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    same: bool,
    missing: bool,
    null: bool,
    origins: Vec<Box<[u8]>>,
}

/// Why a word is no origin for a list.
///
/// `Display` reads on from the word itself: `"desktop.example": no "scheme://"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// `any`, beside other words.
    AnyBesideOthers,
    /// The same word twice.
    Twice,
    /// A name without a scheme.
    NoScheme,
    /// Something follows the host and the port, if only a slash.
    Path,
    /// A host that is not in ASCII, and would never come so.
    NotAscii,
    /// A `*`: there are no patterns.
    Wildcard,
    /// Anything else.
    Invalid,
}

/// What a request says of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given<'a> {
    /// No `Origin` header.
    Missing,
    /// One, with this value.
    One(&'a [u8]),
    /// More than one, which RFC 6454 section 7.3 forbids a user agent.
    Repeated,
}

/// Whom a request has reached, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site<'a> {
    /// Whether the connection has TLS.
    pub secure: bool,
    /// The value of the `Host` header.
    pub host: Option<&'a [u8]>,
}

/// Why a request's page is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// It does not say which it is.
    Missing,
    /// It says so more than once.
    Repeated,
    /// It is not one of those accepted.
    Other,
}

impl<'a> Given<'a> {
    /// What the values of all `Origin` headers of a request come to.
    #[must_use]
    pub fn of(mut values: impl Iterator<Item = &'a [u8]>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Missing,
            (Some(value), None) => Self::One(value),
            (Some(_), Some(_)) => Self::Repeated,
        }
    }
}

impl Origins {
    /// The site's own pages, and what is no page: `same none`.
    pub const OWN_OR_NONE: Self =
        Self::Listed(List { same: true, missing: true, null: false, origins: Vec::new() });

    /// Reads the words of a list: `any` alone, or any of `same`, `none`, `null` and origins.
    ///
    /// # Errors
    /// The first word that is wrong, and why.
    pub fn parse<'w>(words: impl Iterator<Item = &'w [u8]>) -> Result<Self, (&'w [u8], OriginError)> {
        let mut list = List::default();
        let mut any = None;
        for (at, word) in words.enumerate() {
            match (any, at, word) {
                (Some(any), ..) => return Err((any, OriginError::AnyBesideOthers)),
                (None, 0, b"any") => any = Some(word),
                (None, _, b"any") => return Err((word, OriginError::AnyBesideOthers)),
                _ => list.add(word).map_err(|error| (word, error))?,
            }
        }
        Ok(if any.is_some() { Self::Any } else { Self::Listed(list) })
    }

    /// Decides whether a page that is `given` so may open a WebSocket to `site`.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, given: Given<'_>, site: Site<'_>) -> Result<(), Foreign> {
        match (self, given) {
            (Self::Any, _) => Ok(()),
            (Self::Listed(list), Given::Missing) if list.missing => Ok(()),
            (Self::Listed(_), Given::Missing) => Err(Foreign::Missing),
            (Self::Listed(_), Given::Repeated) => Err(Foreign::Repeated),
            (Self::Listed(list), Given::One(value)) if list.accepts(value, site) => Ok(()),
            (Self::Listed(_), Given::One(_)) => Err(Foreign::Other),
        }
    }
}

impl List {
    fn add(&mut self, word: &[u8]) -> Result<(), OriginError> {
        let flag = match word {
            b"same" => &mut self.same,
            b"none" => &mut self.missing,
            b"null" => &mut self.null,
            _ => {
                let origin = Origin::parse(word).ok_or_else(|| fault_of(word))?;
                if self.holds(&origin) {
                    return Err(OriginError::Twice);
                }
                self.origins.push(word.into());
                return Ok(());
            }
        };
        if std::mem::replace(flag, true) {
            return Err(OriginError::Twice);
        }
        Ok(())
    }

    fn holds(&self, origin: &Origin<'_>) -> bool {
        self.origins.iter().filter_map(|listed| Origin::parse(listed)).any(|listed| listed.is(origin))
    }

    fn accepts(&self, value: &[u8], site: Site<'_>) -> bool {
        if value == b"null" {
            return self.null;
        }
        let Some(origin) = Origin::parse(value) else { return false };
        self.holds(&origin) || (self.same && Origin::of(site).is_some_and(|own| own.is(&origin)))
    }
}

/// What a page's address begins with (RFC 6454 section 4).
struct Origin<'a> {
    scheme: &'a [u8],
    host: Host<'a>,
    port: Option<u16>,
}

enum Host<'a> {
    /// A name or an IPv4 address, in any case.
    Name(&'a [u8]),
    V6(Ipv6Addr),
}

impl<'a> Origin<'a> {
    /// Parses `scheme://host` or `scheme://host:port`, and nothing around it (RFC 6454 section 6.2).
    fn parse(text: &'a [u8]) -> Option<Self> {
        let end = text.windows(3).position(|bytes| bytes == b"://")?;
        let (scheme, authority) = (&text[..end], &text[end + 3..]);
        let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        if !scheme.first()?.is_ascii_alphabetic() || !scheme.iter().all(is_scheme) {
            return None;
        }
        Self::with_authority(scheme, authority)
    }

    /// The origin of a page that came from where its WebSocket goes.
    fn of(site: Site<'a>) -> Option<Self> {
        Self::with_authority(if site.secure { b"https" } else { b"http" }, site.host?)
    }

    fn with_authority(scheme: &'a [u8], authority: &'a [u8]) -> Option<Self> {
        let (host, rest) = if let Some(inside) = authority.strip_prefix(b"[") {
            let end = inside.iter().position(|&byte| byte == b']')?;
            let address = core::str::from_utf8(&inside[..end]).ok()?;
            (Host::V6(address.parse().ok()?), &inside[end + 1..])
        } else {
            let end = authority.iter().position(|&byte| byte == b':').unwrap_or(authority.len());
            let (name, rest) = authority.split_at(end);
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
            if name.is_empty() || !name.iter().all(is_name) {
                return None;
            }
            (Host::Name(name), rest)
        };
        let port = match rest {
            [] if scheme.eq_ignore_ascii_case(b"https") => Some(443),
            [] if scheme.eq_ignore_ascii_case(b"http") => Some(80),
            [] => None,
            [b':', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
                Some(core::str::from_utf8(digits).ok()?.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { scheme, host, port })
    }

    /// Whether the two are the same (RFC 6454 section 5). A dot at a name's end makes it another name.
    fn is(&self, other: &Self) -> bool {
        let same_host = match (&self.host, &other.host) {
            (Host::Name(one), Host::Name(other)) => one.eq_ignore_ascii_case(other),
            (Host::V6(one), Host::V6(other)) => one == other,
            _ => false,
        };
        same_host && self.scheme.eq_ignore_ascii_case(other.scheme) && self.port == other.port
    }
}

/// What is wrong with a word that is no origin.
fn fault_of(word: &[u8]) -> OriginError {
    let behind_scheme = word.windows(3).position(|bytes| bytes == b"://").map(|at| &word[at + 3..]);
    match behind_scheme {
        _ if word.contains(&b'*') => OriginError::Wildcard,
        _ if !word.is_ascii() => OriginError::NotAscii,
        None => OriginError::NoScheme,
        Some(rest) if rest.iter().any(|byte| b"/?#".contains(byte)) => OriginError::Path,
        Some(_) => OriginError::Invalid,
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnyBesideOthers => "stands alone",
            Self::Twice => "is duplicate",
            Self::NoScheme => "no \"scheme://\"",
            Self::Path => "something follows the host and the port",
            Self::NotAscii => "not in ASCII: browsers send \"xn--\" names",
            Self::Wildcard => "no patterns: origins are compared as they are",
            Self::Invalid => "no origin",
        })
    }
}
