//! What this worker writes of its sessions into the zone that all workers share.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;

use nginx_sys::ngx_str_t;
use websockify_status::{
    Counters, Ending, Event, Order, Owner, Place, Progress, Reason, Record, Shelf, Slot, Table, SLOTS,
};
use websockify_tunnel::{Cause, End, Side, Stats, Tunnel};

use crate::nginx::bell;
use crate::nginx::log::Log;
use crate::nginx::request::Request;
use crate::nginx::shared::SharedMemory;
use crate::nginx::{is_hidden, now};

/// The books of one configuration, in one process.
pub(crate) struct Books {
    table: Cell<Option<Table<'static>>>,
    /// The numbers that the configuration's names have in the table.
    names: RefCell<Vec<usize>>,
    slot: Cell<Option<Slot<'static>>>,
    /// By the configuration's names.
    counters: RefCell<Vec<Option<Counters<'static>>>>,
    shelf: RefCell<Shelf<'static, Request>>,
}

/// What a session's books need.
#[derive(Default)]
pub(crate) struct Entry {
    is_open: Cell<bool>,
    place: Cell<Option<Place>>,
    /// What has been counted.
    seen: Cell<Stats>,
}

impl Books {
    pub(crate) fn new() -> Self {
        Self {
            table: Cell::new(None),
            names: RefCell::default(),
            slot: Cell::new(None),
            counters: RefCell::default(),
            shelf: RefCell::default(),
        }
    }

    /// The table, where there is one.
    pub(crate) fn table(&self) -> Option<Table<'static>> {
        self.table.get()
    }

    /// Makes the table that workers are to write to, and a bell for each of `workers` that are to come; in the master.
    pub(crate) fn open(&self, memory: SharedMemory, names: &[ngx_str_t], workers: usize) {
        let words = memory.words();
        let Some(table) = Table::open(words, RandomState::new().hash_one(now())) else { return };
        self.table.set(Some(table));
        self.names.replace(names.iter().map(|name| number_of(table, name)).collect());
        let mut taken = [false; SLOTS];
        table.claimed().for_each(|slot| taken[slot] = true);
        let free = (0..SLOTS).filter(|&slot| !taken[slot]).take(workers);
        bell::make(table.key(), free);
    }

    /// Takes a slot for this worker. Returns its number.
    pub(crate) fn begin(&self) -> Option<usize> {
        let table = self.table.get()?;
        // One without a bell is better than none.
        let slot =
            table.claim(me(), is_alive, bell::exists).or_else(|| table.claim(me(), is_alive, |_| true));
        let Some(slot) = slot else {
            Log::of_cycle().error(format_args!(
                "too many workers for the zone: the sessions of this one are not counted"
            ));
            return None;
        };
        self.slot.set(Some(slot));
        self.counters.replace(self.names.borrow().iter().map(|&name| slot.counters(name)).collect());
        let names = self.names.borrow();
        if !names
            .iter()
            .zip(&*self.counters.borrow())
            .all(|(&name, it)| it.is_some_and(|it| it.name() == name))
        {
            Log::of_cycle().error(format_args!("the zone is too small for the figures of this worker"));
        }
        Some(slot.index())
    }

    /// The worker exits.
    pub(crate) fn end(&self) {
        if let Some(slot) = self.slot.take() {
            slot.release();
        }
    }

    /// Closes the books of workers that were killed; to be done before the books are read.
    pub(crate) fn bury_dead(&self) {
        if let Some(table) = self.table.get() {
            table.bury_dead(me(), is_alive);
        }
    }

    /// Counts something that is no session's.
    pub(crate) fn count(&self, name: usize, event: Event) {
        if let Some(counters) = self.counters(name) {
            counters.count(event);
        }
    }

    fn counters(&self, name: usize) -> Option<Counters<'static>> {
        self.counters.borrow().get(name).copied().flatten()
    }

    /// A session has begun.
    pub(crate) fn opened(&self, entry: &Entry, request: Request, record: &Record<'_>) {
        let (Some(slot), Some(counters)) = (self.slot.get(), self.counters(record.name)) else { return };
        entry.is_open.set(true);
        counters.opened();
        let name = self.names.borrow().get(record.name).copied().unwrap_or(0);
        entry.place.set(self.shelf.borrow_mut().put(slot, &Record { name, ..*record }, request));
    }

    /// A session had its turn.
    pub(crate) fn moved(&self, entry: &Entry, name: usize, tunnel: &Tunnel) {
        let (before, stats) = (entry.seen.get(), *tunnel.stats());
        if !entry.is_open.get() || before == stats {
            return;
        }
        entry.seen.set(stats);
        let round_trip = tunnel.round_trip().filter(|_| stats.round_trips != before.round_trips);
        if let Some(counters) = self.counters(name) {
            counters.moved(&Progress {
                bytes_received: stats.bytes_received - before.bytes_received,
                bytes_sent: stats.bytes_sent - before.bytes_sent,
                frames_received: stats.frames_received - before.frames_received,
                frames_sent: stats.frames_sent - before.frames_sent,
                pings: (stats.pings - before.pings).into(),
                round_trip,
            });
        }
        if let Some(place) = entry.place.get() {
            let shelf = self.shelf.borrow();
            shelf.update(place, stats.bytes_received, stats.bytes_sent, tunnel.payload_at());
            if let Some(time) = round_trip {
                shelf.set_round_trip(place, time);
            }
        }
    }

    /// A session has ended. Nothing is kept of its request.
    pub(crate) fn ended(&self, entry: &Entry, name: usize, end: End) {
        if !entry.is_open.replace(false) {
            return;
        }
        if let Some(place) = entry.place.take() {
            self.shelf.borrow_mut().take(place);
        }
        self.count(name, Event::Ended(ending(end.cause), end.close_code()));
    }

    /// Counts the sessions that this worker has told to end, and rings for those who have them. `false` if somebody
    /// does not hear it.
    pub(crate) fn spread(&self, order: &Order) -> bool {
        if let Some(counters) = self.counters(0) {
            counters.ordered(order.count);
        }
        // No short circuit: all of them are to hear it.
        order.slots().filter(|&slot| !bell::ring(slot)).count() == 0
    }

    /// The next session of this worker that was told to end, and why. `from` is where the search goes on, at first 0.
    pub(crate) fn take_ordered(&self, from: &mut usize) -> Option<(Request, Reason)> {
        self.shelf.borrow().take_ordered(self.slot.get()?, from)
    }
}

/// Names of older configurations stay in the table.
fn number_of(table: Table<'static>, name: &ngx_str_t) -> usize {
    let number = table.name(name.as_bytes());
    if number == 0 && !name.is_empty() {
        Log::of_cycle().error(format_args!(
            "the zone has no room for the status name \"{name}\" beside those it has had: it is counted as none"
        ));
    }
    number
}

fn ending(cause: Cause) -> Ending {
    match cause {
        Cause::ClientClose(_) => Ending::ClientClose,
        Cause::ClientEof => Ending::ClientEof,
        Cause::ClientReset => Ending::ClientReset,
        Cause::Fault(_) => Ending::ClientFault,
        Cause::TargetEof => Ending::TargetEof,
        Cause::TargetReset => Ending::TargetReset,
        Cause::FirstBytes(_) | Cause::TargetNotUtf8 => Ending::TargetRefused,
        Cause::SendTimeout(Side::Client) => Ending::ClientTimeout,
        Cause::SendTimeout(Side::Target) => Ending::TargetTimeout,
        Cause::ReadTimeout => Ending::ReadTimeout,
        Cause::NoPong => Ending::NoPong,
        Cause::IdleTimeout => Ending::IdleTimeout,
        Cause::SessionTimeout | Cause::RightExpired => Ending::SessionTimeout,
        Cause::Admin(_) => Ending::Admin,
        Cause::Shutdown => Ending::Shutdown,
        Cause::OutOfMemory | Cause::Internal => Ending::Internal,
    }
}

fn me() -> Owner {
    let pid = std::process::id();
    Owner::new(pid, started(pid).unwrap_or(0))
}

/// Where nobody can tell, everybody is taken to be alive.
fn is_alive(owner: Owner) -> bool {
    match started(owner.pid()) {
        Some(start) => Owner::new(owner.pid(), start) == owner,
        None => is_hidden(owner.pid()) || started(std::process::id()).is_none(),
    }
}

/// When a process started, in the kernel's units; `None` if there is no such process, or it is dead already. It asks for no
/// memory: this is also done for requests.
fn started(pid: u32) -> Option<u64> {
    let (mut path, mut stat) = ([0; 32], [0; 1024]);
    let mut room = &mut path[..];
    write!(room, "/proc/{pid}/stat").ok()?;
    let left = room.len();
    let path = OsStr::from_bytes(&path[..path.len() - left]);
    let len = File::open(path).ok()?.read(&mut stat).ok()?;
    // The name, in parentheses, may hold anything.
    let after = stat[..len].iter().rposition(|&byte| byte == b')')? + 1;
    let mut fields = std::str::from_utf8(&stat[after..len]).ok()?.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}
