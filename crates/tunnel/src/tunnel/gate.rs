//! The gate in front of a tunnel: nothing goes either way before the target has said what is demanded of it.

use super::{OutOfMemory, Tunnel};
use crate::ending::Cause;
use crate::first_bytes::{FirstBytes, Look, Unlike};
use crate::stream::{Buffers, Ends, Io, Msec, Stream};

/// A gate that is closed.
pub(super) struct Gate {
    demanded: FirstBytes,
    pub(super) until: Msec,
    /// What the target has said: the beginning of a greeting.
    seen: Vec<u8>,
    unlike: Option<Unlike>,
}

impl Tunnel {
    /// Lets nothing through before the target has begun with one of `demanded`, which it must have done at `until`.
    /// To be called before the first drive.
    pub fn demand(&mut self, demanded: FirstBytes, until: Msec) {
        self.gate = Some(Gate { demanded, until, seen: Vec::new(), unlike: None });
    }

    /// One round in front of the gate: reads no more than it takes to open it. Returns how many bytes moved.
    pub(super) fn knock<C: Stream, T: Stream, B: Buffers>(
        &mut self,
        now: Msec,
        ends: &mut Ends<'_, C, T, B>,
    ) -> usize {
        let Some(gate) = &mut self.gate else { return 0 };
        if self.cause.is_some() || gate.unlike.is_some() || !ends.target.is_readable() {
            return 0;
        }
        let Ok(look) = gate.read(ends.target) else {
            self.fail(Cause::OutOfMemory);
            return 0;
        };
        let Some((len, look)) = look else { return 0 };
        self.desk.target_heard(now);
        match look {
            Look::NotYet => {}
            Look::Different => gate.unlike = Some(Unlike::Different),
            Look::Greeting => {
                if self.download.put_first(&gate.seen, ends.buffers, &mut self.desk).is_err() {
                    self.fail(Cause::OutOfMemory);
                    return 0;
                }
                self.gate = None;
                // The client could not be heard before.
                self.desk.stood_still(now);
            }
        }
        len
    }

    /// What ends a tunnel whose gate is closed. The client is not read, but may be seen to leave.
    pub(super) fn find_cause_at_gate<C: Stream, T: Stream, B: Buffers>(
        &self,
        ends: &mut Ends<'_, C, T, B>,
    ) -> Option<Cause> {
        let unlike = self.gate.as_ref()?.unlike;
        if self.client_gone || ends.client.hang_up().is_some() {
            return Some(Cause::ClientReset);
        }
        unlike.map(Cause::FirstBytes)
    }
}

impl Gate {
    /// Reads what is missing to the longest greeting, at most; and looks at it.
    fn read(&mut self, target: &mut impl Stream) -> Result<Option<(usize, Look)>, OutOfMemory> {
        let before = self.seen.len();
        let most = self.demanded.longest();
        self.seen.try_reserve_exact(most - before).map_err(|_| OutOfMemory)?;
        self.seen.resize(most, 0);
        let received = target.recv(&mut self.seen[before..]);
        let len = if let Io::Done(len) = received { len } else { 0 };
        self.seen.truncate(before + len);
        match received {
            Io::Done(len) => return Ok(Some((len, self.demanded.look(&self.seen)))),
            Io::Again => {}
            Io::Eof | Io::Error => self.unlike = Some(Unlike::Ended),
        }
        Ok(None)
    }
}
