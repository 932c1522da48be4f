//! What `log_format` and the like can say of a session. Documented in docs/variables.md.

use websockify_protocol::close::CloseCode;

use crate::conf::LocConf;
use crate::errors;
use crate::nginx::conf::location;
use crate::nginx::request::Request;
use crate::nginx::variable::{Value, Variable, Variables};
use crate::session::Session;
use crate::token;

pub(crate) struct SessionVariables;

impl Variables for SessionVariables {
    const TABLE: &'static [Variable] = &[
        Variable { name: "websockify_session_id", evaluate: |r| Some(Value::Id(session(r)?.id)) },
        Variable { name: "websockify_target", evaluate: target },
        Variable { name: "websockify_subprotocol", evaluate: subprotocol },
        Variable {
            name: "websockify_bytes_received",
            evaluate: |r| Some(Value::Number(session(r)?.stats()?.bytes_received)),
        },
        Variable {
            name: "websockify_bytes_sent",
            evaluate: |r| Some(Value::Number(session(r)?.stats()?.bytes_sent)),
        },
        Variable {
            name: "websockify_frames_received",
            evaluate: |r| Some(Value::Number(session(r)?.stats()?.frames_received)),
        },
        Variable {
            name: "websockify_frames_sent",
            evaluate: |r| Some(Value::Number(session(r)?.stats()?.frames_sent)),
        },
        Variable { name: "websockify_rtt", evaluate: |r| Some(Value::Seconds(session(r)?.round_trip()?)) },
        Variable { name: "websockify_close_code", evaluate: close_code },
        Variable {
            name: "websockify_close_by",
            evaluate: |r| Some(Value::Word(session(r)?.end()?.cause.closed_by().name())),
        },
    ];
}

/// The request's session, from the moment its handshake was found valid.
fn session<'r>(request: Request) -> Option<&'r Session> {
    request.pool().find()
}

fn close_code(request: Request) -> Option<Value> {
    // A handshake that was turned is the last thing of its request.
    let turned = errors::close_code(request).map(CloseCode::as_u16);
    let code = turned.or_else(|| Some(session(request)?.end()?.close_code()))?;
    Some(Value::Number(code.into()))
}

fn target(request: Request) -> Option<Value> {
    let address = session(request).map(Session::address).filter(|address| !address.is_empty());
    // While it is not known, it is what the client's token gives, where a token file has it.
    address.or_else(|| token::target(request, location::<LocConf>(request))).map(Value::Text)
}

fn subprotocol(request: Request) -> Option<Value> {
    let name = session(request)?.accepted.subprotocol?;
    Some(Value::Text(nginx_sys::ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() }))
}
