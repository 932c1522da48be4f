//! A client whose handshake is accepted before its target is there: it is pinged, not read, and told at the end.

use websockify_protocol::encoder::ControlFrame;
use websockify_tunnel::Io;

use crate::errors;
use crate::handshake;
use crate::nginx::alarm;
use crate::nginx::request::Request;
use crate::session::{Phase, Session};

/// Accepts the handshake of a session whose target may take its time. `false` if the client is gone, or memory is out.
pub(crate) fn begin(request: Request, session: &Session) -> bool {
    let core = request.core_conf();
    if !handshake::accept(request, &session.accepted)
        || (core.tcp_nodelay != 0 && !request.connection().set_nodelay())
    {
        return false;
    }
    session.phase.replace(Phase::Waiting);
    ping_later(session, request)
}

fn ping_later(session: &Session, request: Request) -> bool {
    let interval = session.conf.tunnel.heartbeat().interval;
    interval == 0 || alarm::set(request, session, interval, ping)
}

fn ping(session: &Session, request: Request) {
    if matches!(*session.phase.borrow(), Phase::Waiting) {
        // A client that takes nothing is not there, or will be given up when the wait is over.
        send(request, &ControlFrame::ping(b""));
        ping_later(session, request);
    }
}

/// Whether a session waits in this way, whose client cannot be answered with a status any more.
pub(crate) fn is_begun(session: &Session) -> bool {
    matches!(*session.phase.borrow(), Phase::Waiting)
}

/// Tells the client of a session that waits what it would have been answered; does nothing for others. The request is to
/// be ended then, without an answer of nginx's.
pub(crate) fn tell(session: &Session, request: Request, status: u16) {
    if !is_begun(session) {
        return;
    }
    session.phase.replace(Phase::Connecting);
    request.note_status(status);
    if let Some(frame) = errors::close_in_place_of(request, status) {
        send(request, &frame);
    }
    request.linger();
}

fn send(request: Request, frame: &ControlFrame) -> bool {
    let connection = request.connection();
    if request.has_unsent_header() || connection.is_buffered() || !connection.is_writable() {
        return false;
    }
    connection.send(frame.as_bytes()) == Io::Done(frame.as_bytes().len())
}
