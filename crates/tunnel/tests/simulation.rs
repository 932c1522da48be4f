//! Two simulated ends over the real pump: random splits, blocked writes, ends at every step.
//!
//! Each run is made of one seed, which a failure prints; `SIMULATION_SEED=n cargo test` runs that one again, and
//! `SIMULATION_RUNS=n` says how many are run.

use std::cell::Cell;
use std::collections::VecDeque;

use websockify_protocol::close::CloseCode;
use websockify_protocol::frame::Opcode;
use websockify_protocol::heartbeat::Rhythm;
use websockify_protocol::mask::{apply_scalar, MaskingKey};
use websockify_protocol::subprotocol::Encoding;
use websockify_tunnel::{Buffers, Cause, End, Ends, HangUp, Io, Limits, Msec, Stream, Tunnel, Turn};

const LIMITS: Limits = Limits {
    send_timeout: 60_000,
    read_timeout: 60_000,
    heartbeat: Rhythm { interval: 30_000, timeout: 20_000 },
    idle_timeout: 0,
    session_timeout: 0,
};

/// A small generator of our own, so that a seed means the same everywhere (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or(0)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// How a peer's stream ends once it has said everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Stays,
    Eof,
    Reset,
}

/// One simulated connection, seen from the pump.
struct End0 {
    /// What the peer says, as it arrives.
    incoming: VecDeque<u8>,
    last: Last,
    /// What the peer got.
    received: Vec<u8>,
    /// The next call is worth it.
    readable: bool,
    writable: bool,
    /// The peer has stopped reading for good.
    deaf: bool,
    /// The peer has stopped talking: it neither sends nor ends.
    mute: bool,
    /// What was offered when a send came to nothing: the same must be offered again.
    refused: Option<(usize, Vec<u8>)>,
    ended: bool,
    random: Random,
}

impl End0 {
    fn new(incoming: Vec<u8>, last: Last, seed: u64) -> Self {
        Self {
            incoming: incoming.into(),
            last,
            received: Vec::new(),
            readable: false,
            writable: true,
            deaf: false,
            mute: false,
            refused: None,
            ended: false,
            random: Random(seed),
        }
    }

    fn has_something(&self) -> bool {
        !self.mute && !self.ended && (!self.incoming.is_empty() || self.last != Last::Stays)
    }

    /// What an event loop would announce.
    fn poll(&mut self) {
        self.readable |= self.has_something() && self.random.chance(70);
        self.writable |= !self.deaf && self.random.chance(70);
    }
}

impl Stream for End0 {
    fn is_readable(&self) -> bool {
        self.readable
    }

    fn is_writable(&self) -> bool {
        self.writable
    }

    fn recv(&mut self, room: &mut [u8]) -> Io {
        assert!(!room.is_empty(), "recv without room");
        assert!(!self.ended, "recv after the end");
        if self.mute || (self.random.chance(10) && !self.incoming.is_empty()) {
            self.readable = false;
            return Io::Again;
        }
        if self.incoming.is_empty() {
            self.readable = false;
            self.ended = self.last != Last::Stays;
            return match self.last {
                Last::Stays => Io::Again,
                Last::Eof => Io::Eof,
                Last::Reset => Io::Error,
            };
        }
        let most = if self.random.chance(20) { 3 } else { room.len() };
        let len = 1 + self.random.below(most.min(room.len()).min(self.incoming.len()));
        for (place, byte) in room.iter_mut().zip(self.incoming.drain(..len)) {
            *place = byte;
        }
        self.readable = self.random.chance(50);
        Io::Done(len)
    }

    fn send(&mut self, bytes: &[u8]) -> Io {
        assert!(!bytes.is_empty(), "send of nothing");
        if let Some((address, refused)) = self.refused.take() {
            assert_eq!(address, bytes.as_ptr().addr(), "a refused range has moved");
            assert!(bytes.starts_with(&refused), "a refused range has changed");
        }
        if self.last == Last::Reset && self.ended {
            return Io::Error;
        }
        if self.deaf || self.random.chance(20) {
            self.writable = false;
            self.refused = Some((bytes.as_ptr().addr(), bytes.to_vec()));
            return Io::Again;
        }
        let len = if self.random.chance(50) { bytes.len() } else { 1 + self.random.below(bytes.len()) };
        self.received.extend_from_slice(&bytes[..len]);
        self.writable = self.random.chance(60);
        Io::Done(len)
    }

    fn has_more(&mut self) -> bool {
        self.readable |= self.has_something();
        self.readable
    }

    fn unacknowledged(&mut self) -> usize {
        0
    }

    fn hang_up(&mut self) -> Option<HangUp> {
        match self.last {
            _ if self.mute => None,
            Last::Stays => None,
            Last::Eof => Some(HangUp::Eof),
            Last::Reset => self.incoming.is_empty().then_some(HangUp::Reset),
        }
    }
}

/// Counts what is out.
struct CountedBuffers<'a> {
    size: usize,
    out: &'a Cell<usize>,
}

impl Buffers for CountedBuffers<'_> {
    fn take(&mut self) -> Option<Box<[u8]>> {
        self.out.set(self.out.get() + 1);
        assert!(self.out.get() <= 2, "more than two buffers");
        Some(vec![0xAA; self.size].into_boxed_slice())
    }

    fn give(&mut self, buffer: Box<[u8]>) {
        assert_eq!(buffer.len(), self.size);
        self.out.set(self.out.get() - 1);
    }
}

/// A client's frame, masked with a key of its own.
fn frame(random: &mut Random, fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::from(fin) << 7 | opcode];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..=65535 => {
            bytes.push(0xFE);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            bytes.push(0xFF);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    let key: [u8; 4] = random.bytes(4).try_into().unwrap();
    bytes.extend(key);
    let start = bytes.len();
    bytes.extend(payload);
    apply_scalar(MaskingKey::new(key), &mut bytes[start..]);
    bytes
}

/// What a client says, and what of it is payload and pings.
#[derive(Default)]
struct Speech {
    wire: Vec<u8>,
    payload: Vec<u8>,
    pings: usize,
}

fn speech(random: &mut Random, encoding: Encoding) -> Speech {
    use base64_text as text;
    let mut speech = Speech::default();
    for _ in 0..random.below(20) {
        let size = [0, 3, 200, 5000, 90_000][random.below(5)];
        let payload = {
            let len = random.below(size + 1);
            random.bytes(len)
        };
        let message = if encoding == Encoding::Base64 { text(&payload) } else { payload.clone() };
        let fragments = 1 + random.below(4);
        let mut rest = &message[..];
        for at in 0..fragments {
            let last = at + 1 == fragments;
            let len = if last { rest.len() } else { random.below(rest.len() + 1) };
            let opcode = if at == 0 { 1 + u8::from(random.chance(50)) } else { 0 };
            speech.wire.extend(frame(random, last, opcode, &rest[..len]));
            rest = &rest[len..];
            if random.chance(15) {
                let body = {
                    let len = random.below(126);
                    random.bytes(len)
                };
                let opcode = 9 + u8::from(random.chance(40));
                speech.pings += usize::from(opcode == 9);
                speech.wire.extend(frame(random, true, opcode, &body));
            }
        }
        speech.payload.extend(payload);
    }
    speech
}

fn base64_text(bytes: &[u8]) -> Vec<u8> {
    let mut buffer = bytes.to_vec();
    buffer.splice(0..0, vec![0; bytes.len() + 8]);
    let src = bytes.len() + 8..buffer.len();
    let len = websockify_protocol::base64_stream::encode_within(&mut buffer, src, 0);
    buffer.truncate(len);
    buffer
}

/// What a client understands of the frames it got.
#[derive(Debug, Default)]
struct Heard {
    payload: Vec<u8>,
    pongs: usize,
    close: Option<(Option<u16>, String)>,
    /// The bytes end at a frame's end.
    whole: bool,
}

fn listen(mut bytes: &[u8], encoding: Encoding) -> Heard {
    let mut heard = Heard { whole: true, ..Heard::default() };
    while !bytes.is_empty() {
        assert!(heard.close.is_none(), "bytes behind a Close");
        let Some((opcode, len, size)) = server_header(bytes) else { return Heard { whole: false, ..heard } };
        let Some(payload) = bytes.get(size..size + len) else { return Heard { whole: false, ..heard } };
        match opcode {
            2 if encoding == Encoding::Binary => heard.payload.extend(payload),
            1 if encoding == Encoding::Base64 => heard.payload.extend(decoded(payload)),
            8 if payload.is_empty() => heard.close = Some((None, String::new())),
            8 => {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                heard.close = Some((Some(code), String::from_utf8(payload[2..].to_vec()).unwrap()));
            }
            9 => {}
            10 => heard.pongs += 1,
            _ => panic!("opcode {opcode} in {encoding:?}"),
        }
        bytes = &bytes[size + len..];
    }
    heard
}

fn server_header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(first & 0xF0, 0x80, "not a final frame without reserved bits");
    assert_eq!(second & 0x80, 0, "a masked frame");
    let (len, size) = match second {
        126 => (u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize, 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        len => (len as usize, 2),
    };
    Some((first & 0x0F, len, size))
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoder = websockify_protocol::base64_stream::Base64Decoder::new();
    let mut bytes = text.to_vec();
    let len = decoder.decode_within(&mut bytes, 0..text.len(), 0, true).expect("whole base64 in a frame");
    bytes.truncate(len);
    bytes
}

/// How a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    Stays,
    Closes,
    EndsStream,
    Resets,
    /// Sends half of something and ends its stream there.
    EndsInside,
}

struct Run {
    client: End0,
    target: End0,
    end: Option<End>,
    spoken: Speech,
    said: Vec<u8>,
    leave: Leave,
    encoding: Encoding,
    steps: u64,
}

fn pick<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[random.below(of.len())]
}

fn run(seed: u64) -> Run {
    let mut random = Random(seed);
    let encoding = pick(&mut random, &[Encoding::Binary, Encoding::Binary, Encoding::Base64]);
    let leave = pick(
        &mut random,
        &[Leave::Stays, Leave::Closes, Leave::Closes, Leave::EndsStream, Leave::Resets, Leave::EndsInside],
    );
    let target_last = pick(&mut random, &[Last::Stays, Last::Stays, Last::Eof, Last::Eof, Last::Reset]);
    let mut spoken = speech(&mut random, encoding);
    let mut wire = spoken.wire.clone();
    let client_last = match leave {
        Leave::Stays => Last::Stays,
        Leave::Closes => {
            wire.extend(frame(&mut random, true, 8, b"\x03\xE8goodbye"));
            Last::Stays
        }
        Leave::EndsStream => Last::Eof,
        Leave::Resets => Last::Reset,
        Leave::EndsInside => {
            let next = frame(&mut random, true, 2, &[b'A'; 300]);
            let cut = 1 + random.below(13);
            wire.extend(&next[..cut]);
            // Its header has 8 bytes; an A is six zero bits, or itself.
            let len = cut.saturating_sub(8);
            match encoding {
                Encoding::Binary => spoken.payload.extend(vec![b'A'; len]),
                Encoding::Base64 => spoken.payload.extend(vec![0; len * 3 / 4]),
            }
            Last::Eof
        }
    };
    let said = {
        let len = random.below(300_000);
        random.bytes(len)
    };
    let mut client = End0::new(wire, client_last, random.next());
    let mut target = End0::new(said.clone(), target_last, random.next());
    client.deaf = random.chance(5);
    target.deaf = random.chance(5);
    let size = pick(&mut random, &[1024, 1500, 4096, 49_152]);
    let out = Cell::new(0);
    let mut buffers = CountedBuffers { size, out: &out };
    let mut tunnel = Tunnel::new(0, encoding, None);
    let mut limits = LIMITS;
    if random.chance(10) {
        limits.idle_timeout = 1 + random.next() % 100_000;
    }
    if random.chance(10) {
        limits.session_timeout = 1 + random.next() % 3_000;
    }
    if random.chance(10) {
        tunnel.shut_down_at(random.next() % 3_000);
    }
    let (mut now, mut steps, mut deadline): (Msec, u64, Msec) = (1, 0, 1);
    let (mut quiet, mut before) = (0, [(0, 0, false); 2]);
    let end = loop {
        steps += 1;
        assert!(steps < 2_000_000, "no end");
        client.poll();
        target.poll();
        // Time passes when nothing has moved for so long that nothing will.
        let state = [&client, &target].map(|end| (end.received.len(), end.incoming.len(), end.ended));
        quiet = if state == before { quiet + 1 } else { 0 };
        before = state;
        now += 1;
        if quiet > 100 {
            now = now.max(deadline);
            quiet = 0;
        }
        let mut ends = Ends { client: &mut client, target: &mut target, buffers: &mut buffers };
        match tunnel.drive(now, &limits, &mut ends) {
            Turn::Wait(at) => {
                assert!(at > now, "waits for the past");
                deadline = at;
            }
            Turn::Yield => {}
            Turn::Ended(end) => break Some(end),
        }
    };
    tunnel.release(&mut buffers);
    assert_eq!(out.get(), 0, "a buffer is lost");
    Run { client, target, end, spoken, said, leave, encoding, steps }
}

fn judge(seed: u64) -> u64 {
    let run = run(seed);
    let end = run.end.expect("an end");
    let heard = listen(&run.client.received, run.encoding);
    let context = format!("seed {seed}, {:?}, client {:?}, target {:?}", end, run.leave, run.target.last);

    // Nothing is invented, nothing comes twice, nothing changes places.
    assert!(run.said.starts_with(&heard.payload), "the client heard something else, {context}");
    assert!(
        run.spoken.payload.starts_with(&run.target.received),
        "the target heard something else, {context}"
    );
    assert!(heard.pongs <= run.spoken.pings, "{context}");

    // What one side sent before its orderly end has reached the other, if that one listened.
    let client_left_in_order = matches!(end.cause, Cause::ClientClose(_) | Cause::ClientEof);
    if client_left_in_order && !run.target.deaf && !(run.target.ended && run.target.last == Last::Reset) {
        assert_eq!(run.target.received.len(), run.spoken.payload.len(), "upload is cut short, {context}");
        assert_eq!(end.undelivered, 0, "{context}");
    }
    if end.cause == Cause::TargetEof && !run.client.deaf && run.client.last != Last::Reset {
        assert_eq!(heard.payload.len(), run.said.len(), "download is cut short, {context}");
        assert_eq!(heard.close, Some((Some(1000), "target closed".to_owned())), "{context}");
    }
    if let Cause::ClientClose(code) = end.cause {
        assert_eq!(code, Some(CloseCode::NORMAL), "{context}");
        if !run.client.deaf {
            assert_eq!(heard.close, Some((Some(1000), String::new())), "{context}");
        }
    }
    let told = match end.cause {
        Cause::IdleTimeout => Some((Some(1000), "idle".to_owned())),
        Cause::SessionTimeout => Some((Some(1000), "session timeout".to_owned())),
        Cause::Shutdown => Some((Some(1001), "server is shutting down".to_owned())),
        Cause::NoPong => Some((Some(1001), "no pong".to_owned())),
        _ => None,
    };
    if told.is_some() && !run.client.deaf && run.client.last != Last::Reset {
        assert_eq!(heard.close, told, "{context}");
    }
    if end.close_sent {
        assert!(heard.whole && heard.close.is_some(), "the Close is not there, {context}");
    }
    assert!(!matches!(end.cause, Cause::Fault(_) | Cause::OutOfMemory | Cause::Internal), "{context}");
    run.steps
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    let seeds = match from_environment("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("SIMULATION_RUNS").unwrap_or(2_000),
    };
    let runs = seeds.end - seeds.start;
    let mut steps = 0;
    for seed in seeds {
        let judged = std::panic::catch_unwind(|| judge(seed));
        steps += judged.unwrap_or_else(|panic| {
            eprintln!("the failing seed is {seed}: SIMULATION_SEED={seed} cargo test -p websockify-tunnel");
            std::panic::resume_unwind(panic)
        });
    }
    println!("{runs} runs, {steps} turns");
}

#[test]
fn opcodes_of_the_simulation_are_those_of_the_protocol() {
    assert_eq!((Opcode::Binary as u8, Opcode::Close as u8, Opcode::Ping as u8), (2, 8, 9));
}
