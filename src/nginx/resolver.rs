//! Addresses of a target that is known only when its request comes.

use std::cell::Cell;
use std::ffi::{c_void, CStr};
use std::ptr::{self, NonNull};

use nginx_sys::{
    ngx_http_upstream_resolved_t, ngx_parse_url, ngx_resolve_name, ngx_resolve_name_done, ngx_resolve_start,
    ngx_resolver_addr_t, ngx_resolver_ctx_t, ngx_resolver_strerror, ngx_str_t, ngx_url_t, sockaddr,
};

use super::guard::guard;
use super::rc;
use super::request::{run_posted_requests, Request};
use super::upstream::Resolved;

/// What a target's text was parsed to.
pub(crate) struct Address {
    url: ngx_url_t,
}

impl Address {
    /// Parses `host:port`, `host`, `[v6]:port` or `unix:/path`.
    ///
    /// # Errors
    ///
    /// nginx's words for what is wrong with it.
    pub(crate) fn parse(request: Request, text: ngx_str_t, default_port: u16) -> Result<Self, &'static str> {
        // SAFETY: all zero is an `ngx_url_t` that says nothing; what is parsed lives in the request's pool.
        unsafe {
            let mut url: ngx_url_t = std::mem::zeroed();
            url.url = text;
            url.default_port = default_port;
            url.set_no_resolve(1);
            if ngx_parse_url(request.pool().as_ptr(), &mut url) == rc::OK {
                return Ok(Self { url });
            }
            let words = if url.err.is_null() { c"out of memory" } else { CStr::from_ptr(url.err) };
            Err(words.to_str().unwrap_or("invalid"))
        }
    }

    pub(crate) fn host(&self) -> &[u8] {
        self.url.host.as_bytes()
    }

    /// The port, if one was given.
    pub(crate) fn port(&self) -> Option<u16> {
        (self.url.no_port() == 0).then_some(self.url.port)
    }

    /// The address itself, where the text holds one and no name.
    pub(crate) fn literal(&self, request: Request) -> Option<Resolved> {
        if self.url.addrs.is_null() {
            return None;
        }
        // SAFETY: a parsed URL with addresses has at least one, in the request's pool.
        let address = unsafe { &*self.url.addrs };
        // SAFETY: all zero is a valid structure.
        unsafe {
            let resolved = request.pool().zeroed::<ngx_http_upstream_resolved_t>()?;
            let it = &mut *resolved.as_ptr();
            it.host = self.url.host;
            it.port = self.url.port;
            it.sockaddr = address.sockaddr;
            it.socklen = address.socklen;
            it.name = address.name;
            it.naddrs = 1;
            Some(Resolved::new(resolved))
        }
    }
}

/// What came of a look-up.
pub(crate) enum Answer<'a> {
    /// At least one address.
    Found(Resolved),
    /// None for this name, and nginx's words for what went wrong.
    Failed(&'a [u8], &'static str),
}

/// Who waits for a look-up. It lives in the request's pool.
pub(crate) trait Asker: 'static {
    /// The look-up of a held request. May end the request.
    fn on_resolved(&self, request: Request, answer: Answer<'_>);

    /// Where the look-up keeps its place while it runs.
    fn lookup(&self) -> &Lookup;
}

/// A look-up that may be running.
#[derive(Default)]
pub(crate) struct Lookup {
    context: Cell<Option<NonNull<ngx_resolver_ctx_t>>>,
    request: Cell<Option<Request>>,
    port: Cell<u16>,
}

/// Why a look-up cannot begin.
pub(crate) enum NotStarted {
    /// No `resolver` in the configuration.
    NoResolver,
    OutOfMemory,
}

/// Asks the location's resolver for the addresses of `address`, on behalf of `asker`, which may be answered before
/// this returns. The look-up ends with the request.
pub(crate) fn resolve<A: Asker>(request: Request, address: &Address, asker: &A) -> Result<(), NotStarted> {
    let core = request.core_conf();
    // SAFETY: the request and the asker in its pool are alive; nginx owns the context until it is done.
    unsafe {
        let lookup = asker.lookup();
        let data = ptr::from_ref(asker).cast_mut().cast();
        if !request.on_cleanup(cancel::<A>, data) {
            return Err(NotStarted::OutOfMemory);
        }
        let mut question: ngx_resolver_ctx_t = std::mem::zeroed();
        question.name = address.url.host;
        let context = ngx_resolve_start(core.resolver, &mut question);
        // NGX_NO_RESOLVER
        if context.addr() == usize::MAX {
            return Err(NotStarted::NoResolver);
        }
        let Some(started) = NonNull::new(context) else { return Err(NotStarted::OutOfMemory) };
        (*context).name = address.url.host;
        (*context).handler = Some(on_answer::<A>);
        (*context).data = data;
        (*context).timeout = core.resolver_timeout;
        lookup.context.set(Some(started));
        lookup.request.set(Some(request));
        lookup.port.set(address.url.port);
        // On an error the resolver has freed the context.
        if ngx_resolve_name(context) != rc::OK {
            lookup.context.set(None);
            return Err(NotStarted::OutOfMemory);
        }
    }
    Ok(())
}

unsafe extern "C" fn on_answer<A: Asker>(context: *mut ngx_resolver_ctx_t) {
    // SAFETY: `resolve` made the asker the context's data; a request that ends takes the look-up with it.
    let (asker, request, run_posted) = unsafe {
        let asker = &*(*context).data.cast::<A>();
        let Some(request) = asker.lookup().request.get() else { return };
        (asker, request, (*context).async_() != 0)
    };
    let client = request.connection();
    request.set_log_request();
    let answered = guard(|| {
        // SAFETY: the context is valid until it is done, which is here; the answer is a copy.
        let answer = unsafe {
            let answer = read_answer(request, context, asker.lookup().port.get());
            asker.lookup().context.set(None);
            ngx_resolve_name_done(context);
            answer
        };
        asker.on_resolved(request, answer);
    });
    if answered.is_none() {
        request.finalize(rc::ERROR);
    }
    if run_posted {
        run_posted_requests(client);
    }
}

/// Copies the addresses into the request's pool, so that the resolver may forget them.
unsafe fn read_answer<'r>(request: Request, context: *mut ngx_resolver_ctx_t, port: u16) -> Answer<'r> {
    // SAFETY: the context holds `naddrs` addresses; all zero is a valid structure.
    unsafe {
        let context = &*context;
        if context.state != 0 {
            let words = CStr::from_ptr(ngx_resolver_strerror(context.state).cast());
            return Answer::Failed(context.name.as_bytes(), words.to_str().unwrap_or("unknown error"));
        }
        let copied = || {
            let from = std::slice::from_raw_parts(context.addrs, context.naddrs);
            let addrs = request.pool().copy(bytes_of(from))?.as_mut_ptr().cast::<ngx_resolver_addr_t>();
            for (at, address) in from.iter().enumerate() {
                let size = address.socklen as usize;
                let bytes = std::slice::from_raw_parts(address.sockaddr.cast::<u8>(), size);
                (*addrs.add(at)).sockaddr = request.pool().copy(bytes)?.as_mut_ptr().cast::<sockaddr>();
            }
            let resolved = request.pool().zeroed::<ngx_http_upstream_resolved_t>()?;
            (*resolved.as_ptr()).host = context.name;
            (*resolved.as_ptr()).port = port;
            (*resolved.as_ptr()).addrs = addrs;
            (*resolved.as_ptr()).naddrs = context.naddrs;
            Some(Resolved::new(resolved))
        };
        copied().map_or(Answer::Failed(context.name.as_bytes(), "out of memory"), Answer::Found)
    }
}

/// The addresses as plain bytes, padding included: they are only copied.
unsafe fn bytes_of(addresses: &[ngx_resolver_addr_t]) -> &[u8] {
    // SAFETY: the slice is valid, and so are its bytes for a copy.
    unsafe { std::slice::from_raw_parts(addresses.as_ptr().cast(), size_of_val(addresses)) }
}

/// The request ends: nobody waits for the answer any more.
unsafe extern "C" fn cancel<A: Asker>(asker: *mut c_void) {
    // SAFETY: `resolve` registered this with the asker, in the pool of the request that ends.
    unsafe {
        let lookup = (*asker.cast::<A>()).lookup();
        if let Some(context) = lookup.context.take() {
            ngx_resolve_name_done(context.as_ptr());
        }
        lookup.request.set(None);
    }
}
