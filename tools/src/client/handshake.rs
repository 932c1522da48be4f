//! The opening handshake (RFC 6455 section 4.1).

use std::fmt;
use std::io::{self, Read, Write};

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use websockify_protocol::handshake::accept_key;

use super::Keys;

/// More headers than any server sends.
const HEADERS: usize = 64;
/// A longer answer is not an answer.
const HEAD_LIMIT: usize = 32 * 1024;

/// What to ask for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// The value of the Host header.
    pub host: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Subprotocols to offer, in order of preference.
    pub protocols: &'a [String],
    /// Further headers.
    pub headers: &'a [(String, String)],
}

/// What the server agreed to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The subprotocol it chose.
    pub protocol: Option<String>,
    /// Bytes that came behind its answer: the stream of frames begins with them.
    pub rest: Vec<u8>,
}

/// Why there is no session.
#[derive(Debug)]
pub enum HandshakeError {
    /// The connection failed.
    Io(io::Error),
    /// The server closed the connection before its answer was complete.
    Closed,
    /// The server answered with another status than 101.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What stands behind it.
        reason: String,
    },
    /// The server's answer breaks RFC 6455 or HTTP.
    Broken(&'static str),
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "handshake failed: {error}"),
            Self::Closed => f.write_str("server closed the connection during the handshake"),
            Self::Refused { status, reason } => write!(f, "handshake refused: {status} {reason}"),
            Self::Broken(what) => write!(f, "server's handshake is broken: {what}"),
        }
    }
}

impl std::error::Error for HandshakeError {}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens a WebSocket over `stream`.
///
/// # Errors
/// [`HandshakeError`]; the stream is then of no further use.
pub fn open<S: Read + Write>(
    mut stream: S,
    request: Request<'_>,
    keys: &mut Keys,
) -> Result<Accepted, HandshakeError> {
    let key = STANDARD.encode(keys.nonce());
    stream.write_all(encode(request, &key).as_bytes())?;
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Err(HandshakeError::Closed),
            Ok(n) => head.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(accepted) = parse(&head, request.protocols, &key)? {
            return Ok(accepted);
        }
        if head.len() > HEAD_LIMIT {
            return Err(HandshakeError::Broken("its header is too long"));
        }
    }
}

/// The request's bytes, with `key` as its Sec-WebSocket-Key.
#[must_use]
pub fn encode(request: Request<'_>, key: &str) -> String {
    let mut text = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {key}\r\n",
        request.path, request.host,
    );
    if !request.protocols.is_empty() {
        text += &format!("Sec-WebSocket-Protocol: {}\r\n", request.protocols.join(", "));
    }
    for (name, value) in request.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n"
}

/// Reads the answer at the front of `input`; `None` while it is incomplete.
///
/// # Errors
/// [`HandshakeError`]: the server refused, or answered what section 4.1 tells a client to reject.
pub fn parse(input: &[u8], offered: &[String], key: &str) -> Result<Option<Accepted>, HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let size = match response.parse(input) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(HandshakeError::Broken("it is not HTTP")),
    };
    let status = response.code.unwrap_or_default();
    if status != 101 {
        return Err(HandshakeError::Refused {
            status,
            reason: response.reason.unwrap_or_default().to_owned(),
        });
    }
    if !has_token(response.headers, "Upgrade", "websocket") {
        return Err(HandshakeError::Broken("no Upgrade to websocket"));
    }
    if !has_token(response.headers, "Connection", "upgrade") {
        return Err(HandshakeError::Broken("no Connection: upgrade"));
    }
    if value(response.headers, "Sec-WebSocket-Accept") != Some(&accept_key(key.as_bytes())) {
        return Err(HandshakeError::Broken("wrong Sec-WebSocket-Accept"));
    }
    if value(response.headers, "Sec-WebSocket-Extensions").is_some() {
        return Err(HandshakeError::Broken("an extension nobody offered"));
    }
    let protocol = protocol(response.headers, offered)?;
    Ok(Some(Accepted { protocol, rest: input[size..].to_vec() }))
}

fn protocol(headers: &[httparse::Header<'_>], offered: &[String]) -> Result<Option<String>, HandshakeError> {
    match value(headers, "Sec-WebSocket-Protocol") {
        None => Ok(None),
        Some(chosen) => match offered.iter().find(|name| name.as_bytes() == chosen) {
            Some(name) => Ok(Some(name.clone())),
            None => Err(HandshakeError::Broken("a subprotocol nobody offered")),
        },
    }
}

fn value<'a>(headers: &[httparse::Header<'a>], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

fn has_token(headers: &[httparse::Header<'_>], name: &str, token: &str) -> bool {
    headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name))
        .flat_map(|header| header.value.split(|&byte| byte == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    // The answer of RFC 6455 section 1.2.
    const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

    fn offered() -> Vec<String> {
        vec!["chat".to_owned(), "superchat".to_owned()]
    }

    fn broken(answer: &str) -> &'static str {
        match parse(answer.as_bytes(), &offered(), KEY) {
            Err(HandshakeError::Broken(what)) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn asks_as_section_1_2_does() {
        let headers = [("Origin".to_owned(), "http://example.com".to_owned())];
        let request =
            Request { host: "server.example.com", path: "/chat", protocols: &offered(), headers: &headers };
        assert_eq!(
            encode(request, KEY),
            "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: chat, superchat\r\nOrigin: http://example.com\r\n\r\n"
        );
    }

    #[test]
    fn takes_the_answer_of_section_1_2_and_what_comes_behind_it() {
        let accepted = parse(format!("{ANSWER}\x02").as_bytes(), &offered(), KEY).unwrap().unwrap();
        assert_eq!(accepted, Accepted { protocol: Some("chat".to_owned()), rest: vec![2] });
    }

    #[test]
    fn waits_for_the_whole_answer() {
        for end in 0..ANSWER.len() {
            assert!(parse(&ANSWER.as_bytes()[..end], &offered(), KEY).unwrap().is_none(), "at {end}");
        }
    }

    #[test]
    fn tells_a_refusal_by_status_and_reason() {
        let error = parse(b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\n\r\n", &[], KEY).unwrap_err();
        assert_eq!(error.to_string(), "handshake refused: 502 Bad Gateway");
    }

    #[test]
    fn rejects_what_section_4_1_rejects() {
        assert_eq!(broken("SSH-2.0-OpenSSH_9.2\r\n"), "it is not HTTP");
        assert_eq!(broken(&ANSWER.replace("s3p", "xxx")), "wrong Sec-WebSocket-Accept");
        assert_eq!(broken(&ANSWER.replace(": chat", ": tchat")), "a subprotocol nobody offered");
        assert_eq!(broken(&ANSWER.replace("Upgrade: websocket", "Upgrade: h2c")), "no Upgrade to websocket");
        assert_eq!(
            broken(&ANSWER.replace("Connection: Upgrade", "Connection: close")),
            "no Connection: upgrade"
        );
        assert_eq!(
            broken(
                &ANSWER
                    .replace("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate")
            ),
            "an extension nobody offered"
        );
    }
}
