//! One session, from the handshake to the log. It lives in its request's pool.

use std::cell::{Cell, RefCell};

use websockify_protocol::handshake::Accepted;
use websockify_tunnel::{End, Tunnel};

use crate::conf::LocConf;
use crate::nginx::quit::Watched;
use crate::nginx::resolver::Lookup;
use crate::nginx::upstream::Attempts;
use crate::target::Target;

/// What is known of a session. References in it live as long as its request.
pub(crate) struct Session {
    pub(crate) conf: &'static LocConf,
    pub(crate) accepted: Accepted<'static>,
    pub(crate) lookup: Lookup,
    pub(crate) attempts: Attempts,
    pub(crate) watched: Watched,
    /// Borrowed for a turn of the tunnel, never across a call that may end the request.
    pub(crate) phase: RefCell<Phase>,
    target: Cell<Option<Target>>,
}

/// How far a session is on its road.
#[allow(clippy::large_enum_variant, reason = "it is in its place in the pool, for as long as it matters")]
pub(crate) enum Phase {
    /// On the way to the target.
    Connecting,
    /// The handshake is accepted, bytes flow.
    Tunneling(Tunnel),
    /// Nothing flows any more.
    Ended(End),
}

impl Session {
    pub(crate) fn new(conf: &'static LocConf, accepted: Accepted<'static>) -> Self {
        Self {
            conf,
            accepted,
            lookup: Lookup::default(),
            attempts: Attempts::default(),
            watched: Watched::default(),
            phase: RefCell::new(Phase::Connecting),
            target: Cell::new(None),
        }
    }

    pub(crate) fn set_target(&self, target: Target) {
        self.target.set(Some(target));
    }

    pub(crate) fn target(&self) -> Option<Target> {
        self.target.get()
    }
}
