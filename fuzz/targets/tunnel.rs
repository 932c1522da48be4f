//! A whole tunnel between two simulated ends: any bytes from the client, any splits, any blocked writes. Nothing panics,
//! no more than two buffers are out, and the target gets what the slow decoder says it should.
#![no_main]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use libfuzzer_sys::fuzz_target;
use websockify_fuzz::plain::{self, Said};
use websockify_fuzz::Input;
use websockify_protocol::base64_stream::Base64Decoder;
use websockify_protocol::close;
use websockify_protocol::heartbeat::Rhythm;
use websockify_protocol::subprotocol::Encoding;
use websockify_tunnel::{Buffers, Cause, End, Ends, HangUp, Io, Limits, Stream, Tunnel, Turn};

const LIMITS: Limits = Limits {
    send_timeout: 60_000,
    read_timeout: 60_000,
    heartbeat: Rhythm { interval: 30_000, timeout: 20_000 },
    idle_timeout: 0,
    session_timeout: 0,
};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let plan = Plan::new(&mut input);
    let script = RefCell::new(input);
    let (client, target, end) = run(&plan, &script);
    judge(&plan, &client, &target, end);
});

/// What is decided beforehand.
struct Plan {
    encoding: Encoding,
    limit: Option<u64>,
    buffer_size: usize,
    wire: Vec<u8>,
    said: Vec<u8>,
    client_ends: bool,
    target_ends: bool,
}

impl Plan {
    fn new(input: &mut Input<'_>) -> Self {
        let flags = input.byte();
        let said = usize::from(input.byte()) * [0, 1, 20, 100][usize::from(flags >> 6)];
        let text = input.byte();
        let encoding = match (flags & 1, text) {
            (1, _) => Encoding::Base64,
            (_, 128..) => Encoding::Text,
            _ => Encoding::Binary,
        };
        Self {
            encoding,
            limit: (flags & 2 != 0).then_some(100),
            client_ends: flags & 4 == 0,
            target_ends: flags & 8 != 0,
            buffer_size: [1024, 1025, 1500, 4096][usize::from(flags >> 4 & 3)],
            wire: input.rest.to_vec(),
            said: if encoding == Encoding::Text { characters(said, text & 127) } else { bytes(said) },
        }
    }

    /// How much of what the target says a client can be told.
    fn fit_to_hear(&self) -> usize {
        match std::str::from_utf8(&self.said) {
            Err(fault) if self.encoding == Encoding::Text => fault.valid_up_to(),
            _ => self.said.len(),
        }
    }
}

/// 251 is a prime: a piece that is lost or doubled shows.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect()
}

/// Characters of one to four bytes, the last of which may be cut. A `fault` of more than 0 says where one byte is another.
fn characters(len: usize, fault: u8) -> Vec<u8> {
    let mut text: Vec<_> = "a\u{e9}\u{2318}\u{1f5a5}\u{df}z".bytes().cycle().take(len).collect();
    if let Some(byte) = text.get_mut(len * usize::from(fault) / 128).filter(|_| fault > 0) {
        *byte = [0xFF, 0xC3, b'a'][usize::from(fault % 3)];
    }
    text
}

/// One end, as the script has it: while there is script, calls come to as much or as little as it says; then all goes.
struct Peer<'s, 'a> {
    script: &'s RefCell<Input<'a>>,
    incoming: VecDeque<u8>,
    ends: bool,
    ended: bool,
    received: Vec<u8>,
    readable: bool,
    writable: bool,
    refused: Option<(usize, Vec<u8>)>,
}

impl<'s, 'a> Peer<'s, 'a> {
    fn new(script: &'s RefCell<Input<'a>>, incoming: &[u8], ends: bool) -> Self {
        let incoming = incoming.iter().copied().collect();
        Self {
            script,
            incoming,
            ends,
            ended: false,
            received: Vec::new(),
            readable: false,
            writable: true,
            refused: None,
        }
    }

    /// How much of `most` bytes moves now, if any.
    fn share(&self, most: usize) -> Option<usize> {
        let mut script = self.script.borrow_mut();
        if script.is_used_up() {
            return Some(most);
        }
        match script.byte() {
            0..=31 => None,
            32..=95 => Some(most),
            _ => Some(script.size().min(most)),
        }
    }

    /// Whether an event that is due is announced.
    fn is_due(&self) -> bool {
        let mut script = self.script.borrow_mut();
        script.is_used_up() || script.byte() < 192
    }

    fn has_something(&self) -> bool {
        !self.ended && (self.ends || !self.incoming.is_empty())
    }

    fn poll(&mut self) {
        self.readable |= self.has_something() && self.is_due();
        self.writable |= self.is_due();
    }
}

impl Stream for Peer<'_, '_> {
    fn is_readable(&self) -> bool {
        self.readable
    }

    fn is_writable(&self) -> bool {
        self.writable
    }

    fn recv(&mut self, room: &mut [u8]) -> Io {
        assert!(!room.is_empty() && !self.ended);
        let most = room.len().min(self.incoming.len());
        if most == 0 {
            self.readable = false;
            self.ended = self.ends;
            return if self.ends { Io::Eof } else { Io::Again };
        }
        let Some(len) = self.share(most) else {
            self.readable = false;
            return Io::Again;
        };
        for (place, byte) in room.iter_mut().zip(self.incoming.drain(..len)) {
            *place = byte;
        }
        self.readable = self.is_due();
        Io::Done(len)
    }

    fn send(&mut self, bytes: &[u8]) -> Io {
        assert!(!bytes.is_empty());
        if let Some((address, refused)) = self.refused.take() {
            assert_eq!(address, bytes.as_ptr().addr(), "a refused range has moved");
            assert!(bytes.starts_with(&refused), "a refused range has changed");
        }
        let Some(len) = self.share(bytes.len()) else {
            self.writable = false;
            self.refused = Some((bytes.as_ptr().addr(), bytes.to_vec()));
            return Io::Again;
        };
        self.received.extend_from_slice(&bytes[..len]);
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
        self.ends.then_some(HangUp::Eof)
    }
}

struct Counted<'a> {
    size: usize,
    out: &'a Cell<usize>,
}

impl Buffers for Counted<'_> {
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

fn run<'s, 'a>(plan: &Plan, script: &'s RefCell<Input<'a>>) -> (Peer<'s, 'a>, Peer<'s, 'a>, End) {
    let mut client = Peer::new(script, &plan.wire, plan.client_ends);
    let mut target = Peer::new(script, &plan.said, plan.target_ends);
    let out = Cell::new(0);
    let mut buffers = Counted { size: plan.buffer_size, out: &out };
    let mut tunnel = Tunnel::new(0, plan.encoding, plan.limit);
    let (mut now, mut turns) = (1, 0_u32);
    let end = loop {
        turns += 1;
        assert!(turns < 1_000_000, "no end");
        client.poll();
        target.poll();
        now += 1;
        let mut ends = Ends { client: &mut client, target: &mut target, buffers: &mut buffers };
        match tunnel.drive(now, &LIMITS, &mut ends) {
            Turn::Ended(end) => break end,
            Turn::Yield => {}
            Turn::Wait(at) => {
                assert!(at > now, "waits for the past");
                // Time passes where nothing else will happen.
                if script.borrow().is_used_up() && !client.has_something() && !target.has_something() {
                    now = at;
                }
            }
        }
    };
    tunnel.release(&mut buffers);
    assert_eq!(out.get(), 0, "a buffer is lost");
    (client, target, end)
}

fn judge(plan: &Plan, client: &Peer<'_, '_>, target: &Peer<'_, '_>, end: End) {
    let mut spoken = plain::listen(&plan.wire, plan.limit);
    let close = spoken.cut_at_close();
    let payload = match plan.encoding {
        Encoding::Binary | Encoding::Text => Some(spoken.data()),
        Encoding::Base64 => base64(&spoken.said),
    };
    let heard = hear(&client.received, plan.encoding);

    // Nothing is invented, doubled or moved.
    assert!(plan.said.starts_with(&heard.payload), "the client heard something else");
    let pings: Vec<_> = spoken.said.iter().filter_map(|said| control(said, 9)).collect();
    let mut asked = pings.iter();
    assert!(heard.pongs.iter().all(|pong| asked.any(|ping| *ping == pong)), "a pong nobody asked for");

    let Some(payload) = payload else {
        // The fault is in the base64, or, where the target ended before, was not read.
        assert!(matches!(end.cause, Cause::Fault(_) | Cause::TargetEof), "{end:?}");
        return;
    };
    assert!(payload.starts_with(&target.received), "the target got something else");
    let fault = close.as_ref().map_or(spoken.fault, |body| close::parse(body).err());
    match end.cause {
        Cause::Fault(found) => assert_eq!(Some(found), fault),
        Cause::ClientClose(code) => {
            let body = close.expect("a close");
            assert_eq!(Ok(code), close::parse(&body).map(|it| it.code));
        }
        Cause::ClientEof => assert!(close.is_none() && fault.is_none() && plan.client_ends),
        Cause::TargetEof => {
            assert!(plan.target_ends && plan.fit_to_hear() == plan.said.len());
        }
        Cause::TargetNotUtf8 => {
            assert_eq!(plan.encoding, Encoding::Text);
            let wrong = std::str::from_utf8(&plan.said).expect_err("it is UTF-8");
            assert!(plan.target_ends || wrong.error_len().is_some(), "more may come");
            assert_eq!(heard.payload.len(), plan.fit_to_hear(), "the client has not got all");
            assert_eq!(heard.close, Some(Some(1011)));
            return;
        }
        Cause::ReadTimeout | Cause::NoPong => {
            assert!(!plan.client_ends && !plan.target_ends && close.is_none() && fault.is_none());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(end.undelivered, 0);
    assert_eq!(target.received, payload, "the target has not got all, {end:?}");
    let all_said = match end.cause {
        Cause::Fault(_) => true,
        _ => heard.payload.len() == plan.fit_to_hear(),
    };
    assert!(all_said, "the client has not got all of {}: {end:?}", plan.said.len());
    if let Some((code, _)) = end.cause.close() {
        assert_eq!(heard.close, Some(code.map(|it| it.as_u16())), "{end:?}");
    }
}

fn control(said: &Said, wanted: u8) -> Option<&Vec<u8>> {
    match said {
        Said::Control(opcode, payload) if *opcode == wanted => Some(payload),
        _ => None,
    }
}

/// The bytes of base64 messages, the last of which may be cut anywhere; `None` where one is wrong.
fn base64(said: &[Said]) -> Option<Vec<u8>> {
    let (mut bytes, mut decoder) = (Vec::new(), Base64Decoder::new());
    for said in said {
        let (mut text, last) = match said {
            Said::Data(text) => (text.clone(), false),
            Said::EndOfMessage => (Vec::new(), true),
            Said::Control(..) => continue,
        };
        let len = text.len();
        let decoded = decoder.decode_within(&mut text, 0..len, 0, last).ok()?;
        bytes.extend(&text[..decoded]);
    }
    Some(bytes)
}

#[derive(Default)]
struct Heard {
    payload: Vec<u8>,
    pongs: Vec<Vec<u8>>,
    close: Option<Option<u16>>,
}

/// What a client understands, which may end inside a frame.
fn hear(mut bytes: &[u8], encoding: Encoding) -> Heard {
    let mut heard = Heard::default();
    while let [first, second, rest @ ..] = bytes {
        assert!(heard.close.is_none(), "bytes behind a Close");
        let (len, rest) = match (second, rest) {
            (0..=125, rest) => (usize::from(*second), rest),
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (126, _) => break,
            _ => panic!("a masked frame, or one larger than any buffer"),
        };
        let Some((payload, rest)) = rest.split_at_checked(len) else { break };
        match (first, encoding) {
            (0x82, Encoding::Binary) => heard.payload.extend(payload),
            (0x81, Encoding::Text) => {
                assert!(std::str::from_utf8(payload).is_ok(), "a text frame that is no text");
                heard.payload.extend(payload);
            }
            (0x81, Encoding::Base64) => {
                let said = [Said::Data(payload.to_vec()), Said::EndOfMessage];
                heard.payload.extend(base64(&said).expect("one text"));
            }
            (0x88, _) => heard.close = Some(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            (0x89, _) => {}
            (0x8A, _) => heard.pongs.push(payload.to_vec()),
            _ => panic!("a frame that begins with {first:#x}"),
        }
        bytes = rest;
    }
    heard
}
