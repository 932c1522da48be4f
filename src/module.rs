//! The module's table for nginx: its directives and its callbacks. Adding a directive begins here.

use nginx_sys::{
    ngx_command_t, ngx_conf_t, ngx_cycle_t, ngx_http_module_t, ngx_int_t, ngx_module_t, ngx_uint_t,
    NGX_CONF_TAKE1, NGX_HTTP_LOC_CONF, NGX_HTTP_MODULE,
};

use crate::conf::main::MainConf;
use crate::conf::zone::Shown;
use crate::conf::{
    access, connect, errors, lifetime, payload, ssl, token, tunnel, zone, LocConf, Pass, DEFAULT_PORT,
};
use crate::errors::Errors;
use crate::fault;
use crate::handler::Handler;
use crate::nginx::bell::listen;
use crate::nginx::conf::command::{command_at, count, join, LOCATION};
use crate::nginx::conf::main::{create_main, init_main, main_of, worker_processes, Main};
use crate::nginx::conf::{
    create_location, handle_content, merge_location, once, parse_directive, Answer, Conf, Directive, Location,
};
use crate::nginx::filter::install;
use crate::nginx::guard::{guard, install_panic_hook, prepare_thread};
use crate::nginx::log::Log;
use crate::nginx::phase::look_at_requests;
use crate::nginx::variable::add_variables;
use crate::nginx::{buffers, is_worker, rc, tokens};
use crate::session::Session;
use crate::status::Status;
use crate::variables::SessionVariables;

/// The directives, by the files that have their subjects.
const TABLES: &[&[ngx_command_t]] = &[
    COMMANDS,
    access::COMMANDS,
    connect::COMMANDS,
    errors::COMMANDS,
    lifetime::COMMANDS,
    payload::COMMANDS,
    ssl::COMMANDS,
    token::COMMANDS,
    tunnel::COMMANDS,
    zone::COMMANDS,
    TEST_COMMANDS,
];

static mut DIRECTIVES: [ngx_command_t; count(TABLES)] = join(TABLES);

const COMMANDS: &[ngx_command_t] = &[
    command_at(LOCATION | NGX_CONF_TAKE1, c"websockify_pass", parse_directive::<WebsockifyPass>, 0),
    command_at(
        NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        c"websockify_status",
        parse_directive::<WebsockifyStatus>,
        0,
    ),
];

#[cfg(feature = "test-faults")]
const TEST_COMMANDS: &[ngx_command_t] = &[crate::nginx::conf::command::command(
    c"websockify_test_panic",
    nginx_sys::ngx_conf_set_str_slot,
    std::mem::offset_of!(LocConf, panic_at),
)];
#[cfg(not(feature = "test-faults"))]
const TEST_COMMANDS: &[ngx_command_t] = &[];

static CONTEXT: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: Some(add_variables::<SessionVariables>),
    postconfiguration: Some(after_configuration),
    create_main_conf: Some(create_main::<MainConf>),
    init_main_conf: Some(init_main::<MainConf>),
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
    commands: (&raw mut DIRECTIVES).cast(),
    type_: NGX_HTTP_MODULE as ngx_uint_t,
    init_module: Some(init_module),
    init_process: Some(init_process),
    exit_process: Some(exit_process),
    ..ngx_module_t::default()
};

#[cfg(feature = "export-modules")]
ngx::ngx_modules!(ngx_http_websockify_module);

unsafe extern "C" fn after_configuration(cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: nginx passes the configuration that has been read.
    unsafe {
        install::<Errors>(cf);
        if look_at_requests::<Errors>(cf) {
            rc::OK
        } else {
            rc::ERROR
        }
    }
}

extern "C" fn init_module(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    // For the master as it reloads, and for the workers that it makes.
    install_panic_hook();
    // SAFETY: nginx passes the cycle whose configuration has been read.
    guard(|| unsafe {
        if let Some(main) = main_of::<MainConf>(cycle) {
            tokens::check_rights(cycle, &main.token_files);
            main.zone.open_books(worker_processes(cycle));
        }
    });
    rc::OK
}

extern "C" fn init_process(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    prepare_thread();
    // SAFETY: nginx passes the cycle that the process works for, which lives as long as that.
    guard(|| unsafe {
        if let Some(main) = main_of::<MainConf>(cycle) {
            tokens::begin(&main.token_files, Log::of_cycle());
            if let Some(bell) = is_worker().then(|| main.zone.books.begin()).flatten() {
                listen::<Status>(cycle, bell, main);
            }
        }
    });
    rc::OK
}

extern "C" fn exit_process(cycle: *mut ngx_cycle_t) {
    guard(|| {
        tokens::end();
        // SAFETY: nginx passes the cycle that the process has worked for.
        if let Some(main) = unsafe { main_of::<MainConf>(cycle) } {
            main.zone.books.end();
        }
        buffers::clear();
    });
}

impl Main for MainConf {
    fn module() -> *const ngx_module_t {
        &raw const ngx_http_websockify_module
    }

    fn unset() -> Self {
        Self::new()
    }

    fn init(&mut self, conf: Conf) -> Answer {
        self.complete(conf)
    }
}

impl Location for LocConf {
    fn module() -> *const ngx_module_t {
        &raw const ngx_http_websockify_module
    }

    fn unset() -> Self {
        Self::new()
    }

    fn merge(&mut self, outer: &Self, conf: Conf) -> Answer {
        self.merge_values(outer, conf)?;
        fault::place(self, "merge");
        if conf.is_nameless() {
            self.inherit_pass(outer);
            if self.pass.is_some() {
                conf.inherit_handler(Some(handle_content::<Handler>));
            }
            self.inherit_shown(outer);
            if self.shown != Shown::Nothing {
                conf.inherit_handler(Some(handle_content::<Status>));
            }
        }
        if self.pass.is_some() {
            self.start_tls(conf)?;
        }
        Ok(())
    }
}

/// `websockify_pass address;`
struct WebsockifyPass;

impl Directive for WebsockifyPass {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        once(location.pass.is_some())?;
        let address = conf.argument(1);
        location.pass = Some(match conf.compile(address)? {
            Some(text) => Pass::Variable(text, conf.place()),
            None => Pass::Group(conf.add_group(address, DEFAULT_PORT)?, address),
        });
        location.upstream.set_group(conf.chosen_by::<Session>()?);
        conf.set_handler(Some(handle_content::<Handler>));
        Ok(())
    }
}

/// `websockify_status on | sessions | control;`
struct WebsockifyStatus;

impl Directive for WebsockifyStatus {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        zone::parse_status(location, conf)?;
        conf.set_handler(Some(handle_content::<Status>));
        Ok(())
    }
}
