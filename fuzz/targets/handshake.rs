//! An opening handshake from raw bytes: what is accepted has all that section 4.2.1 asks for.
#![no_main]

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use libfuzzer_sys::fuzz_target;
use websockify_protocol::handshake::{accept_key, parse_request, Accepted, HttpVersion, RawRequest};
use websockify_protocol::subprotocol::{is_token, Encoding, Subprotocols};

fuzz_target!(|data: &[u8]| {
    let parsed = parse_request(data);
    let Ok(Some(request)) = &parsed else {
        return;
    };
    assert!(request.size <= data.len());
    assert_eq!(parse_request(&data[..request.size]).as_ref(), Ok(&Some(request.clone())));
    for end in [0, 1, request.size / 2, request.size - 1] {
        assert!(!matches!(parse_request(&data[..end]), Ok(Some(_))), "half a request is one");
    }
    for subprotocols in [Subprotocols::DEFAULT, Subprotocols::Any, Subprotocols::List(&[])] {
        match request.validate(&subprotocols) {
            Ok(accepted) => is_one(request, &accepted, &subprotocols),
            Err(refusal) => {
                assert!(matches!(refusal.status(), 400 | 405 | 426), "{}", refusal.status());
                assert!(refusal.advertised().headers().iter().all(|(name, value)| {
                    is_token(name.as_bytes()) && value.bytes().all(|byte| (32..127).contains(&byte))
                }));
            }
        }
    }
});

fn is_one(request: &RawRequest<'_>, accepted: &Accepted<'_>, subprotocols: &Subprotocols<'_>) {
    assert_eq!((request.method, request.version), ("GET", HttpVersion::Http11));
    assert!(list(request, "upgrade").iter().any(|it| it.eq_ignore_ascii_case("websocket")));
    assert!(list(request, "connection").iter().any(|it| it.eq_ignore_ascii_case("upgrade")));
    assert!(list(request, "sec-websocket-version").iter().all(|it| it == "13"));
    let keys = list(request, "sec-websocket-key");
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].len(), 24);
    // The last character may have bits to spare.
    assert!(STANDARD.decode(format!("{}A==", &keys[0][..21])).is_ok_and(|bytes| bytes.len() == 16));
    assert_eq!(accepted.accept, accept_key(keys[0].as_bytes()));

    let offered = list(request, "sec-websocket-protocol");
    match accepted.subprotocol {
        None => assert!(offered.is_empty()),
        Some(chosen) => {
            assert!(is_token(chosen) && offered.iter().any(|it| it.as_bytes() == chosen));
            match subprotocols {
                Subprotocols::List(list) => assert!(list.contains(&chosen)),
                Subprotocols::Any => {
                    assert_eq!(Some(chosen), offered.iter().map(|it| it.as_bytes()).find(|it| is_token(it)))
                }
            }
        }
    }
    let base64 = accepted.subprotocol == Some(b"base64");
    assert_eq!(accepted.encoding == Encoding::Base64, base64);
}

/// The elements of all headers of that name, whatever else stands in them.
fn list(request: &RawRequest<'_>, wanted: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (name, value) in &request.headers {
        if String::from_utf8_lossy(name).to_lowercase() == wanted {
            let value: String = value.iter().map(|&byte| byte as char).collect();
            for element in value.split(',') {
                let element = element.trim_matches([' ', '\t']);
                if !element.is_empty() {
                    all.push(element.to_owned());
                }
            }
        }
    }
    all
}
