//! Values that a directive takes with variables in them.

use std::ptr::NonNull;

use nginx_sys::{
    ngx_http_complex_value, ngx_http_complex_value_size, ngx_http_complex_value_t, ngx_msec_t,
    ngx_parse_time, ngx_str_t,
};

use crate::nginx::rc;
use crate::nginx::request::Request;

/// A time as nginx writes it (`1h 30m`, `500ms`, a bare number of seconds), in milliseconds; `None` if it is none.
pub(crate) fn parse_time(text: ngx_str_t) -> Option<ngx_msec_t> {
    let mut text = text;
    // SAFETY: the text is a valid string, and is only read.
    let time = unsafe { ngx_parse_time(&mut text, 0) };
    ngx_msec_t::try_from(time).ok()
}

/// A text with variables, or (where one of nginx's parsers made it) without.
#[derive(Clone, Copy, PartialEq)]
#[repr(transparent)]
pub(crate) struct ComplexValue(pub(super) NonNull<ngx_http_complex_value_t>);

impl ComplexValue {
    /// The text as it is written.
    pub(crate) fn source(self) -> ngx_str_t {
        // SAFETY: a compiled value lives as long as the configuration.
        unsafe { self.0.as_ref().value }
    }

    /// The text for this request, in its pool. `None` when memory is out.
    pub(crate) fn evaluate(self, request: Request) -> Option<ngx_str_t> {
        // SAFETY: a compiled value lives as long as the configuration; the request is alive.
        unsafe {
            let mut text: ngx_str_t = std::mem::zeroed();
            match ngx_http_complex_value(request.as_ptr(), self.0.as_ptr(), &mut text) {
                rc::OK => Some(text),
                _ => None,
            }
        }
    }

    /// The size that the text comes to for this request, where `ngx_http_set_complex_value_size_slot` made the value;
    /// 0, and a line in the log, if it is none.
    pub(crate) fn evaluate_size(self, request: Request) -> u64 {
        // SAFETY: as above.
        unsafe { ngx_http_complex_value_size(request.as_ptr(), self.0.as_ptr(), 0) as u64 }
    }
}
