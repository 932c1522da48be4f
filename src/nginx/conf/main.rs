//! A module's configuration of the http block as a whole.

use std::ffi::{c_char, c_void};
use std::ptr;

use nginx_sys::{
    ngx_command_t, ngx_conf_t, ngx_core_conf_t, ngx_core_module, ngx_cycle_t, ngx_http_conf_ctx_t,
    ngx_http_module, ngx_module_t, NGX_HTTP_MAIN_CONF_OFFSET,
};

use super::{answer, Answer, Conf};
use crate::nginx::request::Request;

/// A module's configuration of the http block.
pub(crate) trait Main: Sized + 'static {
    /// The module it belongs to.
    fn module() -> *const ngx_module_t;

    /// A configuration in which nothing is set.
    fn unset() -> Self;

    /// Sets what no directive has set; the http block has been read.
    fn init(&mut self, conf: Conf) -> Answer;
}

/// A directive of the http block alone; its entry in the table is made by [`at_http`].
pub(crate) trait MainDirective {
    type Main: Main;

    fn parse(main: &mut Self::Main, conf: Conf) -> Answer;
}

/// The entry of a directive whose parser is `parse_main_directive`.
pub(crate) const fn at_http(command: ngx_command_t) -> ngx_command_t {
    ngx_command_t { conf: NGX_HTTP_MAIN_CONF_OFFSET, ..command }
}

impl Conf {
    /// The module's configuration of the http block that is being read.
    pub(crate) fn main<'c, M: Main>(self) -> &'c mut M {
        // SAFETY: below http, the context is one of HTTP; `create_main` made the module's structure, and nobody else
        // has a reference to it while a parser runs.
        unsafe {
            let context = (*self.0.as_ptr()).ctx.cast::<ngx_http_conf_ctx_t>();
            &mut *(*(*context).main_conf.add((*M::module()).ctx_index)).cast()
        }
    }
}

/// The http block of a request's cycle, as the module sees it.
pub(crate) fn main<'c, M: Main>(request: Request) -> &'c M {
    // SAFETY: `create_main` made the module's structure, and the request holds on to its configuration.
    unsafe { &*(*(*request.as_ptr()).main_conf.add((*M::module()).ctx_index)).cast::<M>() }
}

/// The http block of a cycle; `None` where there is none.
///
/// # Safety
///
/// `cycle` must be what nginx passes to a module's callbacks.
pub(crate) unsafe fn main_of<'c, M: Main>(cycle: *mut ngx_cycle_t) -> Option<&'c M> {
    // SAFETY: nginx made the cycle's contexts; that of HTTP is NULL where the configuration has no http block.
    unsafe {
        let index = (*ptr::addr_of!(ngx_http_module)).index;
        let context = (*(*cycle).conf_ctx.add(index)).cast::<ngx_http_conf_ctx_t>().as_ref()?;
        (*context.main_conf.add((*M::module()).ctx_index)).cast::<M>().as_ref()
    }
}

/// How many workers a cycle has.
///
/// # Safety
///
/// As for [`main_of`].
pub(crate) unsafe fn worker_processes(cycle: *mut ngx_cycle_t) -> usize {
    // SAFETY: nginx made the core module's structure, which is of this type.
    unsafe {
        let index = (*ptr::addr_of!(ngx_core_module)).index;
        let core = (*(*cycle).conf_ctx.add(index)).cast::<ngx_core_conf_t>();
        core.as_ref().map_or(1, |core| usize::try_from(core.worker_processes).unwrap_or(1))
    }
}

pub(crate) unsafe extern "C" fn create_main<M: Main>(cf: *mut ngx_conf_t) -> *mut c_void {
    // SAFETY: nginx passes the configuration that is being read.
    let conf = unsafe { Conf::new(cf) };
    conf.pool().place(M::unset()).map_or(ptr::null_mut(), |main| main.as_ptr().cast())
}

pub(crate) unsafe extern "C" fn init_main<M: Main>(cf: *mut ngx_conf_t, main: *mut c_void) -> *mut c_char {
    // SAFETY: nginx passes the structure that `create_main` made.
    let (conf, main) = unsafe { (Conf::new(cf), &mut *main.cast::<M>()) };
    answer(conf, || main.init(conf))
}

pub(crate) unsafe extern "C" fn parse_main_directive<D: MainDirective>(
    cf: *mut ngx_conf_t,
    _command: *mut ngx_command_t,
    main: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx passes the structure that `create_main` made.
    let (conf, main) = unsafe { (Conf::new(cf), &mut *main.cast::<D::Main>()) };
    answer(conf, || D::parse(main, conf))
}
