//! Which subprotocol a session speaks (RFC 6455 sections 1.9 and 4.2.2).

/// How payload stands in the frames of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Binary,
    /// As it is, but in text frames to the client: what the target says has to be UTF-8 (RFC 6455 section 5.6). No
    /// subprotocol brings it, a location may ask for it.
    Text,
    /// As base64 text, the way of websockify's `base64` subprotocol.
    Base64,
}

/// The subprotocols a location accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subprotocols<'a> {
    /// These, the most wanted first. Names are compared with regard to case.
    List(&'a [&'a [u8]]),
    /// Whatever the client offers first.
    Any,
}

impl Subprotocols<'_> {
    /// What a location accepts that configures nothing: `binary`, then `base64`.
    pub const DEFAULT: Subprotocols<'static> = Subprotocols::List(&[b"binary", b"base64"]);
}

/// The choice while the client's offers go by, in the client's order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Negotiation<'s, 'a> {
    accepted: &'s Subprotocols<'s>,
    state: State<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State<'a> {
    NothingOffered,
    NoneAcceptable,
    /// `rank` is the place in the location's list; a lower one is better.
    Chosen {
        rank: usize,
        name: &'a [u8],
    },
}

/// Subprotocols were offered, and the location accepts none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoneAcceptable;

impl<'s, 'a> Negotiation<'s, 'a> {
    pub(crate) const fn new(accepted: &'s Subprotocols<'s>) -> Self {
        Self { accepted, state: State::NothingOffered }
    }

    /// The client's next offer.
    pub(crate) fn offer(&mut self, name: &'a [u8]) {
        let rank = match self.accepted {
            // Section 4.1: the elements are tokens. Nothing else is put into a response header.
            _ if !is_token(name) => None,
            Subprotocols::Any => Some(0),
            Subprotocols::List(list) => list.iter().position(|wanted| *wanted == name),
        };
        self.state = match (self.state, rank) {
            (State::Chosen { rank: best, .. }, Some(rank)) if rank < best => State::Chosen { rank, name },
            (chosen @ State::Chosen { .. }, _) => chosen,
            (_, Some(rank)) => State::Chosen { rank, name },
            (_, None) => State::NoneAcceptable,
        };
    }

    /// The subprotocol to answer, if any, and the encoding it brings.
    pub(crate) fn finish(self) -> Result<(Option<&'a [u8]>, Encoding), NoneAcceptable> {
        match self.state {
            State::NothingOffered => Ok((None, Encoding::Binary)),
            State::NoneAcceptable => Err(NoneAcceptable),
            State::Chosen { name: b"base64", .. } => Ok((Some(b"base64"), Encoding::Base64)),
            State::Chosen { name, .. } => Ok((Some(name), Encoding::Binary)),
        }
    }
}

/// Whether `name` is a token of HTTP (RFC 9110 section 5.6.2), as a subprotocol's name must be.
#[must_use]
pub fn is_token(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(
        accepted: &Subprotocols<'_>,
        offers: &[&'static str],
    ) -> Option<(Option<&'static str>, Encoding)> {
        let mut negotiation = Negotiation::new(accepted);
        offers.iter().for_each(|name| negotiation.offer(name.as_bytes()));
        let (name, encoding) = negotiation.finish().ok()?;
        Some((name.map(|name| std::str::from_utf8(name).expect("an offer")), encoding))
    }

    #[test]
    fn nothing_offered_is_binary_and_not_answered() {
        for accepted in [Subprotocols::DEFAULT, Subprotocols::List(&[]), Subprotocols::Any] {
            assert_eq!(negotiated(&accepted, &[]), Some((None, Encoding::Binary)));
        }
    }

    #[test]
    fn takes_the_first_of_the_locations_list_that_was_offered() {
        let binary = Some((Some("binary"), Encoding::Binary));
        let base64 = Some((Some("base64"), Encoding::Base64));
        for offers in
            [&["binary"][..], &["binary", "base64"], &["base64", "binary"], &["x", "base64", "y", "binary"]]
        {
            assert_eq!(negotiated(&Subprotocols::DEFAULT, offers), binary, "{offers:?}");
        }
        for offers in [&["base64"][..], &["mqtt", "base64"], &["base64", "mqtt"], &["base64", "base64"]] {
            assert_eq!(negotiated(&Subprotocols::DEFAULT, offers), base64, "{offers:?}");
        }
        let reversed = Subprotocols::List(&[b"base64", b"binary"]);
        assert_eq!(negotiated(&reversed, &["binary", "base64"]), base64);
        let three = Subprotocols::List(&[b"a", b"b", b"c"]);
        assert_eq!(negotiated(&three, &["c", "a", "b"]), Some((Some("a"), Encoding::Binary)));
        assert_eq!(negotiated(&three, &["c", "b"]), Some((Some("b"), Encoding::Binary)));
    }

    #[test]
    fn refuses_offers_of_which_none_is_acceptable() {
        for offers in
            [&["mqtt"][..], &["Binary"], &["BASE64"], &["binary2", "binar", "base64 binary"], &["x", "y"]]
        {
            assert_eq!(negotiated(&Subprotocols::DEFAULT, offers), None, "{offers:?}");
        }
        assert_eq!(negotiated(&Subprotocols::List(&[]), &["binary"]), None);
    }

    #[test]
    fn any_takes_the_clients_first_offer() {
        assert_eq!(
            negotiated(&Subprotocols::Any, &["mqtt", "binary"]),
            Some((Some("mqtt"), Encoding::Binary))
        );
        assert_eq!(
            negotiated(&Subprotocols::Any, &["v12.stomp"]),
            Some((Some("v12.stomp"), Encoding::Binary))
        );
        assert_eq!(
            negotiated(&Subprotocols::Any, &["base64", "binary"]),
            Some((Some("base64"), Encoding::Base64))
        );
    }

    #[test]
    fn never_echoes_what_is_not_a_token() {
        for offer in ["a b", "a\r\nSet-Cookie: x", "\"binary\"", "a/b", "\u{e9}", "a\0", ""] {
            assert_eq!(negotiated(&Subprotocols::Any, &[offer]), None, "{offer:?}");
            let list: [&[u8]; 1] = [offer.as_bytes()];
            assert_eq!(negotiated(&Subprotocols::List(&list), &[offer]), None, "{offer:?}");
        }
        assert_eq!(negotiated(&Subprotocols::Any, &["a b", "mqtt"]), Some((Some("mqtt"), Encoding::Binary)));
    }

    #[test]
    fn tokens_are_what_rfc_9110_says() {
        let separators = b"\"(),/:;<=>?@[\\]{} \t";
        for byte in 0..=255 {
            let expected = (0x21..0x7f).contains(&byte) && !separators.contains(&byte);
            assert_eq!(is_token(&[b'a', byte]), expected, "{byte:#x}");
        }
        assert!(!is_token(b""));
    }
}
