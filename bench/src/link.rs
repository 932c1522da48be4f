//! One connection of the load: to a WebSocket server or, behind a plain proxy, to the target itself.

use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use crate::frames::{masked, FrameReader, Word};
use crate::pattern::Piece;
use crate::skim::Skimmer;
use crate::tls::TlsStream;

/// How long a server may leave a session waiting.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Where a server listens, and what it speaks.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) websocket: bool,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

pub(crate) struct Link {
    wire: Wire,
    frames: Option<FrameReader>,
    /// Bytes of payload that came with the handshake's answer.
    early: usize,
    skimmer: Skimmer,
}

/// What one call of [`Link::read`] came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Data,
    Close,
    End,
}

impl Link {
    /// A session whose handshake is done. Blocks.
    pub(crate) fn open(endpoint: &Endpoint) -> io::Result<Self> {
        let mut link = Self::connect(endpoint)?;
        if endpoint.websocket {
            link.wire.write_all(REQUEST)?;
            let mut head = Head::default();
            while !head.read(&mut link)? {}
        }
        Ok(link)
    }

    /// A connection whose handshake is to come. Blocks, until [`Link::unblock`].
    pub(crate) fn connect(endpoint: &Endpoint) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&endpoint.address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let wire = match &endpoint.tls {
            None => Wire::Plain(stream),
            Some(config) => Wire::Tls(Box::new(TlsStream::connect(Arc::clone(config), stream)?)),
        };
        Ok(Self {
            wire,
            frames: endpoint.websocket.then(FrameReader::default),
            early: 0,
            skimmer: Skimmer::default(),
        })
    }

    pub(crate) fn unblock(&self) -> io::Result<()> {
        self.wire.stream().set_nonblocking(true)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.wire.stream().as_fd()
    }

    pub(crate) fn is_websocket(&self) -> bool {
        self.frames.is_some()
    }

    /// How much the target said before anybody listened.
    pub(crate) fn early(&self) -> usize {
        self.early
    }

    /// `payload` as it goes over this link: in a frame, or as it is.
    pub(crate) fn framed(&self, payload: &[u8]) -> Vec<u8> {
        if self.is_websocket() {
            masked(2, payload, [0x9c, 0x51, 0xe3, 0x2a])
        } else {
            payload.to_vec()
        }
    }

    /// Sends the front of `bytes`, which are on their way as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wire.write(bytes)
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes)
    }

    /// Receives once, and calls `data` with each piece of payload.
    pub(crate) fn read(&mut self, scratch: &mut [u8], mut data: impl FnMut(&[u8])) -> io::Result<Heard> {
        loop {
            let len = match self.wire.read(scratch) {
                Ok(0) => return Ok(Heard::End),
                Ok(len) => len,
                Err(error) if is_end(&error) => return Ok(Heard::End),
                Err(error) => return Err(error),
            };
            match &mut self.frames {
                None => data(&scratch[..len]),
                Some(frames) => {
                    if frames.read(&scratch[..len], &mut data) == Word::Close {
                        return Ok(Heard::Close);
                    }
                }
            }
            // What TLS holds back epoll does not announce.
            if !self.wire.holds_bytes() {
                return Ok(Heard::Data);
            }
        }
    }

    /// As [`Link::read`], for a long transfer, of which most is dropped unseen; see [`Skimmer`].
    pub(crate) fn skim(&mut self, scratch: &mut [u8], mut data: impl FnMut(Piece<'_>)) -> io::Result<Heard> {
        let Wire::Plain(stream) = &mut self.wire else {
            return self.read(scratch, |piece| data(Piece::Seen(piece)));
        };
        let (frames, mut closed) = (&mut self.frames, false);
        let goes_on = self.skimmer.receive(stream, scratch, |piece| match (frames.as_mut(), piece) {
            (None, piece) => {
                data(piece);
                usize::MAX
            }
            (Some(frames), Piece::Seen(bytes)) => {
                closed |= frames.read(bytes, |piece| data(Piece::Seen(piece))) == Word::Close;
                frames.left_of_data()
            }
            (Some(frames), Piece::Unseen(len)) => {
                data(Piece::Unseen(len));
                frames.skip(len)
            }
        });
        match goes_on {
            Ok(_) if closed => Ok(Heard::Close),
            Ok(true) => Ok(Heard::Data),
            Ok(false) => Ok(Heard::End),
            Err(error) if is_end(&error) => Ok(Heard::End),
            Err(error) => Err(error),
        }
    }

    /// Says that there is nothing more to come. What is answered is still read.
    pub(crate) fn say_goodbye(&mut self) -> io::Result<()> {
        if self.is_websocket() {
            self.wire.write_all(&masked(8, &1000_u16.to_be_bytes(), [1, 2, 3, 4]))
        } else {
            self.wire.stream().shutdown(std::net::Shutdown::Write)
        }
    }

    /// Closes without a goodbye, and leaves nothing of the connection behind.
    pub(crate) fn abort(self) {
        // What fails here has ended already.
        let _ = rustix::net::sockopt::set_socket_linger(self.fd(), Some(Duration::ZERO));
    }
}

/// Servers end TLS in many ways.
fn is_end(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe)
}

impl Wire {
    fn stream(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.socket(),
        }
    }

    fn holds_bytes(&mut self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.holds_bytes(),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(room),
            Self::Tls(stream) => stream.read(room),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The opening handshake, with the key of RFC 6455 section 1.3: which key it is costs a server nothing. websockify for
/// Node.js wants to be offered a subprotocol.
pub(crate) const REQUEST: &[u8] = b"GET /websockify HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: binary\r\n\r\n";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The response's head as it comes in.
#[derive(Default)]
pub(crate) struct Head(Vec<u8>);

impl Head {
    /// Receives once; whether the head is whole, and right. What comes behind it is taken for frames.
    pub(crate) fn read(&mut self, link: &mut Link) -> io::Result<bool> {
        let mut piece = [0; 1024];
        match link.wire.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            len => self.0.extend_from_slice(&piece[..len]),
        }
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let size = match response.parse(&self.0) {
            Ok(httparse::Status::Complete(size)) => size,
            Ok(httparse::Status::Partial) => return Ok(false),
            Err(error) => return Err(Error::other(error)),
        };
        let accept = response.headers.iter().find(|it| it.name.eq_ignore_ascii_case("Sec-WebSocket-Accept"));
        if response.code != Some(101) || accept.is_none_or(|it| it.value != ACCEPT) {
            return Err(Error::other(format!("no handshake, but {:?}", String::from_utf8_lossy(&self.0))));
        }
        if let Some(frames) = &mut link.frames {
            // Only a greeting can be there before anything was asked.
            frames.read(&self.0[size..], |piece| link.early += piece.len());
        }
        Ok(true)
    }
}
