//! A client's bytes in pieces, against the slow decoder; and a fault as soon as its byte is there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use websockify_fuzz::plain::{self, Said, Transcript};
use websockify_fuzz::Input;
use websockify_protocol::decoder::{ControlOpcode, Decoder, Event};
use websockify_protocol::mask;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let limit = match input.below(4) {
        0 => Some(input.size() as u64),
        _ => None,
    };
    let wire = input.rest;
    let expected = plain::listen(wire, limit);
    assert_eq!(decode(limit, wire, &[wire.len()]).0, expected);
    assert_eq!(decode(limit, wire, &input.split(wire.len())).0, expected);
    if wire.len() <= 512 {
        let (transcript, read) = decode(limit, wire, &vec![1; wire.len()]);
        assert_eq!(transcript, expected);
        if transcript.fault.is_some() {
            assert_eq!(plain::listen(&wire[..read - 1], limit).fault, None, "the fault was there before");
        }
    }
});

/// What was said, and how many bytes had to be read for it.
fn decode(limit: Option<u64>, wire: &[u8], sizes: &[usize]) -> (Transcript, usize) {
    let mut transcript = Transcript::default();
    let mut decoder = Decoder::new(limit);
    let mut waiting: Vec<u8> = Vec::new();
    let mut read = 0;
    for size in sizes {
        waiting.extend(&wire[read..read + size]);
        read += size;
        if let Err(fault) = take(&mut decoder, &mut waiting, &mut transcript) {
            transcript.fault = Some(fault);
            break;
        }
        assert!(waiting.len() < 6 + 125 || !decoder.is_between_frames(), "more than a control frame waits");
    }
    (transcript, read)
}

fn take(
    decoder: &mut Decoder,
    waiting: &mut Vec<u8>,
    transcript: &mut Transcript,
) -> Result<(), websockify_protocol::ProtocolError> {
    while let Some(step) = decoder.decode(waiting)? {
        assert!(step.skip + step.len > 0, "a step of nothing");
        let mut payload: Vec<u8> = waiting.drain(..step.skip + step.len).skip(step.skip).collect();
        assert_eq!(payload.len(), step.len);
        match step.event {
            Event::Data { key, end_of_message } => {
                mask::apply_scalar(key, &mut payload);
                transcript.add_data(&payload);
                assert_eq!(decoder.in_message(), !end_of_message);
                if end_of_message {
                    assert!(decoder.is_between_frames());
                    transcript.said.push(Said::EndOfMessage);
                }
            }
            Event::Control { opcode, key } => {
                mask::apply_scalar(key, &mut payload);
                let opcode = match opcode {
                    ControlOpcode::Close => 8,
                    ControlOpcode::Ping => 9,
                    ControlOpcode::Pong => 10,
                };
                assert!(payload.len() <= 125 && decoder.is_between_frames());
                transcript.said.push(Said::Control(opcode, payload));
            }
        }
    }
    Ok(())
}
