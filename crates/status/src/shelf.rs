//! The sessions of this process: where each has its record, and what this process knows it by.

use crate::chunk::{Chunk, Record, RECORDS};
use crate::order::Reason;
use crate::table::Slot;

/// Where a session has its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    chunk: u32,
    record: u32,
}

/// The records that a process has, and a `T` for each session in them.
pub struct Shelf<'t, T> {
    boards: Vec<Board<'t, T>>,
    /// Where there was room last.
    hint: usize,
}

struct Board<'t, T> {
    /// None between uses.
    chunk: Option<Chunk<'t>>,
    sessions: [Option<T>; RECORDS],
}

impl<T> Board<'_, T> {
    fn free(&self) -> Option<usize> {
        self.chunk?;
        self.sessions.iter().position(Option::is_none)
    }
}

impl<T> Default for Shelf<'_, T> {
    fn default() -> Self {
        Self { boards: Vec::new(), hint: 0 }
    }
}

impl<'t, T: Copy> Shelf<'t, T> {
    /// Lists a session; `None` where there is no room for another one.
    pub fn put(&mut self, slot: Slot<'t>, record: &Record<'_>, session: T) -> Option<Place> {
        let (chunk, at) = self.room(slot)?;
        let board = &mut self.boards[chunk];
        board.sessions[at] = Some(session);
        board.chunk?.begin(at, record);
        Some(Place { chunk: u32::try_from(chunk).ok()?, record: u32::try_from(at).ok()? })
    }

    fn room(&mut self, slot: Slot<'t>) -> Option<(usize, usize)> {
        let hinted = self.boards.get(self.hint).and_then(Board::free).map(|at| (self.hint, at));
        if hinted.is_some() {
            return hinted;
        }
        let found = self.boards.iter().enumerate().find_map(|(index, board)| Some((index, board.free()?)));
        let found = found.or_else(|| Some((self.another(slot)?, 0)));
        self.hint = found.map_or(0, |(index, _)| index);
        found
    }

    fn another(&mut self, slot: Slot<'t>) -> Option<usize> {
        let unused = self.boards.iter().position(|board| board.chunk.is_none());
        if unused.is_none() {
            self.boards.try_reserve(1).ok()?;
        }
        let chunk = Some(Chunk::take(slot.table, slot.index)?);
        Some(match unused {
            Some(index) => {
                self.boards[index].chunk = chunk;
                index
            }
            None => {
                self.boards.push(Board { chunk, sessions: [None; RECORDS] });
                self.boards.len() - 1
            }
        })
    }

    /// Takes a session off the list.
    pub fn take(&mut self, place: Place) {
        let Some((chunk, at)) = self.find(place) else { return };
        chunk.end(at);
        let board = &mut self.boards[place.chunk as usize];
        board.sessions[at] = None;
        if board.sessions.iter().all(Option::is_none) {
            board.chunk = None;
            chunk.clear();
        }
    }

    /// Notes what a session has moved in all, and when it moved something last.
    pub fn update(&self, place: Place, bytes_received: u64, bytes_sent: u64, payload_at: u64) {
        if let Some((chunk, at)) = self.find(place) {
            chunk.update(at, bytes_received, bytes_sent, payload_at);
        }
    }

    /// Notes how long a session's last ping took, in milliseconds.
    pub fn set_round_trip(&self, place: Place, time: u64) {
        if let Some((chunk, at)) = self.find(place) {
            chunk.set_round_trip(at, time);
        }
    }

    fn find(&self, place: Place) -> Option<(Chunk<'t>, usize)> {
        Some((self.boards.get(place.chunk as usize)?.chunk?, place.record as usize))
    }

    /// Takes the next session that was ordered to end, and the reason. `from` says where to begin, at first 0, and is
    /// moved on.
    pub fn take_ordered(&self, slot: Slot<'t>, from: &mut usize) -> Option<(T, Reason)> {
        while let Some(board) = self.boards.get(*from / RECORDS) {
            let at = *from % RECORDS;
            *from += 1;
            let (Some(chunk), Some(session)) = (board.chunk, board.sessions[at]) else { continue };
            if let Some(mark) = chunk.take_order(at) {
                return Some((session, slot.table.reason(mark)));
            }
        }
        None
    }
}
