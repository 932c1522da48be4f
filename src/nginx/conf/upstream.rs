//! What nginx's upstream code is told: the settings of a location, and the groups of the configuration.

use std::mem::offset_of;
use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_flag_t, ngx_http_upstream_conf_t, ngx_http_upstream_local_t, ngx_http_upstream_main_conf_t,
    ngx_http_upstream_module, ngx_http_upstream_srv_conf_t, ngx_msec_t, ngx_uint_t, NGX_CONF_BITMASK_SET,
    NGX_HTTP_UPSTREAM_FT_ERROR, NGX_HTTP_UPSTREAM_FT_OFF, NGX_HTTP_UPSTREAM_FT_TIMEOUT,
};
use websockify_protocol::proxy_header::Version;

#[cfg(ngx_feature = "http_ssl")]
use super::tls::TlsConf;
use super::{merge, UNSET_FLAG, UNSET_MSEC, UNSET_SIZE, UNSET_UINT};
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

/// When the next server is tried.
pub(crate) const ERROR: ngx_uint_t = NGX_HTTP_UPSTREAM_FT_ERROR as ngx_uint_t;
pub(crate) const TIMEOUT: ngx_uint_t = NGX_HTTP_UPSTREAM_FT_TIMEOUT as ngx_uint_t;
pub(crate) const NEVER: ngx_uint_t = NGX_HTTP_UPSTREAM_FT_OFF as ngx_uint_t;

/// The PROXY header that a target is sent.
pub(crate) const NO_PROXY_HEADER: ngx_uint_t = 0;
pub(crate) const PROXY_V1: ngx_uint_t = 1;
pub(crate) const PROXY_V2: ngx_uint_t = 2;

/// What holds where no directive says anything.
pub(crate) struct UpstreamDefaults {
    pub(crate) connect_timeout: ngx_msec_t,
    pub(crate) send_timeout: ngx_msec_t,
    pub(crate) read_timeout: ngx_msec_t,
    pub(crate) socket_keepalive: ngx_flag_t,
    pub(crate) socket_rcvbuf: usize,
    pub(crate) socket_sndbuf: usize,
    pub(crate) send_lowat: usize,
    pub(crate) next_upstream: ngx_uint_t,
    pub(crate) next_upstream_tries: ngx_uint_t,
    pub(crate) next_upstream_timeout: ngx_msec_t,
    pub(crate) proxy_protocol: ngx_uint_t,
}

/// nginx's upstream settings and those that it lacks, embedded in a location's configuration.
#[repr(C)]
pub(crate) struct UpstreamConf {
    /// In front, so that nginx's pointer to it is one to the whole.
    pub(super) nginx: ngx_http_upstream_conf_t,
    /// The size of the kernel's buffers for the target's connection, in bytes; 0 for its own choice.
    socket_rcvbuf: usize,
    socket_sndbuf: usize,
    /// One of [`NO_PROXY_HEADER`] and so on.
    proxy_protocol: ngx_uint_t,
    #[cfg(ngx_feature = "http_ssl")]
    pub(super) tls: TlsConf,
}

impl UpstreamConf {
    /// Fields that nginx's own parsers set.
    pub(crate) const CONNECT_TIMEOUT: usize = offset_of!(Self, nginx.connect_timeout);
    pub(crate) const SEND_TIMEOUT: usize = offset_of!(Self, nginx.send_timeout);
    pub(crate) const READ_TIMEOUT: usize = offset_of!(Self, nginx.read_timeout);
    pub(crate) const BIND: usize = offset_of!(Self, nginx.local);
    pub(crate) const SOCKET_KEEPALIVE: usize = offset_of!(Self, nginx.socket_keepalive);
    pub(crate) const SOCKET_RCVBUF: usize = offset_of!(Self, socket_rcvbuf);
    pub(crate) const SOCKET_SNDBUF: usize = offset_of!(Self, socket_sndbuf);
    pub(crate) const PROXY_PROTOCOL: usize = offset_of!(Self, proxy_protocol);
    pub(crate) const SEND_LOWAT: usize = offset_of!(Self, nginx.send_lowat);
    pub(crate) const NEXT_UPSTREAM: usize = offset_of!(Self, nginx.next_upstream);
    pub(crate) const NEXT_UPSTREAM_TRIES: usize = offset_of!(Self, nginx.next_upstream_tries);
    pub(crate) const NEXT_UPSTREAM_TIMEOUT: usize = offset_of!(Self, nginx.next_upstream_timeout);

    /// Settings in which nothing is set.
    pub(crate) fn unset() -> Self {
        // SAFETY: nginx itself makes its modules' settings all zero before it sets what is not.
        let mut nginx: ngx_http_upstream_conf_t = unsafe { std::mem::zeroed() };
        nginx.connect_timeout = UNSET_MSEC;
        nginx.send_timeout = UNSET_MSEC;
        nginx.read_timeout = UNSET_MSEC;
        nginx.local = unset_local();
        nginx.socket_keepalive = UNSET_FLAG;
        nginx.send_lowat = UNSET_SIZE;
        nginx.next_upstream_tries = UNSET_UINT;
        nginx.next_upstream_timeout = UNSET_MSEC;
        Self {
            #[cfg(ngx_feature = "http_ssl")]
            tls: TlsConf::unset(&mut nginx),
            nginx,
            socket_rcvbuf: UNSET_SIZE,
            socket_sndbuf: UNSET_SIZE,
            proxy_protocol: UNSET_UINT,
        }
    }

    /// Takes from `outer` what is not set here, and sets what no directive does.
    pub(crate) fn merge(&mut self, outer: &Self, defaults: &UpstreamDefaults) {
        merge(&mut self.socket_rcvbuf, outer.socket_rcvbuf, UNSET_SIZE, defaults.socket_rcvbuf);
        merge(&mut self.socket_sndbuf, outer.socket_sndbuf, UNSET_SIZE, defaults.socket_sndbuf);
        merge(&mut self.proxy_protocol, outer.proxy_protocol, UNSET_UINT, defaults.proxy_protocol);
        let (it, outer) = (&mut self.nginx, &outer.nginx);
        merge(&mut it.connect_timeout, outer.connect_timeout, UNSET_MSEC, defaults.connect_timeout);
        merge(&mut it.send_timeout, outer.send_timeout, UNSET_MSEC, defaults.send_timeout);
        merge(&mut it.read_timeout, outer.read_timeout, UNSET_MSEC, defaults.read_timeout);
        merge(&mut it.local, outer.local, unset_local(), ptr::null_mut());
        merge(&mut it.socket_keepalive, outer.socket_keepalive, UNSET_FLAG, defaults.socket_keepalive);
        merge(&mut it.send_lowat, outer.send_lowat, UNSET_SIZE, defaults.send_lowat);
        let set = NGX_CONF_BITMASK_SET as ngx_uint_t;
        merge(&mut it.next_upstream, outer.next_upstream, 0, set | defaults.next_upstream);
        if it.next_upstream & NEVER != 0 {
            it.next_upstream = set | NEVER;
        }
        merge(
            &mut it.next_upstream_tries,
            outer.next_upstream_tries,
            UNSET_UINT,
            defaults.next_upstream_tries,
        );
        let timeout = defaults.next_upstream_timeout;
        merge(&mut it.next_upstream_timeout, outer.next_upstream_timeout, UNSET_MSEC, timeout);
        // For a response, which is never read.
        it.buffer_size = 1;
        // SAFETY: the settings are valid.
        unsafe { shim::wsk_upstream_conf_set_preserve_output(it) };
    }

    /// Has the peers chosen by the tenant whose group this is, see [`Conf::chosen_by`].
    pub(crate) fn set_group(&mut self, group: NonNull<ngx_http_upstream_srv_conf_t>) {
        self.nginx.upstream = group.as_ptr();
    }

    pub(crate) fn group(&self) -> Option<NonNull<ngx_http_upstream_srv_conf_t>> {
        NonNull::new(self.nginx.upstream)
    }

    /// Whether the target is spoken to in TLS.
    pub(in crate::nginx) fn is_tls(&self) -> bool {
        #[cfg(ngx_feature = "http_ssl")]
        return self.tls.is_enabled();
        #[cfg(not(ngx_feature = "http_ssl"))]
        false
    }

    pub(crate) fn connect_timeout(&self) -> u64 {
        self.nginx.connect_timeout as u64
    }

    pub(crate) fn send_timeout(&self) -> u64 {
        self.nginx.send_timeout as u64
    }

    pub(crate) fn read_timeout(&self) -> u64 {
        self.nginx.read_timeout as u64
    }

    /// How much room a target's connection has to have to be called writable, in bytes.
    pub(crate) fn send_lowat(&self) -> usize {
        self.nginx.send_lowat
    }

    /// The version of the PROXY header that the target is to be sent, if it is.
    pub(in crate::nginx) fn proxy_protocol(&self) -> Option<Version> {
        match self.proxy_protocol {
            PROXY_V1 => Some(Version::One),
            PROXY_V2 => Some(Version::Two),
            _ => None,
        }
    }

    pub(in crate::nginx) fn socket_rcvbuf(&self) -> i32 {
        i32::try_from(self.socket_rcvbuf).unwrap_or(i32::MAX)
    }

    pub(in crate::nginx) fn socket_sndbuf(&self) -> i32 {
        i32::try_from(self.socket_sndbuf).unwrap_or(i32::MAX)
    }

    /// nginx takes the settings as writable and does not write to them while requests run.
    pub(in crate::nginx) fn as_ptr(&self) -> *mut ngx_http_upstream_conf_t {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// The settings of which [`UpstreamConf::as_ptr`] gave `conf`.
    ///
    /// # Safety
    ///
    /// It must have done so, and the configuration must be in use.
    pub(in crate::nginx) unsafe fn of<'c>(conf: *mut ngx_http_upstream_conf_t) -> &'c Self {
        // SAFETY: the pointer was made of one to the whole.
        unsafe { &*conf.cast::<Self>() }
    }
}

/// NGX_CONF_UNSET_PTR
fn unset_local() -> *mut ngx_http_upstream_local_t {
    ptr::without_provenance_mut(usize::MAX)
}
