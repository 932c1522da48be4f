//! One session, from the handshake to the log. It lives in its request's pool.

mod id;
mod lifetime;

use std::cell::{Cell, RefCell};

use nginx_sys::ngx_str_t;
use websockify_protocol::handshake::Accepted;
use websockify_tunnel::{End, Limits, Msec, Stats, Tunnel};

use crate::books::Entry;
use crate::conf::LocConf;
use crate::nginx::quit::Watched;
use crate::nginx::resolver::Lookup;
use crate::nginx::upstream::Attempts;
use crate::target::Target;

pub(crate) use lifetime::{refuse_expired, Lifetime};

/// What is known of a session. References in it live as long as its request.
pub(crate) struct Session {
    /// Another one for each session, whatever the worker.
    pub(crate) id: u64,
    pub(crate) conf: &'static LocConf,
    pub(crate) accepted: Accepted<'static>,
    pub(crate) lifetime: Lifetime,
    pub(crate) lookup: Lookup,
    /// A name is asked for, or will be once more: nginx's upstream knows nothing of the session yet.
    pub(crate) awaits_name: Cell<bool>,
    pub(crate) attempts: Attempts,
    pub(crate) watched: Watched,
    /// Borrowed for a turn of the tunnel, never across a call that may end the request.
    pub(crate) phase: RefCell<Phase>,
    /// A turn was left unfinished, and the next is posted.
    pub(crate) owes_turn: Cell<bool>,
    pub(crate) entry: Entry,
    address: Cell<ngx_str_t>,
    target: Cell<Option<Target>>,
}

/// How far a session is on its road.
#[allow(clippy::large_enum_variant, reason = "it is in its place in the pool, for as long as it matters")]
pub(crate) enum Phase {
    /// On the way to the target.
    Connecting,
    /// On the way to the target, with the handshake accepted already.
    Waiting,
    /// The handshake is accepted, bytes flow.
    Tunneling(Tunnel),
    /// Nothing flows any more.
    Ended(Outcome),
}

/// What is left of a tunnel.
#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    pub(crate) stats: Stats,
    pub(crate) round_trip: Option<Msec>,
    /// How long there was a tunnel.
    pub(crate) lasted: Msec,
}

impl Outcome {
    pub(crate) fn of(tunnel: &Tunnel, end: End, now: Msec) -> Self {
        let lasted = now.saturating_sub(tunnel.started_at());
        Self { end, stats: *tunnel.stats(), round_trip: tunnel.round_trip(), lasted }
    }
}

impl Session {
    pub(crate) fn new(conf: &'static LocConf, accepted: Accepted<'static>, lifetime: Lifetime) -> Self {
        Self {
            id: id::next(),
            conf,
            accepted,
            lifetime,
            lookup: Lookup::default(),
            awaits_name: Cell::new(false),
            attempts: Attempts::default(),
            watched: Watched::default(),
            phase: RefCell::new(Phase::Connecting),
            owes_turn: Cell::new(false),
            entry: Entry::default(),
            address: Cell::new(ngx_str_t::empty()),
            target: Cell::new(None),
        }
    }

    /// What its tunnel is held to.
    pub(crate) fn limits(&self) -> Limits {
        self.conf.limits(self.lifetime.idle, self.lifetime.longest)
    }

    /// Notes what `websockify_pass` comes to for this session.
    pub(crate) fn set_address(&self, address: ngx_str_t) {
        self.address.set(address);
    }

    /// What `websockify_pass` has come to, as it is written there; empty until it is known.
    pub(crate) fn address(&self) -> ngx_str_t {
        self.address.get()
    }

    pub(crate) fn set_target(&self, target: Target) {
        self.target.set(Some(target));
    }

    pub(crate) fn target(&self) -> Option<Target> {
        self.target.get()
    }

    /// What the tunnel has moved so far; `None` where there was none.
    pub(crate) fn stats(&self) -> Option<Stats> {
        match &*self.phase.try_borrow().ok()? {
            Phase::Connecting | Phase::Waiting => None,
            Phase::Tunneling(tunnel) => Some(*tunnel.stats()),
            Phase::Ended(outcome) => Some(outcome.stats),
        }
    }

    /// How long the last answered ping took there and back.
    pub(crate) fn round_trip(&self) -> Option<Msec> {
        match &*self.phase.try_borrow().ok()? {
            Phase::Connecting | Phase::Waiting => None,
            Phase::Tunneling(tunnel) => tunnel.round_trip(),
            Phase::Ended(outcome) => outcome.round_trip,
        }
    }

    /// How the tunnel ended, once it has.
    pub(crate) fn end(&self) -> Option<End> {
        match &*self.phase.try_borrow().ok()? {
            Phase::Ended(outcome) => Some(outcome.end),
            _ => None,
        }
    }
}
