//! Lines for the error log, in nginx's manner: lower case, no full stop.

pub(crate) mod context;

use std::ffi::CStr;
use std::fmt::{self, Arguments};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_log_t, ngx_uint_t, NGX_LOG_ALERT, NGX_LOG_ERR, NGX_LOG_INFO, NGX_LOG_NOTICE, NGX_LOG_WARN,
};
use ngx::log::{log_error, write_fmt, LOG_BUFFER_SIZE};

/// A log of nginx's, which adds the context (client, request, upstream) to each line itself.
#[derive(Clone, Copy)]
pub(crate) struct Log(NonNull<ngx_log_t>);

impl Log {
    /// # Safety
    ///
    /// `log` must stay valid for as long as the value is used: a connection's log, in its callbacks.
    pub(crate) unsafe fn new(log: *mut ngx_log_t) -> Self {
        Self(NonNull::new(log).unwrap_or_else(ngx::log::ngx_cycle_log))
    }

    /// The log of the process.
    pub(crate) fn of_cycle() -> Self {
        Self(ngx::log::ngx_cycle_log())
    }

    pub(crate) fn as_ptr(self) -> *mut ngx_log_t {
        self.0.as_ptr()
    }

    /// What is unwise in a configuration.
    pub(crate) fn warn(self, text: Arguments<'_>) {
        self.write(NGX_LOG_WARN, text);
    }

    /// Our own broken promise.
    pub(crate) fn alert(self, text: Arguments<'_>) {
        self.write(NGX_LOG_ALERT, text);
    }

    /// A fault of the target or of the configuration.
    pub(crate) fn error(self, text: Arguments<'_>) {
        self.write(NGX_LOG_ERR, text);
    }

    /// What an administrator may be glad to know.
    pub(crate) fn notice(self, text: Arguments<'_>) {
        self.write(NGX_LOG_NOTICE, text);
    }

    /// A fault of the client, or a fact of a session's life.
    pub(crate) fn info(self, text: Arguments<'_>) {
        self.write(NGX_LOG_INFO, text);
    }

    pub(super) fn write(self, level: u32, text: Arguments<'_>) {
        let level = level as ngx_uint_t;
        // SAFETY: the log is valid by the promise of `new`.
        if level > unsafe { self.0.as_ref() }.log_level {
            return;
        }
        let mut buffer = [MaybeUninit::uninit(); LOG_BUFFER_SIZE];
        let text = write_fmt(&mut buffer, text);
        // SAFETY: the log is valid by the promise of `new`.
        unsafe { log_error(level, self.as_ptr(), 0, text) };
    }

    /// Says what is being done when a line is written: `... while {action}`.
    pub(crate) fn set_action(self, action: Option<&'static CStr>) {
        let action = action.map_or(ptr::null_mut(), |action| action.as_ptr().cast_mut().cast());
        // SAFETY: the log is valid by the promise of `new`; nginx only reads the string.
        unsafe { (*self.as_ptr()).action = action };
    }
}

/// Bytes of unknown origin, fit for a line of the log.
pub(crate) struct Printable<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}
