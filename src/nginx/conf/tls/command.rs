//! Directives whose places are kept, for checks that look at more than one of them.

use std::ffi::{c_char, c_void};
use std::fmt::Arguments;
use std::ptr;

use nginx_sys::{ngx_array_t, ngx_command_t, ngx_conf_t, ngx_ssl_read_password_file, NGX_LOG_EMERG};

use crate::nginx::conf::{to_nginx, Conf, ConfError, Place};

impl Conf {
    /// As [`Conf::refuse`], for a directive that was read before.
    pub(crate) fn refuse_at(self, place: Place, reason: Arguments<'_>) -> ConfError {
        self.log().write(NGX_LOG_EMERG, format_args!("{reason} in {place}"));
        ConfError::Printed
    }
}

/// A directive whose place is kept, for a check that looks at more than one of them.
pub(crate) struct Kept {
    command: ngx_command_t,
    /// Where in the location's configuration its place goes, an `Option<Place>`.
    place: usize,
}

impl Kept {
    pub(crate) const fn new(place: usize, command: ngx_command_t) -> Self {
        Self { command, place }
    }
}

/// The entry of such a directive.
pub(crate) const fn keeping(kept: &'static Kept) -> ngx_command_t {
    let post = ptr::from_ref(kept).cast_mut().cast();
    ngx_command_t { set: Some(keep_place), post, ..kept.command }
}

unsafe extern "C" fn keep_place(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    location: *mut c_void,
) -> *mut c_char {
    // SAFETY: `keeping` made the entry's `post`; nginx passes the location's structure, in which the place is, and its
    // parsers do not write to the entry.
    unsafe {
        let kept = &*(*command).post.cast::<Kept>();
        let said = kept
            .command
            .set
            .map_or(ptr::null_mut(), |parse| parse(cf, ptr::from_ref(&kept.command).cast_mut(), location));
        if said.is_null() {
            location.byte_add(kept.place).cast::<Option<Place>>().write(Some(Conf::new(cf).place()));
        }
        said
    }
}

/// Reads the passwords of keys from a file, into a pointer to an array of strings.
pub(crate) unsafe extern "C" fn set_passwords(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    location: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx passes the directive's entry, whose offset is that of the pointer in the location's structure.
    unsafe {
        let passwords = location.byte_add((*command).offset).cast::<*mut ngx_array_t>();
        if (*passwords).addr() != usize::MAX {
            return to_nginx(Err(ConfError::Words(c"is duplicate")));
        }
        let mut file = Conf::new(cf).argument(1);
        *passwords = ngx_ssl_read_password_file(cf, &mut file);
        // nginx has said what is wrong with the file.
        to_nginx(if (*passwords).is_null() { Err(ConfError::Printed) } else { Ok(()) })
    }
}
