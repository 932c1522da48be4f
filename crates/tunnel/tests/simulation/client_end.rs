//! The client's socket, with the book of what each ping is owed.

use std::collections::VecDeque;

use websockify_protocol::subprotocol::Encoding;
use websockify_tunnel::{HangUp, Io, Msec, Stream};

use crate::listener::{Heard, Listener};
use crate::socket::Socket;
use crate::speech::Spoken;

/// As many pongs may be owed.
const MOST_OWED: usize = 16;
/// A ping and a Close of our own may stand among them.
const OUR_OWN: usize = 2;

pub(crate) struct ClientEnd {
    pub(crate) socket: Socket,
    pub(crate) spoken: Spoken,
    listener: Listener,
    /// Each ping that the pump has read and not answered, with the turn in which it did.
    owed: VecDeque<(u64, Vec<u8>)>,
    /// The first pong was offered: it cannot be given up any more.
    begun: bool,
    noted_pings: usize,
    /// The turn that is on, and the one that found why the session ends.
    pub(crate) turn: u64,
    pub(crate) ending_since: Option<u64>,
    pub(crate) payload: Vec<u8>,
    /// Bytes of data frames that left, of whole ones or not.
    pub(crate) data_sent: usize,
    /// The last frame that was offered is one of them.
    pub(crate) in_data: bool,
    pub(crate) close: Option<(Option<u16>, String)>,
    pub(crate) close_left: Msec,
    /// Our last frame left, and is kept back until the session ends.
    pub(crate) awaits_end: bool,
    /// When our last ping left.
    pub(crate) ping_left: Option<Msec>,
}

impl ClientEnd {
    pub(crate) fn new(socket: Socket, encoding: Encoding) -> Self {
        Self {
            socket,
            spoken: Spoken::default(),
            listener: Listener::new(encoding),
            owed: VecDeque::new(),
            begun: false,
            noted_pings: 0,
            turn: 0,
            ending_since: None,
            payload: Vec::new(),
            data_sent: 0,
            in_data: false,
            close: None,
            close_left: 0,
            awaits_end: false,
            ping_left: None,
        }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.listener.encoding()
    }

    pub(crate) fn owes_pongs(&self) -> bool {
        !self.owed.is_empty()
    }

    pub(crate) fn is_between_frames(&self) -> bool {
        self.listener.is_between_frames()
    }

    fn note_pings(&mut self) {
        while let Some((end, body)) = self.spoken.pings.get(self.noted_pings) {
            if *end > self.socket.read {
                break;
            }
            self.owed.push_back((self.turn, body.clone()));
            self.noted_pings += 1;
            // Behind a Close nothing is queued, and nothing is given up for it.
            if self.ending_since.is_none() && self.owed.len() > MOST_OWED + usize::from(self.begun) {
                self.owed.remove(usize::from(self.begun));
            }
        }
    }

    /// A frame is offered: an owed pong may be passed over only if too many are owed.
    fn note_offer(&mut self, bytes: &[u8]) {
        match bytes[0] {
            0x8A if !self.begun => {
                while self.owed.front().is_some_and(|(_, body)| *body != bytes[2..]) {
                    assert!(self.owed.len() > MOST_OWED - OUR_OWN, "a pong is passed over");
                    self.owed.pop_front();
                }
                assert!(self.owed.front().is_some(), "a pong nobody asked for, or one that is too late");
                self.begun = true;
            }
            0x88 => {
                let since = self.ending_since.unwrap_or(self.turn);
                let late = self.owed.iter().filter(|(turn, _)| *turn < since).count();
                assert!(late == 0 || self.owed.len() > MOST_OWED - OUR_OWN, "a Close before the pongs");
            }
            _ => {}
        }
    }

    fn note(&mut self, heard: Heard) {
        match heard {
            Heard::Data(bytes) => self.payload.extend(bytes),
            Heard::Ping(_) => self.ping_left = Some(self.socket.now),
            Heard::Pong(body) => {
                let owed = self.owed.pop_front().map(|(_, owed)| owed);
                assert_eq!(owed, Some(body), "another pong than the one that is owed");
                self.begun = false;
            }
            Heard::Close(code, reason) => {
                self.close = Some((code, reason));
                self.close_left = self.socket.now;
            }
        }
    }
}

impl Stream for ClientEnd {
    fn is_readable(&self) -> bool {
        self.socket.is_readable()
    }

    fn is_writable(&self) -> bool {
        self.socket.is_writable()
    }

    fn recv(&mut self, room: &mut [u8]) -> Io {
        let received = self.socket.recv(room);
        self.note_pings();
        received
    }

    fn send(&mut self, bytes: &[u8]) -> Io {
        if self.listener.is_between_frames() {
            self.in_data = bytes[0] & 8 == 0;
            self.note_offer(bytes);
        }
        let sent = self.socket.send(bytes);
        if let Io::Done(len) = sent {
            self.data_sent += if self.in_data { len } else { 0 };
            self.listener.hear(&bytes[..len]);
            while let Some(heard) = self.listener.next() {
                self.note(heard);
            }
        }
        sent
    }

    fn send_last(&mut self, bytes: &[u8]) -> Io {
        let sent = self.send(bytes);
        self.awaits_end = sent == Io::Done(bytes.len());
        sent
    }

    fn has_more(&mut self) -> bool {
        self.socket.has_more()
    }

    fn unacknowledged(&mut self) -> usize {
        self.socket.unacknowledged()
    }

    fn hang_up(&mut self) -> Option<HangUp> {
        self.socket.hang_up()
    }
}
