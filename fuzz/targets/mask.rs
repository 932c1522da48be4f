//! Unmasking, in place, moved, and in pieces, against a loop over bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use websockify_fuzz::Input;
use websockify_protocol::mask::{apply, apply_moving, apply_scalar, MaskingKey};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let bytes_of_key = [input.byte(), input.byte(), input.byte(), input.byte()];
    let key = MaskingKey::new(bytes_of_key);
    let payload = input.rest.repeat(1 + input.below(8));
    let expected: Vec<u8> =
        payload.iter().enumerate().map(|(at, byte)| byte ^ bytes_of_key[at % 4]).collect();
    let after = MaskingKey::new([0, 1, 2, 3].map(|at| bytes_of_key[(payload.len() + at) % 4]));

    // Wherever it starts in memory.
    let start = input.below(40);
    let mut buffer = [&vec![0xA5; start][..], &payload, &[0xA5; 40]].concat();
    let end = start + payload.len();
    assert_eq!(apply(key, &mut buffer[start..end]), after);
    assert_eq!(buffer[start..end], expected);
    assert!(buffer[..start].iter().chain(&buffer[end..]).all(|&byte| byte == 0xA5), "beyond the payload");

    let mut scalar = payload.clone();
    assert_eq!(apply_scalar(key, &mut scalar), after);
    assert_eq!(scalar, expected);

    // Moved to the front by any gap.
    let gap = input.size() - 1;
    let mut moved = [&vec![0xA5; start + gap][..], &payload, &[0xA5; 40]].concat();
    let source = start + gap..start + gap + payload.len();
    assert_eq!(apply_moving(key, &mut moved, source.clone(), start), after);
    assert_eq!(moved[start..end], expected);
    assert!(
        moved[..start].iter().chain(&moved[source.end..]).all(|&byte| byte == 0xA5),
        "beyond the payload"
    );

    // In pieces.
    let (mut pieces, mut at, mut next) = (payload.clone(), 0, key);
    for size in input.split(payload.len()) {
        assert_eq!(next, key.rotated(at));
        next = apply(next, &mut pieces[at..at + size]);
        at += size;
    }
    assert_eq!((next, pieces), (after, expected));
});
