//! How long transfers are received: the kernel drops most of the bytes instead of copying them, so that load and target
//! need less of their core than a server of its own. What is looked at lies at known places of the stream; a byte that
//! is lost or doubled shifts all that follow it.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;

use rustix::net::{recv, RecvFlags};

use crate::pattern::{Piece, PERIOD};

/// The first bytes of a connection are all looked at.
const ALL: usize = PERIOD;

/// From then on so many are, in front of so many that are not.
const SEEN: usize = 2 << 10;
const UNSEEN: usize = 62 << 10;

/// Calls in one turn.
const CALLS: usize = 8;

/// Where a transfer stands.
#[derive(Default)]
pub(crate) struct Skimmer {
    received: usize,
}

impl Skimmer {
    /// Receives what is there, for a turn. Each piece goes to `next`, which answers how many of the bytes behind it may
    /// be dropped. `false` at the end of the stream.
    pub(crate) fn receive(
        &mut self,
        stream: &mut TcpStream,
        scratch: &mut [u8],
        mut next: impl FnMut(Piece<'_>) -> usize,
    ) -> io::Result<bool> {
        let mut unseen = 0;
        for _ in 0..CALLS {
            let (room, received) = if unseen == 0 {
                let room = if self.received < ALL { scratch.len() } else { SEEN };
                (room, stream.read(&mut scratch[..room]))
            } else {
                let room = unseen.min(UNSEEN);
                let dropped = recv(&*stream, &mut scratch[..room], RecvFlags::TRUNC);
                (room, dropped.map(|(_, len)| len).map_err(io::Error::from))
            };
            let len = match received {
                Ok(0) => return Ok(false),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            self.received += len;
            let may_drop = next(if unseen == 0 { Piece::Seen(&scratch[..len]) } else { Piece::Unseen(len) });
            if len < room {
                break;
            }
            unseen = if unseen == 0 && self.received >= ALL { may_drop } else { 0 };
        }
        Ok(true)
    }
}
