//! A WebSocket server for one session, which a test drives frame by frame.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use websockify_protocol::handshake::{parse_request, Refusal};
use websockify_protocol::{encoder, frame, mask, CloseCode, ControlFrame, ControlOpcode, Decoder, Event};
use websockify_protocol::{Opcode, Subprotocols};

/// Longer than anything here takes, so that a test that waits in vain fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Serves one connection on a port of its own with `serve`; joining the handle shows what the server saw.
pub(crate) fn server<T: Send + 'static>(
    serve: impl FnOnce(Session) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || serve(Session::accept(listener.accept().unwrap().0))))
}

/// What a client sent, whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Data(Vec<u8>),
    Close(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The end of the stream.
    End,
}

/// One session, its handshake not yet answered.
pub(crate) struct Session {
    stream: TcpStream,
    /// The head of the request.
    pub(crate) head: String,
    decoder: Decoder,
    input: Vec<u8>,
}

impl Session {
    fn accept(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut session =
            Self { stream, head: String::new(), decoder: Decoder::new(None), input: Vec::new() };
        loop {
            assert_ne!(session.fill(), 0, "client left during its handshake");
            if let Some(request) = parse_request(&session.input).unwrap() {
                let size = request.size;
                session.head = String::from_utf8(session.input.drain(..size).collect()).unwrap();
                return session;
            }
        }
    }

    /// Answers 101, with `behind` in the same packet.
    pub(crate) fn upgrade(&mut self, behind: &[u8]) -> Result<(), Refusal> {
        let request = parse_request(self.head.as_bytes()).unwrap().unwrap();
        let accepted = request.validate(&Subprotocols::Any)?;
        let mut answer =
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n".to_vec();
        answer.extend_from_slice(b"Sec-WebSocket-Accept: ");
        answer.extend_from_slice(&accepted.accept);
        if let Some(name) = accepted.subprotocol {
            answer.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
            answer.extend_from_slice(name);
        }
        answer.extend_from_slice(b"\r\n\r\n");
        answer.extend_from_slice(behind);
        self.raw(&answer);
        Ok(())
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn data(&mut self, payload: &[u8]) {
        self.raw(&data_frame(payload));
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) {
        self.raw(ControlFrame::ping(payload).as_bytes());
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.raw(ControlFrame::close(CloseCode::new(code), reason).as_bytes());
    }

    /// The client's next message; pieces of one message are put together.
    pub(crate) fn receive(&mut self) -> Message {
        let mut whole = Vec::new();
        loop {
            let Some(step) = self.decoder.decode(&self.input).unwrap() else {
                match self.fill() {
                    0 => return Message::End,
                    _ => continue,
                }
            };
            let mut taken: Vec<u8> = self.input.drain(..step.skip + step.len).collect();
            let payload = &mut taken[step.skip..];
            match step.event {
                Event::Data { key, end_of_message } => {
                    mask::apply(key, payload);
                    whole.extend_from_slice(payload);
                    if end_of_message {
                        return Message::Data(whole);
                    }
                }
                Event::Control { opcode, key } => {
                    mask::apply(key, payload);
                    return match opcode {
                        ControlOpcode::Close => Message::Close(payload.to_vec()),
                        ControlOpcode::Ping => Message::Ping(payload.to_vec()),
                        ControlOpcode::Pong => Message::Pong(payload.to_vec()),
                    };
                }
            }
        }
    }

    /// Sends back each message, and the Close.
    pub(crate) fn echo(mut self) {
        self.upgrade(b"").unwrap();
        loop {
            match self.receive() {
                Message::Data(payload) => self.data(&payload),
                Message::Close(body) => {
                    return self.raw(&[&[0x88, u8::try_from(body.len()).unwrap()], &body[..]].concat())
                }
                Message::End => return,
                Message::Ping(_) | Message::Pong(_) => {}
            }
        }
    }

    fn fill(&mut self) -> usize {
        let mut chunk = [0; 16 * 1024];
        let n = self.stream.read(&mut chunk).expect("client sends nothing");
        self.input.extend_from_slice(&chunk[..n]);
        n
    }
}

/// One binary frame.
pub(crate) fn data_frame(payload: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; frame::MAX_SERVER_HEADER];
    buffer.extend_from_slice(payload);
    let end = buffer.len();
    let start = encoder::put_header_before(&mut buffer, frame::MAX_SERVER_HEADER..end, Opcode::Binary);
    buffer.split_off(start)
}
