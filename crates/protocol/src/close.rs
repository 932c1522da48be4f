//! Close codes and the body of a Close frame (RFC 6455 sections 5.5.1 and 7.4).

use crate::error::ProtocolError;
use core::fmt;

/// A close code that may stand in a Close frame (RFC 6455 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: an endpoint goes away, as a server that shuts down does.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: data of a type that is not accepted.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1007: payload that is not what its type demands, as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a policy was violated and no other code says it better.
    pub const POLICY: Self = Self(1008);
    /// 1009: too big to process.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the client misses an extension.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the server met a condition it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012 (IANA registry): the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013 (IANA registry): the service is overloaded or not yet there.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014 (IANA registry): a gateway got an invalid answer from its upstream.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// 4000: an administrator has ended the session.
    pub const ENDED: Self = Self(4000);
    /// 4401 (of our own, after HTTP's 401): the right to the session has ended.
    pub const UNAUTHORIZED: Self = Self(4401);

    /// 4403: the client may not, as by HTTP's 403.
    pub const FORBIDDEN: Self = Self(4403);
    /// 4404: there is no such thing, as by HTTP's 404.
    pub const NOT_FOUND: Self = Self(4404);

    /// The code `code`, or `None` where [`may_be_received`] denies it a place in a frame.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        if may_be_received(code) {
            Some(Self(code))
        } else {
            None
        }
    }

    /// The number that goes over the wire and into the log.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a peer may put `code` in a Close frame: 1000 to 1003, 1007 to 1014 and 3000 to 4999.
///
/// Section 7.4.1 reserves 1004 and keeps 1005, 1006 and 1015 for local use; section 7.4.2 leaves 3000 to 3999
/// to registered libraries and 4000 to 4999 to applications. 1012 to 1014 came to the IANA registry later.
#[must_use]
pub const fn may_be_received(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// What a Close frame says (RFC 6455 section 5.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseBody<'a> {
    /// The code, or `None` where the body was empty ("no status received", section 7.1.5).
    pub code: Option<CloseCode>,
    /// The reason, empty where none was given; at most 123 bytes.
    pub reason: &'a str,
}

/// Parses the unmasked payload of a Close frame (RFC 6455 section 5.5.1).
///
/// # Errors
/// [`ProtocolError::CloseBodyOfOneByte`], [`ProtocolError::CloseCodeInvalid`] (both 1002) and
/// [`ProtocolError::CloseReasonNotUtf8`] (1007).
pub fn parse(body: &[u8]) -> Result<CloseBody<'_>, ProtocolError> {
    let Some((code, reason)) = body.split_first_chunk::<2>() else {
        return if body.is_empty() {
            Ok(CloseBody { code: None, reason: "" })
        } else {
            Err(ProtocolError::CloseBodyOfOneByte)
        };
    };
    let code = u16::from_be_bytes(*code);
    let code = CloseCode::new(code).ok_or(ProtocolError::CloseCodeInvalid(code))?;
    let reason = core::str::from_utf8(reason).map_err(|_| ProtocolError::CloseReasonNotUtf8)?;
    Ok(CloseBody { code: Some(code), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_1000_to_1003_and_1007_to_1014_and_3000_to_4999_of_all_codes() {
        for code in 0..=u16::MAX {
            let (a, b, c) =
                (code / 1000 == 1 && code < 1004, code > 1006 && code < 1015, code > 2999 && code < 5000);
            let allowed = a || b || c;
            assert_eq!(may_be_received(code), allowed, "{code}");
            assert_eq!(CloseCode::new(code).map(CloseCode::as_u16), allowed.then_some(code));
            let body = code.to_be_bytes();
            match parse(&body) {
                Ok(body) => assert_eq!((body.code, body.reason), (CloseCode::new(code), "")),
                Err(fault) => assert_eq!((fault, allowed), (ProtocolError::CloseCodeInvalid(code), false)),
            }
        }
    }

    #[test]
    fn knows_the_codes_by_name() {
        let named = [
            (CloseCode::NORMAL, 1000),
            (CloseCode::GOING_AWAY, 1001),
            (CloseCode::PROTOCOL_ERROR, 1002),
            (CloseCode::UNSUPPORTED_DATA, 1003),
            (CloseCode::INVALID_PAYLOAD, 1007),
            (CloseCode::POLICY, 1008),
            (CloseCode::TOO_BIG, 1009),
            (CloseCode::MANDATORY_EXTENSION, 1010),
            (CloseCode::INTERNAL_ERROR, 1011),
            (CloseCode::SERVICE_RESTART, 1012),
            (CloseCode::TRY_AGAIN_LATER, 1013),
            (CloseCode::BAD_GATEWAY, 1014),
            (CloseCode::UNAUTHORIZED, 4401),
        ];
        for (code, number) in named {
            assert_eq!((Some(code), code.to_string()), (CloseCode::new(number), number.to_string()));
        }
    }

    #[test]
    fn an_empty_body_has_neither_code_nor_reason() {
        assert_eq!(parse(b""), Ok(CloseBody { code: None, reason: "" }));
    }

    #[test]
    fn refuses_a_close_body_of_1_byte() {
        assert_eq!(parse(b"\x03"), Err(ProtocolError::CloseBodyOfOneByte));
    }

    #[test]
    fn takes_a_reason_in_utf8() {
        let body = CloseBody { code: Some(CloseCode::GOING_AWAY), reason: "naïve ⌘ 🖥" };
        assert_eq!(parse("\x03\u{e9}".as_bytes()), Err(ProtocolError::CloseCodeInvalid(0x03c3)));
        assert_eq!(parse(&[b"\x03\xe9", "naïve ⌘ 🖥".as_bytes()].concat()), Ok(body));
    }

    #[test]
    fn refuses_a_close_reason_that_is_not_utf8() {
        // A byte that is never UTF-8, an overlong slash, a surrogate, a sequence that is cut.
        for reason in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"ok \xe2\x8c"] {
            assert_eq!(parse(&[b"\x03\xe8", reason].concat()), Err(ProtocolError::CloseReasonNotUtf8));
        }
    }
}
