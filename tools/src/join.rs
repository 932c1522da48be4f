//! Joins a WebSocket with a pair of local ends, such as standard input and output.
//!
//! One thread reads the input, the caller's reads the server, and a third answers pings: if either of the others waited
//! for the server to take its bytes, a server that waits for us to take its own would never go on.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use websockify_protocol::CloseCode;

use crate::client::frame::{Opcode, HEADER_LIMIT};
use crate::client::{Event, ReceiveError, Receiver, Sender};
use crate::socket::Socket;

/// Payload read from the input at once.
const READ_SIZE: usize = 64 * 1024;
/// How long a server may be silent that owes us its Close, or that does not take ours.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pongs that may wait; RFC 6455 section 5.5.3 lets us leave out the others.
const PONGS: usize = 16;

/// Who ended the session, where it ended as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The input ended, and the server answered our Close.
    Input,
    /// The server closed with 1000, 1001 or no code.
    Server,
}

/// Why a session ended otherwise.
#[derive(Debug)]
pub enum JoinError {
    /// Nothing more to be read from the server.
    Receive(ReceiveError),
    /// The server closed with a code that is a complaint.
    Closed {
        /// The code.
        code: CloseCode,
        /// The reason, perhaps empty.
        reason: String,
    },
    /// The server neither sent anything nor answered our Close.
    NoAnswer,
    /// The output takes nothing more.
    Output(io::Error),
    /// The machine is out of something.
    System(io::Error),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receive(error) => error.fmt(f),
            Self::Closed { code, reason } if reason.is_empty() => {
                write!(f, "server closed the session: {code}")
            }
            Self::Closed { code, reason } => write!(f, "server closed the session: {code} {reason}"),
            Self::NoAnswer => f.write_str("server did not answer the close frame"),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
            Self::System(error) => write!(f, "cannot go on: {error}"),
        }
    }
}

impl std::error::Error for JoinError {}

/// What [`join`] leaves behind.
pub struct Joined {
    /// How the session ended.
    pub ending: Result<Ending, JoinError>,
    /// Disconnected once the input's thread, which reads on to the end of its input, has let go of it.
    pub input_done: mpsc::Receiver<()>,
}

/// Carries bytes between `input`, the WebSocket on `socket` and `output` until the session has ended.
///
/// The end of `input` sends Close 1000; what the server still sends goes to `output` until its answer. `rest` is what
/// the handshake read too much.
pub fn join<R, W>(socket: Socket, rest: &[u8], input: R, output: W) -> Joined
where
    R: Read + Send + 'static,
    W: Write,
{
    let (input_alive, input_done) = mpsc::channel();
    let ending = match (socket.try_clone(), socket.try_clone()) {
        (Ok(write_half), Ok(read_half)) => {
            let link = Arc::new(Link::new(socket, write_half));
            pump(&link, Receiver::new(read_half, rest), input, output, input_alive)
        }
        (Err(error), _) | (_, Err(error)) => Err(JoinError::System(error)),
    };
    Joined { ending, input_done }
}

fn pump<R, W>(
    link: &Arc<Link>,
    receiver: Receiver<Socket>,
    input: R,
    output: W,
    input_alive: mpsc::Sender<()>,
) -> Result<Ending, JoinError>
where
    R: Read + Send + 'static,
    W: Write,
{
    let (session_alive, session_done) = mpsc::channel();
    let upward = Arc::clone(link);
    spawn(move || upward.carry_up(input, &session_done, input_alive))?;

    let (answers, asked) = mpsc::sync_channel(PONGS);
    let (answers_alive, answers_done) = mpsc::channel();
    let answering = Arc::clone(link);
    spawn(move || answering.answer(&asked, answers_alive))?;

    let ending = link.carry_down(receiver, output, &answers);
    drop((answers, session_alive));
    match answers_done.recv_timeout(CLOSE_TIMEOUT) {
        Err(RecvTimeoutError::Timeout) => link.abandon(),
        // The input's thread may hold the socket for long; the server need not wait for that.
        _ => drop(link.socket.shutdown(Shutdown::Write)),
    }
    ending
}

fn spawn(run: impl FnOnce() + Send + 'static) -> Result<(), JoinError> {
    thread::Builder::new().spawn(run).map(drop).map_err(JoinError::System)
}

/// What the input's thread is not to send itself.
enum Answer {
    Pong(Vec<u8>),
    Close(Option<CloseCode>),
}

/// The session as its three threads see it.
struct Link {
    socket: Socket,
    outbound: Mutex<Outbound>,
    /// Counts events, for whoever wants to know whether the server still sends.
    events: AtomicU64,
}

/// What goes to the server, and whether anything still may (section 5.5.1: nothing after a Close).
struct Outbound {
    sender: Sender<Socket>,
    closed: bool,
}

impl Link {
    fn new(socket: Socket, write_half: Socket) -> Self {
        let outbound = Mutex::new(Outbound { sender: Sender::new(write_half), closed: false });
        Self { socket, outbound, events: AtomicU64::new(0) }
    }

    fn outbound(&self) -> MutexGuard<'_, Outbound> {
        self.outbound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what `send` does unless the session is closing; an error shows on the reading side.
    fn send(&self, send: impl FnOnce(&mut Sender<Socket>) -> io::Result<()>) {
        let mut outbound = self.outbound();
        if !outbound.closed && send(&mut outbound.sender).is_err() {
            outbound.closed = true;
        }
    }

    fn close(&self, code: Option<CloseCode>) {
        let mut outbound = self.outbound();
        if !outbound.closed {
            outbound.closed = true;
            // A server that has gone needs no farewell.
            let _ = outbound.sender.close(code, "");
        }
    }

    /// Makes every read and write of the session return.
    fn abandon(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn carry_up(
        &self,
        mut input: impl Read,
        session_done: &mpsc::Receiver<()>,
        input_alive: mpsc::Sender<()>,
    ) {
        let mut buffer = vec![0; HEADER_LIMIT + READ_SIZE];
        loop {
            match input.read(&mut buffer[HEADER_LIMIT..]) {
                Ok(0) => break,
                Ok(n) => self.send(|sender| sender.send_in_place(&mut buffer[..HEADER_LIMIT + n])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        drop((input, input_alive));
        self.close(Some(CloseCode::NORMAL));
        self.watch(session_done);
    }

    /// Abandons a server that owes us a Close and sends nothing.
    fn watch(&self, session_done: &mpsc::Receiver<()>) {
        let mut seen = self.events.load(Ordering::Relaxed);
        while session_done.recv_timeout(CLOSE_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            let now = self.events.load(Ordering::Relaxed);
            if now == seen {
                return self.abandon();
            }
            seen = now;
        }
    }

    fn answer(&self, asked: &mpsc::Receiver<Answer>, alive: mpsc::Sender<()>) {
        for answer in asked {
            match answer {
                Answer::Pong(payload) => self.send(|sender| sender.send(Opcode::Pong, &payload)),
                Answer::Close(code) => self.close(code),
            }
        }
        drop(alive);
    }

    fn carry_down(
        &self,
        mut receiver: Receiver<Socket>,
        mut output: impl Write,
        answers: &mpsc::SyncSender<Answer>,
    ) -> Result<Ending, JoinError> {
        loop {
            let event = receiver.receive().map_err(|error| self.explain(error))?;
            self.events.fetch_add(1, Ordering::Relaxed);
            match event {
                Event::Data { payload, .. } => {
                    if let Err(error) = output.write_all(payload).and_then(|()| output.flush()) {
                        let _ = answers.try_send(Answer::Close(Some(CloseCode::GOING_AWAY)));
                        return Err(JoinError::Output(error));
                    }
                }
                // A full queue: the server pings faster than it reads, and need not have each answered.
                Event::Ping(payload) => drop(answers.try_send(Answer::Pong(payload.to_vec()))),
                Event::Pong(_) => {}
                Event::Close(body) => {
                    let (code, reason) = (body.code, body.reason.to_owned());
                    let _ = answers.try_send(Answer::Close(code));
                    return self.ending(code, reason);
                }
            }
        }
    }

    fn ending(&self, code: Option<CloseCode>, reason: String) -> Result<Ending, JoinError> {
        match code {
            None | Some(CloseCode::NORMAL | CloseCode::GOING_AWAY) => Ok(Ending::Server),
            Some(code) => Err(JoinError::Closed { code, reason }),
        }
    }

    fn explain(&self, error: ReceiveError) -> JoinError {
        match (error, self.outbound.try_lock()) {
            (ReceiveError::Lost, Ok(outbound)) if outbound.closed => JoinError::NoAnswer,
            (error, _) => JoinError::Receive(error),
        }
    }
}
