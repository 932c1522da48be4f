//! The target of a session: who it is, and at which addresses.
//!
//! The address that is checked is the address that is connected: names that a variable gives are resolved here, and
//! what is found here is handed to nginx as it is.

use websockify_policy::{Peer, Refusal};

use crate::conf::{Pass, DEFAULT_PORT};
use crate::nginx::conf::find_group;
use crate::nginx::log::Printable;
use crate::nginx::request::Request;
use crate::nginx::resolver::Address;
use crate::nginx::upstream::{Group, Resolved, Upstream};
use crate::session::Session;

/// Servers that can be connected to.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// A group of the configuration, balanced by nginx.
    Group(Group),
    /// Addresses found for this request, tried in turn.
    Addresses(Resolved),
}

/// What a location's `websockify_pass` comes to for one request.
#[allow(clippy::large_enum_variant, reason = "it is passed on once")]
pub(crate) enum Choice {
    Known(Target),
    /// A name that a resolver has to be asked for.
    Name(Address),
}

/// Finds the target of a request.
///
/// # Errors
///
/// The status to answer with; the cause is logged.
pub(crate) fn choose(request: Request, session: &Session) -> Result<Choice, u16> {
    let text = match session.conf.pass {
        Some(Pass::Group(group, address)) => {
            session.set_address(address);
            return Ok(Choice::Known(Target::Group(group)));
        }
        Some(Pass::Variable(text, _)) => text.evaluate(request).ok_or(500_u16)?,
        None => return Err(500),
    };
    session.set_address(text);
    if text.is_empty() {
        request.log().error(format_args!("the value of \"websockify_pass\" is empty: no target"));
        return Err(500);
    }
    // Nobody's address holds one, and nginx writes addresses into its log as they are.
    if text.as_bytes().iter().any(u8::is_ascii_control) {
        let text = Printable(text.as_bytes());
        request.log().error(format_args!("control character in target \"{text}\" of \"websockify_pass\""));
        return Err(500);
    }
    let address = Address::parse(request, text, DEFAULT_PORT).map_err(|words| {
        let text = Printable(text.as_bytes());
        request.log().error(format_args!("{words} in target \"{text}\" of \"websockify_pass\""));
        500_u16
    })?;
    if let Some(group) = find_group(request, address.host(), address.port(), DEFAULT_PORT) {
        return Ok(Choice::Known(Target::Group(group)));
    }
    Ok(match address.literal(request) {
        Some(resolved) => Choice::Known(Target::Addresses(resolved)),
        None => Choice::Name(address),
    })
}

/// Whether `peer` may be connected to for this session; says why not.
pub(crate) fn may_connect(request: Request, session: &Session, peer: Peer<'_>) -> bool {
    let is_block = matches!(session.target(), Some(Target::Group(group)) if group.is_block());
    let guarded = session.conf.has_free_target() && !is_block;
    let Err(refusal) = session.conf.access.rules.judge(peer, guarded) else { return true };
    let log = request.log();
    match refusal {
        Refusal::Denied(place) => {
            log.error(format_args!("target \"{peer}\" is refused by \"websockify_deny\" in {place}"));
        }
        Refusal::Unlisted(place) => log.error(format_args!(
            "target \"{peer}\" is refused: it matches no \"websockify_allow\" up to the last rule in {place}"
        )),
        Refusal::Guarded => log.error(format_args!(
            "target \"{peer}\" is refused: link-local and metadata addresses need a \"websockify_allow\""
        )),
    }
    false
}

impl Target {
    /// Leaves of a name's addresses those that `may` lets pass, so that they alone count as tries. Whether any are left.
    pub(crate) fn retain(self, may: impl Fn(Peer<'_>) -> bool) -> bool {
        match self {
            // Whom a group has to offer is its balancer's to say.
            Self::Group(_) => true,
            Self::Addresses(resolved) => resolved.retain(may),
        }
    }

    /// Tells nginx whom it may connect to.
    pub(crate) fn offer(self, request: Request, upstream: Upstream) -> Result<(), ()> {
        match self {
            Self::Group(group) => upstream.use_group(request, group),
            Self::Addresses(resolved) => upstream.use_addresses(request, resolved),
        }
    }
}
