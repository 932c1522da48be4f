//! The tunnel between nginx's two connections: its turns, its timer, its end.

mod ends;
mod lines;

use std::ffi::CStr;

use nginx_sys::{ngx_int_t, NGX_HTTP_BAD_GATEWAY, NGX_HTTP_CLIENT_CLOSED_REQUEST, NGX_HTTP_GATEWAY_TIME_OUT};
use websockify_status::{Event, Record, Unconnected};
use websockify_tunnel::{Cause, End, Ends, Side, Tunnel, Turn};

use crate::books::Books;
use crate::conf::main::MainConf;
use crate::handshake;
use crate::nginx::buffers::RelayBuffers;
use crate::nginx::conf::main::main;
use crate::nginx::connection::Connection;
use crate::nginx::request::Request;
use crate::nginx::upstream::{self, Upstream};
use crate::nginx::{now, quit, rc};
use crate::session::{refuse_expired, Outcome, Phase, Session};
use crate::waiting;

use ends::{Client, Target};

/// What nginx's log adds to each line of a tunnel: `... while tunneling`.
const ACTION: &CStr = c"tunneling";

/// Accepts the handshake of a session whose target is connected, and begins to relay.
pub(crate) fn start(session: &Session, request: Request, upstream: Upstream) {
    let right_ends = session.lifetime.right_ends(now());
    if right_ends.is_some_and(|end| end <= now()) {
        let (status, waits) = (refuse_expired(request), waiting::is_begun(session));
        waiting::tell(session, request, status);
        return upstream::finish(request, if waits { rc::OK } else { status as ngx_int_t });
    }
    upstream.note_switched();
    request.log().set_action(Some(ACTION));
    let is_accepted = waiting::is_begun(session) || handshake::accept(request, &session.accepted);
    if !is_accepted || !send_at_once(request, upstream) {
        return upstream::finish(request, rc::ERROR);
    }
    let encoding = session.conf.payload.encoding(session.accepted.encoding);
    let mut tunnel = Tunnel::new(now(), encoding, session.conf.tunnel.frame_limit());
    if let Some(end) = right_ends {
        tunnel.expire_at(end);
    }
    if let Some(demanded) = session.conf.access.first_bytes() {
        // To greet belongs to being connected.
        tunnel.demand(demanded.clone(), now() + session.conf.upstream.connect_timeout());
    }
    let (upload_rate, download_rate) = session.conf.payload.rates(request);
    tunnel.pace(now(), upload_rate, download_rate);
    if session.conf.tunnel.shutdown_spread().is_some() {
        if let Some(turn) = quit::watch(request, session) {
            shut_down_in_turn(session, &mut tunnel, turn);
        }
    }
    session.phase.replace(Phase::Tunneling(tunnel));
    lines::opened(request.log());
    request.log().set_action(Some(ACTION));
    let (books, target) = (books(request), session.address());
    let token_hash = books.table().and_then(|table| {
        let (_, text) = session.conf.token.required()?;
        Some(table.hash(text.evaluate(request)?.as_bytes()))
    });
    let record = Record {
        id: session.id,
        opened_at: now(),
        client: request.client_name(),
        target: target.as_bytes(),
        token_hash: token_hash.unwrap_or(0),
        name: session.conf.status_name(),
    };
    books.opened(&session.entry, request, &record);
    drive(session, request, upstream);
}

fn books(request: Request) -> &'static Books {
    &main::<MainConf>(request).zone.books
}

/// An administrator ends the session.
pub(crate) fn end_by_order(session: &Session, request: Request, upstream: Upstream, reason: &str) {
    let reason = if reason.is_empty() { None } else { request.pool().copy(reason.as_bytes()) };
    let reason = reason.and_then(|it| std::str::from_utf8(it).ok()).unwrap_or("ended by an administrator");
    if let Phase::Tunneling(tunnel) = &mut *session.phase.borrow_mut() {
        tunnel.fail(Cause::Admin(reason));
    }
    drive(session, request, upstream);
}

/// The worker is told to go: its sessions are ended one by one, spread evenly over the time given.
pub(crate) fn quit(session: &Session, request: Request, upstream: Upstream) {
    if let Phase::Tunneling(tunnel) = &mut *session.phase.borrow_mut() {
        shut_down_in_turn(session, tunnel, quit::next_turn());
    }
    drive(session, request, upstream);
}

fn shut_down_in_turn(session: &Session, tunnel: &mut Tunnel, turn: quit::Turn) {
    let spread = session.conf.tunnel.shutdown_spread().unwrap_or(0);
    tunnel.shut_down_at(now() + spread.saturating_mul(turn.number) / turn.count);
}

/// Keystrokes and pixels do not wait for one another.
fn send_at_once(request: Request, upstream: Upstream) -> bool {
    request.core_conf().tcp_nodelay == 0
        || (request.connection().set_nodelay() && upstream.connection().is_some_and(|it| it.set_nodelay()))
}

/// A connection has news, or the timer has fired. A tunnel that left its turn unfinished waits for its next: there may
/// be four events for it before, and others that wait for their first.
pub(crate) fn on_event(session: &Session, request: Request, upstream: Upstream) {
    let is_closing =
        request.connection().is_closing() || upstream.connection().is_some_and(|it| it.is_closing());
    if !is_closing && upstream.is_posted() {
        let_others_go(session, upstream);
    } else {
        drive(session, request, upstream);
    }
}

/// A connection has room. With whatever else it has to tell, nginx tells that of a connection too: mostly nothing waits
/// for it.
pub(crate) fn on_room(session: &Session, request: Request, upstream: Upstream, side: Side) {
    let waits = match &*session.phase.borrow() {
        Phase::Tunneling(tunnel) => {
            tunnel.owes(side) || (side == Side::Client && !ends::is_answered(request))
        }
        _ => true,
    };
    if waits || session.owes_turn.get() {
        return on_event(session, request, upstream);
    }
    // poll and select would tell it again and again.
    let connection = match side {
        Side::Client => Some(request.connection()),
        Side::Target => upstream.connection(),
    };
    if !connection.is_none_or(Connection::watch) {
        end_with(session, request, upstream, Cause::Internal);
    }
}

/// The next turn comes after those of all others that have news.
fn let_others_go(session: &Session, upstream: Upstream) {
    session.owes_turn.set(true);
    // Without a timer of its session's, a worker that is to go would not wait for it.
    if let Some(timer) = upstream.timer() {
        timer.set(now() + session.limits().read_timeout);
    }
    upstream.post_next();
}

/// One turn, on whatever news.
fn drive(session: &Session, request: Request, upstream: Upstream) {
    let (client, Some(target), Some(timer)) = (request.connection(), upstream.connection(), upstream.timer())
    else {
        return;
    };
    session.owes_turn.set(false);
    timer.take_fired();
    if client.is_closing() || target.is_closing() {
        return end_with(session, request, upstream, Cause::Shutdown);
    }
    match turn(session, request, upstream) {
        Some(Turn::Wait(deadline)) => timer.set(deadline),
        Some(Turn::Yield) => let_others_go(session, upstream),
        Some(Turn::Ended(end)) => return finish(request, end),
        None => return,
    }
    if !client.watch() || !target.watch_for_room(session.conf.upstream.send_lowat()) {
        end_with(session, request, upstream, Cause::Internal);
    }
}

/// Lets the tunnel move what it can. `None` where there is no tunnel.
fn turn(session: &Session, request: Request, upstream: Upstream) -> Option<Turn> {
    let mut phase = session.phase.borrow_mut();
    let Phase::Tunneling(tunnel) = &mut *phase else { return None };
    let mut client = Client::new(request);
    let mut target = Target::new(upstream)?;
    let mut buffers = RelayBuffers { size: session.conf.tunnel.buffer_size };
    let mut ends = Ends { client: &mut client, target: &mut target, buffers: &mut buffers };
    let turn = tunnel.drive(now(), &session.limits(), &mut ends);
    books(request).moved(&session.entry, session.conf.status_name(), tunnel);
    if let Turn::Ended(end) = turn {
        tunnel.release(&mut buffers);
        let outcome = Outcome::of(tunnel, end, now());
        *phase = Phase::Ended(outcome);
    }
    Some(turn)
}

/// Ends a tunnel for a cause from outside of it: the client is told if a frame may begin now.
fn end_with(session: &Session, request: Request, upstream: Upstream, cause: Cause) {
    let end = tell(session, request, upstream, cause);
    finish(request, end);
}

fn tell(session: &Session, request: Request, upstream: Upstream, cause: Cause) -> End {
    if let Phase::Tunneling(tunnel) = &mut *session.phase.borrow_mut() {
        tunnel.fail(cause);
    }
    match turn(session, request, upstream) {
        Some(Turn::Ended(end)) => end,
        _ => end_now(session),
    }
}

fn end_now(session: &Session) -> End {
    let mut phase = session.phase.borrow_mut();
    match &mut *phase {
        Phase::Tunneling(tunnel) => {
            tunnel.release(&mut RelayBuffers { size: session.conf.tunnel.buffer_size });
            let end = tunnel.end_now();
            let outcome = Outcome::of(tunnel, end, now());
            *phase = Phase::Ended(outcome);
            end
        }
        Phase::Ended(outcome) => outcome.end,
        Phase::Connecting | Phase::Waiting => {
            End { cause: Cause::Internal, close_sent: false, undelivered: 0 }
        }
    }
}

/// Ends the request of a tunnel that has ended.
fn finish(request: Request, end: End) {
    lines::cause(request.log(), end);
    if end.close_sent {
        request.linger();
    }
    upstream::finish(request, rc::OK);
}

/// A panic of our own, logged already: this tunnel ends, the others do not.
pub(crate) fn give_up(session: &Session, request: Request, upstream: Upstream) {
    if matches!(&*session.phase.borrow(), Phase::Connecting | Phase::Waiting) {
        return upstream::finish(request, rc::ERROR);
    }
    end_with(session, request, upstream, Cause::Internal);
}

/// The request ends: by `finish`, or because the worker closes its connections. The connections are there for the
/// last time.
pub(crate) fn release(session: &Session, request: Request, upstream: Upstream, status: ngx_int_t) {
    if waiting::is_begun(session) {
        upstream.note_told();
        let cut_short = if request.connection().is_closing() { 503 } else { 500 };
        let status = u16::try_from(status).ok().filter(|&it| it >= 400);
        waiting::tell(session, request, status.unwrap_or(cut_short));
    }
    let end = match &*session.phase.borrow() {
        Phase::Connecting | Phase::Waiting => return count_unconnected(session, request, status),
        Phase::Tunneling(_) => None,
        Phase::Ended(outcome) => Some(outcome.end),
    };
    if session.conf.tunnel.shutdown_spread().is_some() {
        quit::unwatch(request, session);
    }
    let end = end.unwrap_or_else(|| tell(session, request, upstream, Cause::Shutdown));
    upstream.note_sent();
    books(request).ended(&session.entry, session.conf.status_name(), end);
    lines::ended(request.log(), session);
    // What was evaluated while the session ran is not what the access log shall say.
    request.flush_variables();
    match end.cause {
        // The target is gone, or takes nothing.
        Cause::TargetReset | Cause::SendTimeout(Side::Target) => {}
        // What the client sent is dropped with it.
        Cause::ClientReset => {}
        _ => upstream.let_target_finish(),
    }
}

fn count_unconnected(session: &Session, request: Request, status: ngx_int_t) {
    let cause = match u32::try_from(status) {
        Ok(NGX_HTTP_BAD_GATEWAY) => Unconnected::Failed,
        Ok(NGX_HTTP_GATEWAY_TIME_OUT) => Unconnected::TimedOut,
        Ok(NGX_HTTP_CLIENT_CLOSED_REQUEST) => Unconnected::ClientLeft,
        _ => Unconnected::Internal,
    };
    books(request).count(session.conf.status_name(), Event::Unconnected(cause));
}
