//! One session, from the handshake to the log. It lives in its request's pool.

use std::cell::{Cell, RefCell};

use websockify_protocol::handshake::Accepted;
use websockify_tunnel::{End, Tunnel};

use crate::conf::LocConf;
use crate::nginx::resolver::Lookup;
use crate::target::Target;

/// What is known of a session. References in it live as long as its request.
pub(crate) struct Session {
    pub(crate) conf: &'static LocConf,
    pub(crate) accepted: Accepted<'static>,
    pub(crate) lookup: Lookup,
    /// Borrowed for a turn of the tunnel, never across a call that may end the request.
    pub(crate) phase: RefCell<Phase>,
    target: Cell<Option<Target>>,
}

/// How far a session is on its road.
#[allow(clippy::large_enum_variant, reason = "it is in its place in the pool, for as long as it matters")]
pub(crate) enum Phase {
    /// On the way to the target, which may have said something already.
    Connecting(Option<Greeting>),
    /// The handshake is accepted, bytes flow.
    Tunneling(Tunnel),
    /// Nothing flows any more.
    Ended(End),
}

/// What a target said before it was found to be connected.
pub(crate) struct Greeting {
    /// The connection it came on: nginx may have gone on to another server since.
    pub(crate) connection: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Session {
    pub(crate) fn new(conf: &'static LocConf, accepted: Accepted<'static>) -> Self {
        Self {
            conf,
            accepted,
            lookup: Lookup::default(),
            phase: RefCell::new(Phase::Connecting(None)),
            target: Cell::new(None),
        }
    }

    pub(crate) fn set_target(&self, target: Target) {
        self.target.set(Some(target));
    }

    pub(crate) fn target(&self) -> Option<Target> {
        self.target.get()
    }

    /// Keeps what the target said on a connection of its own, in addition to what it said there before.
    pub(crate) fn keep_greeting(&self, connection: u64, bytes: &[u8]) -> Result<(), ()> {
        let mut phase = self.phase.borrow_mut();
        let Phase::Connecting(greeting) = &mut *phase else { return Err(()) };
        let mut kept = match greeting.take() {
            Some(kept) if kept.connection == connection => kept,
            _ => Greeting { connection, bytes: Vec::new() },
        };
        kept.bytes.try_reserve_exact(bytes.len()).map_err(|_| ())?;
        kept.bytes.extend_from_slice(bytes);
        *greeting = Some(kept);
        Ok(())
    }
}
