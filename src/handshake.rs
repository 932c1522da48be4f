//! The opening handshake: nginx has parsed the request, [`websockify_protocol::handshake`] judges it.

use websockify_protocol::handshake::{self, Accepted, Refusal, Terms};
use websockify_protocol::origin::Origins;
use websockify_protocol::subprotocol::Subprotocols;

use crate::conf::LocConf;
use crate::nginx::log::Printable;
use crate::nginx::request::Request;

/// How much of a refused `Origin` is logged, in bytes.
const SHOWN: usize = 256;

/// Validates a request as an opening handshake.
///
/// # Errors
///
/// The status to answer with. Its headers are set, and the cause is logged.
pub(crate) fn check<'r>(request: Request, conf: &LocConf) -> Result<Accepted<'r>, u16> {
    let refusal = match judge(request, conf.access.origins(), &conf.payload.subprotocols()) {
        Ok(accepted) if !request.has_body() => return Ok(accepted),
        Ok(_) => {
            request.log().info(format_args!("client sent opening handshake with a body"));
            request.discard_body();
            return Err(400);
        }
        Err(refusal) => refusal,
    };
    log(request, refusal);
    request.discard_body();
    if refusal.advertised().headers().iter().all(|&(name, value)| request.add_header(name, value.as_bytes()))
    {
        Err(refusal.status())
    } else {
        Err(500)
    }
}

fn log(request: Request, refusal: Refusal) {
    let log = request.log();
    if refusal != Refusal::OriginNotAllowed {
        return log.info(format_args!("client sent {refusal}, no WebSocket"));
    }
    let origin = request.headers().find(|(name, _)| name.eq_ignore_ascii_case(b"origin"));
    let origin = origin.map_or(&[][..], |(_, value)| &value[..value.len().min(SHOWN)]);
    log.info(format_args!("client sent {refusal}: \"{}\", no WebSocket", Printable(origin)));
}

/// Looks at a request as an opening handshake that may come from these `origins` and speak these
/// `subprotocols`, and leaves it as it is.
///
/// # Errors
///
/// Why it is none.
pub(crate) fn judge<'r>(
    request: Request,
    origins: &Origins,
    subprotocols: &Subprotocols<'_>,
) -> Result<Accepted<'r>, Refusal> {
    let terms = Terms { origins, secure: request.connection().is_tls(), subprotocols };
    handshake::validate(request.is_get(), request.http_version(), request.headers(), &terms)
}

/// Sends the 101 that accepts the handshake (RFC 6455 section 4.2.2). nginx adds `Connection: upgrade` itself.
pub(crate) fn accept(request: Request, accepted: &Accepted<'_>) -> bool {
    add_headers(request, accepted) && request.send_switching_protocols()
}

/// Adds the headers of a 101 that accepts the handshake.
pub(crate) fn add_headers(request: Request, accepted: &Accepted<'_>) -> bool {
    request.add_header("Upgrade", b"websocket")
        && request.add_header("Sec-WebSocket-Accept", &accepted.accept)
        && accepted.subprotocol.is_none_or(|name| request.add_header("Sec-WebSocket-Protocol", name))
}
