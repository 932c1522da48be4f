//! The target behind every server: the first byte of a connection tells what it is to do.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;

use rustix::event::epoll::EventFlags;

use crate::pattern::{Pattern, LONGEST};
use crate::poll::Poll;
use crate::skim::Skimmer;

/// Orders of a client, its first byte.
pub(crate) const DOWNLOAD: u8 = b'D';
pub(crate) const UPLOAD: u8 = b'U';
pub(crate) const ECHO: u8 = b'E';

/// What a target says that speaks first: the length of what VNC's does.
pub(crate) const GREETING: &[u8] = b"RFB 003.008\n";

/// What the target tells, and is told.
#[derive(Default)]
pub(crate) struct Board {
    /// Bytes that were uploaded.
    pub(crate) received: AtomicU64,
    /// Somebody's upload was not what it should be.
    pub(crate) spoilt: AtomicBool,
    /// New connections are greeted.
    pub(crate) greets: AtomicBool,
}

/// Starts a target; it lives as long as the process.
pub(crate) fn start(pattern: Arc<Pattern>) -> io::Result<(SocketAddr, Arc<Board>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    // The standard library's backlog is too short for sessions that all begin at once.
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let board = Arc::new(Board::default());
    let shown = Arc::clone(&board);
    thread::Builder::new().name("target".into()).spawn(move || {
        if let Err(error) = Target::new(listener, pattern, board).and_then(Target::serve) {
            eprintln!("bench: target: {error}");
            std::process::exit(1);
        }
    })?;
    Ok((address, shown))
}

struct Target {
    poll: Poll,
    listener: TcpListener,
    connections: HashMap<u64, Connection>,
    next: u64,
    scratch: Vec<u8>,
    pattern: Arc<Pattern>,
    board: Arc<Board>,
}

struct Connection {
    stream: TcpStream,
    role: Role,
}

enum Role {
    Unknown,
    Source {
        at: usize,
    },
    Sink {
        at: usize,
        skimmer: Skimmer,
    },
    /// What could not be sent back yet.
    Echo {
        kept: Vec<u8>,
    },
}

const LISTENER: u64 = 0;

impl Target {
    fn new(listener: TcpListener, pattern: Arc<Pattern>, board: Arc<Board>) -> io::Result<Self> {
        let poll = Poll::new()?;
        Ok(Self {
            poll,
            listener,
            connections: HashMap::new(),
            next: 1,
            scratch: vec![0; LONGEST],
            pattern,
            board,
        })
    }

    fn serve(mut self) -> io::Result<()> {
        self.poll.add(self.listener.as_fd(), LISTENER, EventFlags::IN)?;
        loop {
            for key in self.poll.wait(None)? {
                if key == LISTENER {
                    self.accept()?;
                } else if !self.turn(key) {
                    self.connections.remove(&key);
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            if self.board.greets.load(Ordering::Relaxed) {
                stream.write_all(GREETING)?;
            }
            self.poll.add(stream.as_fd(), self.next, EventFlags::IN)?;
            self.connections.insert(self.next, Connection { stream, role: Role::Unknown });
            self.next += 1;
        }
    }

    /// One event of a connection. `false` when it is over, however it ended.
    fn turn(&mut self, key: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&key) else { return true };
        let turn = match &mut connection.role {
            Role::Unknown => {
                let mut order = [0];
                match connection.stream.read(&mut order) {
                    Ok(0) => Ok(false),
                    Ok(_) => begin(connection, key, order[0], &self.poll),
                    Err(error) => Err(error),
                }
            }
            Role::Source { at } => connection.stream.write(self.pattern.from(*at)).map(|len| {
                *at += len;
                true
            }),
            Role::Sink { at, skimmer } => {
                let (mut received, mut right) = (0, true);
                let turn = skimmer.receive(&mut connection.stream, &mut self.scratch, |piece| {
                    received += piece.len();
                    right &= self.pattern.check_piece(at, piece);
                    usize::MAX
                });
                self.board.received.fetch_add(received as u64, Ordering::Relaxed);
                self.board.spoilt.fetch_or(!right, Ordering::Relaxed);
                turn
            }
            Role::Echo { kept } => echo(&mut connection.stream, kept, &mut self.scratch, key, &self.poll),
        };
        turn.unwrap_or_else(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

fn begin(connection: &mut Connection, key: u64, order: u8, poll: &Poll) -> io::Result<bool> {
    connection.role = match order {
        DOWNLOAD => {
            poll.change(connection.stream.as_fd(), key, EventFlags::OUT)?;
            Role::Source { at: 0 }
        }
        UPLOAD => Role::Sink { at: 0, skimmer: Skimmer::default() },
        ECHO => Role::Echo { kept: Vec::new() },
        _ => return Ok(false),
    };
    Ok(true)
}

fn echo(
    stream: &mut TcpStream,
    kept: &mut Vec<u8>,
    scratch: &mut [u8],
    key: u64,
    poll: &Poll,
) -> io::Result<bool> {
    if !kept.is_empty() {
        let len = stream.write(kept)?;
        kept.drain(..len);
        if kept.is_empty() {
            poll.change(stream.as_fd(), key, EventFlags::IN)?;
        }
        return Ok(true);
    }
    let len = stream.read(scratch)?;
    if len == 0 {
        return Ok(false);
    }
    let sent = match stream.write(&scratch[..len]) {
        Ok(sent) => sent,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    if sent < len {
        kept.extend_from_slice(&scratch[sent..len]);
        poll.change(stream.as_fd(), key, EventFlags::OUT)?;
    }
    Ok(true)
}
