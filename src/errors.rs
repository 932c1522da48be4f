//! `websockify_error_mode close`: what the HTTP status says to everybody but JavaScript is said by a Close.

use std::cell::Cell;

use websockify_protocol::close::CloseCode;
use websockify_protocol::encoder::ControlFrame;
use websockify_protocol::origin::Origins;

use crate::conf::errors::ErrorMode;
use crate::conf::LocConf;
use crate::handshake;
use crate::nginx::conf::location;
use crate::nginx::filter::ErrorFilter;
use crate::nginx::phase::Look;
use crate::nginx::request::Request;

/// What is known of a request whose location, or one on the way to it, wants its errors turned.
struct Note {
    wanted: Cell<bool>,
    /// The target was waited for.
    waited: Cell<bool>,
    turned: Cell<Option<CloseCode>>,
}

pub(crate) struct Errors;

impl Look for Errors {
    fn look(request: Request) {
        if !request.is_clients_own() || !request.has_upgrade() {
            return;
        }
        let conf = location::<LocConf>(request);
        let wanted = conf.error_mode == ErrorMode::Close;
        match request.pool().find::<Note>() {
            // An error's page may be anywhere; it is still the error of the location before.
            Some(note) if request.has_failed() => note.wanted.set(note.wanted.get() || wanted),
            Some(note) => note.wanted.set(wanted),
            None if wanted => {
                let waited = Cell::new(conf.connect_retry > 0);
                request.pool().keep_to_find(Note {
                    wanted: Cell::new(true),
                    waited,
                    turned: Cell::new(None),
                });
            }
            None => {}
        }
    }
}

impl ErrorFilter for Errors {
    fn turn(request: Request, status: u16) -> Option<Vec<u8>> {
        let note = request.pool().find::<Note>().filter(|note| note.wanted.get())?;
        let subprotocols = location::<LocConf>(request).payload.subprotocols();
        let judged = handshake::judge(request, &Origins::Any, &subprotocols);
        let accepted = judged.ok().filter(|_| !request.has_body())?;
        request.drop_headers();
        if note.turned.get().is_some() || !handshake::add_headers(request, &accepted) {
            return None;
        }
        let frame = close_in_place_of(request, status)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(frame.as_bytes().len()).ok()?;
        bytes.extend_from_slice(frame.as_bytes());
        Some(bytes)
    }

    fn is_turned(request: Request) -> bool {
        close_code(request).is_some()
    }
}

/// The Close that takes a status's place; `None` where there is no mode that wants it.
pub(crate) fn close_in_place_of(request: Request, status: u16) -> Option<ControlFrame> {
    let note = request.pool().find::<Note>()?;
    let (code, reason) = close_for(status, note.waited.get());
    note.turned.set(Some(code));
    request.log().info(format_args!("handshake is answered with {code} in place of {status}"));
    Some(ControlFrame::close(Some(code), reason))
}

/// The code that has taken an error's place.
pub(crate) fn close_code(request: Request) -> Option<CloseCode> {
    request.pool().find::<Note>()?.turned.get()
}

fn close_for(status: u16, waited: bool) -> (CloseCode, &'static str) {
    match status {
        502 | 504 if waited => (CloseCode::TRY_AGAIN_LATER, "target is not there yet"),
        401 => (CloseCode::UNAUTHORIZED, "authorization required"),
        403 => (CloseCode::FORBIDDEN, "forbidden"),
        404 => (CloseCode::NOT_FOUND, "not found"),
        429 => (CloseCode::TRY_AGAIN_LATER, "too many requests"),
        503 => (CloseCode::TRY_AGAIN_LATER, "service unavailable"),
        502 => (CloseCode::INTERNAL_ERROR, "target is not there"),
        504 => (CloseCode::INTERNAL_ERROR, "target does not answer"),
        _ => (CloseCode::INTERNAL_ERROR, "internal error"),
    }
}
