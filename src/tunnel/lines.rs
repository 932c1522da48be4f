//! What the error log is told of a session. nginx adds the client, the session's id and the target to each line.

use websockify_tunnel::{Cause, End, Side, Unlike};

use crate::nginx::log::Log;
use crate::session::{Phase, Session};

/// Says that there is a session.
pub(super) fn opened(log: Log) {
    log.set_action(None);
    log.info(format_args!("session opened"));
}

/// Says what became of it.
pub(super) fn ended(log: Log, session: &Session) {
    let Phase::Ended(outcome) = &*session.phase.borrow() else { return };
    log.set_action(None);
    let (seconds, milliseconds) = (outcome.lasted / 1000, outcome.lasted % 1000);
    let (stats, end) = (&outcome.stats, &outcome.end);
    log.info(format_args!(
        "session ended after {seconds}.{milliseconds:03} s, bytes from/to client: {}/{}, frames from/to client: {}/{}, \
         close code: {}, closed by: {}",
        stats.bytes_received,
        stats.bytes_sent,
        stats.frames_received,
        stats.frames_sent,
        end.close_code(),
        end.cause.closed_by().name(),
    ));
}

/// Says why a session failed. nginx has logged what a connection's calls returned.
pub(super) fn cause(log: Log, end: End) {
    match end.cause {
        Cause::Fault(fault) => log.info(format_args!("client sent {fault}")),
        Cause::ReadTimeout => log.info(format_args!(
            "client and target timed out: neither sent anything (\"websockify_read_timeout\")"
        )),
        Cause::NoPong => {
            log.info(format_args!("client timed out: it did not answer a ping (\"websockify_ping_timeout\")"))
        }
        Cause::IdleTimeout => log.info(format_args!(
            "session timed out: no payload went either way (\"websockify_idle_timeout\")"
        )),
        Cause::SessionTimeout => log.info(format_args!(
            "session timed out: it lasted as long as it may (\"websockify_session_timeout\")"
        )),
        Cause::RightExpired => log.info(format_args!("session timed out: the right to it has ended")),
        Cause::SendTimeout(Side::Client) => {
            log.info(format_args!("client timed out: it took no data (\"websockify_send_timeout\")"))
        }
        Cause::SendTimeout(Side::Target) => {
            log.error(format_args!("target timed out: it took no data (\"websockify_send_timeout\")"))
        }
        Cause::FirstBytes(unlike) => log.error(format_args!("target {}", shortcoming(unlike))),
        Cause::Admin(_) => log.info(format_args!("session was ended by an administrator")),
        Cause::TargetNotUtf8 => {
            log.error(format_args!(
                "target sent invalid UTF-8, \"websockify_frame_type text\" takes no other"
            ));
        }
        Cause::OutOfMemory => log.error(format_args!("no memory for a relay buffer")),
        Cause::ClientClose(_)
        | Cause::ClientEof
        | Cause::ClientReset
        | Cause::TargetEof
        | Cause::TargetReset
        | Cause::Shutdown
        | Cause::Internal => {}
    }
    if end.undelivered > 0 {
        log.info(format_args!("{} bytes from the client were not taken by the target", end.undelivered));
    }
}

/// What is wrong with a target that did not begin as `websockify_first_bytes` demands; never what it said.
fn shortcoming(unlike: Unlike) -> &'static str {
    match unlike {
        Unlike::Different => "sent first bytes other than those of \"websockify_first_bytes\"",
        Unlike::Ended => "ended before it sent the \"websockify_first_bytes\"",
        Unlike::Late => "timed out: it did not send the \"websockify_first_bytes\"",
    }
}
