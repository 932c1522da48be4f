//! A token file, a directory of them, or one of sockets, as the file system has it. No nginx here: it is read on a
//! thread of its own.

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::{self, File, Metadata, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use websockify_tokens::{Builder, Built, Fault, Key, Place};

/// How much text there may be in all, in bytes: more than a million tokens.
const LIMIT: u64 = 128 << 20;

/// For how long a file's time may not tell two changes from each other.
const COARSE: Duration = Duration::from_secs(2);

/// What a token file has come to.
pub(super) struct Loaded {
    pub(super) table: Vec<u8>,
    pub(super) tokens: usize,
    /// What is unwise in it, each a line for the log.
    pub(super) remarks: Vec<String>,
}

/// Why there is nothing new of a file: a line for the log.
pub(super) struct Failure {
    pub(super) reason: String,
    /// It may pass, and the file stay as it is: who comes again may be luckier.
    pub(super) may_pass: bool,
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self { reason, may_pass: false }
    }
}

/// What the file system says of `path` now: another number whenever something has changed.
pub(super) fn state(path: &Path) -> u64 {
    // 0 is what nobody has seen.
    look(path)
        .map_or_else(|error| u64::from(error.raw_os_error().unwrap_or(0).unsigned_abs()), |it| it.0)
        .max(1)
}

/// As [`state`], or 0 if something has changed so lately that a second change could look like the first.
pub(super) fn settled_state(path: &Path) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match look(path) {
        Ok((state, changed)) if changed + COARSE < now => state.max(1),
        _ => 0,
    }
}

/// The state, and when something has last changed.
fn look(path: &Path) -> io::Result<(u64, Duration)> {
    let whole = fs::metadata(path)?;
    let (mut state, mut changed) = (state_of(OsStr::new(""), &whole), changed_at(&whole));
    if whole.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            // A link that leads nowhere is not there.
            let (Ok(own), Ok(its)) = (entry.metadata(), fs::metadata(entry.path())) else { continue };
            for metadata in [own, its] {
                // In whatever order they come.
                state = state.wrapping_add(state_of(&entry.file_name(), &metadata));
                changed = changed.max(changed_at(&metadata));
            }
        }
    }
    Ok((state, changed))
}

fn state_of(name: &OsStr, it: &Metadata) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let times = [it.mtime(), it.mtime_nsec(), it.ctime(), it.ctime_nsec()];
    (it.dev(), it.ino(), it.mode(), it.size(), times).hash(&mut hasher);
    hasher.finish()
}

fn changed_at(it: &Metadata) -> Duration {
    Duration::from_secs(it.ctime().max(it.mtime()).max(0).unsigned_abs())
}

/// Reads all of it.
///
/// # Errors
///
/// Why not.
pub(super) fn load(path: &Path, key: Key) -> Result<Loaded, Failure> {
    let mut reader =
        Reader { builder: Builder::new(key), files: Vec::new(), left: LIMIT, remarks: Vec::new() };
    let metadata = fs::metadata(path).map_err(|error| failed("stat()", path, &error))?;
    if metadata.is_dir() {
        reader.directory(path)?;
    } else {
        reader.file(path, None)?;
    }
    reader.finish().ok_or_else(|| no_memory(path))
}

/// Opens all that [`load`] would read.
///
/// # Errors
///
/// Why not.
pub(super) fn try_open(path: &Path) -> Result<(), Failure> {
    let metadata = fs::metadata(path).map_err(|error| failed("stat()", path, &error))?;
    if !metadata.is_dir() {
        return open(path).map(|_| ());
    }
    for entry in entries(path)? {
        if fs::metadata(&entry).is_ok_and(|it| it.is_file()) {
            open(&entry)?;
        }
    }
    Ok(())
}

struct Reader {
    builder: Builder,
    /// By their numbers.
    files: Vec<PathBuf>,
    left: u64,
    remarks: Vec<String>,
}

impl Reader {
    fn directory(&mut self, path: &Path) -> Result<(), Failure> {
        let home = fs::canonicalize(path).map_err(|error| failed("realpath()", path, &error))?;
        for entry in entries(path)? {
            // One that is gone again was never there.
            let Ok(metadata) = fs::metadata(&entry) else { continue };
            let name = entry.file_name().unwrap_or_default().to_owned();
            if metadata.is_file() {
                self.file(&entry, Some(name.as_bytes()))?;
            } else if metadata.file_type().is_socket() {
                self.socket(&home, &entry, name.as_bytes())?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: Option<&[u8]>) -> Result<(), Failure> {
        self.files.push(path.to_owned());
        let mut text = Vec::new();
        let file = open(path)?;
        // What is longer is not read: the size may be wrong, the limit is not.
        let size = file.metadata().map_or(0, |it| it.len());
        if size <= self.left {
            text.try_reserve_exact(usize::try_from(size).unwrap_or(0) + 1).map_err(|_| no_memory(path))?;
            let limited = file.take(self.left + 1);
            { limited }.read_to_end(&mut text).map_err(|error| match error.kind() {
                io::ErrorKind::OutOfMemory => no_memory(path),
                _ => failed("read()", path, &error),
            })?;
        }
        self.left = self.left.checked_sub(size.max(text.len() as u64)).ok_or_else(|| {
            format!("token file {} is too large: more than {}m in all", shown(path), LIMIT >> 20)
        })?;
        let added = self.builder.add_file(&text, name);
        added.map_err(|broken| match broken.fault {
            Fault::NoMemory => no_memory(path),
            fault => format!("token file {}:{}: {fault}", shown(path), broken.line).into(),
        })
    }

    /// A socket, or a link to one that does not lead out of the directory. What cannot be used is left out.
    fn socket(&mut self, home: &Path, path: &Path, name: &[u8]) -> Result<(), Failure> {
        // Where it is in truth is what is connected to: a link may be changed.
        let place = match fs::canonicalize(path) {
            Ok(place) if place.parent() == Some(home) => place,
            Ok(_) => {
                self.leave_out(path, "leads out of the directory");
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        self.files.push(path.to_owned());
        match self.builder.add_socket(name, place.as_os_str().as_bytes()) {
            Err(Fault::NoMemory) => return Err(no_memory(path)),
            Err(fault) => self.leave_out(path, fault),
            Ok(()) => {}
        }
        Ok(())
    }

    fn leave_out(&mut self, path: &Path, why: impl Display) {
        self.remarks.push(format!("token socket {} is left out: {why}", shown(path)));
    }

    fn finish(self) -> Option<Loaded> {
        let Built { bytes, tokens, duplicate } = self.builder.finish()?;
        let mut remarks = self.remarks;
        if let Some(it) = duplicate {
            let place = |place: Place| {
                let file = self.files.get(place.file as usize).map(|it| shown(it));
                let line = if place.line == 0 { String::new() } else { format!(":{}", place.line) };
                format!("{}{line}", file.unwrap_or_default())
            };
            let (before, again) = (place(it.before), place(it.again));
            let more = if it.count > 1 { format!(", and {} more", it.count - 1) } else { String::new() };
            remarks.push(format!("token of {before} is given again in {again}, which counts{more}"));
        }
        Some(Loaded { table: bytes, tokens, remarks })
    }
}

/// The names in a directory that may be tokens, or have some; in order, since of two equal tokens the last counts. Names
/// with a dot in front are for Kubernetes and for editors, those with `~` behind are an editor's copies.
fn entries(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let whole = |error| failed("readdir()", path, &error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(path).map_err(whole)? {
        let entry = entry.map_err(whole)?;
        let name = entry.file_name();
        if !name.as_bytes().starts_with(b".") && !name.as_bytes().ends_with(b"~") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn open(path: &Path) -> Result<File, Failure> {
    // A pipe would have us wait for its other end.
    let options = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).clone();
    let file = options.open(path).map_err(|error| failed("open()", path, &error))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        _ => Err(format!("token file {} is not a regular file", shown(path)).into()),
    }
}

/// In nginx's words: `open() "/path" failed (2: No such file or directory)`.
fn failed(call: &str, path: &Path, error: &io::Error) -> Failure {
    let code = error.raw_os_error().unwrap_or(0);
    let said = error.to_string();
    let words = said.split(" (os error").next().unwrap_or_default();
    // What else there is (no such file, no right to it) is over when the file system says something new of it.
    let may_pass = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EIO, libc::ESTALE].contains(&code);
    Failure { reason: format!("{call} \"{}\" failed ({code}: {words})", shown(path)), may_pass }
}

fn no_memory(path: &Path) -> Failure {
    Failure { reason: format!("no memory for token file {}", shown(path)), may_pass: true }
}

/// A path, fit for a line of the log.
fn shown(path: &Path) -> String {
    path.to_string_lossy().replace(char::is_control, "?")
}
