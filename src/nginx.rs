//! Floor 1: all the unsafe. Small safe types over what nginx hands to a module.

pub(crate) mod buffers;
pub(crate) mod conf;
pub(crate) mod connection;
pub(crate) mod guard;
pub(crate) mod linger;
pub(crate) mod log;
pub(crate) mod pool;
pub(crate) mod quit;
pub(crate) mod request;
pub(crate) mod resolver;
pub(crate) mod shared;
pub(crate) mod shim;
pub(crate) mod timer;
pub(crate) mod upstream;
pub(crate) mod variable;

use nginx_sys::ngx_int_t;

/// nginx's return codes, in the type its callbacks return.
pub(crate) mod rc {
    use super::ngx_int_t;

    pub(crate) const OK: ngx_int_t = nginx_sys::NGX_OK as ngx_int_t;
    pub(crate) const ERROR: ngx_int_t = nginx_sys::NGX_ERROR as ngx_int_t;
    pub(crate) const AGAIN: ngx_int_t = nginx_sys::NGX_AGAIN as ngx_int_t;
    pub(crate) const DONE: ngx_int_t = nginx_sys::NGX_DONE as ngx_int_t;
}

/// The loop's clock, in milliseconds.
pub(crate) fn now() -> u64 {
    // SAFETY: nginx sets the time before it runs a module's code, on the one thread that runs it.
    unsafe { nginx_sys::ngx_current_msec as u64 }
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
