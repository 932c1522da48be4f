//! Makes the TLS context of a location, or finds the one that it shares.

use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_http_upstream_conf_t, ngx_pool_cleanup_add, ngx_ssl_certificate, ngx_ssl_ciphers,
    ngx_ssl_cleanup_ctx, ngx_ssl_client_session_cache, ngx_ssl_conf_commands, ngx_ssl_create, ngx_ssl_crl,
    ngx_ssl_preserve_passwords, ngx_ssl_t, ngx_ssl_trusted_certificate, ngx_uint_t,
};

use super::{has_text, is_variable, Setting, TlsConf};
use crate::nginx::conf::Conf;
use crate::nginx::{rc, shim};

impl TlsConf {
    /// Makes the context of a location that connects with TLS, unless another that shares it has.
    ///
    /// # Errors
    ///
    /// The setting that nginx has refused, and said why.
    pub(super) fn start(&self, nginx: &mut ngx_http_upstream_conf_t, conf: Conf) -> Result<(), Setting> {
        let ssl = self.context.get();
        // SAFETY: the context's structure lives as long as the configuration, and so do the settings; nginx passes the
        // configuration that is being read.
        unsafe {
            if (*ssl).ctx.is_null() {
                self.fill(nginx, ssl, conf)?;
            }
            if is_variable(nginx.ssl_certificate) || is_variable(nginx.ssl_certificate_key) {
                self.keep_passwords(nginx, conf).ok_or(Setting::PasswordFile)?;
                // Whoever takes up another client's session has that client's certificate.
                nginx.ssl_session_reuse = 0;
            }
            nginx.ssl = ssl;
            shim::wsk_upstream_conf_set_certificate_cache(nginx, self.certificate_cache);
        }
        Ok(())
    }

    /// Finds a place for the context: of one's own where a setting was made at this level.
    pub(super) fn share_context(&self, outer: &Self, conf: Conf) -> Option<()> {
        let holder = if self.own.contains(&true) { self } else { outer };
        if holder.context.get().is_null() {
            // SAFETY: all zero is a context that is not made yet.
            let ssl: NonNull<ngx_ssl_t> = unsafe { conf.pool().zeroed()? };
            // SAFETY: just allocated.
            unsafe { (*ssl.as_ptr()).log = conf.log().as_ptr() };
            holder.context.set(ssl.as_ptr());
        }
        self.context.set(holder.context.get());
        Some(())
    }

    /// # Safety
    ///
    /// `ssl` must be without a context, and live as long as the configuration.
    unsafe fn fill(
        &self,
        nginx: &ngx_http_upstream_conf_t,
        ssl: *mut ngx_ssl_t,
        conf: Conf,
    ) -> Result<(), Setting> {
        let cf = conf.as_ptr();
        let need = |code, setting| if code == rc::OK { Ok(()) } else { Err(setting) };
        // SAFETY: by this function's promise; nginx's functions do not write to the texts they are given, but for
        // replacing a relative path by a full one.
        unsafe {
            need(ngx_ssl_create(ssl, self.protocols, ptr::null_mut()), Setting::Protocols)?;
            let cleanup = ngx_pool_cleanup_add(conf.pool().as_ptr(), 0);
            if cleanup.is_null() {
                ngx_ssl_cleanup_ctx(ssl.cast());
                return Err(Setting::Protocols);
            }
            (*cleanup).handler = Some(ngx_ssl_cleanup_ctx);
            (*cleanup).data = ssl.cast();

            let (mut ciphers, mut trusted, mut crl) = (self.ciphers, self.trusted_certificate, self.crl);
            need(ngx_ssl_ciphers(cf, ssl, &mut ciphers, 0), Setting::Ciphers)?;
            let (cert, key) = (nginx.ssl_certificate, nginx.ssl_certificate_key);
            if has_text(cert) && has_text(key) && !is_variable(cert) && !is_variable(key) {
                let (cert, key) = (&raw mut (*cert).value, &raw mut (*key).value);
                need(ngx_ssl_certificate(cf, ssl, cert, key, nginx.ssl_passwords), Setting::Certificate)?;
            }
            if nginx.ssl_verify == 1 {
                let depth = self.verify_depth as isize;
                let code = ngx_ssl_trusted_certificate(cf, ssl, &mut trusted, depth);
                need(code, Setting::TrustedCertificate)?;
                need(ngx_ssl_crl(cf, ssl, &mut crl), Setting::Crl)?;
            }
            let reuse = nginx.ssl_session_reuse as ngx_uint_t;
            need(ngx_ssl_client_session_cache(cf, ssl, reuse), Setting::SessionReuse)?;
            need(ngx_ssl_conf_commands(cf, ssl, self.conf_commands), Setting::ConfCommand)?;
            need(shim::wsk_ssl_mark_sessions(ssl), Setting::SessionReuse)
        }
    }

    /// Passwords are wiped when the configuration has been read, but those for keys that are read later.
    fn keep_passwords(&self, nginx: &mut ngx_http_upstream_conf_t, conf: Conf) -> Option<()> {
        // SAFETY: the passwords, if there are any, are valid while the configuration is read.
        unsafe {
            nginx.ssl_passwords = ngx_ssl_preserve_passwords(conf.as_ptr(), nginx.ssl_passwords);
        }
        (!nginx.ssl_passwords.is_null()).then_some(())
    }
}
