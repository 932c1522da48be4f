//! The directives about what becomes of sessions that fail.

use std::mem::offset_of;

use nginx_sys::{ngx_command_t, ngx_conf_set_msec_slot};

use super::LocConf;
use crate::nginx::conf::command::command;
use crate::nginx::conf::{once, parse_directive, Answer, Conf, ConfError, Directive};

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    command(c"websockify_error_mode", parse_directive::<WebsockifyErrorMode>, 0),
    command(c"websockify_connect_retry", ngx_conf_set_msec_slot, offset_of!(LocConf, connect_retry)),
];

/// `websockify_error_mode`
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorMode {
    Unset,
    /// By a status.
    Http,
    /// By a Close.
    Close,
}

pub(super) const UNSET: ErrorMode = ErrorMode::Unset;
pub(super) const HTTP: ErrorMode = ErrorMode::Http;

/// `websockify_error_mode http | close;`
struct WebsockifyErrorMode;

impl Directive for WebsockifyErrorMode {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        once(location.error_mode != ErrorMode::Unset)?;
        location.error_mode = match conf.argument(1).as_bytes() {
            b"http" => ErrorMode::Http,
            b"close" => ErrorMode::Close,
            _ => return Err(ConfError::Words(c"invalid value")),
        };
        Ok(())
    }
}
