//! One frame header at each of its prefixes, against one that is read byte by byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use websockify_fuzz::plain::{self, Header};
use websockify_protocol::frame;
use websockify_protocol::mask::MaskingKey;

fuzz_target!(|data: &[u8]| {
    let mut settled = None;
    for end in 0..=data.len().min(20) {
        let input = &data[..end];
        let decoded = frame::decode(input);
        match plain::header(input, None, None) {
            Header::Unfinished => assert_eq!(decoded, Ok(None)),
            Header::Wrong(fault) => assert_eq!(decoded, Err(fault)),
            Header::Whole { fin, opcode, len, key } => {
                let Ok(Some((header, size))) = decoded else { panic!("{decoded:?} of a whole header") };
                assert_eq!((header.fin, header.opcode as u8, header.len), (fin, opcode, len));
                assert_eq!(header.key, MaskingKey::new(key));
                assert!((6..=14).contains(&size) && size <= end);
                assert_eq!(frame::decode(&input[..size - 1]), Ok(None));
            }
        }
        // What has been said once stands, whatever follows.
        if !matches!(decoded, Ok(None)) {
            assert_eq!(&decoded, settled.get_or_insert(decoded));
        }
    }
});
