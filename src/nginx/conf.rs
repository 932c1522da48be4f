//! Configuration: what a directive's parser and a location's merge need of nginx.

pub(crate) mod command;
pub(crate) mod main;
#[cfg(ngx_feature = "http_ssl")]
pub(crate) mod tls;
mod upstream;
mod value;

use std::ffi::{c_char, c_void, CStr};
use std::fmt::{self, Arguments};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_command_t, ngx_conf_full_name, ngx_conf_log_error, ngx_conf_t, ngx_flag_t,
    ngx_http_compile_complex_value, ngx_http_compile_complex_value_t, ngx_http_complex_value_t,
    ngx_http_conf_ctx_t, ngx_http_core_loc_conf_t, ngx_http_core_module, ngx_http_handler_pt,
    ngx_http_request_t, ngx_http_script_variables_count, ngx_http_upstream_add, ngx_http_upstream_srv_conf_t,
    ngx_int_t, ngx_module_t, ngx_msec_t, ngx_parse_size, ngx_str_t, ngx_uint_t, ngx_url_t, NGX_LOG_EMERG,
    NGX_LOG_WARN,
};
use ngx::log::{write_fmt, LOG_BUFFER_SIZE};

use super::guard::guard;
use super::log::Log;
use super::pool::Pool;
use super::request::Request;
use super::shim;
use super::upstream::{init_peers, Group, Tenant};

pub(crate) use upstream::{
    find_group, UpstreamConf, UpstreamDefaults, ERROR, NEVER, NO_PROXY_HEADER, PROXY_V1, PROXY_V2, TIMEOUT,
};
pub(crate) use value::{parse_time, ComplexValue};

/// What a directive's parser answers.
pub(crate) type Answer = Result<(), ConfError>;

/// Why a directive is refused.
pub(crate) enum ConfError {
    /// nginx prints `"directive" directive <words> in file:line`.
    Words(&'static CStr),
    /// The reason has been printed.
    Printed,
}

/// Refuses a directive that `is_there` already in this block.
pub(crate) fn once(is_there: bool) -> Answer {
    if is_there {
        Err(ConfError::Words(c"is duplicate"))
    } else {
        Ok(())
    }
}

/// What a parser returns to nginx.
pub(crate) fn to_nginx(answer: Answer) -> *mut c_char {
    match answer {
        Ok(()) => ptr::null_mut(),
        Err(ConfError::Words(words)) => words.as_ptr().cast_mut(),
        // NGX_CONF_ERROR
        Err(ConfError::Printed) => ptr::without_provenance_mut(usize::MAX),
    }
}

/// Runs a parser, a merge or a check. A panic refuses the configuration; a master that reloads keeps the one it has.
pub(super) fn answer(conf: Conf, body: impl FnOnce() -> Answer) -> *mut c_char {
    to_nginx(guard(body).unwrap_or_else(|| {
        conf.log().write(NGX_LOG_EMERG, format_args!("websockify panicked as it read the configuration"));
        Err(ConfError::Printed)
    }))
}

/// Where a directive stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    file: ngx_str_t,
    line: ngx_uint_t,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The configuration that is being read.
#[derive(Clone, Copy)]
pub(crate) struct Conf(NonNull<ngx_conf_t>);

impl Conf {
    /// # Safety
    ///
    /// `cf` must be what nginx passes to a module while it reads a configuration.
    pub(crate) unsafe fn new(cf: *mut ngx_conf_t) -> Self {
        // SAFETY: nginx passes no NULL.
        Self(unsafe { NonNull::new_unchecked(cf) })
    }

    pub(in crate::nginx) fn as_ptr(self) -> *mut ngx_conf_t {
        self.0.as_ptr()
    }

    /// The pool that lives as long as the configuration.
    pub(crate) fn pool(self) -> Pool {
        // SAFETY: valid by the promise of `new`.
        unsafe { Pool::new(NonNull::new_unchecked((*self.0.as_ptr()).pool)) }
    }

    /// The directive's argument number `at`; its name is number 0.
    pub(crate) fn argument(self, at: usize) -> ngx_str_t {
        // SAFETY: valid by the promise of `new`; nginx has counted the arguments before it calls a parser.
        unsafe { (*(*self.0.as_ptr()).args).as_slice::<ngx_str_t>()[at] }
    }

    /// The directive's name and its arguments.
    pub(crate) fn arguments<'c>(self) -> &'c [ngx_str_t] {
        // SAFETY: valid by the promise of `new`; they live as long as the directive is read.
        unsafe { (*(*self.0.as_ptr()).args).as_slice::<ngx_str_t>() }
    }

    /// The argument number `at` as a time, in milliseconds; `None` if it is none.
    pub(crate) fn time_argument(self, at: usize) -> Option<ngx_msec_t> {
        parse_time(self.argument(at))
    }

    /// A path of the configuration's, made absolute as nginx does with its own.
    pub(crate) fn full_name(self, path: ngx_str_t) -> Result<ngx_str_t, ConfError> {
        let mut path = path;
        // SAFETY: valid by the promise of `new`; the path stays, or is a copy in the configuration's pool.
        match unsafe { ngx_conf_full_name((*self.0.as_ptr()).cycle, &mut path, 1) } {
            super::rc::OK => Ok(path),
            _ => Err(ConfError::Printed),
        }
    }

    /// The argument number `at` as a zone's name and its size in bytes; `None` if it is none.
    pub(crate) fn zone_argument(self, at: usize) -> Option<(ngx_str_t, usize)> {
        let text = self.argument(at);
        let colon = text.as_bytes().iter().position(|&byte| byte == b':').filter(|&colon| colon > 0)?;
        // SAFETY: the colon is in the text.
        let (name, mut size) = unsafe {
            (
                ngx_str_t { len: colon, data: text.data },
                ngx_str_t { len: text.len - colon - 1, data: text.data.add(colon + 1) },
            )
        };
        // SAFETY: a part of the configuration's text.
        let size = unsafe { ngx_parse_size(&mut size) };
        Some((name, usize::try_from(size).ok()?))
    }

    /// Says why the configuration is refused, with the file and the line of the directive that is being read.
    pub(crate) fn refuse(self, reason: Arguments<'_>) -> ConfError {
        self.say(NGX_LOG_EMERG, reason);
        ConfError::Printed
    }

    /// Says what is unwise in the directive that is being read.
    pub(crate) fn warn(self, reason: Arguments<'_>) {
        self.say(NGX_LOG_WARN, reason);
    }

    fn say(self, level: u32, words: Arguments<'_>) {
        let mut buffer = [MaybeUninit::uninit(); LOG_BUFFER_SIZE];
        let words = write_fmt(&mut buffer, words);
        let (len, words) = (words.len(), words.as_ptr());
        // SAFETY: valid by the promise of `new`.
        unsafe {
            ngx_conf_log_error(level as ngx_uint_t, self.0.as_ptr(), 0, c"%*s".as_ptr(), len, words);
        }
    }

    /// Where the directive that is being read stands, for a check that is made at the end of its block.
    pub(crate) fn place(self) -> Place {
        // SAFETY: valid by the promise of `new`; the name of the file lives as long as the configuration.
        unsafe {
            let file = (*self.0.as_ptr()).conf_file;
            Place { file: (*file).file.name, line: (*file).line }
        }
    }

    /// As [`Conf::warn`], for a directive that was read before.
    pub(crate) fn warn_at(self, place: Place, reason: Arguments<'_>) {
        self.log().warn(format_args!("{reason} in {place}"));
    }

    pub(crate) fn log(self) -> Log {
        // SAFETY: valid by the promise of `new`.
        unsafe { Log::new((*self.0.as_ptr()).log) }
    }

    /// nginx's own configuration of the location that is being read.
    fn core_location<'c>(self) -> &'c mut ngx_http_core_loc_conf_t {
        // SAFETY: in a location, the context is one of HTTP; the core module's structure is of this type, and nobody
        // else has a reference to it while a parser runs.
        unsafe {
            let context = (*self.0.as_ptr()).ctx.cast::<ngx_http_conf_ctx_t>();
            let index = (*ptr::addr_of!(ngx_http_core_module)).ctx_index;
            &mut *(*(*context).loc_conf.add(index)).cast()
        }
    }

    /// Has `handler` answer the requests of the location that is being read.
    pub(crate) fn set_handler(self, handler: ngx_http_handler_pt) {
        let location = self.core_location();
        location.handler = handler;
        if location.name.as_bytes().ends_with(b"/") {
            // SAFETY: the location is valid.
            unsafe { shim::wsk_conf_set_auto_redirect(location) };
        }
    }

    /// Whether the location being merged is an `if` or the like, which takes its handler from around it.
    pub(crate) fn is_nameless(self) -> bool {
        // SAFETY: the location is valid.
        unsafe { shim::wsk_conf_is_noname(self.core_location()) != 0 }
    }

    /// Has `handler` answer in a `limit_except` block that says nothing of its own.
    pub(crate) fn inherit_handler(self, handler: ngx_http_handler_pt) {
        let location = self.core_location();
        // SAFETY: the location is valid.
        if unsafe { shim::wsk_conf_is_limit_except(location) } != 0 && location.handler.is_none() {
            location.handler = handler;
        }
    }

    /// The group that `address` names, made if there is none; nginx resolves its name as it starts.
    pub(crate) fn add_group(self, address: ngx_str_t, default_port: u16) -> Result<Group, ConfError> {
        // SAFETY: valid by the promise of `new`; all zero is an `ngx_url_t` that says nothing.
        unsafe {
            let mut url: ngx_url_t = std::mem::zeroed();
            url.url = address;
            url.default_port = default_port;
            url.set_no_resolve(1);
            // nginx has said why it cannot be parsed.
            NonNull::new(ngx_http_upstream_add(self.0.as_ptr(), &mut url, 0))
                .map(|group| Group::new(group))
                .ok_or(ConfError::Printed)
        }
    }

    /// Compiles `text` if it has variables in it.
    pub(crate) fn compile(self, text: ngx_str_t) -> Result<Option<ComplexValue>, ConfError> {
        let mut text = text;
        // SAFETY: valid by the promise of `new`; the compiled value lives in the configuration's pool.
        unsafe {
            if ngx_http_script_variables_count(&mut text) == 0 {
                return Ok(None);
            }
            let value = self.pool().zeroed::<ngx_http_complex_value_t>().ok_or(ConfError::Printed)?;
            let mut compile: ngx_http_compile_complex_value_t = std::mem::zeroed();
            compile.cf = self.0.as_ptr();
            compile.value = &mut text;
            compile.complex_value = value.as_ptr();
            if ngx_http_compile_complex_value(&mut compile) != super::rc::OK {
                return Err(ConfError::Printed);
            }
            Ok(Some(ComplexValue(value)))
        }
    }

    /// A group in name only, whose servers `T` chooses for each request.
    pub(crate) fn chosen_by<T: Tenant>(self) -> Result<NonNull<ngx_http_upstream_srv_conf_t>, ConfError> {
        // SAFETY: all zero is a group without servers; nginx only asks it for its `peer.init`.
        unsafe {
            let group = self.pool().zeroed::<ngx_http_upstream_srv_conf_t>().ok_or(ConfError::Printed)?;
            (*group.as_ptr()).peer.init = Some(init_peers::<T>);
            Ok(group)
        }
    }
}

/// What nginx's parsers take for "not set".
pub(crate) const UNSET_MSEC: ngx_msec_t = ngx_msec_t::MAX;
pub(crate) const UNSET_SIZE: usize = usize::MAX;
pub(crate) const UNSET_UINT: ngx_uint_t = ngx_uint_t::MAX;
pub(crate) const UNSET_FLAG: ngx_flag_t = -1;

/// Takes the outer level's value, or the default, where there is none.
pub(crate) fn merge<T: Copy + PartialEq>(value: &mut T, outer: T, unset: T, default: T) {
    if *value == unset {
        *value = if outer == unset { default } else { outer };
    }
}

/// A module's configuration of one location.
pub(crate) trait Location: Sized + 'static {
    /// The module it belongs to.
    fn module() -> *const ngx_module_t;

    /// A configuration in which nothing is set.
    fn unset() -> Self;

    /// Takes from the outer level what is not set at this one.
    fn merge(&mut self, outer: &Self, conf: Conf) -> Answer;
}

/// A directive with a parser of its own.
pub(crate) trait Directive {
    type Location: Location;

    fn parse(location: &mut Self::Location, conf: Conf) -> Answer;
}

/// What answers a location's requests.
pub(crate) trait ContentHandler {
    fn handle(request: Request) -> ngx_int_t;
}

/// The request's location, as the module sees it.
pub(crate) fn location<'c, L: Location>(request: Request) -> &'c L {
    // SAFETY: `create_location` made the module's structure, and the request holds on to its configuration.
    unsafe {
        let index = (*L::module()).ctx_index;
        &*(*(*request.as_ptr()).loc_conf.add(index)).cast::<L>()
    }
}

pub(crate) unsafe extern "C" fn create_location<L: Location>(cf: *mut ngx_conf_t) -> *mut c_void {
    // SAFETY: nginx passes the configuration that is being read.
    let conf = unsafe { Conf::new(cf) };
    conf.pool().place(L::unset()).map_or(ptr::null_mut(), |location| location.as_ptr().cast())
}

pub(crate) unsafe extern "C" fn merge_location<L: Location>(
    cf: *mut ngx_conf_t,
    outer: *mut c_void,
    inner: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx passes two different structures that `create_location` made.
    let (conf, outer, inner) = unsafe { (Conf::new(cf), &*outer.cast::<L>(), &mut *inner.cast::<L>()) };
    answer(conf, || inner.merge(outer, conf))
}

pub(crate) unsafe extern "C" fn parse_directive<D: Directive>(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    location: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx passes the structure that `create_location` made for the level the directive stands at.
    let (conf, location) = unsafe { (Conf::new(cf), &mut *location.cast::<D::Location>()) };
    answer(conf, || D::parse(location, conf))
}

pub(crate) unsafe extern "C" fn handle_content<H: ContentHandler>(
    request: *mut ngx_http_request_t,
) -> ngx_int_t {
    // SAFETY: nginx passes a living request.
    let request = unsafe { Request::new(request) };
    guard(|| H::handle(request)).unwrap_or(nginx_sys::NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t)
}
