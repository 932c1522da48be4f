//! The `websockify_ssl_*` directives: TLS to the target.

use std::ffi::CStr;
use std::mem::offset_of;

use nginx_sys::{
    ngx_command_t, ngx_conf_set_flag_slot, ngx_conf_set_keyval_slot, ngx_conf_set_num_slot,
    ngx_conf_set_str_slot, ngx_flag_t, ngx_http_set_complex_value_slot, ngx_http_set_complex_value_zero_slot,
    ngx_str_t, ngx_uint_t, NGX_SSL_SSLv2, NGX_SSL_SSLv3, NGX_SSL_TLSv1, NGX_SSL_TLSv1_1, NGX_SSL_TLSv1_2,
    NGX_SSL_TLSv1_3, NGX_CONF_1MORE, NGX_CONF_TAKE123, NGX_CONF_TAKE2,
};

use super::LocConf;
use crate::nginx::conf::command::{bit, command, command_at, set_bits_once, Bits, END_OF_BITS, EVERYWHERE};
use crate::nginx::conf::tls::command::{keeping, set_passwords, Kept};
use crate::nginx::conf::tls::{Setting, TlsConf, TlsDefaults};
use crate::nginx::conf::{
    once, parse_directive, parse_time, Answer, Conf, ConfError, Directive, UpstreamConf,
};

const UPSTREAM: usize = offset_of!(LocConf, upstream);
const TLS: usize = UPSTREAM + UpstreamConf::TLS;

const ON: ngx_flag_t = 1;
const OFF: ngx_flag_t = 0;

const TLSV1_2: ngx_uint_t = NGX_SSL_TLSv1_2 as ngx_uint_t;
const TLSV1_3: ngx_uint_t = NGX_SSL_TLSv1_3 as ngx_uint_t;
/// OpenSSL's own list.
const DEFAULT_SSL_CIPHERS: &CStr = c"DEFAULT";

const DEFAULTS: TlsDefaults = TlsDefaults {
    ssl: OFF,
    ssl_protocols: TLSV1_2 | TLSV1_3,
    ssl_ciphers: ngx_str_t {
        len: DEFAULT_SSL_CIPHERS.count_bytes(),
        data: DEFAULT_SSL_CIPHERS.as_ptr().cast_mut().cast(),
    },
    ssl_server_name: ON,
    ssl_verify: OFF,
    ssl_verify_depth: 1,
    ssl_session_reuse: ON,
};

static PROTOCOLS: Bits<7> = Bits([
    bit(c"SSLv2", NGX_SSL_SSLv2 as ngx_uint_t),
    bit(c"SSLv3", NGX_SSL_SSLv3 as ngx_uint_t),
    bit(c"TLSv1", NGX_SSL_TLSv1 as ngx_uint_t),
    bit(c"TLSv1.1", NGX_SSL_TLSv1_1 as ngx_uint_t),
    bit(c"TLSv1.2", TLSV1_2),
    bit(c"TLSv1.3", TLSV1_3),
    END_OF_BITS,
]);

/// A directive that decides of the TLS context.
const fn kept(setting: Setting, command: ngx_command_t) -> Kept {
    Kept::new(TLS + TlsConf::place(setting), command)
}

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    command(c"websockify_ssl", ngx_conf_set_flag_slot, TLS + TlsConf::ENABLED),
    keeping(
        &const {
            let offset = TLS + TlsConf::PROTOCOLS;
            let (type_, post) = (EVERYWHERE | NGX_CONF_1MORE, (&raw const PROTOCOLS).cast_mut().cast());
            let entry = command_at(type_, c"websockify_ssl_protocols", set_bits_once, offset);
            kept(Setting::Protocols, ngx_command_t { post, ..entry })
        },
    ),
    keeping(
        &const {
            let offset = TLS + TlsConf::CIPHERS;
            kept(Setting::Ciphers, command(c"websockify_ssl_ciphers", ngx_conf_set_str_slot, offset))
        },
    ),
    command(c"websockify_ssl_name", ngx_http_set_complex_value_slot, UPSTREAM + UpstreamConf::SSL_NAME),
    command(c"websockify_ssl_server_name", ngx_conf_set_flag_slot, UPSTREAM + UpstreamConf::SSL_SERVER_NAME),
    keeping(
        &const {
            let offset = UPSTREAM + UpstreamConf::SSL_VERIFY;
            kept(Setting::Verify, command(c"websockify_ssl_verify", ngx_conf_set_flag_slot, offset))
        },
    ),
    keeping(
        &const {
            let offset = TLS + TlsConf::VERIFY_DEPTH;
            kept(Setting::VerifyDepth, command(c"websockify_ssl_verify_depth", ngx_conf_set_num_slot, offset))
        },
    ),
    keeping(
        &const {
            let offset = TLS + TlsConf::TRUSTED_CERTIFICATE;
            let entry = command(c"websockify_ssl_trusted_certificate", ngx_conf_set_str_slot, offset);
            kept(Setting::TrustedCertificate, entry)
        },
    ),
    keeping(
        &const { kept(Setting::Crl, command(c"websockify_ssl_crl", ngx_conf_set_str_slot, TLS + TlsConf::CRL)) },
    ),
    keeping(
        &const {
            let offset = UPSTREAM + UpstreamConf::SSL_CERTIFICATE;
            let entry = command(c"websockify_ssl_certificate", ngx_http_set_complex_value_zero_slot, offset);
            kept(Setting::Certificate, entry)
        },
    ),
    keeping(
        &const {
            let offset = UPSTREAM + UpstreamConf::SSL_CERTIFICATE_KEY;
            let entry =
                command(c"websockify_ssl_certificate_key", ngx_http_set_complex_value_zero_slot, offset);
            kept(Setting::CertificateKey, entry)
        },
    ),
    command_at(
        EVERYWHERE | NGX_CONF_TAKE123,
        c"websockify_ssl_certificate_cache",
        parse_directive::<WebsockifySslCertificateCache>,
        0,
    ),
    keeping(
        &const {
            let offset = UPSTREAM + UpstreamConf::SSL_PASSWORDS;
            kept(Setting::PasswordFile, command(c"websockify_ssl_password_file", set_passwords, offset))
        },
    ),
    keeping(
        &const {
            let offset = UPSTREAM + UpstreamConf::SSL_SESSION_REUSE;
            let entry = command(c"websockify_ssl_session_reuse", ngx_conf_set_flag_slot, offset);
            kept(Setting::SessionReuse, entry)
        },
    ),
    keeping(
        &const {
            let (type_, offset) = (EVERYWHERE | NGX_CONF_TAKE2, TLS + TlsConf::CONF_COMMANDS);
            let entry = command_at(type_, c"websockify_ssl_conf_command", ngx_conf_set_keyval_slot, offset);
            kept(Setting::ConfCommand, entry)
        },
    ),
];

impl LocConf {
    pub(super) fn merge_tls(&mut self, outer: &Self, conf: Conf) -> Answer {
        self.upstream.merge_tls(&outer.upstream, &DEFAULTS, conf)
    }

    /// Makes ready what a location needs that connects with TLS.
    pub(crate) fn start_tls(&mut self, conf: Conf) -> Answer {
        if !self.upstream.tls().is_enabled() {
            return Ok(());
        }
        self.check_tls(conf)?;
        self.upstream.start_tls(conf).map_err(|setting| match self.upstream.tls().place_of(setting) {
            Some(place) => conf.refuse_at(place, format_args!("\"{}\" cannot be used", name_of(setting))),
            None => ConfError::Printed,
        })
    }

    /// Refuses what contradicts itself: half of a setting, or one that would mean less than it says.
    fn check_tls(&self, conf: Conf) -> Answer {
        let (upstream, tls) = (&self.upstream, self.upstream.tls());
        let lack = |place, setting, lacking| match place {
            None => Ok(()),
            Some(place) => Err(conf
                .refuse_at(place, format_args!("\"{}\" without \"{}\"", name_of(setting), name_of(lacking)))),
        };
        if upstream.verifies_tls() && !tls.has_trusted_certificate() {
            lack(tls.place_of(Setting::Verify), Setting::Verify, Setting::TrustedCertificate)?;
        }
        if !upstream.has_certificate_key() {
            if upstream.has_certificate() {
                lack(tls.place_of(Setting::Certificate), Setting::Certificate, Setting::CertificateKey)?;
            }
            // What an outer level says for all others does not have to fit here.
            lack(tls.own_place_of(Setting::PasswordFile), Setting::PasswordFile, Setting::CertificateKey)?;
        } else if !upstream.has_certificate() {
            lack(tls.own_place_of(Setting::CertificateKey), Setting::CertificateKey, Setting::Certificate)?;
        }
        Ok(())
    }
}

const fn name_of(setting: Setting) -> &'static str {
    match setting {
        Setting::Protocols => "websockify_ssl_protocols",
        Setting::Ciphers => "websockify_ssl_ciphers",
        Setting::Verify => "websockify_ssl_verify",
        Setting::VerifyDepth => "websockify_ssl_verify_depth",
        Setting::TrustedCertificate => "websockify_ssl_trusted_certificate",
        Setting::Crl => "websockify_ssl_crl",
        Setting::Certificate => "websockify_ssl_certificate",
        Setting::CertificateKey => "websockify_ssl_certificate_key",
        Setting::PasswordFile => "websockify_ssl_password_file",
        Setting::SessionReuse => "websockify_ssl_session_reuse",
        Setting::ConfCommand => "websockify_ssl_conf_command",
    }
}

/// `websockify_ssl_certificate_cache off | max=N [inactive=time] [valid=time];`
struct WebsockifySslCertificateCache;

impl Directive for WebsockifySslCertificateCache {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        let tls = location.upstream.tls_mut();
        once(tls.has_certificate_cache())?;
        let (mut max, mut inactive, mut valid, mut off) = (0, 10, 60, false);
        for argument in &conf.arguments()[1..] {
            let parsed = match argument.as_bytes() {
                b"off" => {
                    off = true;
                    Some(())
                }
                text => parse_into(text, &mut max, &mut inactive, &mut valid),
            };
            parsed.ok_or_else(|| conf.refuse(format_args!("invalid parameter \"{argument}\"")))?;
        }
        match (off, max) {
            (true, _) => max = 0,
            (false, 0) => return Err(ConfError::Words(c"must have the \"max\" parameter")),
            (false, _) => {}
        }
        if tls.set_certificate_cache(conf, max, valid, inactive) {
            return Ok(());
        }
        Err(ConfError::Words(c"needs nginx 1.27.4 or newer"))
    }
}

fn parse_into(text: &[u8], max: &mut usize, inactive: &mut u32, valid: &mut u32) -> Option<()> {
    let at = text.iter().position(|&byte| byte == b'=')?;
    let (name, value) = (&text[..at], &text[at + 1..]);
    match name {
        b"max" => *max = std::str::from_utf8(value).ok()?.parse().ok().filter(|&max| max > 0)?,
        b"inactive" => *inactive = seconds(value)?,
        b"valid" => *valid = seconds(value)?,
        _ => return None,
    }
    Some(())
}

fn seconds(text: &[u8]) -> Option<u32> {
    let text = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    parse_time(text).and_then(|time| u32::try_from(time / 1000).ok())
}
