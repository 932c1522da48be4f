//! A tunnel between two ends that never block: how much it moves, and what it counts.

use websockify_protocol::heartbeat::Rhythm;
use websockify_protocol::subprotocol::Encoding;
use websockify_tunnel::{Buffers, Cause, Ends, HangUp, Io, Limits, Stream, Tunnel, Turn};

const BUFFER: usize = 4096;

/// An end that takes everything. It says what is in `says`, or something for ever.
#[derive(Default)]
struct End {
    says: Vec<u8>,
    says_for_ever: bool,
    took: usize,
}

impl Stream for End {
    fn is_readable(&self) -> bool {
        self.says_for_ever || !self.says.is_empty()
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn recv(&mut self, room: &mut [u8]) -> Io {
        if self.says_for_ever {
            return Io::Done(room.len());
        }
        let len = self.says.len().min(room.len());
        for (place, byte) in room.iter_mut().zip(self.says.drain(..len)) {
            *place = byte;
        }
        if len == 0 {
            Io::Again
        } else {
            Io::Done(len)
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Io {
        self.took += bytes.len();
        Io::Done(bytes.len())
    }

    fn has_more(&mut self) -> bool {
        self.is_readable()
    }

    fn unacknowledged(&mut self) -> usize {
        0
    }

    fn hang_up(&mut self) -> Option<HangUp> {
        None
    }
}

struct Heap;

impl Buffers for Heap {
    fn take(&mut self) -> Option<Box<[u8]>> {
        Some(vec![0; BUFFER].into_boxed_slice())
    }

    fn give(&mut self, _buffer: Box<[u8]>) {}
}

/// Drives a tunnel until it waits or ends, or has had more turns than it may take.
fn drive(tunnel: &mut Tunnel, client: &mut End, target: &mut End) -> Turn {
    let limits = Limits {
        send_timeout: 60_000,
        read_timeout: 60_000,
        heartbeat: Rhythm { interval: 30_000, timeout: 20_000 },
        idle_timeout: 0,
        session_timeout: 0,
    };
    for _ in 0..100 {
        let turn = tunnel.drive(1, &limits, &mut Ends { client, target, buffers: &mut Heap });
        if turn != Turn::Yield {
            return turn;
        }
    }
    Turn::Yield
}

fn said(frames: &[&[u8]]) -> End {
    End { says: frames.concat(), ..End::default() }
}

const CLOSE: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 3, 232];

#[test]
fn a_target_that_never_stops_does_not_keep_a_goodbye_from_its_answer() {
    let (mut client, mut target) = (said(&[CLOSE]), End { says_for_ever: true, ..End::default() });
    let mut tunnel = Tunnel::new(0, Encoding::Binary, None);
    let turn = drive(&mut tunnel, &mut client, &mut target);
    let Turn::Ended(end) = turn else { panic!("{turn:?}") };
    assert!(matches!(end.cause, Cause::ClientClose(Some(_))) && end.close_sent, "{end:?}");
    assert!(client.took > 16 << 20, "it is sent as much as two sockets' buffers may hold: {}", client.took);
    assert!(client.took < 24 << 20, "and not much more: {}", client.took);
}

#[test]
fn each_small_message_of_a_run_is_counted() {
    let frame = [&[0x82, 0x83, 0, 0, 0, 0][..], b"abc"].concat();
    let (mut client, mut target) = (said(&[frame.as_slice(); 300]), End::default());
    let mut tunnel = Tunnel::new(0, Encoding::Binary, None);
    assert!(matches!(drive(&mut tunnel, &mut client, &mut target), Turn::Wait(_)));
    assert_eq!(target.took, 900);
    assert_eq!((tunnel.stats().frames_received, tunnel.stats().bytes_received), (300, 900));
}
