//! The token that a client shows: in a location with a token file, it decides whether there is a target, and which.

use nginx_sys::ngx_str_t;
use websockify_tokens::decode;

use crate::conf::LocConf;
use crate::nginx::request::Request;

/// What a request's token is good for.
pub(crate) enum Pass {
    /// The location asks for none.
    NotNeeded,
    /// The target's address, in the request's pool.
    Good(ngx_str_t),
    /// The client shows none, or one that is not in the file.
    Bad(&'static str),
}

/// Refuses a client that shows no good token where one is needed.
///
/// # Errors
///
/// The status to answer with, the same for all; the cause is logged, the token is not.
pub(crate) fn check(request: Request, conf: &LocConf) -> Result<(), u16> {
    match look_up(request, conf).ok_or(500_u16)? {
        Pass::NotNeeded | Pass::Good(_) => Ok(()),
        Pass::Bad(what) => {
            request.log().info(format_args!("client sent {what}"));
            Err(403)
        }
    }
}

/// The target of the request's token, if it needs one and has it.
pub(crate) fn target(request: Request, conf: &LocConf) -> Option<ngx_str_t> {
    match look_up(request, conf)? {
        Pass::Good(target) => Some(target),
        Pass::NotNeeded | Pass::Bad(_) => None,
    }
}

/// `None` when memory is out.
fn look_up(request: Request, conf: &LocConf) -> Option<Pass> {
    let Some((file, text)) = conf.token.required() else { return Some(Pass::NotNeeded) };
    let token = text.evaluate(request)?;
    if token.is_empty() {
        return Some(Pass::Bad("no token"));
    }
    match file.find(decode(request.pool().copy(token.as_bytes())?), |target| request.pool().copy(target)) {
        None => Some(Pass::Bad("unknown token")),
        Some(copy) => copy.map(|it| Pass::Good(ngx_str_t { len: it.len(), data: it.as_mut_ptr() })),
    }
}
