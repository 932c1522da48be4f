//! Why an opening handshake is refused, and what the answer says.

use core::fmt;

/// Why a request is no valid opening handshake, in the order in which the causes are looked for.
///
/// `Display` names the cause in lower case and reads on from "client sent" in a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The method is not GET (RFC 6455 section 4.2.1 item 1): 405.
    MethodNotGet,
    /// The request came over HTTP/2 or HTTP/3, which forbid Connection and Upgrade: 426.
    Http2Or3,
    /// The request came over HTTP/1.0, which has no Upgrade (section 4.2.1 item 1): 426.
    Http10,
    /// No `Upgrade` header holds `websocket` (section 4.2.1 item 3): 426.
    NoUpgrade,
    /// A `Sec-WebSocket-Version` header is there and not 13 (sections 4.2.2 item 4 and 4.4): 426. So is one
    /// that names more than one version, or a second one that disagrees with the first; a second `13` is let
    /// pass.
    VersionNotSupported,
    /// No `Connection` header holds `upgrade` (section 4.2.1 item 4): 400.
    NoConnectionUpgrade,
    /// No `Sec-WebSocket-Key` header (section 4.2.1 item 5): 400.
    NoKey,
    /// More than one `Sec-WebSocket-Key` header (section 11.3.1): 400.
    RepeatedKey,
    /// The `Sec-WebSocket-Key` is not base64 of 16 bytes (section 4.2.1 item 5): 400.
    InvalidKey,
    /// No `Sec-WebSocket-Version` header (section 4.2.1 item 6): 400.
    NoVersion,
    /// No `Origin` header, where the location wants one (RFC 6455 section 4.2.2 item 4): 403.
    NoOrigin,
    /// More than one `Origin` header, where the location wants a certain one: 403.
    RepeatedOrigin,
    /// The `Origin` is none of those the location accepts: 403.
    OriginNotAllowed,
    /// Subprotocols were offered, and the location accepts none of them: 400.
    NoSubprotocolAcceptable,
}

/// The headers by which a refusal tells the client what would be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advertised {
    /// None.
    Nothing,
    /// `Allow: GET`.
    Get,
    /// `Upgrade: websocket`, `Connection: upgrade` and `Sec-WebSocket-Version: 13`.
    Upgrade,
    /// `Sec-WebSocket-Version: 13`.
    Version,
}

impl Refusal {
    /// The HTTP status of the answer: 405, 426, 400 or 403.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::MethodNotGet => 405,
            Self::Http2Or3 | Self::Http10 | Self::NoUpgrade | Self::VersionNotSupported => 426,
            Self::NoOrigin | Self::RepeatedOrigin | Self::OriginNotAllowed => 403,
            Self::NoConnectionUpgrade
            | Self::NoKey
            | Self::RepeatedKey
            | Self::InvalidKey
            | Self::NoVersion
            | Self::NoSubprotocolAcceptable => 400,
        }
    }

    /// The headers of the answer.
    #[must_use]
    pub const fn advertised(self) -> Advertised {
        match self {
            Self::MethodNotGet => Advertised::Get,
            Self::Http10 | Self::NoUpgrade => Advertised::Upgrade,
            Self::Http2Or3 | Self::VersionNotSupported => Advertised::Version,
            _ => Advertised::Nothing,
        }
    }
}

impl Advertised {
    /// The headers as names and values.
    #[must_use]
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Nothing => &[],
            Self::Get => &[("Allow", "GET")],
            Self::Upgrade => {
                &[("Upgrade", "websocket"), ("Connection", "upgrade"), ("Sec-WebSocket-Version", "13")]
            }
            Self::Version => &[("Sec-WebSocket-Version", "13")],
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MethodNotGet => "method other than GET",
            Self::Http2Or3 => "WebSocket request over HTTP/2 or HTTP/3",
            Self::Http10 => "WebSocket request over HTTP/1.0",
            Self::NoUpgrade => "no \"websocket\" in \"Upgrade\" header",
            Self::VersionNotSupported => "unsupported \"Sec-WebSocket-Version\" header",
            Self::NoConnectionUpgrade => "no \"upgrade\" in \"Connection\" header",
            Self::NoKey => "no \"Sec-WebSocket-Key\" header",
            Self::RepeatedKey => "more than one \"Sec-WebSocket-Key\" header",
            Self::InvalidKey => "invalid \"Sec-WebSocket-Key\" header",
            Self::NoVersion => "no \"Sec-WebSocket-Version\" header",
            Self::NoOrigin => "no \"Origin\" header",
            Self::RepeatedOrigin => "more than one \"Origin\" header",
            Self::OriginNotAllowed => "\"Origin\" header that \"websockify_origin\" does not allow",
            Self::NoSubprotocolAcceptable => "no acceptable subprotocol",
        })
    }
}

impl core::error::Error for Refusal {}
