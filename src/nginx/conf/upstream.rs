//! What nginx's upstream code is told: the settings of a location, and the groups of the configuration.

use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_flag_t, ngx_http_upstream_conf_t, ngx_http_upstream_main_conf_t, ngx_http_upstream_module,
    ngx_http_upstream_srv_conf_t, ngx_msec_t, ngx_uint_t, NGX_HTTP_UPSTREAM_FT_ERROR,
    NGX_HTTP_UPSTREAM_FT_TIMEOUT,
};

use super::{merge, UNSET_MSEC};
use crate::nginx::request::Request;
use crate::nginx::shim;
use crate::nginx::upstream::Group;

/// Finds the group that a variable's value names.
pub(crate) fn find_group(
    request: Request,
    host: &[u8],
    port: Option<u16>,
    default_port: u16,
) -> Option<Group> {
    // SAFETY: nginx made a main configuration of this type for the upstream module; its groups are pointers to valid
    // structures.
    unsafe {
        let index = (*ptr::addr_of!(ngx_http_upstream_module)).ctx_index;
        let main = (*(*request.as_ptr()).main_conf.add(index)).cast::<ngx_http_upstream_main_conf_t>();
        (*main).upstreams.as_slice::<*mut ngx_http_upstream_srv_conf_t>().iter().find_map(|&group| {
            let named_port = match (*group).port {
                0 => port.is_none(),
                named => named == port.unwrap_or(default_port),
            };
            let found = named_port && (*group).host.as_bytes().eq_ignore_ascii_case(host);
            NonNull::new(group).filter(|_| found).map(|group| Group::new(group))
        })
    }
}

/// nginx's upstream settings, embedded in a location's configuration.
#[repr(transparent)]
pub(crate) struct UpstreamConf(ngx_http_upstream_conf_t);

impl UpstreamConf {
    /// The three timeouts, to be set by nginx's own parsers.
    pub(crate) const CONNECT_TIMEOUT: usize = std::mem::offset_of!(ngx_http_upstream_conf_t, connect_timeout);
    pub(crate) const SEND_TIMEOUT: usize = std::mem::offset_of!(ngx_http_upstream_conf_t, send_timeout);
    pub(crate) const READ_TIMEOUT: usize = std::mem::offset_of!(ngx_http_upstream_conf_t, read_timeout);

    /// Settings in which nothing is set.
    pub(crate) fn unset() -> Self {
        // SAFETY: nginx itself makes its modules' settings all zero before it sets what is not.
        let mut conf: ngx_http_upstream_conf_t = unsafe { std::mem::zeroed() };
        conf.connect_timeout = UNSET_MSEC;
        conf.send_timeout = UNSET_MSEC;
        conf.read_timeout = UNSET_MSEC;
        Self(conf)
    }

    /// Takes from `outer` what is not set here, and sets what no directive does.
    pub(crate) fn merge(&mut self, outer: &Self, default_timeout: ngx_msec_t) {
        merge(&mut self.0.connect_timeout, outer.0.connect_timeout, UNSET_MSEC, default_timeout);
        merge(&mut self.0.send_timeout, outer.0.send_timeout, UNSET_MSEC, default_timeout);
        merge(&mut self.0.read_timeout, outer.0.read_timeout, UNSET_MSEC, default_timeout);
        self.0.next_upstream = (NGX_HTTP_UPSTREAM_FT_ERROR | NGX_HTTP_UPSTREAM_FT_TIMEOUT) as ngx_uint_t;
        self.0.socket_keepalive = 1 as ngx_flag_t;
        // For a response, which is never read.
        self.0.buffer_size = 1;
        // SAFETY: the settings are valid.
        unsafe { shim::wsk_upstream_conf_set_preserve_output(&mut self.0) };
    }

    /// Has the peers chosen by the tenant whose group this is, see [`Conf::chosen_by`].
    pub(crate) fn set_group(&mut self, group: NonNull<ngx_http_upstream_srv_conf_t>) {
        self.0.upstream = group.as_ptr();
    }

    pub(crate) fn group(&self) -> Option<NonNull<ngx_http_upstream_srv_conf_t>> {
        NonNull::new(self.0.upstream)
    }

    pub(crate) fn send_timeout(&self) -> u64 {
        self.0.send_timeout as u64
    }

    pub(crate) fn read_timeout(&self) -> u64 {
        self.0.read_timeout as u64
    }

    /// nginx takes the settings as writable and does not write to them while requests run.
    pub(in crate::nginx) fn as_ptr(&self) -> *mut ngx_http_upstream_conf_t {
        ptr::from_ref(&self.0).cast_mut()
    }
}
