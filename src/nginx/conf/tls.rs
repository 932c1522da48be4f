//! TLS to the target, by nginx's own functions: what they need of a location's directives.

pub(crate) mod command;
mod context;

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr;

use nginx_sys::{
    ngx_array_t, ngx_flag_t, ngx_http_complex_value_t, ngx_http_upstream_conf_t, ngx_ssl_t, ngx_str_t,
    ngx_uint_t, NGX_CONF_BITMASK_SET,
};

use super::{merge, Answer, Conf, ConfError, Place, UpstreamConf, UNSET_FLAG, UNSET_UINT};
use crate::nginx::shim;

/// What decides of a TLS context, by directive. A location that says nothing of these shares the outer level's context.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Protocols,
    Ciphers,
    Verify,
    VerifyDepth,
    TrustedCertificate,
    Crl,
    Certificate,
    CertificateKey,
    PasswordFile,
    SessionReuse,
    ConfCommand,
}

const SETTINGS: usize = Setting::ConfCommand as usize + 1;

/// What holds where no directive says anything.
pub(crate) struct TlsDefaults {
    pub(crate) ssl: ngx_flag_t,
    pub(crate) ssl_protocols: ngx_uint_t,
    pub(crate) ssl_ciphers: ngx_str_t,
    pub(crate) ssl_server_name: ngx_flag_t,
    pub(crate) ssl_verify: ngx_flag_t,
    pub(crate) ssl_verify_depth: ngx_uint_t,
    pub(crate) ssl_session_reuse: ngx_flag_t,
}

/// The settings that nginx's structure has no fields for.
pub(crate) struct TlsConf {
    enabled: ngx_flag_t,
    protocols: ngx_uint_t,
    ciphers: ngx_str_t,
    verify_depth: ngx_uint_t,
    trusted_certificate: ngx_str_t,
    crl: ngx_str_t,
    conf_commands: *mut ngx_array_t,
    /// nginx from 1.27.4 on has a field for it.
    certificate_cache: *mut c_void,
    /// Where each setting that holds here was made.
    places: [Option<Place>; SETTINGS],
    /// Which of them were made at this level.
    own: [bool; SETTINGS],
    /// The context, made when a location first needs it; also given to inner levels that have no other.
    context: Cell<*mut ngx_ssl_t>,
}

impl TlsConf {
    pub(crate) const ENABLED: usize = offset_of!(Self, enabled);
    pub(crate) const PROTOCOLS: usize = offset_of!(Self, protocols);
    pub(crate) const CIPHERS: usize = offset_of!(Self, ciphers);
    pub(crate) const VERIFY_DEPTH: usize = offset_of!(Self, verify_depth);
    pub(crate) const TRUSTED_CERTIFICATE: usize = offset_of!(Self, trusted_certificate);
    pub(crate) const CRL: usize = offset_of!(Self, crl);
    pub(crate) const CONF_COMMANDS: usize = offset_of!(Self, conf_commands);

    /// Where the place of a setting's directive is kept.
    pub(crate) const fn place(setting: Setting) -> usize {
        offset_of!(Self, places) + setting as usize * size_of::<Option<Place>>()
    }

    pub(super) fn unset(nginx: &mut ngx_http_upstream_conf_t) -> Self {
        nginx.ssl_name = unset();
        nginx.ssl_server_name = UNSET_FLAG;
        nginx.ssl_verify = UNSET_FLAG;
        nginx.ssl_session_reuse = UNSET_FLAG;
        nginx.ssl_certificate = unset();
        nginx.ssl_certificate_key = unset();
        nginx.ssl_passwords = unset();
        Self {
            enabled: UNSET_FLAG,
            protocols: 0,
            ciphers: ngx_str_t::empty(),
            verify_depth: UNSET_UINT,
            trusted_certificate: ngx_str_t::empty(),
            crl: ngx_str_t::empty(),
            conf_commands: unset(),
            certificate_cache: unset(),
            places: [const { None }; SETTINGS],
            own: [false; SETTINGS],
            context: Cell::new(ptr::null_mut()),
        }
    }

    pub(super) fn merge(
        &mut self,
        nginx: &mut ngx_http_upstream_conf_t,
        (outer, outer_nginx): (&Self, &ngx_http_upstream_conf_t),
        defaults: &TlsDefaults,
    ) {
        self.own = self.places.map(|place| place.is_some());
        for (place, outer) in self.places.iter_mut().zip(&outer.places) {
            *place = place.or(*outer);
        }
        merge(&mut self.enabled, outer.enabled, UNSET_FLAG, defaults.ssl);
        merge(
            &mut self.protocols,
            outer.protocols,
            0,
            NGX_CONF_BITMASK_SET as ngx_uint_t | defaults.ssl_protocols,
        );
        merge_text(&mut self.ciphers, outer.ciphers, defaults.ssl_ciphers);
        merge(&mut self.verify_depth, outer.verify_depth, UNSET_UINT, defaults.ssl_verify_depth);
        merge_text(&mut self.trusted_certificate, outer.trusted_certificate, ngx_str_t::empty());
        merge_text(&mut self.crl, outer.crl, ngx_str_t::empty());
        merge(&mut self.conf_commands, outer.conf_commands, unset(), ptr::null_mut());
        merge(&mut self.certificate_cache, outer.certificate_cache, unset(), ptr::null_mut());
        let (it, outer) = (nginx, outer_nginx);
        merge(&mut it.ssl_name, outer.ssl_name, unset(), ptr::null_mut());
        merge(&mut it.ssl_server_name, outer.ssl_server_name, UNSET_FLAG, defaults.ssl_server_name);
        merge(&mut it.ssl_verify, outer.ssl_verify, UNSET_FLAG, defaults.ssl_verify);
        merge(&mut it.ssl_session_reuse, outer.ssl_session_reuse, UNSET_FLAG, defaults.ssl_session_reuse);
        merge(&mut it.ssl_certificate, outer.ssl_certificate, unset(), ptr::null_mut());
        merge(&mut it.ssl_certificate_key, outer.ssl_certificate_key, unset(), ptr::null_mut());
        merge(&mut it.ssl_passwords, outer.ssl_passwords, unset(), ptr::null_mut());
        // nginx takes an empty certificate for none only from 1.23 on.
        for value in [&mut it.ssl_certificate, &mut it.ssl_certificate_key] {
            if !has_text(*value) {
                *value = ptr::null_mut();
            }
        }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled == 1
    }

    /// Where a setting that holds here was made, if a directive made it.
    pub(crate) fn place_of(&self, setting: Setting) -> Option<Place> {
        self.places[setting as usize]
    }

    /// Where a setting was made, if it was at this very level.
    pub(crate) fn own_place_of(&self, setting: Setting) -> Option<Place> {
        self.place_of(setting).filter(|_| self.own[setting as usize])
    }

    pub(crate) fn has_trusted_certificate(&self) -> bool {
        !self.trusted_certificate.is_empty()
    }

    /// Whether a cache for certificates, or none, is set at this level.
    pub(crate) fn has_certificate_cache(&self) -> bool {
        self.certificate_cache != unset()
    }

    /// Keeps at most `max` certificates and keys that variables name, for so many seconds each; 0 keeps none. `false`
    /// where nginx cannot.
    pub(crate) fn set_certificate_cache(
        &mut self,
        conf: Conf,
        max: usize,
        valid: u32,
        inactive: u32,
    ) -> bool {
        self.certificate_cache = ptr::null_mut();
        // SAFETY: the configuration's pool is valid.
        max == 0
            || unsafe {
                let pool = conf.pool().as_ptr();
                self.certificate_cache =
                    shim::wsk_ssl_cache(pool, max as ngx_uint_t, valid.into(), inactive.into());
                !self.certificate_cache.is_null()
            }
    }
}

impl UpstreamConf {
    pub(crate) const TLS: usize = offset_of!(Self, tls);
    pub(crate) const SSL_NAME: usize = offset_of!(Self, nginx.ssl_name);
    pub(crate) const SSL_SERVER_NAME: usize = offset_of!(Self, nginx.ssl_server_name);
    pub(crate) const SSL_VERIFY: usize = offset_of!(Self, nginx.ssl_verify);
    pub(crate) const SSL_SESSION_REUSE: usize = offset_of!(Self, nginx.ssl_session_reuse);
    pub(crate) const SSL_CERTIFICATE: usize = offset_of!(Self, nginx.ssl_certificate);
    pub(crate) const SSL_CERTIFICATE_KEY: usize = offset_of!(Self, nginx.ssl_certificate_key);
    pub(crate) const SSL_PASSWORDS: usize = offset_of!(Self, nginx.ssl_passwords);

    pub(crate) fn merge_tls(&mut self, outer: &Self, defaults: &TlsDefaults, conf: Conf) -> Answer {
        self.tls.merge(&mut self.nginx, (&outer.tls, &outer.nginx), defaults);
        self.tls.share_context(&outer.tls, conf).ok_or(ConfError::Printed)
    }

    /// Makes the TLS context of a location that uses it.
    ///
    /// # Errors
    ///
    /// The setting that nginx has refused, and said why.
    pub(crate) fn start_tls(&mut self, conf: Conf) -> Result<(), Setting> {
        self.tls.start(&mut self.nginx, conf)
    }

    pub(crate) fn tls(&self) -> &TlsConf {
        &self.tls
    }

    pub(crate) fn tls_mut(&mut self) -> &mut TlsConf {
        &mut self.tls
    }

    pub(crate) fn verifies_tls(&self) -> bool {
        self.nginx.ssl_verify == 1
    }

    pub(crate) fn has_certificate(&self) -> bool {
        has_text(self.nginx.ssl_certificate)
    }

    pub(crate) fn has_certificate_key(&self) -> bool {
        has_text(self.nginx.ssl_certificate_key)
    }
}

/// NGX_CONF_UNSET_PTR
fn unset<T>() -> *mut T {
    ptr::without_provenance_mut(usize::MAX)
}

fn merge_text(value: &mut ngx_str_t, outer: ngx_str_t, default: ngx_str_t) {
    if value.data.is_null() {
        *value = if outer.data.is_null() { default } else { outer };
    }
}

/// Whether a value is set, and not to nothing.
fn has_text(value: *const ngx_http_complex_value_t) -> bool {
    // SAFETY: a merged value is NULL or was made by nginx's parser.
    unsafe { value.as_ref() }.is_some_and(|value| !value.value.is_empty())
}

fn is_variable(value: *mut ngx_http_complex_value_t) -> bool {
    // SAFETY: a merged value is NULL or was made by nginx's parser.
    unsafe { value.as_ref() }.is_some_and(|value| !value.lengths.is_null())
}
