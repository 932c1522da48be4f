//! Where the table of a token file lives: a file in memory that the master makes and its workers inherit.
//!
//! Each generation of the table is written behind the one before, and published by one store in the head, so that who
//! dies while writing has changed nothing. A worker holds a record lock on the generation that it reads, and the one
//! that writes gives back to the system what is older than the oldest of these. The kernel drops the locks of a process
//! that ends, however it ends.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::sync::Arc;

/// What is mapped begins at a multiple of this: the largest page that a machine of ours may have. What of it is not used
/// takes no memory.
const PAGE_SIZE: usize = 64 * 1024;
const PAGE: u64 = PAGE_SIZE as u64;

/// The byte that the keeper has locked: the worker that looks after the file and writes the table.
const KEEPER: u64 = 0;

/// The file's first page, which all processes see.
#[repr(C)]
struct Head {
    /// The number of the table in use, from 1.
    generation: AtomicU64,
    /// Where the tables of even and of odd numbers are.
    places: [[AtomicU64; 2]; 2],
    /// The state of the token file that was read last.
    seen: AtomicU64,
}

/// Memory for the tables of one token file.
pub(super) struct Memory {
    file: File,
    head: NonNull<Head>,
}

// SAFETY: the head is only used through its atomics, and lives as long as the value.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

/// A table as it was published, for as long as this lives.
pub(super) struct Generation {
    memory: Arc<Memory>,
    place: Place,
    bytes: NonNull<u8>,
    pinned: bool,
}

// SAFETY: nobody writes to what is published.
unsafe impl Send for Generation {}
// SAFETY: as above.
unsafe impl Sync for Generation {}

/// Where a table is in the file.
#[derive(Clone, Copy)]
struct Place {
    number: u64,
    start: u64,
    len: u64,
}

impl Memory {
    /// Memory without a table in it.
    pub(super) fn new() -> io::Result<Self> {
        let file = create()?;
        file.set_len(PAGE)?;
        // SAFETY: the file has this page; all zero is a valid head.
        let head = unsafe { map(&file, libc::PROT_READ | libc::PROT_WRITE, 0, PAGE)?.cast::<Head>() };
        Ok(Self { file, head })
    }

    fn head(&self) -> &Head {
        // SAFETY: mapped by `new`, and unmapped only with the value.
        unsafe { self.head.as_ref() }
    }

    /// The state of the token file that was read last, well or not.
    pub(super) fn seen(&self) -> u64 {
        self.head().seen.load(Acquire)
    }

    pub(super) fn set_seen(&self, state: u64) {
        self.head().seen.store(state, Release);
    }

    /// The number of the table in use; 0 if there is none.
    pub(super) fn generation(&self) -> u64 {
        self.head().generation.load(Acquire)
    }

    fn place(&self) -> Place {
        let number = self.generation();
        let [start, len] = &self.head().places[usize::from(number % 2 == 1)];
        Place { number, start: start.load(Acquire), len: len.load(Acquire) }
    }

    /// Puts a table in place of the one in use. For the keeper, or while there are no workers.
    pub(super) fn publish(&self, table: &[u8]) -> io::Result<()> {
        let now = self.place();
        let start = (now.start + now.len).next_multiple_of(PAGE).max(PAGE);
        self.file.write_all_at(table, start)?;
        let next = now.number + 1;
        let [next_start, next_len] = &self.head().places[usize::from(next % 2 == 1)];
        next_start.store(start, Release);
        next_len.store(table.len() as u64, Release);
        self.head().generation.store(next, Release);
        Ok(())
    }

    /// The table in use, for reading while there are no workers.
    pub(super) fn current(self: &Arc<Self>) -> io::Result<Generation> {
        self.open(self.place(), false)
    }

    /// The table in use, which then stays, for a worker. A process may have each number only once.
    pub(super) fn pin(self: &Arc<Self>) -> io::Result<Generation> {
        loop {
            let place = self.place();
            if place.len == 0 {
                return Err(io::Error::other("no table"));
            }
            self.lock(libc::F_RDLCK, place.start, place.len)?;
            // Now it stays, if it was not too late.
            if self.generation() == place.number {
                return self.open(place, true);
            }
            self.lock(libc::F_UNLCK, place.start, place.len)?;
        }
    }

    fn open(self: &Arc<Self>, place: Place, pinned: bool) -> io::Result<Generation> {
        let there = self.file.metadata()?.len();
        if place.len == 0 || place.start.checked_add(place.len).is_none_or(|end| end > there) {
            return Err(io::Error::other("no table"));
        }
        // SAFETY: the file has these bytes, and is never made shorter.
        let bytes = unsafe { map(&self.file, libc::PROT_READ, place.start, place.len)? };
        Ok(Generation { memory: Arc::clone(self), place, bytes, pinned })
    }

    /// Makes this worker the keeper, if there is no other.
    pub(super) fn keep(&self) -> bool {
        self.lock(libc::F_WRLCK, KEEPER, 1).is_ok()
    }

    /// Lets another worker be the keeper.
    pub(super) fn let_go(&self) {
        _ = self.lock(libc::F_UNLCK, KEEPER, 1);
    }

    /// Gives back the memory of tables in front of `end` that no other process reads. For the keeper. Returns up to
    /// where they are gone.
    pub(super) fn give_back(&self, end: u64) -> u64 {
        let mut end = end.min(self.place().start);
        while end > PAGE {
            match self.first_lock(PAGE, end) {
                Some(locked) => end = locked.min(end - 1),
                None => break,
            }
        }
        if end > PAGE {
            let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
            let (start, len) = (PAGE as libc::off_t, (end - PAGE) as libc::off_t);
            // SAFETY: no pointer of this process's goes there: the caller says what it reads itself.
            unsafe { libc::fallocate(self.file.as_raw_fd(), mode, start, len) };
        }
        end
    }

    /// Where another process's lock between two places begins, if there is one.
    fn first_lock(&self, start: u64, end: u64) -> Option<u64> {
        let mut lock = record(libc::F_WRLCK, start, end - start);
        // SAFETY: the structure is as fcntl() wants it.
        let asked = unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_GETLK, &mut lock) };
        if asked == -1 {
            return Some(start);
        }
        (libc::c_int::from(lock.l_type) != libc::F_UNLCK).then(|| lock.l_start.unsigned_abs())
    }

    fn lock(&self, kind: libc::c_int, start: u64, len: u64) -> io::Result<()> {
        let lock = record(kind, start, len);
        // SAFETY: the structure is as fcntl() wants it.
        match unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_SETLK, &lock) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nobody has a reference to the head any more.
        unsafe { libc::munmap(self.head.as_ptr().cast(), PAGE_SIZE) };
    }
}

impl Generation {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped by `open`; the pin keeps it from being given back, as does the lack of a keeper where there is
        // no pin.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr(), self.len()) }
    }

    pub(super) fn number(&self) -> u64 {
        self.place.number
    }

    pub(super) fn start(&self) -> u64 {
        self.place.start
    }

    #[allow(clippy::cast_possible_truncation, reason = "it has been mapped")]
    fn len(&self) -> usize {
        self.place.len as usize
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        // SAFETY: mapped by `open`, and nobody has a reference to the bytes any more.
        unsafe { libc::munmap(self.bytes.as_ptr().cast(), self.len()) };
        if self.pinned {
            _ = self.memory.lock(libc::F_UNLCK, self.place.start, self.place.len);
        }
    }
}

fn create() -> io::Result<File> {
    let name = c"websockify tokens".as_ptr();
    // SAFETY: the name is a string, and a new descriptor is nobody else's.
    unsafe {
        // Kernels before 6.3 do not know the second flag.
        let mut fd = libc::memfd_create(name, libc::MFD_CLOEXEC | libc::MFD_NOEXEC_SEAL);
        if fd == -1 {
            fd = libc::memfd_create(name, libc::MFD_CLOEXEC);
        }
        match fd {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(File::from_raw_fd(fd)),
        }
    }
}

/// # Safety
///
/// What is mapped must be there, and stay.
unsafe fn map(file: &File, rights: libc::c_int, start: u64, len: u64) -> io::Result<NonNull<u8>> {
    let len = usize::try_from(len).map_err(io::Error::other)?;
    // SAFETY: a new mapping is in nobody's way.
    let place = unsafe {
        libc::mmap(ptr::null_mut(), len, rights, libc::MAP_SHARED, file.as_raw_fd(), start as libc::off_t)
    };
    if place == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(place.cast()).ok_or_else(|| io::Error::other("mapped at 0"))
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "libc has these constants in a wider type than the structure"
)]
fn record(kind: libc::c_int, start: u64, len: u64) -> libc::flock {
    // SAFETY: all zero is a valid structure.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = start as libc::off_t;
    lock.l_len = len as libc::off_t;
    lock
}
