//! From a target's name to a connection: the resolver first, where there is a name, then nginx's upstream.

use nginx_sys::ngx_int_t;
use websockify_status::{Event, Refusal, Unconnected};

use crate::conf::errors::ErrorMode;
use crate::conf::main::MainConf;
use crate::nginx::conf::main::main;
use crate::nginx::log::Printable;
use crate::nginx::request::Request;
use crate::nginx::resolver::{self, Address, Answer, NotStarted};
use crate::nginx::upstream;
use crate::nginx::{alarm, now, rc};
use crate::session::Session;
use crate::target::{self, Choice, Target};
use crate::waiting;

/// Starts the way to the target of a held request, which answers itself from here on.
pub(crate) fn start(request: Request, session: &Session, choice: Choice) {
    if session.conf.connect_retry > 0 {
        session.attempts.retry.set_until(now() + session.conf.connect_retry as u64);
        if session.conf.error_mode == ErrorMode::Close && !waiting::begin(request, session) {
            return request.finalize(rc::ERROR);
        }
    }
    if matches!(choice, Choice::Name(_)) {
        session.awaits_name.set(true);
        if !alarm::at_end(request, session, abandoned) {
            return answer(request, session, 500);
        }
    }
    go(request, session, choice);
}

/// The request ends. If it does while a name is awaited, the client has left, or the worker goes.
fn abandoned(session: &Session, request: Request) {
    if session.awaits_name.take() {
        let (cause, status) = if request.connection().is_closing() {
            (Unconnected::Internal, 503)
        } else {
            (Unconnected::ClientLeft, 499)
        };
        count(request, session, Event::Unconnected(cause));
        waiting::tell(session, request, status);
    }
}

fn go(request: Request, session: &Session, choice: Choice) {
    match choice {
        Choice::Known(target) => connect(request, session, target),
        Choice::Name(address) => resolve(request, session, &address),
    }
}

fn resolve(request: Request, session: &Session, address: &Address) {
    request.watch_client();
    let host = Printable(address.host());
    match resolver::resolve(request, address, session) {
        Ok(()) => {}
        Err(NotStarted::NoResolver) => {
            request.log().error(format_args!(
                "no resolver defined to resolve \"{host}\", a \"resolver\" directive is missing"
            ));
            fail(request, session);
        }
        Err(NotStarted::OutOfMemory) => answer(request, session, 500),
    }
}

/// The resolver has answered.
pub(crate) fn resolved(request: Request, session: &Session, answer: Answer<'_>) {
    match answer {
        Answer::Found(addresses) => connect(request, session, Target::Addresses(addresses)),
        Answer::Failed(name, words) => {
            let name = Printable(name);
            request.log().error(format_args!("target \"{name}\" could not be resolved: {words}"));
            match session.attempts.retry.next_pause() {
                Some(pause) if alarm::set(request, session, pause, try_again) => {}
                _ => fail(request, session),
            }
        }
    }
}

/// A name that was not found may be found now.
fn try_again(session: &Session, request: Request) {
    match target::choose(request, session) {
        Ok(choice) => go(request, session, choice),
        Err(status) => answer(request, session, status),
    }
}

fn answer(request: Request, session: &Session, status: u16) {
    session.awaits_name.set(false);
    if waiting::is_begun(session) {
        waiting::tell(session, request, status);
        request.finalize(rc::OK);
    } else {
        request.finalize(status as ngx_int_t);
    }
}

fn fail(request: Request, session: &Session) {
    count(request, session, Event::Unconnected(Unconnected::Failed));
    answer(request, session, 502);
}

fn count(request: Request, session: &Session, event: Event) {
    main::<MainConf>(request).zone.books.count(session.conf.status_name(), event);
}

fn connect(request: Request, session: &Session, target: Target) {
    session.awaits_name.set(false);
    session.set_target(target);
    let may_be_had = target.retain(|peer| target::may_connect(request, session, peer));
    let connecting =
        if may_be_had { upstream::connect(request, &session.conf.upstream, session) } else { Err(403) };
    if let Err(status) = connecting {
        count(request, session, Event::Refused(Refusal::Target, status));
        answer(request, session, status);
    }
}
