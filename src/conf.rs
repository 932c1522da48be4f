//! What the directives say of a location: fields, defaults, merge.
//!
//! Each subject has a file in `conf/`, with its part of the table of directives.

pub(crate) mod access;
pub(crate) mod connect;
pub(crate) mod errors;
pub(crate) mod lifetime;
pub(crate) mod main;
pub(crate) mod payload;
#[cfg(ngx_feature = "http_ssl")]
pub(crate) mod ssl;
#[cfg(not(ngx_feature = "http_ssl"))]
#[path = "conf/no_ssl.rs"]
pub(crate) mod ssl;
pub(crate) mod token;
pub(crate) mod tunnel;
pub(crate) mod zone;

use nginx_sys::{ngx_msec_t, ngx_str_t};
use websockify_tunnel::{Limits, Msec};

use crate::nginx::conf::{merge, Answer, ComplexValue, Conf, Place, UpstreamConf, UNSET_MSEC};
use crate::nginx::upstream::Group;
use access::AccessConf;
use errors::{ErrorMode, HTTP, UNSET};
use lifetime::LifetimeConf;
use payload::PayloadConf;
use token::TokenConf;
use tunnel::TunnelConf;
use zone::Shown;

/// The port of VNC's first display, for targets that name none.
pub(crate) const DEFAULT_PORT: u16 = 5900;

/// `websockify_pass`, as far as it is known when the configuration is read.
#[derive(Clone, Copy)]
pub(crate) enum Pass {
    /// An address or a group, and its name.
    Group(Group, ngx_str_t),
    /// A text with variables, and where it was written.
    Variable(ComplexValue, Place),
}

/// One location.
pub(crate) struct LocConf {
    /// The timeouts, and what nginx's upstream code wants to know.
    pub(crate) upstream: UpstreamConf,
    /// `websockify_pass`
    pub(crate) pass: Option<Pass>,
    pub(crate) access: AccessConf,
    pub(crate) token: TokenConf,
    pub(crate) lifetime: LifetimeConf,
    pub(crate) payload: PayloadConf,
    pub(crate) tunnel: TunnelConf,
    /// `websockify_error_mode`
    pub(crate) error_mode: ErrorMode,
    /// `websockify_connect_retry`; 0 for never
    pub(crate) connect_retry: ngx_msec_t,
    /// `websockify_status`
    pub(crate) shown: Shown,
    /// `websockify_status_name`, by its number among those of the http block
    pub(crate) status_name: Option<usize>,
    /// `websockify_test_panic`
    #[cfg(feature = "test-faults")]
    pub(crate) panic_at: nginx_sys::ngx_str_t,
}

impl LocConf {
    pub(crate) fn new() -> Self {
        Self {
            upstream: UpstreamConf::unset(),
            pass: None,
            access: AccessConf::default(),
            token: TokenConf::unset(),
            lifetime: LifetimeConf::unset(),
            payload: PayloadConf::unset(),
            tunnel: TunnelConf::unset(),
            error_mode: UNSET,
            connect_retry: UNSET_MSEC,
            shown: Shown::Nothing,
            status_name: None,
            #[cfg(feature = "test-faults")]
            panic_at: nginx_sys::ngx_str_t::empty(),
        }
    }

    /// Takes from the outer level what is not set here. The target is not inherited, see
    /// [`LocConf::inherit_pass`].
    pub(crate) fn merge_values(&mut self, outer: &Self, conf: Conf) -> Answer {
        self.upstream.merge(&outer.upstream, &connect::DEFAULTS);
        self.access.merge(&outer.access);
        self.lifetime.merge(&outer.lifetime);
        self.merge_tls(outer, conf)?;
        self.payload.merge(&outer.payload);
        self.tunnel.merge(&outer.tunnel);
        merge(&mut self.error_mode, outer.error_mode, UNSET, HTTP);
        merge(&mut self.connect_retry, outer.connect_retry, UNSET_MSEC, 0);
        self.status_name = self.status_name.or(outer.status_name);
        self.token.merge(&outer.token, conf)?;
        self.warn_of_open_target(conf);
        Ok(())
    }

    /// Whether the target comes from a variable, and not from a file of tokens.
    pub(crate) fn has_free_target(&self) -> bool {
        match self.pass {
            Some(Pass::Variable(text, _)) => {
                text.source().as_bytes() != b"$websockify_target" || self.token.required().is_none()
            }
            Some(Pass::Group(..)) | None => false,
        }
    }

    fn warn_of_open_target(&self, conf: Conf) {
        let Some(Pass::Variable(_, place)) = self.pass else { return };
        if self.has_free_target() && self.access.rules.is_empty() {
            conf.warn_at(
                place,
                format_args!(
                    "\"websockify_pass\" with variables may connect to any address: \
                     it has no \"websockify_allow\" or \"websockify_deny\""
                ),
            );
        }
    }

    /// Takes the target of the location around an `if`.
    pub(crate) fn inherit_pass(&mut self, outer: &Self) {
        if let (None, Some(pass), Some(group)) = (self.pass, outer.pass, outer.upstream.group()) {
            self.pass = Some(pass);
            self.upstream.set_group(group);
        }
    }

    /// Shows what the location around an `if` or a `limit_except` does.
    pub(crate) fn inherit_shown(&mut self, outer: &Self) {
        if self.shown == Shown::Nothing {
            self.shown = outer.shown;
        }
    }

    /// The number of the name that sessions are counted by.
    pub(crate) fn status_name(&self) -> usize {
        self.status_name.unwrap_or(0)
    }

    /// The limits of a tunnel, which has these times of its own.
    pub(crate) fn limits(&self, idle_timeout: Msec, session_timeout: Msec) -> Limits {
        Limits {
            send_timeout: self.upstream.send_timeout(),
            read_timeout: self.upstream.read_timeout(),
            heartbeat: self.tunnel.heartbeat(),
            idle_timeout,
            session_timeout,
        }
    }
}
