//! In the place of `ssl.rs`, for an nginx that was built without TLS: its directives are refused, with the reason.

use nginx_sys::{ngx_command_t, NGX_CONF_ANY};

use super::LocConf;
use crate::nginx::conf::command::{command_at, EVERYWHERE};
use crate::nginx::conf::{parse_directive, Answer, Conf, ConfError, Directive};

const fn lacking(name: &'static std::ffi::CStr) -> ngx_command_t {
    command_at(EVERYWHERE | NGX_CONF_ANY, name, parse_directive::<Lacking>, 0)
}

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    lacking(c"websockify_ssl"),
    lacking(c"websockify_ssl_protocols"),
    lacking(c"websockify_ssl_ciphers"),
    lacking(c"websockify_ssl_name"),
    lacking(c"websockify_ssl_server_name"),
    lacking(c"websockify_ssl_verify"),
    lacking(c"websockify_ssl_verify_depth"),
    lacking(c"websockify_ssl_trusted_certificate"),
    lacking(c"websockify_ssl_crl"),
    lacking(c"websockify_ssl_certificate"),
    lacking(c"websockify_ssl_certificate_key"),
    lacking(c"websockify_ssl_certificate_cache"),
    lacking(c"websockify_ssl_password_file"),
    lacking(c"websockify_ssl_session_reuse"),
    lacking(c"websockify_ssl_conf_command"),
];

struct Lacking;

impl Directive for Lacking {
    type Location = LocConf;

    fn parse(_location: &mut LocConf, _conf: Conf) -> Answer {
        Err(ConfError::Words(c"needs an nginx that was built with TLS (--with-http_ssl_module)"))
    }
}

#[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "as in ssl.rs")]
impl LocConf {
    pub(super) fn merge_tls(&mut self, _outer: &Self, _conf: Conf) -> Answer {
        Ok(())
    }

    pub(crate) fn start_tls(&mut self, _conf: Conf) -> Answer {
        Ok(())
    }
}
