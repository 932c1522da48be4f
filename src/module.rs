//! The module's table for nginx: its directives and its callbacks. Adding a directive begins here.

use std::ffi::CStr;
use std::mem::offset_of;
use std::ptr;

use nginx_sys::{
    ngx_command_t, ngx_conf_post_t, ngx_conf_set_msec_slot, ngx_conf_set_size_slot, ngx_cycle_t,
    ngx_http_module_t, ngx_int_t, ngx_module_t, ngx_str_t, ngx_uint_t, NGX_CONF_TAKE1, NGX_HTTP_LIF_CONF,
    NGX_HTTP_LOC_CONF, NGX_HTTP_LOC_CONF_OFFSET, NGX_HTTP_MAIN_CONF, NGX_HTTP_MODULE, NGX_HTTP_SRV_CONF,
};
use websockify_tunnel::SMALLEST_BUFFER;

use crate::conf::{LocConf, Pass, DEFAULT_PORT, OFF};
use crate::handler::Handler;
use crate::nginx::conf::{
    check_size, create_location, handle_content, merge_location, parse_directive, Answer, Conf, ConfError,
    Directive, Location, UpstreamConf, UNSET_MSEC,
};
use crate::nginx::guard::install_panic_hook;
use crate::nginx::{buffers, rc};
use crate::session::Session;

const EVERYWHERE: u32 = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1;
const UPSTREAM: usize = offset_of!(LocConf, upstream);

static mut COMMANDS: [ngx_command_t; if cfg!(feature = "test-faults") { 13 } else { 12 }] = [
    ngx_command_t {
        type_: (NGX_HTTP_LOC_CONF | NGX_HTTP_LIF_CONF | NGX_CONF_TAKE1) as ngx_uint_t,
        ..command(c"websockify_pass", parse_directive::<WebsockifyPass>, 0)
    },
    ngx_command_t {
        post: (&raw const BUFFER_SIZE_POST).cast_mut().cast(),
        ..command(c"websockify_buffer_size", ngx_conf_set_size_slot, offset_of!(LocConf, buffer_size))
    },
    command(c"websockify_connect_timeout", ngx_conf_set_msec_slot, UPSTREAM + UpstreamConf::CONNECT_TIMEOUT),
    command(c"websockify_send_timeout", ngx_conf_set_msec_slot, UPSTREAM + UpstreamConf::SEND_TIMEOUT),
    command(c"websockify_read_timeout", ngx_conf_set_msec_slot, UPSTREAM + UpstreamConf::READ_TIMEOUT),
    command(c"websockify_max_frame_size", ngx_conf_set_size_slot, offset_of!(LocConf, max_frame_size)),
    command(c"websockify_ping_interval", ngx_conf_set_msec_slot, offset_of!(LocConf, ping_interval)),
    command(c"websockify_ping_timeout", ngx_conf_set_msec_slot, offset_of!(LocConf, ping_timeout)),
    command(c"websockify_idle_timeout", ngx_conf_set_msec_slot, offset_of!(LocConf, idle_timeout)),
    command(c"websockify_session_timeout", ngx_conf_set_msec_slot, offset_of!(LocConf, session_timeout)),
    command(c"websockify_shutdown_close", parse_directive::<WebsockifyShutdownClose>, 0),
    #[cfg(feature = "test-faults")]
    command(c"websockify_test_panic", nginx_sys::ngx_conf_set_str_slot, offset_of!(LocConf, panic_at)),
    ngx_command_t::empty(),
];

static BUFFER_SIZE_POST: ngx_conf_post_t =
    ngx_conf_post_t { post_handler: Some(check_size::<SMALLEST_BUFFER>) };

/// What parses a directive's arguments.
type Parser =
    unsafe extern "C" fn(*mut nginx_sys::ngx_conf_t, *mut ngx_command_t, *mut std::ffi::c_void) -> *mut i8;

/// A directive that may stand at http, server and location level.
const fn command(name: &'static CStr, set: Parser, offset: usize) -> ngx_command_t {
    ngx_command_t {
        // nginx compares with strcmp(): the name has to end in a zero.
        name: ngx_str_t { len: name.count_bytes(), data: name.as_ptr().cast_mut().cast() },
        type_: EVERYWHERE as ngx_uint_t,
        set: Some(set),
        conf: NGX_HTTP_LOC_CONF_OFFSET,
        offset,
        post: ptr::null_mut(),
    }
}

static CONTEXT: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: None,
    postconfiguration: None,
    create_main_conf: None,
    init_main_conf: None,
    create_srv_conf: None,
    merge_srv_conf: None,
    create_loc_conf: Some(create_location::<LocConf>),
    merge_loc_conf: Some(merge_location::<LocConf>),
};

/// The module, as nginx knows it.
#[allow(non_upper_case_globals, reason = "nginx looks the module up by this name")]
#[allow(unreachable_pub, reason = "nginx's own build links to it")]
#[no_mangle]
pub static mut ngx_http_websockify_module: ngx_module_t = ngx_module_t {
    ctx: (&raw const CONTEXT).cast_mut().cast(),
    commands: (&raw mut COMMANDS).cast(),
    type_: NGX_HTTP_MODULE as ngx_uint_t,
    init_process: Some(init_process),
    exit_process: Some(exit_process),
    ..ngx_module_t::default()
};

#[cfg(feature = "export-modules")]
ngx::ngx_modules!(ngx_http_websockify_module);

extern "C" fn init_process(_cycle: *mut ngx_cycle_t) -> ngx_int_t {
    install_panic_hook();
    rc::OK
}

extern "C" fn exit_process(_cycle: *mut ngx_cycle_t) {
    buffers::clear();
}

impl Location for LocConf {
    fn module() -> *const ngx_module_t {
        &raw const ngx_http_websockify_module
    }

    fn unset() -> Self {
        Self::new()
    }

    fn merge(&mut self, outer: &Self, conf: Conf) -> Answer {
        self.merge_values(outer);
        if conf.is_nameless() {
            self.inherit_pass(outer);
            if self.pass.is_some() {
                conf.inherit_handler(Some(handle_content::<Handler>));
            }
        }
        Ok(())
    }
}

/// `websockify_pass address;`
struct WebsockifyPass;

impl Directive for WebsockifyPass {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        if location.pass.is_some() {
            return Err(ConfError::Words(c"is duplicate"));
        }
        let address = conf.argument(1);
        location.pass = Some(match conf.compile(address)? {
            Some(text) => Pass::Variable(text),
            None => Pass::Group(conf.add_group(address, DEFAULT_PORT)?),
        });
        location.upstream.set_group(conf.chosen_by::<Session>()?);
        conf.set_handler(Some(handle_content::<Handler>));
        Ok(())
    }
}

/// `websockify_shutdown_close time | off;`
struct WebsockifyShutdownClose;

impl Directive for WebsockifyShutdownClose {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        if location.shutdown_close != UNSET_MSEC {
            return Err(ConfError::Words(c"is duplicate"));
        }
        location.shutdown_close = match conf.argument(1).as_bytes() {
            b"off" => OFF,
            _ => conf.time_argument(1).ok_or(ConfError::Words(c"invalid value"))?,
        };
        Ok(())
    }
}
