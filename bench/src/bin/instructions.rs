//! What the hot paths do, for callgrind to count: `scripts/instructions` runs it.
//!
//! Each path's name, and how often a call goes it, is printed in order. callgrind writes what it has counted whenever
//! [`measured`] is left, so that its files and these lines belong together.

use std::hint::black_box;

use websockify_protocol::base64_stream::{encode_within, encoded_len, Base64Decoder};
use websockify_protocol::encoder::put_header_before;
use websockify_protocol::frame::MAX_SERVER_HEADER;
use websockify_protocol::heartbeat::Rhythm;
use websockify_protocol::subprotocol::Encoding;
use websockify_protocol::{mask, Decoder, Event, MaskingKey, Opcode};
use websockify_tunnel::{Buffers, Ends, HangUp, Io, Limits, Stream, Tunnel, Turn};

const BUFFER: usize = 48 << 10;
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn main() {
    for size in [64, 4 << 10] {
        decode(size);
    }
    for size in [64, 16 << 10] {
        unmask(size);
    }
    encode();
    base64();
    for (size, frames) in [(64, BUFFER / 70), (64, 1), (4 << 10, 1)] {
        upload(size, frames);
    }
    for size in [64, BUFFER - MAX_SERVER_HEADER] {
        download(size);
    }
}

/// What callgrind counts.
#[inline(never)]
fn measured(path: &mut dyn FnMut()) {
    path();
}

fn count(name: &str, times: usize, mut path: impl FnMut()) {
    // Once before, for what is done once.
    path();
    measured(&mut path);
    println!("{times} {name}");
}

/// `count` frames of `size` bytes each, as a client sends them.
fn frames(size: usize, count: usize) -> Vec<u8> {
    let start = match u8::try_from(size) {
        Ok(len @ 0..=125) => vec![0x82, 0x80 | len],
        _ => [&[0x82, 0xfe][..], &u16::try_from(size).unwrap_or(0).to_be_bytes()].concat(),
    };
    [start, KEY.to_vec(), vec![0x5a; size]].concat().repeat(count)
}

/// A buffer of frames: decoded, then also unmasked, the gaps between them closed.
fn decode(size: usize) {
    let times = BUFFER / (size + 8);
    let wire = frames(size, times);
    let mut decoder = Decoder::new(None);
    count(&format!("decode a frame of {size} bytes"), times, || {
        let mut at = 0;
        while let Ok(Some(step)) = decoder.decode(black_box(&wire[at..])) {
            at += step.skip + step.len;
        }
    });
    let mut buf = wire.clone();
    let mut decode_all = || {
        let (mut at, mut out) = (0, 0);
        while let Ok(Some(step)) = decoder.decode(&buf[at..]) {
            let Event::Data { key, .. } = step.event else { break };
            let payload = at + step.skip;
            at = payload + step.len;
            mask::apply_moving(key, &mut buf, payload..at, out);
            out += step.len;
        }
    };
    measured(&mut decode_all);
    println!("{times} decode, unmask and move a frame of {size} bytes");
}

fn unmask(size: usize) {
    let key = MaskingKey::new(KEY);
    let mut bytes = vec![0x5a; size + 6];
    count(&format!("unmask {size} bytes one by one"), 1, || {
        mask::apply_scalar(key, black_box(&mut bytes[6..]));
    });
    count(&format!("unmask {size} bytes in place"), 1, || _ = mask::apply(key, black_box(&mut bytes[6..])));
    count(&format!("unmask and move {size} bytes"), 1, || {
        mask::apply_moving(key, black_box(&mut bytes), 6..size + 6, 0);
    });
}

fn encode() {
    let mut bytes = vec![0x5a; BUFFER];
    for size in [64, 16 << 10] {
        count(&format!("write a header for {size} bytes"), 100, || {
            for _ in 0..100 {
                let payload = MAX_SERVER_HEADER..MAX_SERVER_HEADER + size;
                black_box(put_header_before(black_box(&mut bytes), payload, Opcode::Binary));
            }
        });
    }
}

fn base64() {
    const RAW: usize = 12 << 10;
    let room = encoded_len(RAW);
    let mut bytes = vec![0x5a; room];
    count("encode 12 KiB in base64", 1, || _ = encode_within(black_box(&mut bytes), room - RAW..room, 0));
    let mut decoder = Base64Decoder::new();
    let text = vec![b'Q'; room];
    count("decode 12 KiB of base64", 1, || {
        bytes.copy_from_slice(&text);
        _ = decoder.decode_within(black_box(&mut bytes), 0..room, 0, true);
    });
}

/// A turn of a tunnel whose client has sent `count` frames at once.
fn upload(size: usize, count: usize) {
    let wire = frames(size, count);
    let name = format!("a turn with {count} frames of {size} bytes from the client");
    turn(&name, count, |client, _| client.inbox = Some(wire.clone()));
}

/// A turn of a tunnel whose target has sent `size` bytes.
fn download(size: usize) {
    let bytes = vec![0x5a; size];
    turn(&format!("a turn with {size} bytes from the target"), 1, |_, target| {
        target.inbox = Some(bytes.clone());
    });
}

fn turn(name: &str, times: usize, mut arrive: impl FnMut(&mut Peer, &mut Peer)) {
    let (mut client, mut target, mut buffers) = (Peer::default(), Peer::default(), Pile::default());
    let mut tunnel = Tunnel::new(0, Encoding::Binary, None);
    let limits = limits();
    let mut drive = |client: &mut Peer, target: &mut Peer| {
        let mut ends = Ends { client, target, buffers: &mut buffers };
        let turn = tunnel.drive(1, &limits, &mut ends);
        assert!(matches!(turn, Turn::Wait(_)), "a tunnel has ended");
    };
    arrive(&mut client, &mut target);
    drive(&mut client, &mut target);
    arrive(&mut client, &mut target);
    measured(&mut || drive(&mut client, &mut target));
    println!("{times} {name}");
}

fn limits() -> Limits {
    Limits {
        send_timeout: 60_000,
        read_timeout: 60_000,
        heartbeat: Rhythm { interval: 30_000, timeout: 20_000 },
        idle_timeout: 0,
        session_timeout: 0,
    }
}

/// An end that says what has arrived, and takes everything.
#[derive(Default)]
struct Peer {
    inbox: Option<Vec<u8>>,
}

impl Stream for Peer {
    fn is_readable(&self) -> bool {
        self.inbox.is_some()
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn recv(&mut self, room: &mut [u8]) -> Io {
        let Some(bytes) = self.inbox.take() else { return Io::Again };
        room[..bytes.len()].copy_from_slice(&bytes);
        Io::Done(bytes.len())
    }

    fn send(&mut self, bytes: &[u8]) -> Io {
        Io::Done(black_box(bytes).len())
    }

    fn has_more(&mut self) -> bool {
        false
    }

    fn unacknowledged(&mut self) -> usize {
        0
    }

    fn hang_up(&mut self) -> Option<HangUp> {
        None
    }
}

/// Buffers that are there.
#[derive(Default)]
struct Pile(Vec<Box<[u8]>>);

impl Buffers for Pile {
    fn take(&mut self) -> Option<Box<[u8]>> {
        Some(self.0.pop().unwrap_or_else(|| vec![0; BUFFER].into_boxed_slice()))
    }

    fn give(&mut self, buffer: Box<[u8]>) {
        self.0.push(buffer);
    }
}
