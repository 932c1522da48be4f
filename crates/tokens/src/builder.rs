//! From the text of token files to a table.

use crate::address::{Target, WRITTEN_LIMIT};
use crate::line::{check_token, Fault, Line};
use crate::siphash::{hash, Key};
use crate::table::{entry_at, first_slot, tag_of, write_head, ENTRY_HEAD, HEAD, SLOT};

/// How many tokens a table takes, given again or not.
const TOKENS_LIMIT: usize = 4 << 20;

/// A line of one of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's number, in the order in which they were added.
    pub file: u32,
    /// The line's number, from 1; 0 for a token that is no line.
    pub line: u32,
}

/// A line that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its number, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub fault: Fault,
}

/// A token that is given more than once: the last one counts, as with websockify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Where it was given before.
    pub before: Place,
    /// Where it is given again.
    pub again: Place,
    /// How many tokens are given again.
    pub count: usize,
}

/// What was built.
pub struct Built {
    /// The table's bytes.
    pub bytes: Vec<u8>,
    /// How many different tokens there are.
    pub tokens: usize,
    /// The first token that is given more than once, if any is.
    pub duplicate: Option<Duplicate>,
}

/// Collects tokens.
pub struct Builder {
    key: Key,
    /// As in a table, from 0 on.
    entries: Vec<u8>,
    notes: Vec<Note>,
    files: u32,
}

/// An entry's place in `entries`, and where it was read.
struct Note {
    at: u32,
    place: Place,
}

impl Builder {
    /// A builder of a table whose hashes are made with `key`.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self { key, entries: Vec::new(), notes: Vec::new(), files: 0 }
    }

    /// Adds the lines of a file. One that is named, as files in a directory are, may also be the target of the token
    /// that is its `name`: then that is all it holds (websockify's `TokenFileName`).
    ///
    /// # Errors
    ///
    /// The first line that is none.
    pub fn add_file(&mut self, text: &[u8], name: Option<&[u8]>) -> Result<(), Broken> {
        let file = self.next_file();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if let Some(target) = name.and_then(|_| only_target(text)) {
            let added = self.add(Place { file, line: 0 }, name.unwrap_or_default(), target);
            return added.map_err(|fault| Broken { line: 1, fault });
        }
        let mut number = 0_u32;
        for line in text.split(|&byte| byte == b'\n') {
            number = number.saturating_add(1);
            let added = Line::parse(line).and_then(|line| match line {
                Line::Nothing => Ok(()),
                Line::Entry(token, target) => self.add(Place { file, line: number }, token, target),
            });
            added.map_err(|fault| Broken { line: number, fault })?;
        }
        Ok(())
    }

    /// Adds a socket, whose token is its `name`.
    ///
    /// # Errors
    ///
    /// What cannot be in a table about the name or the path.
    pub fn add_socket(&mut self, name: &[u8], path: &[u8]) -> Result<(), Fault> {
        let file = self.next_file();
        let text = [b"unix:", path].concat();
        let target = Target::parse(&text)?;
        if name.iter().any(u8::is_ascii_control) {
            return Err(Fault::ControlCharacter);
        }
        self.add(Place { file, line: 0 }, check_token(name)?, target)
    }

    fn next_file(&mut self) -> u32 {
        self.files += 1;
        self.files - 1
    }

    fn add(&mut self, place: Place, token: &[u8], target: Target<'_>) -> Result<(), Fault> {
        let at = u32::try_from(self.entries.len()).ok().filter(|_| self.notes.len() < TOKENS_LIMIT);
        let at = at.ok_or(Fault::TooMany)?;
        self.notes.try_reserve(1).map_err(|_| Fault::NoMemory)?;
        let most = ENTRY_HEAD + token.len() + WRITTEN_LIMIT;
        self.entries.try_reserve(most).map_err(|_| Fault::NoMemory)?;
        self.notes.push(Note { at, place });
        let head = self.entries.len();
        self.entries.extend_from_slice(&[0; ENTRY_HEAD]);
        self.entries.extend_from_slice(token);
        target.write_to(&mut self.entries);
        let len = self.entries.len() - head - ENTRY_HEAD - token.len();
        let (token, len) = (u16::try_from(token.len()), u16::try_from(len));
        self.entries[head..head + 2].copy_from_slice(&token.map_err(|_| Fault::LongToken)?.to_le_bytes());
        self.entries[head + 2..head + 4].copy_from_slice(&len.map_err(|_| Fault::Host)?.to_le_bytes());
        Ok(())
    }

    /// Makes the table. `None` when memory is out.
    #[must_use]
    pub fn finish(self) -> Option<Built> {
        let slots = (self.notes.len() * 4 / 3 + 1).next_power_of_two();
        let behind = HEAD + slots * SLOT;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(behind + self.entries.len()).ok()?;
        bytes.resize(behind, 0);
        bytes.extend_from_slice(&self.entries);
        drop(self.entries);
        let mut owners = Vec::new();
        owners.try_reserve_exact(slots).ok()?;
        owners.resize(slots, 0);

        let mut index = Index { key: self.key, behind, owners, notes: &self.notes, bytes };
        let (mut tokens, mut first, mut repeated) = (0, None, 0);
        for number in 0..self.notes.len() {
            match index.insert(number) {
                None => tokens += 1,
                Some(before) => {
                    repeated += 1;
                    first.get_or_insert((before, self.notes[number].place));
                }
            }
        }
        write_head(&mut index.bytes, self.key, slots, tokens);
        let duplicate = first.map(|(before, again)| Duplicate { before, again, count: repeated });
        Some(Built { bytes: index.bytes, tokens, duplicate })
    }
}

/// A table that is being filled.
struct Index<'n> {
    key: Key,
    /// Where the entries begin.
    behind: usize,
    /// Which note each slot holds, counted from 1.
    owners: Vec<u32>,
    notes: &'n [Note],
    bytes: Vec<u8>,
}

impl Index<'_> {
    /// Puts a note's token into a slot; returns where it was read before, if it was.
    #[allow(clippy::cast_possible_truncation, reason = "the limit on tokens keeps places within 32 bits")]
    fn insert(&mut self, number: usize) -> Option<Place> {
        let place = self.behind + self.notes[number].at as usize;
        let (token, _) = entry_at(&self.bytes, place)?;
        let hash = hash(self.key, token);
        let (at, before) = self.slot_for(hash, token);
        self.owners[at] = number as u32 + 1;
        let slot = u64::from(tag_of(hash)) << 32 | place as u64;
        self.bytes[HEAD + at * SLOT..][..SLOT].copy_from_slice(&slot.to_le_bytes());
        before
    }

    /// The slot that has this token, or the one that is to have it.
    fn slot_for(&self, hash: u64, token: &[u8]) -> (usize, Option<Place>) {
        let mask = self.owners.len() - 1;
        let mut at = first_slot(hash) & mask;
        while let Some(owner) = (self.owners[at] as usize).checked_sub(1) {
            let note = &self.notes[owner];
            if self.bytes[HEAD + at * SLOT + 4..][..4] == tag_of(hash).to_le_bytes()
                && entry_at(&self.bytes, self.behind + note.at as usize).is_some_and(|(it, _)| it == token)
            {
                return (at, Some(note.place));
            }
            at = (at + 1) & mask;
        }
        (at, None)
    }
}

/// The target that a file is which holds nothing else.
fn only_target(text: &[u8]) -> Option<Target<'_>> {
    let mut lines = text
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let only = lines.next().filter(|_| lines.next().is_none())?;
    (Line::parse(only) == Err(Fault::Separator)).then(|| Target::parse(only).ok()).flatten()
}
