//! What nginx adds to each line of the error log that concerns a request of ours: `..., client: 10.0.0.7, server: ...`.
//!
//! nginx's own way to say it has the whole line of the request in it, and where it came from. There is the token in
//! `?token=...`, which no log shall have. So the request is named without its arguments, and its session is named.

use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

use nginx_sys::{ngx_http_core_module, ngx_http_core_srv_conf_t, ngx_http_request_t};
use ngx::log::write_fmt;

use super::Printable;
use crate::nginx::guard::guard;
use crate::nginx::request::Request;

/// What can be named in a line of the log, as `, name: value`.
pub(crate) trait Named: 'static {
    fn name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Has each line about the request say what is in the `T` that [`keep_to_find`](crate::nginx::pool::Pool::keep_to_find)
/// keeps for it.
pub(crate) fn install<T: Named>(request: Request) {
    // SAFETY: the request is alive, and its handler is asked only while it is.
    unsafe { (*request.as_ptr()).log_handler = Some(write_context::<T>) };
}

/// nginx has written `, client: ...` already.
unsafe extern "C" fn write_context<T: Named>(
    main: *mut ngx_http_request_t,
    current: *mut ngx_http_request_t,
    room: *mut u8,
    size: usize,
) -> *mut u8 {
    let written = guard(|| {
        // SAFETY: nginx passes living requests, and so many bytes of a line.
        let (room, context) = unsafe {
            (
                std::slice::from_raw_parts_mut(room.cast::<MaybeUninit<u8>>(), size),
                Context::<T> {
                    request: Request::new(main),
                    current: Request::new(current),
                    named: PhantomData,
                },
            )
        };
        write_fmt(room, format_args!("{context}")).len()
    });
    // SAFETY: no more has been written than there is room for.
    unsafe { room.add(written.unwrap_or(0)) }
}

struct Context<T> {
    request: Request,
    current: Request,
    named: PhantomData<T>,
}

impl<T: Named> fmt::Display for Context<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server(f)?;
        if let Some(named) = self.request.pool().find::<T>() {
            named.name(f)?;
        }
        self.request(f)?;
        self.upstream(f)?;
        self.host(f)
    }
}

impl<T> Context<T> {
    fn server(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the core module's structure is of this type, and the request holds on to its configuration.
        let server = unsafe {
            let index = (*ptr::addr_of!(ngx_http_core_module)).ctx_index;
            &*(*(*self.request.as_ptr()).srv_conf.add(index)).cast::<ngx_http_core_srv_conf_t>()
        };
        write!(f, ", server: {}", Printable(server.server_name.as_bytes()))
    }

    fn request(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the request is alive; its strings are, or are empty.
        let (method, uri, protocol) = unsafe {
            let r = self.request.as_ptr();
            ((*r).method_name.as_bytes(), (*r).unparsed_uri.as_bytes(), (*r).http_protocol.as_bytes())
        };
        let path = uri.split(|&byte| byte == b'?').next().unwrap_or_default();
        write!(f, ", request: \"{} {} {}\"", Printable(method), Printable(path), Printable(protocol))
    }

    fn upstream(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the request is alive, and its upstream with it; the name of a peer lives as long as the peer.
        unsafe {
            match (*self.current.as_ptr()).upstream.as_ref() {
                Some(u) if !u.peer.name.is_null() => {
                    write!(f, ", upstream: \"{}{}\"", u.schema, *u.peer.name)
                }
                _ => Ok(()),
            }
        }
    }

    fn host(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the request is alive, and its headers with it.
        match unsafe { (*self.request.as_ptr()).headers_in.host.as_ref() } {
            Some(host) => write!(f, ", host: \"{}\"", Printable(host.value.as_bytes())),
            None => Ok(()),
        }
    }
}
