//! One simulated connection: what the kernel holds of it, and what an event loop has announced.
//!
//! Nothing is announced twice. With [`Trigger::Edge`] bytes are announced once when they arrive, and room once when a
//! good part of the buffer is free again after a send that came short: a pump that waits with something left to do
//! waits for ever.

use std::mem;
use std::ops::Range;

use websockify_tunnel::{HangUp, Io, Msec, Stream};

use crate::random::Random;

/// How an event loop announces (epoll and poll).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    Edge,
    Level,
}

/// What comes behind a peer's last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Eof,
    Reset,
}

/// When something last happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// The pump read a byte.
    pub(crate) read: Msec,
    /// The pump wrote a byte, or its writing came to a stop.
    pub(crate) moved: Msec,
    /// The peer took a byte.
    pub(crate) taken: Msec,
    /// All that the pump wanted to write was written, after a turn that had left some.
    pub(crate) unblocked: Msec,
    /// The same, or the pump may write for the first time.
    pub(crate) free: Msec,
    /// The loop announced that the peer left.
    pub(crate) left: Msec,
}

pub(crate) struct Socket {
    pub(crate) now: Msec,
    pub(crate) times: Times,
    /// How many bytes ever arrived, and how many of them the pump has read.
    pub(crate) arrived: usize,
    pub(crate) read: usize,
    /// How many times the pump has read, and written.
    pub(crate) reads: usize,
    pub(crate) writes: usize,
    /// The most that a read gives.
    pub(crate) largest_read: usize,
    /// All that the pump wrote.
    pub(crate) wrote: Vec<u8>,
    /// The pump has more to write than there was room for.
    pub(crate) owed: bool,
    /// The pump was told that a send failed.
    pub(crate) send_failed: bool,
    /// Whether the turn before left something, and whether it could not write.
    stood: (bool, bool),
    trigger: Trigger,
    random: Random,
    /// Arrived and not read.
    inbox: Vec<u8>,
    inbox_start: usize,
    end: Option<Last>,
    end_read: bool,
    end_announced: bool,
    readable: bool,
    /// Arrivals the loop has not announced.
    arrivals: bool,
    /// How many bytes the peer has not taken.
    outbox: usize,
    /// How many of them are not the pump's.
    preface: usize,
    size: usize,
    writable: bool,
    broken: bool,
    /// A send came short: the loop will announce room, not before this time.
    wants_room: Option<Msec>,
    /// What was offered when a send came to nothing: the same must be offered again.
    refused: Option<(usize, Vec<u8>)>,
    /// How often of a hundred times a send comes to nothing though there is room, as a TLS library's may.
    pub(crate) balks: usize,
}

impl Socket {
    pub(crate) fn new(random: &mut Random, trigger: Trigger, size: usize) -> Self {
        Self {
            now: 0,
            times: Times::default(),
            arrived: 0,
            read: 0,
            reads: 0,
            writes: 0,
            largest_read: usize::MAX,
            wrote: Vec::new(),
            owed: false,
            send_failed: false,
            stood: (false, false),
            trigger,
            random: random.split(),
            inbox: Vec::new(),
            inbox_start: 0,
            end: None,
            end_read: false,
            end_announced: false,
            readable: false,
            arrivals: false,
            outbox: 0,
            preface: 0,
            size,
            writable: true,
            broken: false,
            wants_room: None,
            refused: None,
            balks: random.pick(&[0, 0, 3, 10]),
        }
    }

    /// Other bytes of ours go first, as those of a 101: there is no room until they are gone.
    pub(crate) fn fill(&mut self) {
        self.outbox = self.size;
        self.preface = self.size;
        self.writable = false;
        self.wants_room = Some(self.now);
        self.stood.1 = true;
    }

    pub(crate) fn arrive(&mut self, bytes: &[u8]) {
        self.inbox.drain(..mem::take(&mut self.inbox_start));
        self.inbox.extend_from_slice(bytes);
        self.arrived += bytes.len();
        self.arrivals = true;
    }

    pub(crate) fn end(&mut self, last: Last) {
        self.end.get_or_insert(last);
        self.broken |= last == Last::Reset;
        self.arrivals = true;
    }

    /// Sends fail from now on, and reading tells nothing of it.
    pub(crate) fn break_sends(&mut self) {
        self.broken = true;
    }

    /// The peer takes at most `most` bytes: returns where in `wrote` they are.
    pub(crate) fn take(&mut self, most: usize) -> Range<usize> {
        let len = most.min(self.outbox);
        if len > 0 {
            self.times.taken = self.now;
        }
        let start = self.wrote.len() + self.preface - self.outbox;
        let preface = len.min(self.preface);
        self.preface -= preface;
        self.outbox -= len;
        start..start + len - preface
    }

    pub(crate) fn holds_bytes_for_peer(&self) -> bool {
        self.outbox > 0 && !self.broken
    }

    /// The pump cannot write, whatever it has.
    pub(crate) fn is_blocked(&self) -> bool {
        self.owed || !self.writable
    }

    /// A read is worth it, and would tell something.
    pub(crate) fn has_unread(&self) -> bool {
        self.readable && !self.is_read_out()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    pub(crate) fn ended(&self) -> Option<Last> {
        self.end
    }

    pub(crate) fn end_is_announced(&self) -> bool {
        self.end_announced
    }

    fn inbox_len(&self) -> usize {
        self.inbox.len() - self.inbox_start
    }

    /// Whether everything that arrived was read, the end with it.
    pub(crate) fn is_read_out(&self) -> bool {
        self.inbox_len() == 0 && (self.end.is_none() || self.end_read)
    }

    /// Announces what there is, or leaves it for later. Returns whether an event came that calls for a turn: room does
    /// only where something is owed.
    pub(crate) fn announce(&mut self, owed: bool) -> bool {
        let read = self.has_news_to_read() && self.random.chance(75);
        if read {
            self.arrivals = false;
            self.readable = true;
            if self.end.is_some() && self.trigger == Trigger::Edge && !self.end_announced {
                (self.end_announced, self.times.left) = (true, self.now);
            }
        }
        let write = self.has_room_to_announce() && self.random.chance(75);
        if write {
            self.wants_room = None;
            self.writable = true;
        }
        read || (write && owed)
    }

    pub(crate) fn has_something_to_announce(&self) -> bool {
        self.has_news_to_read() || self.has_room_to_announce()
    }

    fn has_news_to_read(&self) -> bool {
        match self.trigger {
            Trigger::Edge => self.arrivals,
            Trigger::Level => !self.readable && !self.is_read_out(),
        }
    }

    fn has_room_to_announce(&self) -> bool {
        let free = self.size - self.outbox;
        let enough = self.broken || (free > 0 && free >= self.size / 3);
        !self.writable && enough && self.wants_room.is_some_and(|at| at <= self.now)
    }

    /// When a send that balked will be announced.
    pub(crate) fn next_event(&self) -> Option<Msec> {
        self.wants_room.filter(|&at| at > self.now)
    }

    fn come_short(&mut self, bytes: &[u8], until: Msec) -> Io {
        self.writable = false;
        self.wants_room = Some(until);
        self.refused = Some((bytes.as_ptr().addr(), bytes.to_vec()));
        self.note_owed(true);
        Io::Again
    }

    fn note_owed(&mut self, owed: bool) {
        if owed && !self.owed {
            self.times.moved = self.now;
        }
        self.owed = owed;
    }

    /// A turn is over.
    pub(crate) fn note_turn(&mut self) {
        let stands = (self.owed, self.is_blocked());
        if self.stood.0 && !stands.0 {
            self.times.unblocked = self.now;
        }
        if self.stood.1 && !stands.1 {
            self.times.free = self.now;
        }
        self.stood = stands;
    }

    /// After a read: whether another is worth it, without losing what the loop will not announce again.
    fn note_read(&mut self, filled: bool) {
        let must_stay = match self.trigger {
            Trigger::Edge => {
                (self.inbox_len() > 0 || self.end.is_some_and(|_| !self.end_read)) && !self.arrivals
            }
            Trigger::Level => false,
        };
        let stays = filled || self.inbox_len() > 0;
        self.readable = must_stay || (stays && self.random.chance(70));
    }
}

impl Stream for Socket {
    fn is_readable(&self) -> bool {
        self.readable
    }

    fn is_writable(&self) -> bool {
        self.writable
    }

    fn recv(&mut self, room: &mut [u8]) -> Io {
        assert!(!room.is_empty(), "recv without room");
        assert!(!self.end_read, "recv after the end");
        assert!(self.readable, "recv on a guess");
        self.reads += 1;
        if self.inbox_len() == 0 {
            self.readable = false;
            self.end_read = self.end.is_some();
            return match self.end {
                None => Io::Again,
                Some(Last::Eof) => Io::Eof,
                Some(Last::Reset) => Io::Error,
            };
        }
        let most = room.len().min(self.inbox_len()).min(self.largest_read);
        let len = if self.random.chance(15) { 1 + self.random.below(most) } else { most };
        room[..len].copy_from_slice(&self.inbox[self.inbox_start..][..len]);
        self.inbox_start += len;
        self.note_read(len == room.len());
        self.read += len;
        self.times.read = self.now;
        Io::Done(len)
    }

    fn send(&mut self, bytes: &[u8]) -> Io {
        assert!(!bytes.is_empty(), "send of nothing");
        assert!(self.writable, "send on a guess");
        assert!(!self.send_failed, "send after a failure");
        self.writes += 1;
        if let Some((address, refused)) = self.refused.take() {
            assert_eq!(address, bytes.as_ptr().addr(), "a refused range has moved");
            assert!(bytes.starts_with(&refused), "a refused range has changed");
        }
        if self.broken {
            self.send_failed = true;
            self.note_owed(false);
            return Io::Error;
        }
        let room = self.size - self.outbox;
        if room == 0 {
            return self.come_short(bytes, self.now);
        }
        if self.random.chance(self.balks) {
            let most = self.random.pick(&[1, 5, 5, 15_000]);
            let until = self.now + self.random.up_to(most);
            return self.come_short(bytes, until);
        }
        let most = room.min(bytes.len());
        let len = if self.random.chance(20) { 1 + self.random.below(most) } else { most };
        self.outbox += len;
        self.wrote.extend(&bytes[..len]);
        self.times.moved = self.now;
        self.note_owed(len < bytes.len());
        if len == room && self.random.chance(70) {
            // The kernel has noticed that there was no room for all, or the next send will.
            self.writable = len == bytes.len();
            self.wants_room = (!self.writable).then_some(self.now);
        }
        Io::Done(len)
    }

    fn has_more(&mut self) -> bool {
        self.readable |= self.inbox_len() > 0;
        self.readable
    }

    fn unacknowledged(&mut self) -> usize {
        self.outbox
    }

    fn hang_up(&mut self) -> Option<HangUp> {
        match self.end {
            Some(_) if !self.end_announced => None,
            None => None,
            Some(_) if self.broken => Some(HangUp::Reset),
            Some(_) => Some(HangUp::Eof),
        }
    }
}
