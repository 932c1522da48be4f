//! One request, from nginx's callbacks.

use std::ffi::c_void;
use std::net::SocketAddr;
use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_connection_local_sockaddr, ngx_handle_read_event, ngx_http_cleanup_add, ngx_http_core_loc_conf_t,
    ngx_http_core_module, ngx_http_discard_request_body, ngx_http_finalize_request, ngx_http_output_filter,
    ngx_http_request_t, ngx_http_run_posted_requests, ngx_http_send_header, ngx_http_send_special,
    ngx_http_test_reading, ngx_int_t, ngx_list_push, ngx_list_t, ngx_str_t, ngx_table_elt_t, ngx_uint_t,
    NGX_HTTP_FLUSH, NGX_HTTP_GET, NGX_HTTP_HEAD, NGX_HTTP_LINGERING_OFF, NGX_HTTP_POST, NGX_HTTP_VERSION_10,
    NGX_HTTP_VERSION_11, NGX_HTTP_VERSION_20,
};
use websockify_protocol::handshake::HttpVersion;

use super::connection::Connection;
use super::log::Log;
use super::pool::Pool;
use super::upstream::Upstream;
use super::{address, rc, shim};

/// A request of nginx's.
#[derive(Clone, Copy)]
pub(crate) struct Request(NonNull<ngx_http_request_t>);

impl Request {
    /// # Safety
    ///
    /// `request` must be alive for as long as the value is used: one callback, or the life of what nginx destroys
    /// with the request.
    pub(crate) unsafe fn new(request: *mut ngx_http_request_t) -> Self {
        // SAFETY: nginx calls no callback without a request.
        Self(unsafe { NonNull::new_unchecked(request) })
    }

    pub(crate) fn as_ptr(self) -> *mut ngx_http_request_t {
        self.0.as_ptr()
    }

    /// The client's connection.
    pub(crate) fn connection(self) -> Connection {
        // SAFETY: a living request has an open connection.
        unsafe { Connection::new(NonNull::new_unchecked((*self.as_ptr()).connection)) }
    }

    pub(crate) fn log(self) -> Log {
        self.connection().log()
    }

    pub(crate) fn pool(self) -> Pool {
        // SAFETY: a living request has a pool.
        unsafe { Pool::new(NonNull::new_unchecked((*self.as_ptr()).pool)) }
    }

    /// Whether this is what a client asked for, not a subrequest or an action after it.
    pub(crate) fn is_clients_own(self) -> bool {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe {
            (*self.as_ptr()).main == self.as_ptr() && shim::wsk_request_is_post_action(self.as_ptr()) == 0
        }
    }

    /// The client's address as text, without a port.
    pub(crate) fn client_name<'r>(self) -> &'r [u8] {
        // SAFETY: the request is alive, and the text lives as long as its connection.
        unsafe { (*self.connection().as_ptr()).addr_text.as_bytes() }
    }

    /// What follows the question mark in the request's line.
    pub(crate) fn arguments<'r>(self) -> &'r [u8] {
        // SAFETY: the request is alive, and the text lives as long.
        unsafe { (*self.as_ptr()).args.as_bytes() }
    }

    /// The values of the request's headers of this name.
    pub(crate) fn header_values<'r>(self, name: &'static str) -> impl Iterator<Item = &'r [u8]> {
        self.headers().filter(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    pub(crate) fn is_tls(self) -> bool {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { shim::wsk_request_is_tls(self.as_ptr()) != 0 }
    }

    pub(crate) fn is_post(self) -> bool {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { (*self.as_ptr()).method == NGX_HTTP_POST as ngx_uint_t }
    }

    pub(crate) fn is_get_or_head(self) -> bool {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { (*self.as_ptr()).method & (NGX_HTTP_GET | NGX_HTTP_HEAD) as ngx_uint_t != 0 }
    }

    pub(crate) fn is_get(self) -> bool {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { (*self.as_ptr()).method == NGX_HTTP_GET as ngx_uint_t }
    }

    /// Whether the request announces a body: what follows it would not be frames.
    pub(crate) fn has_body(self) -> bool {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe {
            (*self.as_ptr()).headers_in.content_length_n > 0
                || shim::wsk_request_has_chunked_body(self.as_ptr()) != 0
        }
    }

    pub(crate) fn http_version(self) -> HttpVersion {
        // SAFETY: the request is alive by the promise of `new`.
        let version = unsafe { (*self.as_ptr()).http_version };
        match u32::try_from(version) {
            Ok(NGX_HTTP_VERSION_11) => HttpVersion::Http11,
            Ok(NGX_HTTP_VERSION_20) => HttpVersion::Http2,
            Ok(version) if version <= NGX_HTTP_VERSION_10 => HttpVersion::Http10,
            _ => HttpVersion::Http3,
        }
    }

    /// The request's headers, as they came. They live as long as the request.
    pub(crate) fn headers<'r>(self) -> impl Iterator<Item = (&'r [u8], &'r [u8])> {
        // SAFETY: the request, and with it its headers, is alive by the promise of `new`.
        let list: &ngx_list_t = unsafe { &(*self.as_ptr()).headers_in.headers };
        let mut part = Some(&list.part);
        let mut at = 0;
        std::iter::from_fn(move || loop {
            let current = part?;
            if at < current.nelts {
                // SAFETY: a part of this list holds `nelts` headers, whose strings live in the request's pool.
                let header = unsafe { &*current.elts.cast::<ngx_table_elt_t>().add(at) };
                at += 1;
                // nginx leaves a hash of 0 in a header that a module has removed.
                if header.hash != 0 {
                    return Some((header.key.as_bytes(), header.value.as_bytes()));
                }
            } else {
                // SAFETY: the next part is another one of this list, or NULL.
                part = unsafe { current.next.as_ref() };
                at = 0;
            }
        })
    }

    /// nginx's own configuration of the location.
    pub(crate) fn core_conf<'c>(self) -> &'c ngx_http_core_loc_conf_t {
        // SAFETY: the core module's structure is of this type, and the request holds on to its configuration.
        unsafe {
            let index = (*ptr::addr_of!(ngx_http_core_module)).ctx_index;
            &*(*(*self.as_ptr()).loc_conf.add(index)).cast()
        }
    }

    /// The request's upstream, once there is one.
    pub(crate) fn upstream(self) -> Option<Upstream> {
        // SAFETY: the request is alive by the promise of `new`, and its upstream lives as long.
        unsafe { NonNull::new((*self.as_ptr()).upstream).map(|upstream| Upstream::new(upstream)) }
    }

    /// The client's address, as realip leaves it.
    pub(crate) fn client_address(self) -> Option<SocketAddr> {
        // SAFETY: an open connection has its peer's address.
        unsafe { address::read((*self.connection().as_ptr()).sockaddr) }
    }

    /// The address that the client has connected to.
    pub(crate) fn server_address(self) -> Option<SocketAddr> {
        // SAFETY: nginx finds the address out if it does not know it yet.
        unsafe {
            let c = self.connection().as_ptr();
            if ngx_connection_local_sockaddr(c, ptr::null_mut(), 0) != rc::OK {
                return None;
            }
            address::read((*c).local_sockaddr)
        }
    }

    /// Bytes that came behind the request's head in the same packets.
    pub(crate) fn early_bytes<'r>(self) -> &'r [u8] {
        // SAFETY: `pos` and `last` border initialized bytes of the buffer, which lives as long as the request.
        unsafe {
            let Some(buffer) = (*self.as_ptr()).header_in.as_ref() else { return &[] };
            std::slice::from_raw_parts(buffer.pos, buffer.last.offset_from(buffer.pos).unsigned_abs())
        }
    }

    /// Drops the first `len` of [`Request::early_bytes`].
    pub(crate) fn consume_early(self, len: usize) {
        let len = len.min(self.early_bytes().len());
        // SAFETY: `pos` stays at or in front of `last`.
        unsafe { (*(*self.as_ptr()).header_in).pos = (*(*self.as_ptr()).header_in).pos.add(len) };
    }

    /// Adds a header to the response. `false` when memory is out.
    pub(crate) fn add_header(self, name: &'static str, value: &[u8]) -> bool {
        let Some(value) = self.pool().copy(value) else { return false };
        // SAFETY: the list is one of `ngx_table_elt_t`, and both strings live as long as the request.
        unsafe {
            let header =
                ngx_list_push(&raw mut (*self.as_ptr()).headers_out.headers).cast::<ngx_table_elt_t>();
            if header.is_null() {
                return false;
            }
            header.write(std::mem::zeroed());
            (*header).hash = 1;
            (*header).key = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
            (*header).value = ngx_str_t { len: value.len(), data: value.as_mut_ptr() };
        }
        true
    }

    /// Whether the request has an `Upgrade` header.
    pub(crate) fn has_upgrade(self) -> bool {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { !(*self.as_ptr()).headers_in.upgrade.is_null() }
    }

    /// Has the access log say that the request failed with this status, whatever was sent.
    pub(crate) fn note_status(self, status: u16) {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { shim::wsk_request_note_status(self.as_ptr(), status.into()) };
    }

    /// Whether the request has been answered with an error already, whose page is looked for.
    pub(crate) fn has_failed(self) -> bool {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { shim::wsk_request_has_failed(self.as_ptr()) != 0 }
    }

    /// Takes the headers away that the response would have.
    pub(crate) fn drop_headers(self) {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { shim::wsk_request_drop_headers(self.as_ptr()) };
    }

    /// Reads and drops a body, so that what follows it on the connection is a request again.
    pub(crate) fn discard_body(self) {
        // SAFETY: the request is alive by the promise of `new`. What fails here fails again in the response.
        unsafe { ngx_http_discard_request_body(self.as_ptr()) };
    }

    /// Sends `101 Switching Protocols` with the headers added so far.
    pub(crate) fn send_switching_protocols(self) -> bool {
        const LINE: &str = "101 Switching Protocols";
        // SAFETY: the request is alive by the promise of `new`.
        unsafe {
            let r = self.as_ptr();
            shim::wsk_request_prepare_upgrade(r);
            (*r).headers_out.status = nginx_sys::NGX_HTTP_SWITCHING_PROTOCOLS as ngx_uint_t;
            (*r).headers_out.status_line = ngx_str_t { len: LINE.len(), data: LINE.as_ptr().cast_mut() };
            (*r).headers_out.content_length_n = -1;
            let sent = ngx_http_send_header(r);
            (sent == rc::OK || sent == rc::AGAIN)
                && ngx_http_send_special(r, NGX_HTTP_FLUSH as _) != rc::ERROR
        }
    }

    /// Whether a part of the response's head has not gone to the connection yet.
    pub(crate) fn has_unsent_header(self) -> bool {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { !(*self.as_ptr()).out.is_null() }
    }

    /// Tries to send what [`Request::has_unsent_header`] speaks of. `false` if the client is gone.
    pub(crate) fn flush_header(self) -> bool {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { ngx_http_output_filter(self.as_ptr(), ptr::null_mut()) != rc::ERROR }
    }

    /// Keeps the client's connection open for reading after the end, so that no reset overtakes what was sent.
    pub(crate) fn linger(self) {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { shim::wsk_request_set_lingering_close(self.as_ptr()) };
    }

    /// Whether [`Request::linger`] is granted: the configuration may not, nor a worker that closes its connections.
    pub(crate) fn may_linger(self) -> bool {
        self.core_conf().lingering_close != NGX_HTTP_LINGERING_OFF as ngx_uint_t
            && !self.connection().is_closing()
    }

    /// Holds the request for an answer that comes later.
    pub(crate) fn hold(self) {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { shim::wsk_request_count(self.as_ptr()) };
    }

    /// Ends the request, or lets go of one hold of it. Nothing of the request may be used afterwards.
    pub(crate) fn finalize(self, status: ngx_int_t) {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { ngx_http_finalize_request(self.as_ptr(), status) };
    }

    /// Notices a client that leaves while it waits.
    pub(crate) fn watch_client(self) {
        // SAFETY: the request is alive by the promise of `new`, and its connection open.
        unsafe {
            (*self.as_ptr()).read_event_handler = Some(ngx_http_test_reading);
            let read = (*self.connection().as_ptr()).read;
            if self.connection().is_readable() {
                shim::wsk_event_post(read);
            } else {
                // What fails here fails again where the connection is used.
                ngx_handle_read_event(read, 0);
            }
        }
    }

    /// Has `handler` called with `data` when the request ends, in whatever way.
    pub(crate) fn on_cleanup(self, handler: unsafe extern "C" fn(*mut c_void), data: *mut c_void) -> bool {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe {
            let Some(cleanup) = ngx_http_cleanup_add(self.as_ptr(), 0).as_mut() else { return false };
            cleanup.handler = Some(handler);
            cleanup.data = data;
        }
        true
    }

    /// Has variables whose values may change evaluated anew where one is wanted next, in the access log too.
    pub(crate) fn flush_variables(self) {
        // SAFETY: the request is alive by the promise of `new`.
        unsafe { shim::wsk_request_flush_variables(self.as_ptr()) };
    }

    /// To be called first in a callback that does not come through the request's own events.
    pub(crate) fn set_log_request(self) {
        // SAFETY: the request is alive by the promise of `new`; the function only notes it in its log's context.
        unsafe { shim::wsk_request_set_log(self.as_ptr()) };
    }
}

/// To be called last in a callback that does not come through a request's own events: runs what it has posted.
pub(crate) fn run_posted_requests(client: Connection) {
    // SAFETY: the caller has kept the connection from before its request may have ended; nginx frees connections
    // only to its own list, so the structure is there, and it checks whether the connection is closed itself.
    unsafe { ngx_http_run_posted_requests(client.as_ptr()) };
}
