//! The event loop: time passes from event to event, and the pump is driven only when there is one.

use websockify_tunnel::{Cause, End, Ends, Limits, Msec, Side, Tunnel, Turn};

use crate::client_end::ClientEnd;
use crate::memory::Memory;
use crate::peers::{earliest, Client, Target};
use crate::socket::{Last, Socket, Times};

/// What interferes with a session from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outside {
    Fail(Cause),
    ShutDownAfter(Msec),
}

/// How things stood before the turn in which a session began to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) cause: Cause,
    pub(crate) at: Msec,
    pub(crate) client: Times,
    pub(crate) target: Times,
    /// The pump had something to write to one of them and could not.
    pub(crate) owed: bool,
    /// Some of it payload.
    pub(crate) owed_payload: bool,
    pub(crate) client_blocked: bool,
    pub(crate) target_blocked: bool,
    pub(crate) client_arrived: usize,
    pub(crate) target_arrived: usize,
    pub(crate) payload_at: Msec,
    pub(crate) ping_left: Option<Msec>,
}

pub(crate) struct World {
    pub(crate) now: Msec,
    pub(crate) client: Client,
    pub(crate) target: Target,
    pub(crate) tunnel: Tunnel,
    pub(crate) limits: Limits,
    pub(crate) memory: Memory,
    pub(crate) outside: Option<(u64, Outside)>,
    pub(crate) fault_code: Option<u16>,
    pub(crate) shutdown_at: Option<Msec>,
    pub(crate) expires_at: Option<Msec>,
    /// What the target must begin with, and until when.
    pub(crate) demanded: Option<(Vec<u8>, Msec)>,
    pub(crate) opened_at: Msec,
    /// Bytes a second that may come from the client and from the target; 0 for any.
    pub(crate) rates: (u64, u64),
    pub(crate) turns: u64,
    /// How many of them were left unfinished.
    pub(crate) yields: usize,
    /// When payload last went in or out.
    pub(crate) payload_at: Msec,
    pub(crate) found: Option<Found>,
    failed: bool,
    deadline: Msec,
    yielded: bool,
}

/// A client that takes a ping byte by byte and never says a word could stay for ever.
const LONGEST: Msec = 10_000_000;

/// The work of a turn, but for the rest of its last round: each direction reads a buffer and sends it.
const TURN: usize = 2 * 1024 * 1024;
/// What a frame and a round over both directions cost, in bytes moved.
const FRAME: usize = 128;
const ROUND: usize = 8 * 1024;

impl World {
    pub(crate) fn new(
        client: Client,
        target: Target,
        tunnel: Tunnel,
        limits: Limits,
        memory: Memory,
    ) -> Self {
        Self {
            now: 0,
            client,
            target,
            tunnel,
            limits,
            memory,
            outside: None,
            fault_code: None,
            shutdown_at: None,
            expires_at: None,
            demanded: None,
            opened_at: 0,
            rates: (0, 0),
            turns: 0,
            yields: 0,
            payload_at: 0,
            found: None,
            failed: false,
            deadline: 0,
            yielded: false,
        }
    }

    pub(crate) fn pace(&mut self, upload: u64, download: u64) {
        self.rates = (upload, download);
        self.tunnel.pace(self.now, upload, download);
    }

    /// Lives the session to its end.
    pub(crate) fn run(&mut self) -> End {
        loop {
            assert!(self.turns < 1_000_000, "no end");
            let stirred = self.client.step(self.now) | self.target.step(self.now);
            let owed = [Side::Client, Side::Target].map(|side| self.tunnel.owes(side));
            let is_told = self.client.end.socket.announce(owed[0])
                | self.target.socket.announce(owed[1])
                | self.interfere();
            if is_told || self.yielded || self.now >= self.deadline {
                if let Some(end) = self.turn() {
                    self.tunnel.release(&mut self.memory);
                    assert_eq!(self.memory.out, 0, "a buffer is lost");
                    return end;
                }
            } else if !stirred && !self.has_something_to_announce() {
                self.pass_time();
            }
        }
    }

    /// Whether the target has not been heard to begin as it must, or there was no memory for what it said.
    pub(crate) fn is_shut(&self) -> bool {
        self.demanded.as_ref().is_some_and(|(greeting, _)| {
            let heard = &self.target.spoken.payload[..self.target.socket.read];
            let has_no_place = self.memory.has_failed && self.tunnel.stats().bytes_sent == 0;
            has_no_place || !heard.starts_with(greeting)
        })
    }

    fn has_something_to_announce(&self) -> bool {
        self.client.end.socket.has_something_to_announce() || self.target.socket.has_something_to_announce()
    }

    fn pass_time(&mut self) {
        if self.now > LONGEST {
            self.client.end.socket.end(Last::Reset);
            return;
        }
        let events =
            [self.client.next_event(self.now), self.target.next_event(self.now), Some(self.deadline)];
        let next = earliest(events).unwrap_or(self.deadline);
        assert!(next > self.now, "an event that never happens");
        self.now = next;
    }

    fn interfere(&mut self) -> bool {
        let Some((_, outside)) = self.outside.take_if(|(turn, _)| *turn <= self.turns) else { return false };
        match outside {
            Outside::Fail(cause) => {
                self.note_cause(self.standing(), cause, true);
                self.tunnel.fail(cause);
            }
            Outside::ShutDownAfter(delay) => {
                self.shutdown_at = Some(self.now + delay);
                self.tunnel.shut_down_at(self.now + delay);
            }
        }
        true
    }

    /// One turn of the pump, and what must be true behind it.
    fn turn(&mut self) -> Option<End> {
        let before = self.standing();
        let before_it = self.effort();
        let was_shut = self.is_shut();
        let (turn, moved) = self.drive();
        if was_shut && !self.is_shut() {
            self.opened_at = self.now;
        }
        let [frames, reads, writes] = std::array::from_fn(|at| self.effort()[at] - before_it[at]);
        let buffer = self.memory.size();
        assert!(moved <= TURN + 5 * buffer + 4096, "a turn of {moved} bytes");
        assert!(frames * FRAME <= TURN + buffer / 6 * FRAME, "a turn of {frames} frames");
        assert!(reads <= 2 * (TURN / ROUND + 1), "a turn of {reads} reads");
        assert!(
            !self.client.end.awaits_end || matches!(turn, Turn::Ended(_)),
            "a last frame waits for the end"
        );
        self.yielded = turn == Turn::Yield;
        match turn {
            Turn::Ended(end) => {
                self.note_cause(before, end.cause, true);
                return Some(end);
            }
            Turn::Yield => {
                self.yields += 1;
                // In a few rounds something ends and nothing moves.
                let work = moved + (frames + reads) * FRAME + (reads + writes + 8) * ROUND;
                assert!(work >= TURN, "a turn cut short after {moved} bytes, {frames} frames");
                self.note_cause(before, self.tunnel.end_now().cause, self.failed);
            }
            Turn::Wait(at) => {
                self.note_cause(before, self.tunnel.end_now().cause, self.failed);
                self.deadline = at;
                self.check_wait(at);
                self.check_rest(at);
            }
        }
        None
    }

    /// Without an event there is nothing to do, and nothing else to wait for.
    fn check_rest(&mut self, at: Msec) {
        if self.memory.has_failed && self.found.is_some() {
            // There may be memory by now.
            return;
        }
        let (again, moved) = self.drive();
        assert_eq!((again, moved), (Turn::Wait(at), 0), "the turn before has left something");
    }

    fn drive(&mut self) -> (Turn, usize) {
        self.turns += 1;
        self.client.end.turn = self.turns;
        self.client.end.socket.now = self.now;
        self.target.socket.now = self.now;
        let before = (self.moved(), self.payload());
        let client: &mut ClientEnd = &mut self.client.end;
        let target: &mut Socket = &mut self.target.socket;
        let mut ends = Ends { client, target, buffers: &mut self.memory };
        let turn = self.tunnel.drive(self.now, &self.limits, &mut ends);
        self.client.end.socket.note_turn();
        self.target.socket.note_turn();
        if self.payload() != before.1 {
            self.payload_at = self.now;
        }
        (turn, self.moved() - before.0)
    }

    /// Frames that the pump has met, its reads and its writes.
    fn effort(&self) -> [usize; 3] {
        let (client, target) = (&self.client.end.socket, &self.target.socket);
        let frames = self.client.end.spoken.frames_in(client.read);
        [frames, client.reads + target.reads, client.writes + target.writes]
    }

    fn moved(&self) -> usize {
        let (client, target) = (&self.client.end.socket, &self.target.socket);
        client.read + target.read + client.wrote.len() + target.wrote.len()
    }

    fn payload(&self) -> (u64, usize, usize, usize) {
        let (received, target) = (self.tunnel.stats().bytes_received, &self.target.socket);
        (received, target.read, self.client.end.data_sent, target.wrote.len())
    }

    fn standing(&self) -> Found {
        let (client, target) = (&self.client.end.socket, &self.target.socket);
        Found {
            cause: Cause::Internal,
            at: self.now,
            client: client.times,
            target: target.times,
            owed: client.owed || target.owed,
            owed_payload: (client.owed && self.client.end.in_data) || target.owed,
            client_blocked: client.is_blocked(),
            target_blocked: target.is_blocked(),
            client_arrived: client.arrived,
            target_arrived: target.arrived,
            payload_at: self.payload_at,
            ping_left: self.client.end.ping_left,
        }
    }

    /// Notes why the session ends, once it does: `Internal` means that it does not, unless `is_sure`.
    fn note_cause(&mut self, before: Found, cause: Cause, is_sure: bool) {
        if self.found.is_none() && (is_sure || cause != Cause::Internal) {
            self.found = Some(Found { cause, ..before });
            self.failed |= cause == Cause::Internal;
            self.client.end.ending_since = Some(self.turns);
        }
    }
}
