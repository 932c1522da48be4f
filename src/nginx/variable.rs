//! Variables that a module gives to nginx.

use std::mem::MaybeUninit;

use nginx_sys::{
    ngx_conf_t, ngx_http_add_variable, ngx_http_request_t, ngx_http_variable_value_t, ngx_int_t, ngx_str_t,
    NGX_HTTP_VAR_NOCACHEABLE,
};
use ngx::log::write_fmt;

use super::conf::Conf;
use super::guard::guard;
use super::request::Request;
use super::{rc, shim};

/// A variable's value for one request.
pub(crate) enum Value {
    /// Text that lives as long as the request.
    Text(ngx_str_t),
    Word(&'static str),
    Number(u64),
    /// A time in milliseconds, written as nginx writes `$request_time`.
    Seconds(u64),
    /// A number of 64 bits, written as 16 hexadecimal digits.
    Id(u64),
}

/// A variable: its name, and how its value is found. Values are asked for whenever one is wanted, as they change.
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    /// `None` where there is no value, which nginx's log writes as `-`.
    pub(crate) evaluate: fn(Request) -> Option<Value>,
}

/// A module's variables.
pub(crate) trait Variables {
    const TABLE: &'static [Variable];
}

/// For `ngx_http_module_t.preconfiguration`.
pub(crate) unsafe extern "C" fn add_variables<V: Variables>(cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: nginx passes the configuration that is being read.
    let conf = unsafe { Conf::new(cf) };
    if V::TABLE.iter().all(|variable| add(conf, variable)) {
        rc::OK
    } else {
        rc::ERROR
    }
}

fn add(conf: Conf, variable: &'static Variable) -> bool {
    let name = variable.name;
    let mut name = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
    // SAFETY: nginx copies the name, and says what is wrong with it; the table outlives all requests.
    unsafe {
        let Some(added) =
            ngx_http_add_variable(conf.as_ptr(), &mut name, NGX_HTTP_VAR_NOCACHEABLE as _).as_mut()
        else {
            return false;
        };
        added.get_handler = Some(evaluate);
        added.data = std::ptr::from_ref(variable).expose_provenance();
    }
    true
}

unsafe extern "C" fn evaluate(
    request: *mut ngx_http_request_t,
    value: *mut ngx_http_variable_value_t,
    data: usize,
) -> ngx_int_t {
    // SAFETY: nginx passes a living request, and what `add` gave it.
    let (request, variable) =
        unsafe { (Request::new(request), &*std::ptr::with_exposed_provenance::<Variable>(data)) };
    let text = match guard(|| (variable.evaluate)(request)) {
        Some(Some(value)) => in_pool(request, &value),
        Some(None) => {
            // SAFETY: nginx passes the value to be filled in.
            unsafe { shim::wsk_variable_set_not_found(value) };
            return rc::OK;
        }
        None => None,
    };
    let Some(text) = text else { return rc::ERROR };
    // SAFETY: as above; the text lives as long as the request.
    unsafe { shim::wsk_variable_set(value, text.data, text.len) };
    rc::OK
}

/// A value as text. `None` when memory is out.
fn in_pool(request: Request, value: &Value) -> Option<ngx_str_t> {
    /// More than the longest number has digits.
    const SIZE: usize = 32;
    let mut room = [MaybeUninit::uninit(); SIZE];
    let text = match *value {
        Value::Text(text) => return Some(text),
        Value::Word(word) => return Some(ngx_str_t { len: word.len(), data: word.as_ptr().cast_mut() }),
        Value::Number(number) => write_fmt(&mut room, format_args!("{number}")),
        Value::Seconds(time) => write_fmt(&mut room, format_args!("{}.{:03}", time / 1000, time % 1000)),
        Value::Id(id) => write_fmt(&mut room, format_args!("{id:016x}")),
    };
    let text = request.pool().copy(text)?;
    Some(ngx_str_t { len: text.len(), data: text.as_mut_ptr() })
}
