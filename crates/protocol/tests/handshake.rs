//! The table "Opening handshake" of the contract, a row a test, in the order in which the rows decide.

use websockify_protocol::handshake::{
    accept_key, validate, Accepted, Advertised, HttpVersion, Refusal, Terms,
};
use websockify_protocol::Origins;
use websockify_protocol::{Encoding, Subprotocols};

type Headers<'a> = Vec<(&'a str, &'a str)>;

/// The request of RFC 6455 section 1.2, without its subprotocols.
const VALID: [(&str, &str); 6] = [
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Origin", "http://example.com"),
    ("Sec-WebSocket-Version", "13"),
];

fn asked<'a>(
    get: bool,
    version: HttpVersion,
    headers: &[(&'a str, &'a str)],
    subprotocols: &Subprotocols<'_>,
) -> Result<Accepted<'a>, Refusal> {
    let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    validate(get, version, headers, &Terms { origins: &Origins::Any, secure: false, subprotocols })
}

fn answer<'a>(headers: &[(&'a str, &'a str)]) -> Result<Accepted<'a>, Refusal> {
    asked(true, HttpVersion::Http11, headers, &Subprotocols::DEFAULT)
}

fn without<'a>(name: &str) -> Headers<'a> {
    VALID.into_iter().filter(|(other, _)| *other != name).collect()
}

/// The valid request with `values` in place of the header `name`, one header each.
fn with<'a>(name: &'a str, values: &[&'a str]) -> Headers<'a> {
    without(name).into_iter().chain(values.iter().map(|value| (name, *value))).collect()
}

#[test]
fn accepts_the_rfcs_request() {
    let accepted = answer(&VALID);
    assert_eq!(
        accepted,
        Ok(Accepted {
            accept: *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            subprotocol: None,
            encoding: Encoding::Binary,
        })
    );
}

#[test]
fn computes_the_rfcs_accept() {
    assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(accept_key(b"x3JJHMbDL1EzLkh9GBhXDw=="), *b"HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

#[test]
fn a_method_other_than_get_is_405_and_allows_get() {
    let refusal = asked(false, HttpVersion::Http11, &VALID, &Subprotocols::DEFAULT).expect_err("not GET");
    assert_eq!((refusal, refusal.status()), (Refusal::MethodNotGet, 405));
    assert_eq!(refusal.advertised().headers(), [("Allow", "GET")]);
}

#[test]
fn no_upgrade_header_holding_websocket_is_426_with_all_three_headers() {
    let three = [("Upgrade", "websocket"), ("Connection", "upgrade"), ("Sec-WebSocket-Version", "13")];
    let mut refused = vec![without("Upgrade")];
    for value in [
        "",
        "h2c",
        "websocket/13",
        "websocketx",
        "web socket",
        "\"websocket\"",
        "websocket;q=1",
        "web,socket",
    ] {
        refused.push(with("Upgrade", &[value]));
    }
    for headers in refused {
        let refusal = answer(&headers).expect_err("no upgrade");
        assert_eq!((refusal, refusal.status()), (Refusal::NoUpgrade, 426), "{headers:?}");
        assert_eq!(refusal.advertised().headers(), three);
    }
    let refusal = asked(true, HttpVersion::Http10, &VALID, &Subprotocols::DEFAULT).expect_err("HTTP/1.0");
    assert_eq!((refusal, refusal.status()), (Refusal::Http10, 426));
    assert_eq!(refusal.advertised().headers(), three);
}

#[test]
fn finds_websocket_in_any_case_in_a_list_and_in_repeated_headers() {
    for values in [
        &["WebSocket"][..],
        &["WEBSOCKET"],
        &["h2c, websocket"],
        &["websocket,h2c"],
        &[" ,\t websocket \t, x"],
        &["h2c", "websocket"],
        &["websocket", "h2c"],
    ] {
        assert!(answer(&with("Upgrade", values)).is_ok(), "{values:?}");
    }
}

#[test]
fn http_2_and_3_are_426_with_the_version_only() {
    for version in [HttpVersion::Http2, HttpVersion::Http3] {
        let refusal = asked(true, version, &[], &Subprotocols::DEFAULT).expect_err("not HTTP/1.1");
        assert_eq!((refusal, refusal.status()), (Refusal::Http2Or3, 426));
        assert_eq!(refusal.advertised().headers(), [("Sec-WebSocket-Version", "13")]);
    }
}

#[test]
fn a_version_present_and_not_13_is_426_with_the_version() {
    for values in [
        &["8"][..],
        &["0"],
        &["14"],
        &["013"],
        &["13.0"],
        &["+13"],
        &["1"],
        &["130"],
        &[""],
        &["x"],
        &["13, 8"],
        &["8, 13"],
        &["13, 13"],
        &["13", "8"],
        &["8", "13"],
        &["13", ""],
        &["8", "13", "13"],
    ] {
        let refusal = answer(&with("Sec-WebSocket-Version", values)).expect_err("another version");
        assert_eq!((refusal, refusal.status()), (Refusal::VersionNotSupported, 426), "{values:?}");
        assert_eq!(refusal.advertised().headers(), [("Sec-WebSocket-Version", "13")]);
    }
    for values in [&["13"][..], &[" 13\t"], &["13", "13"]] {
        assert!(answer(&with("Sec-WebSocket-Version", values)).is_ok(), "{values:?}");
    }
}

/// Whether the request is refused for this, with 400 and nothing advertised.
fn is_400(headers: &[(&str, &str)], expected: Refusal) {
    let refusal = answer(headers).expect_err("a bad request");
    assert_eq!((refusal, refusal.status()), (expected, 400), "{headers:?}");
    assert_eq!((refusal.advertised(), refusal.advertised().headers()), (Advertised::Nothing, &[][..]));
}

#[test]
fn no_connection_token_upgrade_is_400() {
    is_400(&without("Connection"), Refusal::NoConnectionUpgrade);
    for value in ["", "close", "keep-alive", "upgraded", "up, grade", "keep-alive upgrade", "\"upgrade\""] {
        is_400(&with("Connection", &[value]), Refusal::NoConnectionUpgrade);
    }
    for values in [
        &["upgrade"][..],
        &["UPGRADE"],
        &["keep-alive, Upgrade"],
        &["Upgrade,keep-alive"],
        &["keep-alive", "Upgrade"],
        &["Upgrade", "keep-alive"],
    ] {
        assert!(answer(&with("Connection", values)).is_ok(), "{values:?}");
    }
}

#[test]
fn no_key_and_two_keys_are_400() {
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    is_400(&without("Sec-WebSocket-Key"), Refusal::NoKey);
    is_400(&with("Sec-WebSocket-Key", &[key, key]), Refusal::RepeatedKey);
    is_400(&with("Sec-WebSocket-Key", &[key, "x"]), Refusal::RepeatedKey);
    is_400(&with("Sec-WebSocket-Key", &["", key]), Refusal::RepeatedKey);
    is_400(&with("Sec-WebSocket-Key", &[key, key, key]), Refusal::RepeatedKey);
}

#[test]
fn a_key_that_is_not_base64_of_16_bytes_is_400() {
    for key in [
        "",
        "==",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQ==x",
        "dGhlIHNhbXBsZSBub25jZQA=",
        "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25j",
        "hlIHNhbXBsZSBub25jZQ==",
        "AdGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub2 jZQ==",
        "dGhlIHNhbXBsZSBub25_ZQ==",
        "dGhlIHNhbXBsZSBub25-ZQ==",
        "dGhlIHNhbXBs=SBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        is_400(&with("Sec-WebSocket-Key", &[key]), Refusal::InvalidKey);
    }
    for key in [
        "AAAAAAAAAAAAAAAAAAAAAA==",
        "/////////////////////w==",
        "zzzzzzzzzz++//09AZaz+z==",
        "\tdGhlIHNhbXBsZSBub25jZQ== ",
    ] {
        let accepted = answer(&with("Sec-WebSocket-Key", &[key])).expect("16 bytes");
        assert_eq!(accepted.accept, accept_key(key.trim().as_bytes()));
    }
}

#[test]
fn a_missing_version_is_400() {
    is_400(&without("Sec-WebSocket-Version"), Refusal::NoVersion);
}

#[test]
fn subprotocols_of_which_none_is_acceptable_are_400() {
    for values in
        [&["mqtt"][..], &["mqtt, stomp"], &["Binary"], &["binary2"], &["binary base64"], &["mqtt", "stomp"]]
    {
        is_400(&with("Sec-WebSocket-Protocol", values), Refusal::NoSubprotocolAcceptable);
    }
}

#[test]
fn takes_the_first_of_its_own_list_from_all_the_headers() {
    for (values, name, encoding) in [
        (&["binary"][..], &b"binary"[..], Encoding::Binary),
        (&["base64"], b"base64", Encoding::Base64),
        (&["base64, binary"], b"binary", Encoding::Binary),
        (&["base64", "binary"], b"binary", Encoding::Binary),
        (&["mqtt ,\tbase64"], b"base64", Encoding::Base64),
    ] {
        let headers = with("Sec-WebSocket-Protocol", values);
        let accepted = answer(&headers).expect("an offer to accept");
        assert_eq!((accepted.subprotocol, accepted.encoding), (Some(name), encoding), "{values:?}");
    }
    let headers = with("Sec-WebSocket-Protocol", &["mqtt, binary"]);
    let accepted = asked(true, HttpVersion::Http11, &headers, &Subprotocols::Any).expect("any");
    assert_eq!((accepted.subprotocol, accepted.encoding), (Some(&b"mqtt"[..]), Encoding::Binary));
}

#[test]
fn none_offered_is_accepted_and_none_answered() {
    for values in [&[][..], &[""], &[" , "]] {
        let headers = with("Sec-WebSocket-Protocol", values);
        let accepted = answer(&headers).expect("no offer");
        assert_eq!((accepted.subprotocol, accepted.encoding), (None, Encoding::Binary), "{values:?}");
    }
}

#[test]
fn extensions_are_let_be() {
    assert!(
        answer(&with("Sec-WebSocket-Extensions", &["permessage-deflate; client_max_window_bits"])).is_ok()
    );
}

/// What a location with this `websockify_origin` says to a request with these headers.
fn from_a_page(origins: &str, headers: &Headers<'_>) -> Option<Refusal> {
    let origins = Origins::parse(origins.split(' ').map(str::as_bytes)).expect("origins");
    let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let terms = Terms { origins: &origins, secure: false, subprotocols: &Subprotocols::DEFAULT };
    validate(true, HttpVersion::Http11, headers, &terms).err()
}

#[test]
fn an_origin_that_is_not_permitted_is_403() {
    let asked = |origins, values: &[&'static str]| from_a_page(origins, &with("Origin", values));
    assert_eq!(asked("http://example.com", &["http://example.com"]), None);
    assert_eq!(asked("http://example.com", &["http://evil.example"]), Some(Refusal::OriginNotAllowed));
    assert_eq!(asked("http://example.com", &[]), Some(Refusal::NoOrigin));
    assert_eq!(asked("http://example.com none", &[]), None);
    for twice in
        [&["http://example.com", "http://example.com"][..], &["", "http://example.com"], &["a", "b", "c"]]
    {
        assert_eq!(asked("http://example.com", twice), Some(Refusal::RepeatedOrigin));
        assert_eq!(asked("any", twice), None);
    }
    for refusal in [Refusal::NoOrigin, Refusal::RepeatedOrigin, Refusal::OriginNotAllowed] {
        assert_eq!((refusal.status(), refusal.advertised()), (403, Advertised::Nothing));
    }
    // The Host of VALID is server.example.com.
    assert_eq!(asked("same", &["http://server.example.com"]), None);
    assert_eq!(asked("same", &["https://server.example.com"]), Some(Refusal::OriginNotAllowed));
    assert_eq!(asked("same", &["http://example.com"]), Some(Refusal::OriginNotAllowed));
}

#[test]
fn header_names_match_exactly_and_without_regard_to_case() {
    let upper = VALID.map(|(name, value)| (name.to_ascii_uppercase(), value));
    let lower = VALID.map(|(name, value)| (name.to_ascii_lowercase(), value));
    for headers in [upper, lower] {
        let headers: Headers<'_> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert!(answer(&headers).is_ok(), "{headers:?}");
    }
    for (name, refusal) in [
        ("Upgrade", Refusal::NoUpgrade),
        ("Connection", Refusal::NoConnectionUpgrade),
        ("Sec-WebSocket-Key", Refusal::NoKey),
        ("Sec-WebSocket-Version", Refusal::NoVersion),
    ] {
        for other in
            [format!("{name}2"), format!("X-{name}"), name[..name.len() - 1].to_owned(), String::new()]
        {
            let headers =
                VALID.map(|(known, value)| (if known == name { other.as_str() } else { known }, value));
            assert_eq!(answer(&headers).err(), Some(refusal), "{other}");
        }
    }
}

/// A request with everything wrong that is repaired step by step meets the rows in their order.
#[test]
fn the_rows_decide_in_their_order() {
    let mut headers = vec![("Sec-WebSocket-Protocol", "mqtt"), ("Sec-WebSocket-Version", "8")];
    let refusal =
        |get, version, headers: &Headers<'_>| asked(get, version, headers, &Subprotocols::DEFAULT).err();
    assert_eq!(refusal(false, HttpVersion::Http2, &headers), Some(Refusal::MethodNotGet));
    assert_eq!(refusal(true, HttpVersion::Http2, &headers), Some(Refusal::Http2Or3));
    assert_eq!(refusal(true, HttpVersion::Http10, &headers), Some(Refusal::Http10));
    assert_eq!(refusal(true, HttpVersion::Http11, &headers), Some(Refusal::NoUpgrade));
    headers.push(("Upgrade", "websocket"));
    assert_eq!(refusal(true, HttpVersion::Http11, &headers), Some(Refusal::VersionNotSupported));
    headers.remove(1);
    assert_eq!(refusal(true, HttpVersion::Http11, &headers), Some(Refusal::NoConnectionUpgrade));
    headers.push(("Connection", "upgrade"));
    assert_eq!(refusal(true, HttpVersion::Http11, &headers), Some(Refusal::NoKey));
    headers.push(("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(refusal(true, HttpVersion::Http11, &headers), Some(Refusal::NoVersion));
    headers.push(("Sec-WebSocket-Version", "13"));
    assert_eq!(from_a_page("same", &headers), Some(Refusal::NoOrigin));
    assert_eq!(refusal(true, HttpVersion::Http11, &headers), Some(Refusal::NoSubprotocolAcceptable));
    headers.remove(0);
    assert_eq!(refusal(true, HttpVersion::Http11, &headers), None);
}

#[test]
fn each_refusal_names_its_cause_for_the_log() {
    assert_eq!(Refusal::NoKey.to_string(), "no \"Sec-WebSocket-Key\" header");
    assert_eq!(Refusal::MethodNotGet.to_string(), "method other than GET");
    assert_eq!(Refusal::NoSubprotocolAcceptable.to_string(), "no acceptable subprotocol");
}
