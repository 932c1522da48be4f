//! A client's stream through the decoder: the table of frames, every split, and a slow twin over random
//! streams.

#[path = "../src/testing.rs"]
mod testing;
#[path = "decoder/twin.rs"]
mod twin;

use testing::{client_frame, property, Prng};
use twin::{read_slowly, Said};
use websockify_protocol::{
    frame, mask, ControlOpcode, Decoder, Event, MaskingKey, Opcode, ProtocolError, Step,
};

/// Feeds `pieces` one after the other, as the pump does, and keeps what the decoder left alone in front of
/// the next.
struct Listener {
    decoder: Decoder,
    input: Vec<u8>,
    said: Vec<Said>,
}

impl Listener {
    fn new(max_frame_size: Option<u64>) -> Self {
        Self { decoder: Decoder::new(max_frame_size), input: Vec::new(), said: Vec::new() }
    }

    fn hear(&mut self, piece: &[u8]) {
        if matches!(self.said.last(), Some(Said::Fault(_))) {
            return;
        }
        self.input.extend(piece);
        loop {
            match self.decoder.decode(&self.input) {
                Ok(Some(step)) => self.take(step),
                Ok(None) => return,
                Err(fault) => {
                    assert_eq!(self.decoder.decode(&self.input), Err(fault), "a fault takes nothing");
                    return self.said.push(Said::Fault(fault));
                }
            }
        }
    }

    fn take(&mut self, step: Step) {
        assert!(step.skip + step.len > 0, "a step goes on");
        let mut payload = self.input[step.skip..step.skip + step.len].to_vec();
        self.input.drain(..step.skip + step.len);
        match step.event {
            Event::Control { opcode, key } => {
                mask::apply(key, &mut payload);
                self.said.push(Said::Control(opcode, payload));
            }
            Event::Data { key, end_of_message } => {
                mask::apply(key, &mut payload);
                match self.said.last_mut() {
                    _ if payload.is_empty() => {}
                    Some(Said::Data(data)) => data.extend(payload),
                    _ => self.said.push(Said::Data(payload)),
                }
                if end_of_message {
                    self.said.push(Said::EndOfMessage);
                }
                assert_eq!(self.decoder.in_message(), !end_of_message);
            }
        }
    }
}

fn heard(pieces: &[&[u8]]) -> Vec<Said> {
    let mut listener = Listener::new(None);
    pieces.iter().for_each(|piece| listener.hear(piece));
    listener.said
}

fn data(bytes: &[u8]) -> Said {
    Said::Data(bytes.to_vec())
}

const MASKED_HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

#[test]
fn hears_hello() {
    assert_eq!(heard(&[MASKED_HELLO]), [data(b"Hello"), Said::EndOfMessage]);
}

#[test]
fn hears_a_hello_in_two_fragments() {
    let stream = [client_frame(0x01, b"Hel"), client_frame(0x80, b"lo")].concat();
    assert_eq!(heard(&[&stream]), [data(b"Hello"), Said::EndOfMessage]);
}

#[test]
fn hears_ping_and_pong() {
    let stream =
        [&client_frame(0x89, b"Hello")[..], b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"].concat();
    let hello = b"Hello".to_vec();
    assert_eq!(
        heard(&[&stream]),
        [Said::Control(ControlOpcode::Ping, hello.clone()), Said::Control(ControlOpcode::Pong, hello)]
    );
}

#[test]
fn hears_256_bytes_and_64_kib() {
    for (len, start) in [(256, &b"\x82\xfe\x01\0"[..]), (65536, b"\x82\xff\0\0\0\0\0\x01\0\0")] {
        let payload = vec![0xa5; len];
        let stream = client_frame(0x82, &payload);
        assert!(stream.starts_with(start));
        assert_eq!(heard(&[&stream]), [Said::Data(payload), Said::EndOfMessage]);
    }
}

/// A stream with all that is allowed: fragments, control frames between them, empty frames, each length.
fn conversation() -> (Vec<u8>, Vec<Said>) {
    let long: Vec<u8> = (0..=255).collect();
    let stream = [
        client_frame(0x81, b""),
        client_frame(0x02, b"one"),
        client_frame(0x89, b"ping inside"),
        client_frame(0x00, b""),
        client_frame(0x00, b" two"),
        client_frame(0x8a, b""),
        client_frame(0x80, b" three"),
        client_frame(0x01, b""),
        client_frame(0x80, b""),
        client_frame(0x82, &long),
        client_frame(0x88, b"\x03\xe8bye"),
    ];
    let said = [
        Said::EndOfMessage,
        data(b"one"),
        Said::Control(ControlOpcode::Ping, b"ping inside".to_vec()),
        data(b" two"),
        Said::Control(ControlOpcode::Pong, Vec::new()),
        data(b" three"),
        Said::EndOfMessage,
        Said::EndOfMessage,
        data(&long),
        Said::EndOfMessage,
        Said::Control(ControlOpcode::Close, b"\x03\xe8bye".to_vec()),
    ];
    (stream.concat(), said.to_vec())
}

#[test]
fn hears_the_same_at_every_two_splits() {
    let (stream, said) = conversation();
    assert_eq!(heard(&[&stream]), said);
    for first in 0..=stream.len() {
        let (front, rest) = stream.split_at(first);
        for second in 0..=rest.len() {
            let (middle, back) = rest.split_at(second);
            assert_eq!(heard(&[front, middle, back]), said, "split at {first} and {second} behind it");
        }
    }
}

#[test]
fn hears_the_same_byte_by_byte() {
    let (stream, said) = conversation();
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(heard(&bytes), said);
}

#[test]
fn gives_payload_as_it_arrives_and_never_waits_for_a_frame() {
    // A frame of 2^63-1 bytes.
    let mut decoder = Decoder::new(None);
    let header = [&b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"[..], &testing::KEY].concat();
    let key = MaskingKey::new(testing::KEY);
    let data = |key| Event::Data { key, end_of_message: false };
    assert_eq!(decoder.decode(&header), Ok(Some(Step { skip: 14, len: 0, event: data(key) })));
    assert_eq!(decoder.decode(b""), Ok(None));
    assert_eq!(decoder.decode(b"x"), Ok(Some(Step { skip: 0, len: 1, event: data(key) })));
    assert_eq!(decoder.decode(b"yz"), Ok(Some(Step { skip: 0, len: 2, event: data(key.rotated(1)) })));
    assert_eq!(decoder.decode(b"0"), Ok(Some(Step { skip: 0, len: 1, event: data(key.rotated(3)) })));
    assert!(!decoder.is_between_frames() && decoder.in_message());
}

#[test]
fn ends_a_message_with_the_last_byte_of_its_last_frame_only() {
    let mut decoder = Decoder::new(None);
    let key = MaskingKey::new(testing::KEY);
    let fragment = client_frame(0x02, b"ab");
    let event = Event::Data { key, end_of_message: false };
    assert_eq!(decoder.decode(&fragment), Ok(Some(Step { skip: 6, len: 2, event })));
    assert!(decoder.is_between_frames() && decoder.in_message());
    let last = client_frame(0x80, b"cd");
    assert_eq!(decoder.decode(&last[..7]), Ok(Some(Step { skip: 6, len: 1, event })));
    assert!(!decoder.is_between_frames() && decoder.in_message());
    let event = Event::Data { key: key.rotated(1), end_of_message: true };
    assert_eq!(decoder.decode(&last[7..]), Ok(Some(Step { skip: 0, len: 1, event })));
    assert!(decoder.is_between_frames() && !decoder.in_message());
}

#[test]
fn takes_a_control_frame_only_when_it_is_whole() {
    let ping = client_frame(0x89, &[b'p'; 125]);
    let mut decoder = Decoder::new(None);
    for end in 0..ping.len() {
        assert_eq!(decoder.decode(&ping[..end]), Ok(None), "cut to {end}");
    }
    let event = Event::Control { opcode: ControlOpcode::Ping, key: MaskingKey::new(testing::KEY) };
    assert_eq!(decoder.decode(&ping), Ok(Some(Step { skip: 6, len: 125, event })));
    assert!(decoder.is_between_frames() && !decoder.in_message());
}

/// The faults of "Frames" in the contract, quoted; those of a Close frame's body are `close::parse`'s.
#[test]
fn refuses_each_fault_of_the_contract() {
    use ProtocolError as Fault;
    let open = client_frame(0x02, b"open");
    let rows: [(&str, &[u8], &[u8], Fault); 13] = [
        ("unmasked frame", b"", b"\x82\x05", Fault::Unmasked),
        ("RSV bit", b"", b"\xc2", Fault::ReservedBit),
        ("RSV bit", b"", b"\xa1", Fault::ReservedBit),
        ("RSV bit", b"", b"\x98", Fault::ReservedBit),
        ("unknown opcode", b"", b"\x83", Fault::UnknownOpcode(3)),
        ("fragmented control", b"", b"\x09", Fault::FragmentedControl),
        ("control over 125 bytes", b"", b"\x89\xfe", Fault::ControlTooLong),
        ("non-minimal length", b"", b"\x82\xfe\0\x7d", Fault::LengthNotMinimal),
        ("non-minimal length", b"", b"\x82\xff\0\0\0\0\0\0", Fault::LengthNotMinimal),
        ("top bit of a 64-bit length", b"", b"\x82\xff\x80", Fault::LengthTopBit),
        ("continuation out of place", b"", b"\x80", Fault::ContinuationOutOfPlace),
        ("new data frame inside a message", &open, b"\x82", Fault::DataInsideMessage),
        ("new data frame inside a message", &open, b"\x01", Fault::DataInsideMessage),
    ];
    for (row, before, faulty, fault) in rows {
        for end in 0..faulty.len() {
            let said = heard(&[before, &faulty[..end]]);
            assert!(!said.iter().any(|said| matches!(said, Said::Fault(_))), "{row}: too early at {end}");
        }
        assert_eq!(heard(&[before, faulty]).last(), Some(&Said::Fault(fault)), "{row}");
    }
}

#[test]
fn refuses_a_continuation_after_the_end_of_a_message() {
    let stream = [client_frame(0x82, b"whole"), client_frame(0x80, b"more")].concat();
    let said = [data(b"whole"), Said::EndOfMessage, Said::Fault(ProtocolError::ContinuationOutOfPlace)];
    assert_eq!(heard(&[&stream]), said);
}

#[test]
fn a_fault_comes_after_all_that_came_before_it() {
    let stream = [&client_frame(0x82, b"good")[..], &client_frame(0x89, b"p"), b"\x81\x02no"].concat();
    let said = [
        data(b"good"),
        Said::EndOfMessage,
        Said::Control(ControlOpcode::Ping, b"p".to_vec()),
        Said::Fault(ProtocolError::Unmasked),
    ];
    assert_eq!(heard(&[&stream]), said);
}

#[test]
fn refuses_a_data_frame_over_the_limit_before_its_payload_comes() {
    let within = |limit, first, len| {
        let mut listener = Listener::new(Some(limit));
        listener.hear(&client_frame(first, &vec![0; len]));
        !listener.said.contains(&Said::Fault(ProtocolError::TooBig))
    };
    for limit in [1, 125, 126, 127, 1000, 65535, 65536, 70000] {
        let len = usize::try_from(limit).expect("a small limit");
        assert!(within(limit, 0x82, len) && !within(limit, 0x82, len + 1), "{limit}");
        assert!(within(limit, 0x01, len) && !within(limit, 0x01, len + 1), "{limit}");
    }
    assert!(within(10, 0x89, 125), "control frames have a limit of their own");
    assert_eq!(Decoder::new(Some(1000)).decode(b"\x82\xfe\x03\xe9"), Err(ProtocolError::TooBig));
    assert_eq!(Decoder::new(Some(1000)).decode(b"\x82\xfe\x03"), Ok(None));
}

#[test]
fn the_limit_is_one_of_frames_not_of_messages() {
    let mut listener = Listener::new(Some(4));
    listener.hear(
        &[client_frame(0x02, b"four"), client_frame(0x00, b"more"), client_frame(0x80, b"yet")].concat(),
    );
    assert_eq!(listener.said, [data(b"fourmoreyet"), Said::EndOfMessage]);
    listener.hear(&[client_frame(0x02, b"four"), client_frame(0x80, b"more!")].concat());
    assert_eq!(listener.said.last(), Some(&Said::Fault(ProtocolError::TooBig)));
}

/// Mostly valid frames; now and then a bit is flipped or bytes go missing.
fn random_stream(random: &mut Prng) -> Vec<u8> {
    let (mut stream, mut open) = (Vec::new(), false);
    for _ in 0..random.below(12) {
        let len = [random.below(4), random.below(130), random.below(400)][random.below(3)];
        if random.one_in(3) {
            let opcode = [0x88, 0x89, 0x8a][random.below(3)];
            let payload = random.bytes(len.min(125));
            stream.extend(client_frame(opcode, &payload));
            continue;
        }
        let (fin, kind) = (random.one_in(2), if random.one_in(2) { 1 } else { 2 });
        let payload = random.bytes(len);
        stream.extend(client_frame(if fin { 0x80 } else { 0 } | if open { 0 } else { kind }, &payload));
        open = !fin;
    }
    if !stream.is_empty() && random.one_in(2) {
        let at = random.below(stream.len());
        match random.below(3) {
            0 => stream[at] ^= 1 << random.below(8),
            1 => stream.truncate(at),
            _ => drop(stream.remove(at)),
        }
    }
    stream
}

#[test]
fn equals_its_slow_twin_over_random_streams_in_random_pieces() {
    property(20_000, |random| {
        let stream = random_stream(random);
        let limit = random.one_in(3).then(|| random.below(300) as u64);
        let longest = [1, 7, 60, 2000][random.below(4)];
        let mut listener = Listener::new(limit);
        random.pieces(&stream, longest).into_iter().for_each(|piece| listener.hear(piece));
        assert_eq!(listener.said, read_slowly(&stream, limit.unwrap_or(u64::MAX)), "{stream:02x?}");
    });
}

/// Small messages, and now and then something else.
fn small_talk(random: &mut Prng) -> Vec<u8> {
    let mut wire = Vec::new();
    for _ in 0..random.below(60) {
        let first = if random.one_in(30) { random.byte() } else { 0x82 };
        let longest = if random.one_in(20) { 300 } else { 126 };
        let len = random.below(longest);
        wire.extend(client_frame(first, &random.bytes(len)));
    }
    wire.truncate(wire.len() - random.below(70).min(wire.len()));
    wire
}

#[test]
fn a_run_is_the_frames_that_it_is_made_of() {
    property(3000, |random| {
        let wire = small_talk(random);
        let (before, behind) = (random.below(80), random.below(80));
        let to = random.below(before + 1);
        let limit = random.one_in(3).then(|| random.below(126) as u64);
        let mut buf = random.bytes(before);
        buf.extend(&wire);
        buf.extend(random.bytes(behind));
        let original = buf.clone();
        let decoder = Decoder::new(limit);
        let run = decoder.decode_run(&mut buf, before..before + wire.len(), to);

        let (mut at, mut payload) = (0, Vec::new());
        let mut twin = decoder.clone();
        for _ in 0..run.frames {
            let step = twin.decode(&wire[at..]).expect("no fault").expect("a whole frame");
            let Event::Data { key, end_of_message: true } = step.event else { panic!("{step:?}") };
            let mut piece = wire[at + step.skip..at + step.skip + step.len].to_vec();
            mask::apply(key, &mut piece);
            payload.extend(piece);
            at += step.skip + step.len;
        }
        assert_eq!((run.taken, run.put), (at, payload.len()));
        assert_eq!(&buf[to..to + run.put], payload, "the payload");
        assert_eq!(buf[..to], original[..to], "what is in front of it");
        assert_eq!(buf[before + at..], original[before + at..], "what is not taken");
    });
}

#[test]
fn a_run_goes_on_to_the_end_of_small_messages() {
    let wire = client_frame(0x82, &[7; 64]).repeat(20);
    let mut buf = [vec![0; 40], wire.clone(), vec![0; 32]].concat();
    let run = Decoder::new(None).decode_run(&mut buf, 40..40 + wire.len(), 0);
    assert_eq!((run.taken, run.put, run.frames), (wire.len(), 20 * 64, 20));
    assert_eq!(buf[..20 * 64], [7; 20 * 64]);
}

#[test]
fn no_run_begins_inside_a_message() {
    let mut decoder = Decoder::new(None);
    let fragment = client_frame(0x02, b"begun");
    assert!(matches!(decoder.decode(&fragment), Ok(Some(_))));
    let mut buf = [vec![0; 40], client_frame(0x82, b"small"), vec![0; 40]].concat();
    assert_eq!(decoder.decode_run(&mut buf, 40..51, 0).frames, 0, "it is the fault that decode finds");
}

#[test]
fn stays_within_its_input_whatever_it_is_fed() {
    property(20_000, |random| {
        let len = random.below(40);
        let mut noise = random.bytes(len);
        if random.one_in(2) {
            // Past the first checks.
            noise.splice(0..0, [0x80 | (random.byte() % 16), 0x80 | random.byte()]);
        }
        assert_eq!(heard(&[&noise]), read_slowly(&noise, u64::MAX), "{noise:02x?}");
        if let Ok(Some((header, size))) = frame::decode(&noise) {
            assert!((6..=frame::MAX_CLIENT_HEADER).contains(&size) && size <= noise.len());
            assert!(header.len < 1 << 63 && (!header.opcode.is_control() || header.len <= 125));
            assert!(header.fin || !matches!(header.opcode, Opcode::Close | Opcode::Ping | Opcode::Pong));
        }
    });
}
