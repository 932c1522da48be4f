//! The directives of how long a session may last.

use nginx_sys::{ngx_command_t, ngx_msec_t};

use super::LocConf;
use crate::nginx::conf::command::command;
use crate::nginx::conf::{merge, once, parse_directive, Answer, ComplexValue, Conf, ConfError, Directive};

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    command(c"websockify_idle_timeout", parse_directive::<WebsockifyIdleTimeout>, 0),
    command(c"websockify_session_timeout", parse_directive::<WebsockifySessionTimeout>, 0),
];

/// A time, or a text whose variables come to one for each session.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Time {
    Unset,
    Fixed(ngx_msec_t),
    Variable(ComplexValue),
}

const UNSET: Time = Time::Unset;
const NEVER: Time = Time::Fixed(0);

/// A session's times.
pub(crate) struct LifetimeConf {
    /// `websockify_idle_timeout`
    pub(crate) idle_timeout: Time,
    /// `websockify_session_timeout`
    pub(crate) session_timeout: Time,
}

impl LifetimeConf {
    pub(super) fn unset() -> Self {
        Self { idle_timeout: UNSET, session_timeout: UNSET }
    }

    pub(super) fn merge(&mut self, outer: &Self) {
        merge(&mut self.idle_timeout, outer.idle_timeout, UNSET, NEVER);
        merge(&mut self.session_timeout, outer.session_timeout, UNSET, NEVER);
    }
}

fn parse(time: &mut Time, conf: Conf) -> Answer {
    once(*time != UNSET)?;
    *time = match conf.compile(conf.argument(1))? {
        Some(text) => Time::Variable(text),
        None => Time::Fixed(conf.time_argument(1).ok_or(ConfError::Words(c"invalid value"))?),
    };
    Ok(())
}

/// `websockify_idle_timeout time;`
struct WebsockifyIdleTimeout;

impl Directive for WebsockifyIdleTimeout {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        parse(&mut location.lifetime.idle_timeout, conf)
    }
}

/// `websockify_session_timeout time;`
struct WebsockifySessionTimeout;

impl Directive for WebsockifySessionTimeout {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        parse(&mut location.lifetime.session_timeout, conf)
    }
}
