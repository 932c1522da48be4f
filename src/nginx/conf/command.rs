//! The entries of a module's table of directives.

use std::ffi::{c_char, c_void, CStr};
use std::ptr;

use nginx_sys::{
    ngx_command_t, ngx_conf_bitmask_t, ngx_conf_enum_t, ngx_conf_set_bitmask_slot, ngx_conf_t, ngx_str_t,
    ngx_uint_t, NGX_CONF_TAKE1, NGX_HTTP_LIF_CONF, NGX_HTTP_LOC_CONF, NGX_HTTP_LOC_CONF_OFFSET,
    NGX_HTTP_MAIN_CONF, NGX_HTTP_SRV_CONF,
};

use super::{to_nginx, Conf, ConfError};
use crate::nginx::shim;

/// What parses a directive's arguments.
pub(crate) type Parser =
    unsafe extern "C" fn(*mut ngx_conf_t, *mut ngx_command_t, *mut c_void) -> *mut c_char;

/// Where directives may stand that are inherited from level to level.
pub(crate) const EVERYWHERE: u32 = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;
/// Where directives may stand that make a location an endpoint.
pub(crate) const LOCATION: u32 = NGX_HTTP_LOC_CONF | NGX_HTTP_LIF_CONF;

/// A directive with one argument that may stand at http, server and location level; `offset` says where in the
/// location's configuration one of nginx's own parsers puts it.
pub(crate) const fn command(name: &'static CStr, set: Parser, offset: usize) -> ngx_command_t {
    command_at(EVERYWHERE | NGX_CONF_TAKE1, name, set, offset)
}

/// As [`command`], with nginx's flags for where it may stand and how many arguments it takes.
pub(crate) const fn command_at(type_: u32, name: &'static CStr, set: Parser, offset: usize) -> ngx_command_t {
    ngx_command_t {
        name: word(name),
        type_: type_ as ngx_uint_t,
        set: Some(set),
        conf: NGX_HTTP_LOC_CONF_OFFSET,
        offset,
        post: ptr::null_mut(),
    }
}

/// nginx compares names with strcmp(): they have to end in a zero.
const fn word(name: &'static CStr) -> ngx_str_t {
    ngx_str_t { len: name.count_bytes(), data: name.as_ptr().cast_mut().cast() }
}

/// The words of a directive that takes several of them, for `ngx_command_t.post`; an empty one at their end.
#[repr(transparent)]
pub(crate) struct Bits<const COUNT: usize>(pub(crate) [ngx_conf_bitmask_t; COUNT]);

// SAFETY: nginx only reads the table, and the strings that it points to are constant.
unsafe impl<const COUNT: usize> Sync for Bits<COUNT> {}

/// A word of [`Bits`].
pub(crate) const fn bit(name: &'static CStr, mask: ngx_uint_t) -> ngx_conf_bitmask_t {
    ngx_conf_bitmask_t { name: word(name), mask }
}

/// The end of [`Bits`].
pub(crate) const END_OF_BITS: ngx_conf_bitmask_t = bit(c"", 0);

/// The words of a directive that takes one of them, for `ngx_command_t.post`; an empty one at their end.
#[repr(transparent)]
pub(crate) struct Choices<const COUNT: usize>(pub(crate) [ngx_conf_enum_t; COUNT]);

// SAFETY: as for `Bits`.
unsafe impl<const COUNT: usize> Sync for Choices<COUNT> {}

/// A word of [`Choices`].
pub(crate) const fn choice(name: &'static CStr, value: ngx_uint_t) -> ngx_conf_enum_t {
    ngx_conf_enum_t { name: word(name), value }
}

/// The end of [`Choices`].
pub(crate) const END_OF_CHOICES: ngx_conf_enum_t = choice(c"", 0);

/// nginx's parser of such directives takes one that stands twice for one that says more.
pub(crate) unsafe extern "C" fn set_bits_once(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    location: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx passes the directive's entry, whose offset is that of the bits in the location's structure.
    unsafe {
        if *location.byte_add((*command).offset).cast::<ngx_uint_t>() != 0 {
            return to_nginx(Err(ConfError::Words(c"is duplicate")));
        }
        ngx_conf_set_bitmask_slot(cf, command, location)
    }
}

/// How many entries a table of `tables` has, its end included.
pub(crate) const fn count(tables: &[&[ngx_command_t]]) -> usize {
    let (mut at, mut count) = (0, 1);
    while at < tables.len() {
        count += tables[at].len();
        at += 1;
    }
    count
}

/// One table of several, with the empty entry at its end by which nginx knows it.
pub(crate) const fn join<const COUNT: usize>(tables: &[&[ngx_command_t]]) -> [ngx_command_t; COUNT] {
    let mut joined = [ngx_command_t::empty(); COUNT];
    let (mut table, mut at) = (0, 0);
    while table < tables.len() {
        let mut entry = 0;
        while entry < tables[table].len() {
            joined[at] = tables[table][entry];
            at += 1;
            entry += 1;
        }
        table += 1;
    }
    joined
}

/// Refuses a size that is smaller than `LEAST` bytes; for `ngx_command_t.post`.
pub(crate) unsafe extern "C" fn check_size<const LEAST: usize>(
    cf: *mut ngx_conf_t,
    _post: *mut c_void,
    size: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx passes the configuration that is being read, and the size that it has just set.
    let (conf, size) = unsafe { (Conf::new(cf), *size.cast::<usize>()) };
    if size >= LEAST {
        return to_nginx(Ok(()));
    }
    let name = conf.argument(0);
    to_nginx(Err(conf.refuse(format_args!("\"{name}\" must be at least {LEAST} bytes"))))
}

/// Refuses, or ignores, what the system cannot do; for `ngx_command_t.post`.
pub(crate) unsafe extern "C" fn check_send_lowat(
    cf: *mut ngx_conf_t,
    _post: *mut c_void,
    size: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx passes the configuration that is being read, and the size that it has just set.
    let (conf, size, most) =
        unsafe { (Conf::new(cf), &mut *size.cast::<usize>(), shim::wsk_most_send_lowat()) };
    let name = conf.argument(0);
    if most == 0 {
        conf.warn(format_args!("\"{name}\" is not supported, ignored"));
        *size = 0;
    } else if *size > most {
        return to_nginx(Err(conf.refuse(format_args!("\"{name}\" must be at most {most} bytes here"))));
    }
    to_nginx(Ok(()))
}
