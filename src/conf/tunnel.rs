//! What the directives say of a tunnel: its buffers, its times, its end.

use std::mem::offset_of;

use nginx_sys::{ngx_command_t, ngx_conf_post_t, ngx_conf_set_msec_slot, ngx_conf_set_size_slot, ngx_msec_t};
use websockify_protocol::heartbeat::Rhythm;
use websockify_tunnel::SMALLEST_BUFFER;

use super::LocConf;
use crate::nginx::conf::command::{check_size, command};
use crate::nginx::conf::{
    merge, once, parse_directive, Answer, Conf, ConfError, Directive, UNSET_MSEC, UNSET_SIZE,
};

/// A little less than two of the largest segments, which the loopback's are: a remainder of one would take a call and a
/// segment of its own.
const DEFAULT_BUFFER_SIZE: usize = 127 * 1024;
const DEFAULT_PING_INTERVAL: ngx_msec_t = 30_000;
const DEFAULT_PING_TIMEOUT: ngx_msec_t = 20_000;

/// The time that stands for `off`; as a time it would outlast the machine.
const OFF: ngx_msec_t = UNSET_MSEC - 1;

static BUFFER_SIZE_POST: ngx_conf_post_t =
    ngx_conf_post_t { post_handler: Some(check_size::<SMALLEST_BUFFER>) };

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    ngx_command_t {
        post: (&raw const BUFFER_SIZE_POST).cast_mut().cast(),
        ..command(c"websockify_buffer_size", ngx_conf_set_size_slot, offset_of!(LocConf, tunnel.buffer_size))
    },
    command(c"websockify_max_frame_size", ngx_conf_set_size_slot, offset_of!(LocConf, tunnel.max_frame_size)),
    command(c"websockify_ping_interval", ngx_conf_set_msec_slot, offset_of!(LocConf, tunnel.ping_interval)),
    command(c"websockify_ping_timeout", ngx_conf_set_msec_slot, offset_of!(LocConf, tunnel.ping_timeout)),
    command(c"websockify_shutdown_close", parse_directive::<WebsockifyShutdownClose>, 0),
];

/// A tunnel's settings.
pub(crate) struct TunnelConf {
    /// `websockify_buffer_size`, in bytes
    pub(crate) buffer_size: usize,
    /// `websockify_max_frame_size`, in bytes; 0 for any
    max_frame_size: usize,
    /// `websockify_ping_interval`
    ping_interval: ngx_msec_t,
    /// `websockify_ping_timeout`
    ping_timeout: ngx_msec_t,
    /// `websockify_shutdown_close`, or [`OFF`]
    shutdown_close: ngx_msec_t,
}

impl TunnelConf {
    pub(super) fn unset() -> Self {
        Self {
            buffer_size: UNSET_SIZE,
            max_frame_size: UNSET_SIZE,
            ping_interval: UNSET_MSEC,
            ping_timeout: UNSET_MSEC,
            shutdown_close: UNSET_MSEC,
        }
    }

    pub(super) fn merge(&mut self, outer: &Self) {
        merge(&mut self.buffer_size, outer.buffer_size, UNSET_SIZE, DEFAULT_BUFFER_SIZE);
        merge(&mut self.max_frame_size, outer.max_frame_size, UNSET_SIZE, 0);
        merge(&mut self.ping_interval, outer.ping_interval, UNSET_MSEC, DEFAULT_PING_INTERVAL);
        merge(&mut self.ping_timeout, outer.ping_timeout, UNSET_MSEC, DEFAULT_PING_TIMEOUT);
        merge(&mut self.shutdown_close, outer.shutdown_close, UNSET_MSEC, OFF);
    }

    pub(crate) fn heartbeat(&self) -> Rhythm {
        Rhythm { interval: self.ping_interval as u64, timeout: self.ping_timeout as u64 }
    }

    /// Over how long the sessions of a worker that goes are told to end, if they are.
    pub(crate) fn shutdown_spread(&self) -> Option<u64> {
        (self.shutdown_close != OFF).then_some(self.shutdown_close as u64)
    }

    /// The longest frame a client may send, in bytes, if there is a limit.
    pub(crate) fn frame_limit(&self) -> Option<u64> {
        (self.max_frame_size > 0).then_some(self.max_frame_size as u64)
    }
}

/// `websockify_shutdown_close time | off;`
struct WebsockifyShutdownClose;

impl Directive for WebsockifyShutdownClose {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        let value = &mut location.tunnel.shutdown_close;
        once(*value != UNSET_MSEC)?;
        *value = match conf.argument(1).as_bytes() {
            b"off" => OFF,
            _ => conf.time_argument(1).ok_or(ConfError::Words(c"invalid value"))?,
        };
        Ok(())
    }
}
