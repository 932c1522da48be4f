//! One message at a time, there and back.

use std::io;
use std::time::Instant;

use rustix::event::epoll::EventFlags;

use super::{ended, spoilt, Desk, Next, Task};
use crate::link::{Endpoint, Heard, Link};
use crate::target::ECHO;

pub(crate) struct Echo {
    payload: Vec<u8>,
    message: Vec<u8>,
    /// How much of the message has come back.
    back: usize,
    since: Instant,
}

impl Echo {
    pub(crate) fn new(payload: Vec<u8>) -> Self {
        Self { payload, message: Vec::new(), back: 0, since: Instant::now() }
    }
}

impl Task for Echo {
    fn interest(&self) -> EventFlags {
        EventFlags::IN
    }

    fn begin(&mut self, endpoint: &Endpoint) -> io::Result<Link> {
        let mut link = Link::open(endpoint)?;
        self.message = link.framed(&self.payload);
        let order = [link.framed(&[ECHO]), self.message.clone()].concat();
        link.write_all(&order)?;
        self.since = Instant::now();
        Ok(link)
    }

    fn turn(&mut self, link: &mut Link, desk: &mut Desk) -> io::Result<Next> {
        let (payload, back, mut right) = (&self.payload, &mut self.back, true);
        let heard = link.read(&mut desk.scratch, |piece| {
            right &= payload.get(*back..*back + piece.len()) == Some(piece);
            *back += piece.len();
        })?;
        match heard {
            Heard::Data if right => {}
            Heard::Data => return Err(spoilt()),
            Heard::Close | Heard::End => return Err(ended()),
        }
        if self.back == self.payload.len() {
            desk.count_message(self.since);
            self.back = 0;
            self.since = Instant::now();
            // A message is shorter than any socket's buffer.
            link.write_all(&self.message)?;
        }
        Ok(Next::Wait)
    }
}
