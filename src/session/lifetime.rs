//! How long a session may last, where variables say so for each.

use nginx_sys::ngx_str_t;
use websockify_policy::moment;
use websockify_tunnel::Msec;

use crate::conf::lifetime::Time;
use crate::conf::LocConf;
use crate::nginx::conf::parse_time;
use crate::nginx::log::Printable;
use crate::nginx::request::Request;
use crate::nginx::{now, wall_clock};

/// Ten years, in milliseconds. A time that is longer is taken for a moment whose sign was forgotten: as a time it would
/// never end a session.
const LONGEST: Msec = 10 * 365 * 24 * 60 * 60 * 1000;

/// A session's times.
#[derive(Clone, Copy)]
pub(crate) struct Lifetime {
    /// How long it may be idle; 0 for ever.
    pub(crate) idle: Msec,
    /// How long it may last; 0 for ever.
    pub(crate) longest: Msec,
    right: Right,
}

/// How long a variable says that there is a right to the session.
#[derive(Clone, Copy)]
enum Right {
    Lasting,
    /// From its beginning on.
    For(Msec),
    /// By the loop's clock.
    Until(Msec),
}

impl Lifetime {
    /// Evaluates a location's times for a session that is asked for.
    ///
    /// # Errors
    ///
    /// The status to answer with; the cause is logged.
    pub(crate) fn of(request: Request, conf: &LocConf) -> Result<Self, u16> {
        let idle = match conf.lifetime.idle_timeout {
            Time::Unset => 0,
            Time::Fixed(time) => time as Msec,
            Time::Variable(text) => {
                let text = text.evaluate(request).ok_or(500_u16)?;
                parse_time(text).ok_or_else(|| no_time(request, text, "websockify_idle_timeout"))? as Msec
            }
        };
        let (longest, right) = match conf.lifetime.session_timeout {
            Time::Unset => (0, Right::Lasting),
            Time::Fixed(time) => (time as Msec, Right::Lasting),
            Time::Variable(text) => (0, right(request, text.evaluate(request).ok_or(500_u16)?)?),
        };
        Ok(Self { idle, longest, right })
    }

    /// When the right to a tunnel that begins `now` ends, if it does.
    pub(crate) fn right_ends(self, now: Msec) -> Option<Msec> {
        match self.right {
            Right::Lasting => None,
            Right::For(time) => Some(now.saturating_add(time)),
            Right::Until(end) => Some(end),
        }
    }
}

fn right(request: Request, text: ngx_str_t) -> Result<Right, u16> {
    let Some(end) = moment::parse(text.as_bytes()) else {
        return match parse_time(text) {
            Some(0) => Ok(Right::Lasting),
            Some(time) if time as Msec > LONGEST => Err(too_long(request, text)),
            Some(time) => Ok(Right::For(time as Msec)),
            None => Err(no_time(request, text, "websockify_session_timeout")),
        };
    };
    match end.checked_sub(wall_clock()) {
        None | Some(0) => Err(refuse_expired(request)),
        Some(left) => Ok(Right::Until(now().saturating_add(left))),
    }
}

/// The status for a client that comes, or is connected, after its right has ended.
pub(crate) fn refuse_expired(request: Request) -> u16 {
    request.log().info(format_args!(
        "the right to the session has ended: the moment of \"websockify_session_timeout\" is past"
    ));
    403
}

fn too_long(request: Request, text: ngx_str_t) -> u16 {
    let text = Printable(text.as_bytes());
    request.log().error(format_args!(
        "the value \"{text}\" of \"websockify_session_timeout\" is too long a time: a moment begins with \"@\""
    ));
    500
}

fn no_time(request: Request, text: ngx_str_t, directive: &str) -> u16 {
    let text = Printable(text.as_bytes());
    request.log().error(format_args!("the value \"{text}\" of \"{directive}\" is no time"));
    500
}
