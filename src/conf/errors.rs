//! The directive about how errors are told.

use nginx_sys::ngx_command_t;

use super::LocConf;
use crate::nginx::conf::command::command;
use crate::nginx::conf::{parse_directive, Answer, Conf, ConfError, Directive};

pub(crate) const COMMANDS: &[ngx_command_t] =
    &[command(c"websockify_error_mode", parse_directive::<WebsockifyErrorMode>, 0)];

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
        if location.error_mode != ErrorMode::Unset {
            return Err(ConfError::Words(c"is duplicate"));
        }
        location.error_mode = match conf.argument(1).as_bytes() {
            b"http" => ErrorMode::Http,
            b"close" => ErrorMode::Close,
            _ => return Err(ConfError::Words(c"invalid value")),
        };
        Ok(())
    }
}
