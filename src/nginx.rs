//! Floor 1: all the unsafe. Small safe types over what nginx hands to a module.

pub(crate) mod address;
pub(crate) mod alarm;
pub(crate) mod bell;
pub(crate) mod buffers;
pub(crate) mod conf;
#[cfg_attr(
    not(ngx_feature = "http_ssl"),
    allow(dead_code, reason = "only a connection with TLS may have to end its stream in several steps")
)]
pub(crate) mod connection;
pub(crate) mod filter;
pub(crate) mod guard;
pub(crate) mod linger;
pub(crate) mod log;
mod peer;
pub(crate) mod phase;
pub(crate) mod pool;
pub(crate) mod quit;
pub(crate) mod request;
pub(crate) mod resolver;
pub(crate) mod response;
pub(crate) mod shared;
pub(crate) mod shim;
pub(crate) mod timer;
pub(crate) mod tokens;
pub(crate) mod upstream;
pub(crate) mod variable;

use std::io::Error;

use nginx_sys::{ngx_int_t, ngx_uint_t};

/// nginx's return codes, in the type its callbacks return.
pub(crate) mod rc {
    use super::ngx_int_t;

    pub(crate) const OK: ngx_int_t = nginx_sys::NGX_OK as ngx_int_t;
    pub(crate) const ERROR: ngx_int_t = nginx_sys::NGX_ERROR as ngx_int_t;
    pub(crate) const AGAIN: ngx_int_t = nginx_sys::NGX_AGAIN as ngx_int_t;
    pub(crate) const BUSY: ngx_int_t = nginx_sys::NGX_BUSY as ngx_int_t;
    pub(crate) const DECLINED: ngx_int_t = nginx_sys::NGX_DECLINED as ngx_int_t;
    pub(crate) const DONE: ngx_int_t = nginx_sys::NGX_DONE as ngx_int_t;
}

/// The loop's clock, in milliseconds.
pub(crate) fn now() -> u64 {
    // SAFETY: nginx sets the time before it runs a module's code, on the one thread that runs it.
    unsafe { nginx_sys::ngx_current_msec as u64 }
}

/// Whether this process serves requests.
pub(crate) fn is_worker() -> bool {
    // SAFETY: a plain integer that is set before the modules are.
    let process = unsafe { nginx_sys::ngx_process };
    process == nginx_sys::NGX_PROCESS_WORKER as ngx_uint_t
        || process == nginx_sys::NGX_PROCESS_SINGLE as ngx_uint_t
}

/// Whether this process only sends a signal to another nginx.
pub(crate) fn is_signaller() -> bool {
    // SAFETY: as above.
    unsafe { nginx_sys::ngx_process == nginx_sys::NGX_PROCESS_SIGNALLER as ngx_uint_t }
}

/// Whether there is a process of this number that is another user's: `/proc` may not show it.
pub(crate) fn is_hidden(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return false };
    // SAFETY: no signal is sent, it is only asked whether one might be.
    unsafe { libc::kill(pid, 0) == -1 && Error::last_os_error().raw_os_error() == Some(libc::EPERM) }
}

/// The time of day, in milliseconds since the epoch, as the loop last looked at it.
pub(crate) fn wall_clock() -> u64 {
    // SAFETY: nginx sets the time before it runs a module's code; its pointer is to one of a fixed set of times.
    unsafe {
        let time = *nginx_sys::ngx_cached_time;
        u64::try_from(time.sec).unwrap_or(0) * 1000 + time.msec as u64
    }
}

/// Whether the worker has been told to go when its sessions have ended.
pub(crate) fn is_exiting() -> bool {
    // SAFETY: a plain integer that only this thread writes.
    unsafe { nginx_sys::ngx_exiting != 0 }
}

/// Whether the worker has been told to go now.
pub(crate) fn is_terminating() -> bool {
    // SAFETY: a plain integer that only this thread and its signal handlers write.
    unsafe { nginx_sys::ngx_terminate != 0 }
}
