//! The base64 stream in pieces, against the crate on whole texts.
#![no_main]

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use libfuzzer_sys::fuzz_target;
use websockify_fuzz::Input;
use websockify_protocol::base64_stream::{encode_within, encoded_len, raw_len_for, Base64Decoder};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    encodes(&mut input);
    // Messages, one a line.
    let mut decoder = Base64Decoder::new();
    for text in input.rest.split(|&byte| byte == b'\n') {
        let expected = STANDARD.decode(text).ok();
        let whole = decode(&mut Base64Decoder::new(), text, &[text.len()], &mut input);
        let split = input.split(text.len());
        let pieces = decode(&mut decoder, text, &split, &mut input);
        assert_eq!(whole, expected, "at once");
        assert_eq!(pieces, expected, "in pieces of {split:?}");
        if pieces.is_none() {
            // The connection has failed.
            break;
        }
    }
});

/// A message in pieces, each decoded in a buffer of its own in front of which there is a gap.
fn decode(
    decoder: &mut Base64Decoder,
    text: &[u8],
    sizes: &[usize],
    input: &mut Input<'_>,
) -> Option<Vec<u8>> {
    let (mut decoded, mut at) = (Vec::new(), 0);
    let sizes = if sizes.is_empty() { &[0] } else { sizes };
    for (number, size) in sizes.iter().enumerate() {
        let (front, gap) = (input.below(5), input.below(20));
        let mut buffer = [&vec![b'!'; front + gap][..], &text[at..at + size], b"!!!!"].concat();
        let src = front + gap..front + gap + size;
        let last = number + 1 == sizes.len();
        let len = decoder.decode_within(&mut buffer, src.clone(), front, last).ok()?;
        assert!(len <= *size, "more bytes than characters");
        assert!(
            buffer[..front].iter().chain(&buffer[src.end..]).all(|&byte| byte == b'!'),
            "beyond the text"
        );
        decoded.extend(&buffer[front..front + len]);
        at += size;
    }
    Some(decoded)
}

/// The target's bytes at the end of the room for their text.
fn encodes(input: &mut Input<'_>) {
    let bytes = input.rest;
    let (front, more) = (input.below(20), input.below(20));
    let room = encoded_len(bytes.len()) + more;
    let mut buffer = vec![b'!'; front + room + 4];
    let src = front + room - bytes.len()..front + room;
    buffer[src.clone()].copy_from_slice(bytes);
    let len = encode_within(&mut buffer, src, front);
    assert_eq!(buffer[front..front + len], *STANDARD.encode(bytes).as_bytes());
    assert!(raw_len_for(len) >= bytes.len() && encoded_len(raw_len_for(room)) <= room);
    assert!(buffer[..front].iter().all(|&byte| byte == b'!') && buffer.ends_with(b"!!!!"), "beyond the room");
}
