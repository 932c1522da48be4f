//! Sessions that say nothing.

use std::io::{self, Error};
use std::sync::atomic::Ordering;
use std::thread;

use crate::link::{Heard, Link};
use crate::load::Bench;
use crate::target::{ECHO, GREETING};
use crate::workload::{Figures, SETTLE};

/// Bytes that go each way through a session before it is quiet again, in pieces that fit into any socket's buffers.
const PIECE: usize = 20_000;
const PIECES: usize = 10;
/// Sessions at once that do so.
const GROUP: usize = 64;

/// Sessions past their handshake, kept open; `greeted` if the target speaks first, which is read.
pub(crate) fn open(bench: &Bench<'_>, count: usize, greeted: bool) -> io::Result<Vec<Link>> {
    let mut links = Vec::with_capacity(count);
    for _ in 0..count {
        let mut link = Link::open(bench.endpoint)?;
        let mut heard = link.early();
        while greeted && heard < GREETING.len() {
            let mut room = [0; 64];
            if link.read(&mut room, |piece| heard += piece.len())? != Heard::Data {
                return Err(Error::other("the server ended a session that was greeted"));
            }
        }
        links.push(link);
    }
    Ok(links)
}

/// What each of `count` idle sessions holds of the server's memory.
pub(crate) fn memory(bench: &Bench<'_>, count: usize, greeted: bool) -> io::Result<Figures> {
    bench.board.greets.store(greeted, Ordering::Relaxed);
    let figures = measured(bench, count, greeted);
    bench.board.greets.store(false, Ordering::Relaxed);
    figures
}

fn measured(bench: &Bench<'_>, count: usize, greeted: bool) -> io::Result<Figures> {
    // What a server makes once, it has after this.
    drop(open(bench, GROUP, greeted)?);
    thread::sleep(SETTLE);
    let empty = bench.meter.memory()?;
    let mut links = open(bench, count, greeted)?;
    thread::sleep(SETTLE);
    let idle = bench.meter.memory()?;
    for group in links.chunks_mut(GROUP) {
        talk(bench, group)?;
    }
    thread::sleep(SETTLE);
    let quiet = bench.meter.memory()?;
    let each = |memory: f64| (memory - empty) / count as f64;
    let growth = 100.0 * (each(quiet) / each(idle) - 1.0);
    Ok(vec![("KiB/session", each(idle)), ("KiB after", each(quiet)), ("growth %", growth)])
}

/// Moves bytes through all of `links`, which are quiet afterwards.
fn talk(bench: &Bench<'_>, links: &mut [Link]) -> io::Result<()> {
    let mut scratch = vec![0; PIECE];
    let message = bench.pattern.from(0)[..PIECE].to_vec();
    for link in links.iter_mut() {
        let order = link.framed(&[ECHO]);
        link.write_all(&order)?;
    }
    for _ in 0..PIECES {
        for link in links.iter_mut() {
            let frame = link.framed(&message);
            link.write_all(&frame)?;
        }
        for link in links.iter_mut() {
            let (mut back, mut right) = (0, true);
            while back < message.len() {
                let heard = link.read(&mut scratch, |piece| {
                    right &= message.get(back..back + piece.len()) == Some(piece);
                    back += piece.len();
                })?;
                if heard != Heard::Data {
                    return Err(Error::other("the server ended an idle session"));
                }
            }
            if !right {
                return Err(Error::other("an idle session was sent other bytes than it had sent"));
            }
        }
    }
    Ok(())
}
