//! What the workers' user may read.
//!
//! The master is root and reads everything; what it finds can be read again later only by the workers. So a thread takes
//! on their user's rights, tries, and ends: on Linux, each thread has rights of its own.

use std::ffi::CStr;
use std::path::Path;
use std::{ptr, thread};

use nginx_sys::{ngx_core_conf_t, ngx_core_module, ngx_cycle_t};

use super::source;

/// More groups than anybody is in.
const GROUPS_LIMIT: u16 = 1024;

/// The user that workers run as.
pub(super) struct User {
    pub(super) name: String,
    uid: libc::uid_t,
    gid: libc::gid_t,
    groups: Vec<libc::gid_t>,
}

impl User {
    /// The user of a cycle's workers, if they have less rights than this process.
    ///
    /// # Safety
    ///
    /// `cycle` must be what nginx passes to a module's callbacks.
    pub(super) unsafe fn of(cycle: *mut ngx_cycle_t) -> Option<Self> {
        // SAFETY: the core module's configuration is of this type; the name is a string of the configuration's.
        unsafe {
            let index = (*ptr::addr_of!(ngx_core_module)).index;
            let core = (*(*cycle).conf_ctx.add(index)).cast::<ngx_core_conf_t>();
            let (uid, gid) = ((*core).user, (*core).group);
            if libc::geteuid() != 0 || uid == 0 || (*core).username.is_null() {
                return None;
            }
            let name = CStr::from_ptr((*core).username);
            let mut groups = vec![gid; GROUPS_LIMIT.into()];
            let mut count = libc::c_int::from(GROUPS_LIMIT);
            libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &mut count);
            groups.truncate(usize::try_from(count).unwrap_or(0));
            Some(Self { name: name.to_string_lossy().into_owned(), uid, gid, groups })
        }
    }

    /// Whether the user can read a token file.
    ///
    /// # Errors
    ///
    /// Why not.
    pub(super) fn try_open(&self, path: &Path) -> Result<(), String> {
        thread::scope(|scope| {
            let body = || if self.take_on() { source::try_open(path) } else { Ok(()) };
            // Where there is no thread to be had, nothing can be said.
            let Ok(tried) = thread::Builder::new().spawn_scoped(scope, body) else { return Ok(()) };
            tried.join().unwrap_or(Ok(())).map_err(|failure| failure.reason)
        })
    }

    /// Gives this thread, and no other, the user's rights to files.
    fn take_on(&self) -> bool {
        // SAFETY: these calls only change the thread. libc's own would change all threads, so the kernel is called.
        unsafe {
            let (count, groups) = (self.groups.len(), self.groups.as_ptr());
            let taken = libc::syscall(libc::SYS_setgroups, count, groups) == 0;
            libc::setfsgid(self.gid);
            libc::setfsuid(self.uid);
            taken
        }
    }
}
