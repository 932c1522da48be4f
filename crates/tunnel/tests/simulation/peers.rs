//! The two peers behind the sockets: what they say and when, how they take what they get, how they leave.

use std::collections::VecDeque;
use std::ops::Range;

use websockify_tunnel::Msec;

use crate::client_end::ClientEnd;
use crate::listener::{Heard, Listener};
use crate::random::Random;
use crate::socket::{Last, Socket};
use crate::speech::{Spoken, Words};

/// What a peer does next.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Say(Words),
    Leave(Last),
    /// Its side takes no more, and our reads do not tell.
    BreakSends,
}

impl Act {
    /// Bytes on the wire.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Say(words) => words.wire.len(),
            Self::Leave(_) | Self::BreakSends => 0,
        }
    }
}

/// A peer's words on their way to us, in whatever pieces the network makes of them.
pub(crate) struct Line {
    /// Each act, and how long the peer pauses before it.
    pub(crate) script: VecDeque<(Msec, Act)>,
    flight: Vec<u8>,
    flight_start: usize,
    /// When the next act or piece is due.
    due: Option<Msec>,
    pub(crate) largest_piece: usize,
    random: Random,
}

impl Line {
    pub(crate) fn new(random: &mut Random, script: VecDeque<(Msec, Act)>) -> Self {
        let mut line = Self {
            script,
            flight: Vec::new(),
            flight_start: 0,
            due: None,
            largest_piece: 0,
            random: random.split(),
        };
        line.largest_piece = random.pick(&[3, 100, 5_000, usize::MAX]).max(line.len() / 200);
        line
    }

    /// Bytes still to be said.
    pub(crate) fn len(&self) -> usize {
        self.script.iter().map(|(_, act)| act.len()).sum()
    }

    /// Does what is due. Returns whether something happened.
    fn step(&mut self, now: Msec, socket: &mut Socket, spoken: &mut Spoken) -> bool {
        if self.next_event(now).is_none_or(|at| at > now) {
            return false;
        }
        self.due = None;
        if self.flight.is_empty() {
            self.act(socket, spoken);
        }
        if !self.flight.is_empty() {
            let rest = self.flight.len() - self.flight_start;
            let len = 1 + self.random.below(self.largest_piece.min(rest));
            socket.arrive(&self.flight[self.flight_start..][..len]);
            self.flight_start += len;
            if len == rest {
                (self.flight, self.flight_start) = (Vec::new(), 0);
            }
            let gap = if self.random.chance(70) { 0 } else { self.random.up_to(5) };
            self.due = (!self.flight.is_empty()).then_some(now + gap);
        }
        true
    }

    fn act(&mut self, socket: &mut Socket, spoken: &mut Spoken) {
        let mut is_due = true;
        while let Some((pause, act)) = self.script.pop_front() {
            let ends_batch = !matches!(act, Act::Say(_)) && !self.flight.is_empty();
            if ends_batch || !(is_due || pause == 0) {
                self.script.push_front((pause, act));
                return;
            }
            is_due = false;
            match act {
                Act::Say(words) => {
                    spoken.add(&words);
                    self.flight.extend(&words.wire);
                }
                Act::Leave(last) => socket.end(last),
                Act::BreakSends => socket.break_sends(),
            }
        }
    }

    /// When something is due next; the peer's pause begins when it is first asked.
    fn next_event(&mut self, now: Msec) -> Option<Msec> {
        if self.due.is_none() {
            self.due = self.script.front().map(|(pause, _)| now + pause);
        }
        self.due
    }

    /// Says `words` before anything else that has not begun.
    fn interject(&mut self, pause: Msec, words: Words) {
        self.script.push_front((pause, Act::Say(words)));
        if self.flight.is_empty() {
            self.due = None;
        }
    }

    fn is_silent(&self) -> bool {
        self.flight.is_empty() && self.script.is_empty()
    }
}

/// How a peer takes what it gets.
#[derive(Clone, Debug)]
pub(crate) struct Appetite {
    pub(crate) bite: usize,
    pub(crate) every: Msec,
    /// When it takes nothing.
    pub(crate) asleep: Range<Msec>,
    /// It takes so much and no more.
    pub(crate) fill: usize,
    last: Msec,
}

impl Appetite {
    pub(crate) fn hearty() -> Self {
        Self { bite: usize::MAX, every: 0, asleep: 0..0, fill: usize::MAX, last: 0 }
    }

    /// One of a peer that gets about `len` bytes.
    pub(crate) fn random(random: &mut Random, len: usize) -> Self {
        let mut appetite = Self::hearty();
        match random.below(100) {
            0..=39 => {}
            40..=59 => {
                let start = random.pick(&[1, 10, 3_000, 20_000]);
                let most = random.pick(&[10, 4_000, 19_000, 59_000, 200_000]);
                appetite.asleep = start..start + random.up_to(most);
            }
            60..=84 => {
                appetite.bite = 1 + random.below(2_000) + len / 40;
                let most = random.pick(&[10, 4_900, 15_000, 59_000, 70_000]);
                appetite.every = random.up_to(most);
            }
            85..=92 => appetite.fill = random.below(len + 1),
            _ => appetite.fill = 0,
        }
        appetite
    }

    fn next_event(&self, now: Msec, socket: &Socket) -> Option<Msec> {
        if !socket.holds_bytes_for_peer() || self.fill == 0 {
            return None;
        }
        let at = now.max(self.last + self.every);
        Some(if self.asleep.contains(&at) { self.asleep.end } else { at })
    }

    fn step(&mut self, now: Msec, socket: &mut Socket) -> Option<Range<usize>> {
        self.next_event(now, socket).filter(|&at| at == now)?;
        let taken = socket.take(self.bite.min(self.fill));
        if self.fill < usize::MAX {
            self.fill -= taken.len();
        }
        self.last = now;
        Some(taken)
    }
}

/// How a client answers what it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Manners {
    /// How many pings it answers, and how long that takes.
    pub(crate) pongs: usize,
    pub(crate) pong_after: Msec,
    /// How long it takes to answer a Close, if it does, and how many frames it says before.
    pub(crate) answer_after: Option<Msec>,
    pub(crate) last_words: usize,
    /// Whether it ends its stream after a Close, not waiting for us to do so.
    pub(crate) hangs_up: bool,
}

pub(crate) struct Client {
    pub(crate) end: ClientEnd,
    pub(crate) line: Line,
    pub(crate) appetite: Appetite,
    pub(crate) manners: Manners,
    ears: Listener,
    random: Random,
    /// It has answered our Close.
    has_answered: bool,
}

impl Client {
    pub(crate) fn new(random: &mut Random, end: ClientEnd, ears: Listener, manners: Manners) -> Self {
        Self {
            end,
            line: Line::new(random, VecDeque::new()),
            appetite: Appetite::hearty(),
            manners,
            ears,
            random: random.split(),
            has_answered: false,
        }
    }

    pub(crate) fn step(&mut self, now: Msec) -> bool {
        self.end.socket.now = now;
        let mut news = self.line.step(now, &mut self.end.socket, &mut self.end.spoken);
        if let Some(taken) = self.appetite.step(now, &mut self.end.socket) {
            self.ears.hear(&self.end.socket.wrote[taken]);
            while let Some(heard) = self.ears.next() {
                self.react(&heard);
            }
            news = true;
        }
        news
    }

    fn react(&mut self, heard: &Heard) {
        if self.end.spoken.is_over || self.has_answered || self.end.socket.ended().is_some() {
            return;
        }
        match heard {
            Heard::Ping(body) if self.manners.pongs > 0 => {
                self.manners.pongs -= 1;
                let pong = Words::control(&mut self.random, 10, body);
                self.line.interject(self.manners.pong_after, pong);
            }
            Heard::Close(code, _) => self.answer(*code),
            _ => {}
        }
    }

    fn answer(&mut self, code: Option<u16>) {
        self.line.script.retain(|(_, act)| matches!(act, Act::Say(words) if !words.is_last));
        self.line.script.truncate(self.manners.last_words);
        for (pause, _) in &mut self.line.script {
            *pause = (*pause).min(100);
        }
        let Some(after) = self.manners.answer_after else { return };
        let body = code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default();
        let close = Words::control(&mut self.random, 8, &body);
        self.line.script.push_back((after, Act::Say(close)));
        if self.manners.hangs_up {
            self.line.script.push_back((0, Act::Leave(Last::Eof)));
        }
        self.has_answered = true;
        self.line.due = self.line.due.filter(|_| !self.line.flight.is_empty());
    }

    pub(crate) fn next_event(&mut self, now: Msec) -> Option<Msec> {
        earliest([
            self.line.next_event(now),
            self.appetite.next_event(now, &self.end.socket),
            self.end.socket.next_event(),
        ])
    }

    /// Whether all it had to say has arrived.
    pub(crate) fn is_heard_out(&self) -> bool {
        self.line.is_silent() && self.end.socket.read == self.end.spoken.written
    }
}

pub(crate) struct Target {
    pub(crate) socket: Socket,
    pub(crate) line: Line,
    pub(crate) appetite: Appetite,
    /// Resets what is written to it after it has ended its stream.
    pub(crate) slams: bool,
    pub(crate) spoken: Spoken,
}

impl Target {
    pub(crate) fn step(&mut self, now: Msec) -> bool {
        self.socket.now = now;
        let mut news = self.line.step(now, &mut self.socket, &mut self.spoken);
        if self.slams && self.socket.ended().is_some() && self.socket.holds_bytes_for_peer() {
            self.socket.end(Last::Reset);
            news = true;
        }
        news | self.appetite.step(now, &mut self.socket).is_some()
    }

    pub(crate) fn next_event(&mut self, now: Msec) -> Option<Msec> {
        earliest([
            self.line.next_event(now),
            self.appetite.next_event(now, &self.socket),
            self.socket.next_event(),
        ])
    }
}

pub(crate) fn earliest<const N: usize>(events: [Option<Msec>; N]) -> Option<Msec> {
    events.into_iter().flatten().min()
}
