//! The opening handshake from raw bytes.
#![cfg(feature = "raw")]

use websockify_protocol::handshake::{parse_request, Refusal};
use websockify_protocol::Subprotocols;

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, base64\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[test]
fn parses_the_rfcs_request_at_every_split() {
    let stream = [REQUEST.as_bytes(), b"\x81\x80frames"].concat();
    for end in 0..REQUEST.len() {
        assert_eq!(parse_request(&stream[..end]), Ok(None), "cut to {end}");
    }
    let request = parse_request(&stream).expect("HTTP").expect("whole");
    assert_eq!((request.method, request.path, request.size), ("GET", "/chat", REQUEST.len()));
    let accepted = request.validate(&Subprotocols::DEFAULT).expect("a valid request");
    assert_eq!(accepted.subprotocol, Some(&b"base64"[..]));
    assert_eq!(accepted.accept, *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn knows_the_method_and_the_version_of_http() {
    let refused = |request: &str| {
        let request = parse_request(request.as_bytes()).expect("HTTP").expect("whole");
        request.validate(&Subprotocols::DEFAULT).err()
    };
    assert_eq!(refused(REQUEST), None);
    assert_eq!(refused(&REQUEST.replace("HTTP/1.1", "HTTP/1.0")), Some(Refusal::Http10));
    assert_eq!(refused(&REQUEST.replace("GET", "POST")), Some(Refusal::MethodNotGet));
    assert_eq!(refused(&REQUEST.replace("GET", "get")), Some(Refusal::MethodNotGet));
}

#[test]
fn refuses_what_is_not_http() {
    assert!(parse_request(b"\x16\x03\x01\x02\0").is_err());
    assert!(parse_request(b"GET / HTTP/1.1\r\nbad header\r\n\r\n").is_err());
}
