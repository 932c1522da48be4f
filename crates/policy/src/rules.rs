//! A location's rules: in order, the first that matches decides.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::network::Network;
use crate::pattern::Pattern;
use crate::peer::{Forms, Peer};

/// What a rule says of the peers it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They may be connected to.
    Allow,
    /// They may not.
    Deny,
}

/// Rules in their order, each with the place where it was written.
#[derive(Clone, Debug)]
pub struct Rules<P> {
    list: Vec<(Action, Pattern, P)>,
}

/// Why a peer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'r, P> {
    /// A rule denies it: the one that was written here.
    Denied(&'r P),
    /// No rule matches, and there is one that allows others; the last rule was written here.
    Unlisted(&'r P),
    /// No rule matches, and it is an address that nobody wants to have reached by accident.
    Guarded,
}

/// What is reached only if a rule says so, where somebody else than the configuration names the target: addresses of
/// the link, and those at which clouds tell a machine its secrets.
const GUARDED: [Network; 5] = [
    v4([169, 254, 0, 0], 16),
    v4([100, 100, 100, 200], 32),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128),
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),
];

impl<P> Default for Rules<P> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<P> Rules<P> {
    /// Appends a rule that was written at `place`.
    pub fn push(&mut self, action: Action, pattern: Pattern, place: P) {
        self.list.push((action, pattern, place));
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Decides whether `peer` may be connected to.
    ///
    /// The first rule that matches decides. Where none does: a list that allows something refuses the rest, a list
    /// that only denies lets the rest pass, but for the guarded addresses where `guarded` is set.
    ///
    /// # Errors
    /// Why it may not.
    pub fn judge(&self, peer: Peer<'_>, guarded: bool) -> Result<(), Refusal<'_, P>> {
        for (action, pattern, place) in &self.list {
            match action {
                Action::Allow if pattern.covers(peer) => return Ok(()),
                Action::Deny if pattern.touches(peer) => return Err(Refusal::Denied(place)),
                Action::Allow | Action::Deny => {}
            }
        }
        match self.list.last() {
            _ if guarded && is_guarded(peer) => Err(Refusal::Guarded),
            Some((.., place)) if self.list.iter().any(|rule| rule.0 == Action::Allow) => {
                Err(Refusal::Unlisted(place))
            }
            _ => Ok(()),
        }
    }
}

fn is_guarded(peer: Peer<'_>) -> bool {
    let Peer::Ip(address) = peer else { return false };
    let forms = Forms::of(address.ip());
    GUARDED.iter().any(|network| forms.is_somehow_in(network))
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u32) -> Network {
    network(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], prefix: u32) -> Network {
    network(IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), prefix)
}

const fn network(address: IpAddr, prefix: u32) -> Network {
    match Network::new(address, prefix) {
        Some(network) => network,
        None => panic!("a prefix that is too long"),
    }
}
