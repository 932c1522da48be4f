//! The opening handshake from raw bytes, for tests, tools and fuzzing: in the module nginx has parsed them.

use super::{validate, Accepted, HttpVersion, Refusal, Terms};
use crate::origin::Origins;
use crate::subprotocol::Subprotocols;

/// Most headers of a request that [`parse_request`] reads.
const MAX_HEADERS: usize = 64;

/// The head of an HTTP/1 request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRequest<'b> {
    /// The method, as it was written.
    pub method: &'b str,
    /// The request's target, as it was written.
    pub path: &'b str,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: HttpVersion,
    /// Names and values, in order.
    pub headers: Vec<(&'b [u8], &'b [u8])>,
    /// Bytes of the head, the empty line included. What follows them may be frames.
    pub size: usize,
}

/// Parses the head of an HTTP/1 request at the front of `bytes`; `None` while it is not whole.
///
/// # Errors
/// Those of httparse: what no HTTP server would take for a request, or one of more than 64 headers.
pub fn parse_request(bytes: &[u8]) -> Result<Option<RawRequest<'_>>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(size) = request.parse(bytes)? else { return Ok(None) };
    Ok(Some(RawRequest {
        method: request.method.unwrap_or_default(),
        path: request.path.unwrap_or_default(),
        version: if request.version == Some(1) { HttpVersion::Http11 } else { HttpVersion::Http10 },
        headers: request.headers.iter().map(|header| (header.name.as_bytes(), header.value)).collect(),
        size,
    }))
}

impl<'b> RawRequest<'b> {
    /// [`validate`]s the request, from whichever page it comes.
    ///
    /// # Errors
    /// The [`Refusal`] that applies first.
    pub fn validate(&self, subprotocols: &Subprotocols<'_>) -> Result<Accepted<'b>, Refusal> {
        let terms = Terms { origins: &Origins::Any, secure: false, subprotocols };
        validate(self.method == "GET", self.version, self.headers.iter().copied(), &terms)
    }
}
