//! The thread of a worker that sees token files change, so that the event loop need not wait for a disk. It calls
//! nothing of nginx's: what it has to say is put where the loop finds it, and a bell is rung.

use std::fs::File;
use std::io::Write;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::time::{Duration, Instant};

use websockify_tokens::Key;

use super::memory::{Generation, Memory};
use super::source::{self, Failure, Loaded};

/// How often a file is looked at. What changes is read when it has not changed for so long, so that a file that is being
/// written is not read by halves.
const TICK: Duration = Duration::from_millis(200);

/// What the thread tells the loop.
pub(super) enum News {
    /// A new table of the file with this number.
    Table(usize, Arc<Generation>),
    /// Something is wrong with a file, and the table before stays in force.
    Error(String),
    /// Something is unwise in a file.
    Warning(String),
    /// How many tokens there are now.
    Notice(String),
    /// We have broken a promise.
    Alert(String),
}

/// A token file, as the thread sees it.
pub(super) struct Watched {
    pub(super) number: usize,
    pub(super) path: PathBuf,
    pub(super) key: Key,
    pub(super) memory: Arc<Memory>,
    /// The tables that the loop may be using, the last one for sure.
    pub(super) in_use: Vec<Arc<Generation>>,
    /// A state that the file was in at the last look.
    pub(super) unsettled: Option<u64>,
    /// A state of which the log has a line that the file could not be read then; and when that is tried again.
    pub(super) unread: Option<(u64, Instant)>,
    /// The number of a table of which the log has a line that it could not be had.
    pub(super) unpinned: u64,
    /// Up to where memory has been given back.
    pub(super) given_back: u64,
}

/// The thread's ways to the loop.
pub(super) struct Line {
    pub(super) news: Sender<News>,
    pub(super) bell: File,
    /// Never says anything: it ends when the thread is to end.
    pub(super) life: Receiver<()>,
}

impl Line {
    fn tell(&mut self, news: News) {
        // Where nobody listens any more, the thread is to end.
        if self.news.send(news).is_ok() {
            _ = self.bell.write(&1_u64.to_ne_bytes());
        }
    }
}

/// The thread's body.
pub(super) fn run(mut files: Vec<Watched>, mut line: Line) {
    let mut pause = TICK;
    while matches!(line.life.recv_timeout(pause), Err(RecvTimeoutError::Timeout)) {
        let start = Instant::now();
        for file in &mut files {
            if catch_unwind(AssertUnwindSafe(|| file.look(&mut line))).is_err() {
                let path = file.path.display();
                line.tell(News::Alert(format!("websockify panicked over token file {path}")));
                let Some(state) = file.unsettled.take() else { return let_go(&files) };
                // It was read: nobody shall try the same again.
                file.memory.set_seen(state);
            }
        }
        // A directory of very many files is looked at less often.
        pause = (start.elapsed() * 4).clamp(TICK, TICK * 5);
    }
    let_go(&files);
}

/// Another worker may keep the files now, also if this one's sessions go on for days.
fn let_go(files: &[Watched]) {
    for file in files {
        file.memory.let_go();
    }
}

impl Watched {
    fn look(&mut self, line: &mut Line) {
        let keeper = self.memory.keep();
        if keeper {
            self.keep_up(line);
        }
        let newest = self.memory.generation();
        if self.in_use.last().map_or(0, |it| it.number()) != newest {
            match self.memory.pin() {
                Ok(generation) => {
                    let generation = Arc::new(generation);
                    self.in_use.push(Arc::clone(&generation));
                    line.tell(News::Table(self.number, generation));
                }
                // It is tried again at the next look, without a word.
                Err(_) if self.unpinned == newest => {}
                Err(error) => {
                    self.unpinned = newest;
                    line.tell(News::Alert(format!("token table: {error}")));
                }
            }
        }
        // The loop has let go of those that only this list has.
        let last = self.in_use.len().saturating_sub(1);
        let mut at = 0..;
        self.in_use.retain(|it| at.next() == Some(last) || Arc::strong_count(it) > 1);
        if keeper {
            self.give_back();
        }
    }

    /// Reads the file if it has changed.
    fn keep_up(&mut self, line: &mut Line) {
        let state = source::state(&self.path);
        if state == self.memory.seen() {
            self.unsettled = None;
            return;
        }
        if self.unsettled.replace(state) != Some(state) {
            return;
        }
        let failed_before = self.unread.filter(|&(before, _)| before == state);
        if failed_before.is_some_and(|(_, again)| Instant::now() < again) {
            return;
        }
        panic_on_demand(&self.path);
        let start = Instant::now();
        let loaded = source::load(&self.path, self.key);
        if source::state(&self.path) != state {
            // It has changed while it was read.
            return;
        }
        match loaded.and_then(|loaded| self.publish(loaded)) {
            Ok(news) => news.into_iter().for_each(|news| line.tell(news)),
            Err(failure) => {
                if !failure.may_pass || failed_before.is_none() {
                    line.tell(News::Error(format!("{}, the tokens stay as they were", failure.reason)));
                }
                if failure.may_pass {
                    // What takes long is not tried so often.
                    self.unread = Some((state, Instant::now() + start.elapsed() * 20));
                    return;
                }
            }
        }
        self.memory.set_seen(state);
        self.unsettled = None;
        self.unread = None;
    }

    /// Puts a new table in force. Returns what there is to say.
    fn publish(&self, loaded: Loaded) -> Result<Vec<News>, Failure> {
        let mut news: Vec<_> = loaded.remarks.into_iter().map(News::Warning).collect();
        if self.in_use.last().is_some_and(|it| it.bytes() == loaded.table) {
            return Ok(news);
        }
        let path = self.path.display();
        let failed = |error| Failure { reason: format!("token file {path}: {error}"), may_pass: true };
        self.memory.publish(&loaded.table).map_err(failed)?;
        news.push(News::Notice(format!("token file {path} has been read: {} tokens", loaded.tokens)));
        Ok(news)
    }

    fn give_back(&mut self) {
        let oldest = self.in_use.first().map_or(0, |it| it.start());
        if self.given_back < oldest {
            self.given_back = self.memory.give_back(oldest);
        }
    }
}

/// Panics if there is a file for it beside the token file, in a build for tests.
fn panic_on_demand(path: &Path) {
    assert!(!cfg!(feature = "test-faults") || !path.with_extension("panic").exists(), "on demand");
}
