//! Bytes in one direction, as many as go.

use std::io;
use std::sync::Arc;

use rustix::event::epoll::EventFlags;

use super::{ended, spoilt, Desk, Next, Task};
use crate::link::{Endpoint, Heard, Link};
use crate::pattern::LONGEST;
use crate::target::{DOWNLOAD, UPLOAD};

/// The target sends, the client compares.
#[derive(Default)]
pub(crate) struct Download {
    at: usize,
}

impl Task for Download {
    fn interest(&self) -> EventFlags {
        EventFlags::IN
    }

    fn begin(&mut self, endpoint: &Endpoint) -> io::Result<Link> {
        let mut link = Link::open(endpoint)?;
        let order = link.framed(&[DOWNLOAD]);
        link.write_all(&order)?;
        Ok(link)
    }

    fn turn(&mut self, link: &mut Link, desk: &mut Desk) -> io::Result<Next> {
        let (mut len, mut right) = (0, true);
        let heard = link.skim(&mut desk.scratch, |piece| {
            len += piece.len();
            right &= desk.pattern.check_piece(&mut self.at, piece);
        })?;
        desk.count_bytes(len);
        match heard {
            Heard::Data if right => Ok(Next::Wait),
            Heard::Data => Err(spoilt()),
            Heard::Close | Heard::End => Err(ended()),
        }
    }
}

/// The client sends one period of bytes over and over, the target compares and counts.
pub(crate) struct Upload {
    period: Arc<Vec<u8>>,
    at: usize,
}

impl Upload {
    /// `period` as it goes over the wire, frames and all.
    pub(crate) fn new(period: Arc<Vec<u8>>) -> Self {
        Self { period, at: 0 }
    }
}

impl Task for Upload {
    fn interest(&self) -> EventFlags {
        EventFlags::OUT
    }

    fn begin(&mut self, endpoint: &Endpoint) -> io::Result<Link> {
        let mut link = Link::open(endpoint)?;
        let order = link.framed(&[UPLOAD]);
        link.write_all(&order)?;
        Ok(link)
    }

    fn turn(&mut self, link: &mut Link, _desk: &mut Desk) -> io::Result<Next> {
        let rest = &self.period[self.at..];
        self.at += link.write(&rest[..rest.len().min(LONGEST)])?;
        self.at %= self.period.len();
        Ok(Next::Wait)
    }
}
