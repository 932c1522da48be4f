//! The whole road on one screen: request -> handshake -> target -> connect -> tunnel -> close -> log.

use std::fmt;

use nginx_sys::ngx_int_t;
use websockify_policy::Peer;
use websockify_status::{Event, Refusal};
use websockify_tunnel::Side;

use crate::conf::main::MainConf;
use crate::conf::LocConf;
use crate::connect;
use crate::fault;
use crate::handshake;
use crate::nginx::conf::main::main;
use crate::nginx::conf::{location, ContentHandler};
use crate::nginx::log::context::{self, Named};
use crate::nginx::log::Printable;
use crate::nginx::quit::Watched;
use crate::nginx::rc;
use crate::nginx::request::Request;
use crate::nginx::resolver::{Answer, Asker, Lookup};
use crate::nginx::upstream::{Attempts, Tenant, Upstream};
use crate::session::{Lifetime, Session};
use crate::target;
use crate::token;
use crate::tunnel;

/// Answers the requests of a location with `websockify_pass`.
pub(crate) struct Handler;

impl ContentHandler for Handler {
    fn handle(request: Request) -> ngx_int_t {
        begin(request).map_or_else(|status| status as ngx_int_t, |()| rc::DONE)
    }
}

/// Begins a session. Its end, with or without a tunnel, comes through the event loop.
fn begin(request: Request) -> Result<(), u16> {
    if !request.is_clients_own() {
        request.log().error(format_args!("\"websockify_pass\" in a subrequest or a post_action"));
        return Err(500);
    }
    let conf = location::<LocConf>(request);
    context::install::<Session>(request);
    fault::place(conf, "handler");
    let refused = |by: Refusal| move |status: u16| count(request, conf, by, status);
    let accepted = handshake::check(request, conf).map_err(|status| match status {
        403 => refused(Refusal::Origin)(status),
        _ => refused(Refusal::Handshake)(status),
    })?;
    token::check(request, conf).map_err(refused(Refusal::Token))?;
    let lifetime = Lifetime::of(request, conf).map_err(refused(Refusal::Right))?;
    let session = request.pool().keep_to_find(Session::new(conf, accepted, lifetime));
    let session = session.ok_or(500_u16).map_err(refused(Refusal::Internal))?;
    request.flush_variables();
    let choice = target::choose(request, session).map_err(refused(Refusal::Target))?;
    request.hold();
    connect::start(request, session, choice);
    Ok(())
}

fn count(request: Request, conf: &LocConf, by: Refusal, status: u16) -> u16 {
    main::<MainConf>(request).zone.books.count(conf.status_name(), Event::Refused(by, status));
    status
}

impl Named for Session {
    fn name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", session: {:016x}", self.id)?;
        match self.address() {
            address if address.is_empty() => Ok(()),
            address => write!(f, ", target: \"{}\"", Printable(address.as_bytes())),
        }
    }
}

impl Asker for Session {
    fn lookup(&self) -> &Lookup {
        &self.lookup
    }

    fn on_resolved(&self, request: Request, answer: Answer<'_>) {
        fault::place(self.conf, "resolved");
        connect::resolved(request, self, answer);
    }
}

impl Tenant for Session {
    fn choose_peers(&self, request: Request, upstream: Upstream) -> Result<(), ()> {
        fault::place(self.conf, "choose_peers");
        self.target().ok_or(())?.offer(request, upstream)
    }

    fn may_connect(&self, request: Request, peer: Peer<'_>) -> bool {
        fault::place(self.conf, "may_connect");
        target::may_connect(request, self, peer)
    }

    fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    fn watched(&self) -> &Watched {
        &self.watched
    }

    fn on_connected(&self, request: Request, upstream: Upstream) {
        fault::place(self.conf, "connected");
        tunnel::start(self, request, upstream);
    }

    fn on_event(&self, request: Request, upstream: Upstream) {
        fault::place(self.conf, "event");
        tunnel::on_event(self, request, upstream);
    }

    fn on_room(&self, request: Request, upstream: Upstream, side: Side) {
        tunnel::on_room(self, request, upstream, side);
    }

    fn on_quit(&self, request: Request, upstream: Upstream) {
        tunnel::quit(self, request, upstream);
    }

    fn on_release(&self, request: Request, upstream: Upstream, status: ngx_int_t) {
        fault::place(self.conf, "release");
        tunnel::release(self, request, upstream, status);
    }

    fn on_panic(&self, request: Request, upstream: Upstream) {
        fault::place(self.conf, "give_up");
        tunnel::give_up(self, request, upstream);
    }
}
