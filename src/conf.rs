//! What the directives say of a location: fields, defaults, merge.

use nginx_sys::ngx_msec_t;
use websockify_protocol::heartbeat::Rhythm;
use websockify_tunnel::Limits;

use crate::nginx::conf::{merge, ComplexValue, UpstreamConf, UNSET_MSEC, UNSET_SIZE};
use crate::nginx::upstream::Group;

/// The port of VNC's first display, for targets that name none.
pub(crate) const DEFAULT_PORT: u16 = 5900;

const DEFAULT_BUFFER_SIZE: usize = 48 * 1024;
const DEFAULT_TIMEOUT: ngx_msec_t = 60_000;
const DEFAULT_PING_INTERVAL: ngx_msec_t = 30_000;
const DEFAULT_PING_TIMEOUT: ngx_msec_t = 20_000;

/// The time that stands for `off`; as a time it would outlast the machine.
pub(crate) const OFF: ngx_msec_t = UNSET_MSEC - 1;

/// `websockify_pass`, as far as it is known when the configuration is read.
#[derive(Clone, Copy)]
pub(crate) enum Pass {
    /// An address or a group.
    Group(Group),
    /// A text with variables.
    Variable(ComplexValue),
}

/// One location.
#[repr(C)]
pub(crate) struct LocConf {
    /// The timeouts, and what nginx's upstream code wants to know.
    pub(crate) upstream: UpstreamConf,
    /// `websockify_pass`
    pub(crate) pass: Option<Pass>,
    /// `websockify_buffer_size`, in bytes
    pub(crate) buffer_size: usize,
    /// `websockify_max_frame_size`, in bytes; 0 for any
    pub(crate) max_frame_size: usize,
    /// `websockify_ping_interval`
    pub(crate) ping_interval: ngx_msec_t,
    /// `websockify_ping_timeout`
    pub(crate) ping_timeout: ngx_msec_t,
    /// `websockify_idle_timeout`
    pub(crate) idle_timeout: ngx_msec_t,
    /// `websockify_session_timeout`
    pub(crate) session_timeout: ngx_msec_t,
    /// `websockify_shutdown_close`, or [`OFF`]
    pub(crate) shutdown_close: ngx_msec_t,
    /// `websockify_test_panic`
    #[cfg(feature = "test-faults")]
    pub(crate) panic_at: nginx_sys::ngx_str_t,
}

impl LocConf {
    pub(crate) fn new() -> Self {
        Self {
            upstream: UpstreamConf::unset(),
            pass: None,
            buffer_size: UNSET_SIZE,
            max_frame_size: UNSET_SIZE,
            ping_interval: UNSET_MSEC,
            ping_timeout: UNSET_MSEC,
            idle_timeout: UNSET_MSEC,
            session_timeout: UNSET_MSEC,
            shutdown_close: UNSET_MSEC,
            #[cfg(feature = "test-faults")]
            panic_at: nginx_sys::ngx_str_t::empty(),
        }
    }

    /// Takes from the outer level what is not set here. The target is not inherited, see
    /// [`LocConf::inherit_pass`].
    pub(crate) fn merge_values(&mut self, outer: &Self) {
        self.upstream.merge(&outer.upstream, DEFAULT_TIMEOUT);
        merge(&mut self.buffer_size, outer.buffer_size, UNSET_SIZE, DEFAULT_BUFFER_SIZE);
        merge(&mut self.max_frame_size, outer.max_frame_size, UNSET_SIZE, 0);
        merge(&mut self.ping_interval, outer.ping_interval, UNSET_MSEC, DEFAULT_PING_INTERVAL);
        merge(&mut self.ping_timeout, outer.ping_timeout, UNSET_MSEC, DEFAULT_PING_TIMEOUT);
        merge(&mut self.idle_timeout, outer.idle_timeout, UNSET_MSEC, 0);
        merge(&mut self.session_timeout, outer.session_timeout, UNSET_MSEC, 0);
        merge(&mut self.shutdown_close, outer.shutdown_close, UNSET_MSEC, OFF);
    }

    /// Takes the target of the location around an `if`.
    pub(crate) fn inherit_pass(&mut self, outer: &Self) {
        if let (None, Some(pass), Some(group)) = (self.pass, outer.pass, outer.upstream.group()) {
            self.pass = Some(pass);
            self.upstream.set_group(group);
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            send_timeout: self.upstream.send_timeout(),
            read_timeout: self.upstream.read_timeout(),
            heartbeat: Rhythm { interval: self.ping_interval as u64, timeout: self.ping_timeout as u64 },
            idle_timeout: self.idle_timeout as u64,
            session_timeout: self.session_timeout as u64,
        }
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
