//! Whole sessions, one after the other: handshake, one message there and back, goodbye, the end.

use std::io;
use std::time::Instant;

use rustix::event::epoll::EventFlags;

use super::{spoilt, Desk, Next, Task};
use crate::link::{Endpoint, Head, Heard, Link, REQUEST};
use crate::target::ECHO;

pub(crate) struct Churn {
    payload: Vec<u8>,
    stage: Stage,
    since: Instant,
}

enum Stage {
    Handshake(Head),
    Message { back: usize },
    Goodbye,
}

impl Churn {
    pub(crate) fn new(payload: Vec<u8>) -> Self {
        Self { payload, stage: Stage::Goodbye, since: Instant::now() }
    }

    fn send_message(&mut self, link: &mut Link) -> io::Result<Next> {
        let message = link.framed(&[&[ECHO], &self.payload[..]].concat());
        self.stage = Stage::Message { back: 0 };
        link.write_all(&message)?;
        Ok(Next::Wait)
    }
}

impl Task for Churn {
    fn interest(&self) -> EventFlags {
        EventFlags::IN
    }

    fn begin(&mut self, endpoint: &Endpoint) -> io::Result<Link> {
        self.since = Instant::now();
        let mut link = Link::connect(endpoint)?;
        if link.is_websocket() {
            link.write_all(REQUEST)?;
            self.stage = Stage::Handshake(Head::default());
        } else {
            self.send_message(&mut link)?;
        }
        Ok(link)
    }

    fn turn(&mut self, link: &mut Link, desk: &mut Desk) -> io::Result<Next> {
        match &mut self.stage {
            Stage::Handshake(head) => {
                if head.read(link)? {
                    return self.send_message(link);
                }
            }
            Stage::Message { back } => {
                let (payload, mut right) = (&self.payload, true);
                let heard = link.read(&mut desk.scratch, |piece| {
                    right &= payload.get(*back..*back + piece.len()) == Some(piece);
                    *back += piece.len();
                })?;
                if !right || heard != Heard::Data {
                    return Err(spoilt());
                }
                if *back == payload.len() {
                    self.stage = Stage::Goodbye;
                    link.say_goodbye()?;
                }
            }
            Stage::Goodbye => {
                // A server's Close is followed by its end.
                if link.read(&mut desk.scratch, |_| {})? == Heard::End {
                    desk.count_message(self.since);
                    desk.count_session();
                    return Ok(Next::Again);
                }
            }
        }
        Ok(Next::Wait)
    }
}
