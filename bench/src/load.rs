//! Load: sessions that all do something, one event loop, and a window of time in which it counts.

mod bulk;
mod churn;
mod echo;

use std::io;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;

pub(crate) use bulk::{Download, Upload};
pub(crate) use churn::Churn;
pub(crate) use echo::Echo;

use crate::cpu::Meter;
use crate::link::{Endpoint, Link, PATIENCE};
use crate::pattern::{Pattern, LONGEST};
use crate::poll::Poll;
use crate::target::Board;

/// What one session does.
pub(crate) trait Task {
    /// What it waits for.
    fn interest(&self) -> EventFlags;

    /// The connection it begins with; it may have begun already.
    fn begin(&mut self, endpoint: &Endpoint) -> io::Result<Link>;

    /// One event.
    fn turn(&mut self, link: &mut Link, desk: &mut Desk) -> io::Result<Next>;
}

/// How it goes on after an event.
pub(crate) enum Next {
    Wait,
    /// With another connection.
    Again,
}

/// What all sessions use and count in.
pub(crate) struct Desk {
    pub(crate) pattern: Arc<Pattern>,
    pub(crate) scratch: Vec<u8>,
    /// The window is open.
    counts: bool,
    pub(crate) tally: Tally,
}

/// What was counted in the window.
#[derive(Default)]
pub(crate) struct Tally {
    /// Payload bytes that arrived, at the client or the target.
    pub(crate) bytes: u64,
    /// Messages that came back.
    pub(crate) messages: u64,
    /// Sessions from their beginning to their end.
    pub(crate) sessions: u64,
    /// How long messages were on their way, there and back, in nanoseconds.
    pub(crate) latencies: Vec<u64>,
    /// Processor time of the server, in seconds.
    pub(crate) cpu: f64,
    pub(crate) seconds: f64,
}

impl Desk {
    pub(crate) fn count_bytes(&mut self, len: usize) {
        self.tally.bytes += if self.counts { len as u64 } else { 0 };
    }

    pub(crate) fn count_message(&mut self, since: Instant) {
        if self.counts {
            self.tally.messages += 1;
            self.tally.latencies.push(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
    }

    pub(crate) fn count_session(&mut self) {
        self.tally.sessions += u64::from(self.counts);
    }
}

/// What a measurement is made with.
pub(crate) struct Bench<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) meter: &'a Meter,
    pub(crate) board: &'a Board,
    pub(crate) pattern: &'a Arc<Pattern>,
    /// How long it runs before it counts, and how long it counts.
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

impl Bench<'_> {
    /// Runs all of `tasks` at once.
    pub(crate) fn run(&self, mut tasks: Vec<Box<dyn Task>>) -> io::Result<Tally> {
        let mut poll = Poll::new()?;
        let mut links = Vec::new();
        for (key, task) in tasks.iter_mut().enumerate() {
            links.push(begin(task.as_mut(), self.endpoint, key, &poll)?);
        }
        let pattern = Arc::clone(self.pattern);
        let mut desk = Desk { pattern, scratch: vec![0; LONGEST], counts: false, tally: Tally::default() };
        self.turns(&mut poll, &mut tasks, &mut links, &mut desk, Instant::now() + self.warm_up)?;
        let (uploaded, cpu, start) = (self.uploaded(), self.meter.seconds()?, Instant::now());
        desk.counts = true;
        loop {
            let until = Instant::now() + self.window;
            self.turns(&mut poll, &mut tasks, &mut links, &mut desk, until)?;
            // On a machine with other things to do a short window may be too short for anything.
            let something = desk.tally.bytes + desk.tally.messages + self.uploaded() > uploaded;
            if something || start.elapsed() > PATIENCE / 4 {
                break;
            }
        }
        desk.tally.cpu = self.meter.seconds()? - cpu;
        desk.tally.seconds = start.elapsed().as_secs_f64();
        desk.tally.bytes += self.uploaded() - uploaded;
        links.into_iter().for_each(Link::abort);
        if self.board.spoilt.load(Ordering::Relaxed) {
            return Err(io::Error::other("the target was sent other bytes than the client had"));
        }
        Ok(desk.tally)
    }

    fn uploaded(&self) -> u64 {
        self.board.received.load(Ordering::Relaxed)
    }

    fn turns(
        &self,
        poll: &mut Poll,
        tasks: &mut [Box<dyn Task>],
        links: &mut [Link],
        desk: &mut Desk,
        until: Instant,
    ) -> io::Result<()> {
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            for key in poll.wait(Some(left))? {
                let at = usize::try_from(key).map_err(io::Error::other)?;
                match tasks[at].turn(&mut links[at], desk) {
                    Ok(Next::Wait) => {}
                    Ok(Next::Again) => links[at] = begin(tasks[at].as_mut(), self.endpoint, at, poll)?,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

fn begin(task: &mut dyn Task, endpoint: &Endpoint, key: usize, poll: &Poll) -> io::Result<Link> {
    let link = task.begin(endpoint)?;
    link.unblock()?;
    poll.add(link.fd(), key as u64, task.interest())?;
    Ok(link)
}

/// What a session may not do while it is measured.
fn ended() -> io::Error {
    io::Error::other("the server ended a session")
}

fn spoilt() -> io::Error {
    io::Error::other("the client was sent other bytes than the target had")
}
