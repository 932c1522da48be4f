//! The base64 subprotocol: messages in any pieces, in place, against a slow twin.

#[path = "../src/testing.rs"]
mod testing;

use testing::property;
use websockify_protocol::base64_stream::{encode_within, encoded_len, raw_len_for, Base64Decoder};
use websockify_protocol::{Base64Fault, ProtocolError};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The test vectors of RFC 4648 section 10, and a byte of each kind.
const VECTORS: [(&[u8], &[u8]); 9] = [
    (b"", b""),
    (b"f", b"Zg=="),
    (b"fo", b"Zm8="),
    (b"foo", b"Zm9v"),
    (b"foob", b"Zm9vYg=="),
    (b"fooba", b"Zm9vYmE="),
    (b"foobar", b"Zm9vYmFy"),
    (b"\xfb\xff\xbf", b"+/+/"),
    (b"\0\0\0\0", b"AAAAAA=="),
];

/// Decodes one message from its pieces, each `gap` bytes behind where its bytes go.
fn decoded(pieces: &[&[u8]], gap: usize) -> Result<Vec<u8>, Base64Fault> {
    decoded_by(&mut Base64Decoder::new(), pieces, gap)
}

fn decoded_by(decoder: &mut Base64Decoder, pieces: &[&[u8]], gap: usize) -> Result<Vec<u8>, Base64Fault> {
    let mut message = Vec::new();
    for (i, piece) in pieces.iter().enumerate() {
        let mut buf = [&vec![0xee; gap + 3][..], piece, b"behind"].concat();
        let src = gap + 3..gap + 3 + piece.len();
        let end_of_message = i + 1 == pieces.len();
        let len = match decoder.decode_within(&mut buf, src, 3, end_of_message) {
            Ok(len) => len,
            Err(ProtocolError::Base64(fault)) => return Err(fault),
            Err(fault) => panic!("{fault}"),
        };
        assert!(len <= piece.len() && buf.starts_with(&[0xee; 3]) && buf.ends_with(b"behind"));
        message.extend(&buf[3..3 + len]);
    }
    Ok(message)
}

fn encoded(bytes: &[u8], lead: usize) -> Vec<u8> {
    let end = 2 + lead + encoded_len(bytes.len());
    let mut buf = vec![0xee; end];
    buf[end - bytes.len()..].copy_from_slice(bytes);
    buf.extend(b"behind");
    let len = encode_within(&mut buf, end - bytes.len()..end, 2);
    assert_eq!(len, encoded_len(bytes.len()));
    assert!(buf.starts_with(&[0xee; 2]) && buf.ends_with(b"behind"));
    buf[2..2 + len].to_vec()
}

#[test]
fn decodes_and_encodes_the_rfcs_vectors() {
    for (bytes, text) in VECTORS {
        assert_eq!(decoded(&[text], 0).as_deref(), Ok(bytes));
        assert_eq!(encoded(bytes, 0), text);
    }
}

#[test]
fn decodes_the_vectors_at_every_two_splits() {
    for (bytes, text) in VECTORS {
        for first in 0..=text.len() {
            let (front, rest) = text.split_at(first);
            for second in 0..=rest.len() {
                let (middle, back) = rest.split_at(second);
                assert_eq!(decoded(&[front, middle, back], 0).as_deref(), Ok(bytes));
                assert_eq!(decoded(&[front, middle, back, b""], 5).as_deref(), Ok(bytes));
            }
        }
    }
}

#[test]
fn gives_a_byte_as_soon_as_its_eight_bits_are_known() {
    let mut decoder = Base64Decoder::new();
    let mut given = |character: u8| {
        let mut buf = [character];
        decoder.decode_within(&mut buf, 0..1, 0, false).map(|len| buf[..len].to_vec())
    };
    assert_eq!(given(b'Z'), Ok(b"".to_vec()));
    assert_eq!(given(b'm'), Ok(b"f".to_vec()));
    assert_eq!(given(b'9'), Ok(b"o".to_vec()));
    assert_eq!(given(b'v'), Ok(b"o".to_vec()));
}

#[test]
fn starts_afresh_with_each_message() {
    let mut decoder = Base64Decoder::new();
    for (bytes, text) in VECTORS.iter().chain(VECTORS.iter().rev()) {
        assert_eq!(decoded_by(&mut decoder, &[text], 0).as_deref(), Ok(*bytes));
    }
    for broken in [&b"Z"[..], b"Zg=", b"Zm8"] {
        assert!(decoded_by(&mut decoder, &[broken], 0).is_err());
        assert_eq!(decoded_by(&mut decoder, &[b"Zm9v"], 0).as_deref(), Ok(&b"foo"[..]));
    }
}

#[test]
fn refuses_what_is_not_base64_and_says_why() {
    let cases: [(&[u8], Base64Fault); 26] = [
        // White space and the URL-safe alphabet.
        (b"Zm9v\n", Base64Fault::Character),
        (b" Zm9v", Base64Fault::Character),
        (b"Zm 9v", Base64Fault::Character),
        (b"Zm9v\r\nYmFy", Base64Fault::Character),
        (b"-_-_", Base64Fault::Character),
        (b"+/-/", Base64Fault::Character),
        (b"Zm\09v", Base64Fault::Character),
        (b"Zm9\xff", Base64Fault::Character),
        // Data after padding.
        (b"Zg==Zg==", Base64Fault::AfterPadding),
        (b"Zm8=Z", Base64Fault::AfterPadding),
        (b"Zg==\n", Base64Fault::AfterPadding),
        (b"Zg===", Base64Fault::AfterPadding),
        (b"Zm8==", Base64Fault::AfterPadding),
        // Padding that is not at the end of a group, or not enough of it.
        (b"=", Base64Fault::Padding),
        (b"====", Base64Fault::Padding),
        (b"Z===", Base64Fault::Padding),
        (b"Zg=g", Base64Fault::Padding),
        (b"Zg=", Base64Fault::Padding),
        (b"Zm9v=", Base64Fault::Padding),
        // A length that is no multiple of 4.
        (b"Z", Base64Fault::Incomplete),
        (b"Zg", Base64Fault::Incomplete),
        (b"Zm8", Base64Fault::Incomplete),
        (b"Zm9vZ", Base64Fault::Incomplete),
        // Bits that no byte takes.
        (b"Zh==", Base64Fault::TrailingBits),
        (b"Zm9=", Base64Fault::TrailingBits),
        (b"Zm9vZ/==", Base64Fault::TrailingBits),
    ];
    for (text, fault) in cases {
        assert_eq!(decoded(&[text], 0), Err(fault), "{:?}", text.escape_ascii().to_string());
        for split in 0..=text.len() {
            let (front, back) = text.split_at(split);
            assert_eq!(decoded(&[front, back], 3), Err(fault), "{:?}", text.escape_ascii().to_string());
        }
        // Behind enough good text that the bulk of it goes another way.
        for good in [4, 1020, 1024, 1028, 2048] {
            let long = [&vec![b'A'; good][..], text].concat();
            assert_eq!(decoded(&[&long], 1), Err(fault), "behind {good} characters");
        }
    }
}

#[test]
fn knows_the_characters_of_the_alphabet_and_no_others() {
    for character in 0..=255 {
        let expected = ALPHABET.iter().position(|known| *known == character);
        // Alone in its group, and in a group that goes the bulk way.
        for split in [1, 4] {
            let text = [character, b'A', b'A', b'A'];
            let (front, back) = text.split_at(split);
            match decoded(&[front, back], 0) {
                Ok(bytes) => assert_eq!(Some(usize::from(bytes[0] >> 2)), expected),
                Err(fault) => {
                    let padding = character == b'=';
                    assert_eq!(fault, if padding { Base64Fault::Padding } else { Base64Fault::Character });
                    assert_eq!(expected, None);
                }
            }
        }
    }
}

/// The slow twin: a whole message at once, by the letter of RFC 4648 section 4.
fn decode_slowly(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|character| **character == b'=').count();
    if text.len() % 4 != 0 || padding > 2 {
        return None;
    }
    let digits = &text[..text.len() - padding];
    let mut bits = Vec::new();
    for digit in digits {
        let value = ALPHABET.iter().position(|known| known == digit)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let spare = bits.split_off(bits.len() / 8 * 8);
    let byte =
        |bits: &[usize]| u8::try_from(bits.iter().fold(0, |byte, bit| byte * 2 + bit)).expect("eight bits");
    spare.iter().all(|bit| *bit == 0).then(|| bits.chunks(8).map(byte).collect())
}

fn encode_slowly(bytes: &[u8]) -> Vec<u8> {
    let mut bits: Vec<usize> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| usize::from(byte >> bit & 1))).collect();
    bits.resize(bits.len().div_ceil(6) * 6, 0);
    let mut text: Vec<u8> =
        bits.chunks(6).map(|bits| ALPHABET[bits.iter().fold(0, |value, bit| value * 2 + bit)]).collect();
    text.resize(text.len().div_ceil(4) * 4, b'=');
    text
}

#[test]
fn encodes_and_decodes_as_its_slow_twin_does_in_random_pieces() {
    property(1000, |random| {
        let len = [random.below(10), random.below(900), random.below(4000)][random.below(3)];
        let bytes = random.bytes(len);
        let text = encode_slowly(&bytes);
        assert_eq!(encoded(&bytes, random.below(20)), text);
        let longest = [3, 50, 3000][random.below(3)];
        let pieces = [&b""[..]].into_iter().chain(random.pieces(&text, longest)).collect::<Vec<_>>();
        assert_eq!(decoded(&pieces, random.below(20)), Ok(bytes));
    });
}

#[test]
fn judges_damaged_text_as_its_slow_twin_does() {
    property(4000, |random| {
        let len = [random.below(6), random.below(1600)][random.below(2)];
        let bytes = random.bytes(len);
        let mut text = encode_slowly(&bytes);
        text.push(b'A');
        for _ in 0..1 + random.below(2) {
            let at = random.below(text.len());
            match random.below(4) {
                0 => text[at] = random.byte(),
                1 => text[at] = b'=',
                2 => text.truncate(at + 1),
                _ => drop(text.pop()),
            }
            if text.is_empty() {
                break;
            }
        }
        let pieces = [&b""[..]].into_iter().chain(random.pieces(&text, 700)).collect::<Vec<_>>();
        let expected = decode_slowly(&text);
        assert_eq!(decoded(&pieces, random.below(9)).ok(), expected, "{:?}", text.escape_ascii().to_string());
    });
}

#[test]
fn counts_text_and_room() {
    for n in 0..700 {
        assert_eq!(encoded_len(n), encode_slowly(&vec![0; n]).len());
        let fits = raw_len_for(n);
        assert!(encoded_len(fits) <= n && encoded_len(fits + 1) > n, "{n}");
    }
}

#[test]
#[should_panic(expected = "not read yet")]
fn does_not_encode_over_bytes_that_are_not_read() {
    encode_within(&mut [0; 16], 5..8, 5);
}

#[test]
#[should_panic(expected = "not read yet")]
fn does_not_decode_towards_the_end() {
    assert!(Base64Decoder::new().decode_within(&mut [b'A'; 16], 4..8, 5, false).is_ok());
}
