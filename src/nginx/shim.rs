//! The C shim's functions, and the proof that bindgen and the C compiler agree on what Rust reads without it.

mod bindings {
    #![allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types, non_upper_case_globals)]
    #![allow(clippy::all, clippy::undocumented_unsafe_blocks, unsafe_op_in_unsafe_fn)]
    use nginx_sys::*;
    include!(concat!(env!("OUT_DIR"), "/shim.rs"));
}

use std::mem::{offset_of, size_of};

use nginx_sys::{
    ngx_connection_t, ngx_event_t, ngx_http_request_t, ngx_http_upstream_conf_t, ngx_http_upstream_t,
};

pub(crate) use bindings::*;

const _: () = {
    assert!(size_of::<ngx_http_request_t>() == WSK_REQUEST_SIZE as usize);
    assert!(offset_of!(ngx_http_request_t, upstream) == WSK_REQUEST_UPSTREAM as usize);
    assert!(offset_of!(ngx_http_request_t, headers_in) == WSK_REQUEST_HEADERS_IN as usize);
    assert!(offset_of!(ngx_http_request_t, headers_out) == WSK_REQUEST_HEADERS_OUT as usize);
    assert!(offset_of!(ngx_http_request_t, method) == WSK_REQUEST_METHOD as usize);
    assert!(offset_of!(ngx_http_request_t, main) == WSK_REQUEST_MAIN as usize);
    assert!(size_of::<ngx_http_upstream_t>() == WSK_UPSTREAM_SIZE as usize);
    assert!(offset_of!(ngx_http_upstream_t, peer) == WSK_UPSTREAM_PEER as usize);
    assert!(offset_of!(ngx_http_upstream_t, cleanup) == WSK_UPSTREAM_CLEANUP as usize);
    assert!(size_of::<ngx_http_upstream_conf_t>() == WSK_UPSTREAM_CONF_SIZE as usize);
    assert!(size_of::<ngx_connection_t>() == WSK_CONNECTION_SIZE as usize);
    assert!(size_of::<ngx_event_t>() == WSK_EVENT_SIZE as usize);
};
