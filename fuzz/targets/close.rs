//! The body of a Close frame, against section 5.5.1's words; and the frames we make ourselves, read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use websockify_protocol::close::{parse, CloseCode};
use websockify_protocol::encoder::{put_header_before, ControlFrame};
use websockify_protocol::error::ProtocolError;
use websockify_protocol::frame::Opcode;

fuzz_target!(|body: &[u8]| {
    let parsed = parse(body);
    match *body {
        [] => assert!(parsed.is_ok_and(|it| it.code.is_none() && it.reason.is_empty())),
        [_] => assert_eq!(parsed, Err(ProtocolError::CloseBodyOfOneByte)),
        [high, low, ref reason @ ..] => {
            let number = u16::from(high) * 256 + u16::from(low);
            let known = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
            let good = known.contains(&number) || number / 1000 == 3 || number / 1000 == 4;
            match (good, String::from_utf8(reason.to_vec())) {
                (false, _) => assert_eq!(parsed, Err(ProtocolError::CloseCodeInvalid(number))),
                (true, Err(_)) => assert_eq!(parsed, Err(ProtocolError::CloseReasonNotUtf8)),
                (true, Ok(reason)) => {
                    let parsed = parsed.expect("a good body");
                    assert_eq!((parsed.code, parsed.reason), (CloseCode::new(number), &reason[..]));
                }
            }
        }
    }
    if let Ok(close) = parsed {
        answers(close.code, close.reason);
    }
    header(body);
});

/// Our own Close frame: never too long, and a client understands it.
fn answers(code: Option<CloseCode>, reason: &str) {
    let frame = ControlFrame::close(code, reason);
    let bytes = frame.as_bytes();
    assert!(bytes.len() <= 127 && bytes[0] == 0x88 && usize::from(bytes[1]) == bytes.len() - 2);
    assert_eq!(&bytes[2..], frame.payload());
    let read = parse(frame.payload()).expect("our own body");
    assert_eq!(read.code, code);
    assert!(reason.starts_with(read.reason));
    if code.is_some() {
        assert!(read.reason.len() == reason.len() || read.reason.len() > 123 - 4, "cut too short");
    }
}

/// The header of a server's frame in front of the bytes.
fn header(payload: &[u8]) {
    let mut buffer = [&[b'!'; 12][..], payload].concat();
    let start = put_header_before(&mut buffer, 12..12 + payload.len(), Opcode::Binary);
    let (written, len) = (&buffer[start..12], payload.len());
    let expected = match len {
        0..=125 => vec![0x82, len as u8],
        126..=65535 => vec![0x82, 126, (len / 256) as u8, (len % 256) as u8],
        _ => [&[0x82, 127][..], &(len as u64).to_be_bytes()].concat(),
    };
    assert_eq!(written, expected);
    assert!(buffer[..start].iter().all(|&byte| byte == b'!') && buffer[12..] == *payload);
}
