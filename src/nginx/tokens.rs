//! Token files: read when nginx starts, read again when they change, one table in memory that all workers share.

mod memory;
mod rights;
mod source;
mod watcher;

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::Arc;
use std::thread;

use nginx_sys::{ngx_connection_t, ngx_cycle_t, ngx_event_t};
use websockify_tokens::{Key, Table};

use self::memory::{Generation, Memory};
use self::rights::User;
use self::watcher::{Line, News, Watched};
use super::conf::Place;
use super::connection::Connection;
use super::guard::{guard, HELPER};
use super::log::Log;
use super::{is_signaller, is_worker, shim};

/// A token file that locations share.
pub(crate) struct TokenFile {
    path: PathBuf,
    /// Where it was named first.
    place: Place,
    key: Key,
    /// `None` in a process that only sends a signal.
    memory: Option<Arc<Memory>>,
    table: RefCell<Option<Arc<Generation>>>,
}

impl TokenFile {
    /// Reads the file `path`, named in the configuration at `place`.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub(crate) fn open(path: &[u8], place: Place, log: Log) -> Result<Self, String> {
        let path = PathBuf::from(OsStr::from_bytes(path));
        let file = Self { path, place, key: random_key()?, memory: None, table: RefCell::new(None) };
        if is_signaller() {
            return Ok(file);
        }
        let state = source::settled_state(&file.path);
        let loaded = source::load(&file.path, file.key).map_err(|failure| failure.reason)?;
        for remark in &loaded.remarks {
            log.warn(format_args!("{remark}"));
        }
        let filled = || {
            let memory = Arc::new(Memory::new()?);
            memory.publish(&loaded.table)?;
            memory.set_seen(state);
            let table = Some(Arc::new(memory.current()?));
            io::Result::Ok((memory, table))
        };
        let (memory, table) = filled().map_err(|error| format!("no memory for tokens: {error}"))?;
        Ok(Self { memory: Some(memory), table: RefCell::new(table), ..file })
    }

    pub(crate) fn is_at(&self, path: &[u8]) -> bool {
        self.path.as_os_str().as_bytes() == path
    }

    /// Calls `take` with the target of a token.
    pub(crate) fn find<R>(&self, token: &[u8], take: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let table = self.table.borrow();
        Table::new(table.as_ref()?.bytes())?.find(token).map(take)
    }
}

/// A key that nobody can guess.
fn random_key() -> Result<Key, String> {
    let mut key = [0; 16];
    // SAFETY: the memory is ours, and as long as it is said to be.
    match unsafe { libc::getrandom(key.as_mut_ptr().cast(), key.len(), 0) } {
        16 => Ok(Key(key)),
        _ => Err(format!("no random key for tokens: {}", io::Error::last_os_error())),
    }
}

/// Warns of files that the workers will not be able to read again.
///
/// # Safety
///
/// `cycle` must be what nginx passes to a module's callbacks.
pub(crate) unsafe fn check_rights(cycle: *mut ngx_cycle_t, files: &[Rc<TokenFile>]) {
    if files.is_empty() {
        return;
    }
    // SAFETY: by this function's own promise.
    let (user, log) = unsafe { (User::of(cycle), Log::new((*cycle).log)) };
    let Some(user) = user else { return };
    for file in files {
        if let Err(reason) = user.try_open(&file.path) {
            let (name, place) = (&user.name, file.place);
            log.warn(format_args!(
                "{reason} for the workers' user \"{name}\": changes will not be seen in {place}"
            ));
        }
    }
}

/// A worker's view of its token files.
struct Watch {
    files: Vec<Rc<TokenFile>>,
    news: Receiver<News>,
    /// Its end ends the thread.
    life: Option<Sender<()>>,
    /// The connection whose descriptor is the bell.
    connection: Option<NonNull<ngx_connection_t>>,
}

struct PerProcess(RefCell<Option<Watch>>);

// SAFETY: nginx runs modules' code on one thread, and the helper has no way to this.
unsafe impl Sync for PerProcess {}

static WATCH: PerProcess = PerProcess(RefCell::new(None));

/// A worker begins: it looks at the tables that are in use now, and has the files watched.
pub(crate) fn begin(files: &[Rc<TokenFile>], log: Log) {
    if files.is_empty() || !is_worker() {
        return;
    }
    if let Err(error) = try_begin(files, log) {
        log.alert(format_args!("token files are not watched: {error}"));
    }
}

fn try_begin(files: &[Rc<TokenFile>], log: Log) -> io::Result<()> {
    let mut watched = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let Some(memory) = &file.memory else { continue };
        // What the master mapped is not locked, and may be older.
        file.table.replace(None);
        let generation = Arc::new(memory.pin()?);
        file.table.replace(Some(Arc::clone(&generation)));
        watched.push(Watched {
            number,
            path: file.path.clone(),
            key: file.key,
            memory: Arc::clone(memory),
            in_use: vec![generation],
            unsettled: None,
            unread: None,
            unpinned: 0,
            given_back: 0,
        });
    }
    // SAFETY: a new descriptor is nobody else's.
    let bell = unsafe {
        match libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) {
            -1 => return Err(io::Error::last_os_error()),
            fd => File::from_raw_fd(fd),
        }
    };
    let (sender, news) = mpsc::channel();
    let (life, ended) = mpsc::channel();
    let line = Line { news: sender, bell: bell.try_clone()?, life: ended };
    let connection = listen(bell, log)?;
    WATCH.0.replace(Some(Watch {
        files: files.to_vec(),
        news,
        life: Some(life),
        connection: Some(connection),
    }));
    start_thread(watched, line)
}

/// Has `on_bell` called when the bell is rung.
fn listen(bell: File, log: Log) -> io::Result<NonNull<ngx_connection_t>> {
    // SAFETY: the descriptor is open; where there is a connection, it is its own.
    unsafe {
        let connection = shim::wsk_bell_listen(bell.as_raw_fd(), Some(on_bell), log.as_ptr());
        let connection = NonNull::new(connection).ok_or_else(|| io::Error::other("no connection for it"))?;
        _ = bell.into_raw_fd();
        Ok(connection)
    }
}

/// Signals are for the thread that runs the event loop.
fn start_thread(files: Vec<Watched>, line: Line) -> io::Result<()> {
    stay_loaded();
    // SAFETY: both sets are ours, and the first one is put back.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let started = thread::Builder::new().name(HELPER.into()).spawn(move || watcher::run(files, line));
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut());
        started.map(drop)
    }
}

/// nginx unloads its modules before a worker's very end. The thread, which may be waiting for a disk, still runs then.
fn stay_loaded() {
    // SAFETY: all zero is a valid structure; the address is one of this library's.
    unsafe {
        let mut library: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(stay_loaded as *const libc::c_void, &mut library) != 0 {
            libc::dlopen(library.dli_fname, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
}

unsafe extern "C" fn on_bell(event: *mut ngx_event_t) {
    guard(|| {
        // SAFETY: nginx calls the handler with the event of our open connection.
        let connection = unsafe { NonNull::new((*event).data.cast::<ngx_connection_t>()) };
        let Some(connection) = connection else { return };
        // SAFETY: as above.
        if unsafe { Connection::new(connection) }.is_closing() {
            // The worker is told to go: nobody new comes.
            return end();
        }
        // SAFETY: the descriptor is the bell, and stays the connection's.
        unsafe {
            let mut bell = std::mem::ManuallyDrop::new(File::from_raw_fd((*connection.as_ptr()).fd));
            while bell.read(&mut [0; 8]).is_ok() {}
            shim::wsk_bell_again(connection.as_ptr());
        }
        take_news();
    });
}

fn take_news() {
    let log = Log::of_cycle();
    let watch = WATCH.0.borrow();
    let Some(watch) = &*watch else { return };
    for news in watch.news.try_iter() {
        match news {
            News::Table(number, table) => {
                if let Some(file) = watch.files.get(number) {
                    file.table.replace(Some(table));
                }
            }
            News::Error(text) => log.error(format_args!("{text}")),
            News::Warning(text) => log.warn(format_args!("{text}")),
            News::Notice(text) => log.notice(format_args!("{text}")),
            News::Alert(text) => log.alert(format_args!("{text}")),
        }
    }
}

/// A worker ends: the thread is told to, and its bell is taken down. The tables stay for the requests that there are.
pub(crate) fn end() {
    if let Some(watch) = &mut *WATCH.0.borrow_mut() {
        watch.life = None;
        if let Some(connection) = watch.connection.take() {
            // SAFETY: the connection is ours alone, and nobody uses it after this.
            unsafe { shim::wsk_connection_close(connection.as_ptr()) };
        }
    }
}
