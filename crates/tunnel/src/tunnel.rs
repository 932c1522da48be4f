//! One tunnel: both directions, the control frames between them, and its end.

mod closing;
mod deadlines;
mod gate;

use websockify_protocol::subprotocol::Encoding;

use crate::blocked::Blocked;
use crate::desk::Desk;
use crate::download::Download;
use crate::ending::{Cause, End, Side};
use crate::limits::{Limits, Stats};
use crate::pace::Pace;
use crate::stream::{Buffers, Ends, Io, Msec, Stream};
use crate::upload::Upload;
use gate::Gate;

/// The least a relay buffer may hold: a whole control frame beside some data.
pub const SMALLEST_BUFFER: usize = 1024;

/// Work a tunnel may do before the other sessions of the worker get their turn, told in bytes received and sent. It takes
/// half a millisecond or so; half as much costs a transfer a fifth more, since what one socket has is dearer to get when
/// the others have had theirs in between.
const TURN: usize = 2 * 1024 * 1024;

/// What a round over both directions costs beside the bytes it moves: it may be a few system calls for a byte.
const ROUND: usize = 8 * 1024;

/// Bytes of a target that still go out to a client that has sent its Close: more than two sockets' buffers hold,
/// so that only a target that keeps sending is cut short.
const DRAIN: usize = 16 * 1024 * 1024;

/// What to do after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Drive again when an end has news, and at this time at the latest.
    Wait(Msec),
    /// Drive again once the others had their turn.
    Yield,
    /// The tunnel has ended: close both ends. It must not be driven any more.
    Ended(End),
}

/// No memory for a buffer.
pub(crate) struct OutOfMemory;

/// Where the closing handshake stands (RFC 6455 section 7.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    None,
    Queued,
    Sent(Msec),
}

/// One session's data phase.
pub struct Tunnel {
    upload: Upload,
    download: Download,
    desk: Desk,
    /// How the client takes what waits for it.
    client_blocked: Blocked,
    /// The client takes no more; what it sent before may still be read.
    client_gone: bool,
    /// The client ended its stream, and what it sent last is not read yet because the target is full.
    client_left: bool,
    /// What a target may still send to a client that has said goodbye.
    drain: usize,
    shutdown_at: Option<Msec>,
    expires_at: Option<Msec>,
    /// What the target has to say before anything else happens.
    gate: Option<Gate>,
    cause: Option<Cause>,
    close: Close,
}

impl Tunnel {
    /// A tunnel that begins at `now`. No client's frame may be longer than `max_frame_size`, if one is given.
    #[must_use]
    pub fn new(now: Msec, encoding: Encoding, max_frame_size: Option<u64>) -> Self {
        Self {
            upload: Upload::new(encoding, max_frame_size),
            download: Download::new(encoding),
            desk: Desk::new(now),
            client_blocked: Blocked::default(),
            client_gone: false,
            client_left: false,
            drain: DRAIN,
            shutdown_at: None,
            expires_at: None,
            gate: None,
            cause: None,
            close: Close::None,
        }
    }

    /// Limits the payload from and to the client, in bytes a second; 0 for no limit. The end of the tunnel has none.
    pub fn pace(&mut self, now: Msec, upload: u64, download: u64) {
        *self.upload.pace() = Pace::new(now, upload);
        *self.download.pace() = Pace::new(now, download);
    }

    /// When the tunnel began.
    #[must_use]
    pub fn started_at(&self) -> Msec {
        self.desk.started_at
    }

    /// What was moved so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.desk.stats
    }

    /// How long the last answered ping took there and back.
    #[must_use]
    pub fn round_trip(&self) -> Option<Msec> {
        self.desk.heartbeat.round_trip()
    }

    /// When payload last came from either side, or went to one.
    #[must_use]
    pub fn payload_at(&self) -> Msec {
        self.desk.payload_at
    }

    /// Begins the end from outside (a shutdown, a fault of our own): the client is told as soon as a frame may
    /// begin. Does nothing in a tunnel that is ending already.
    pub fn fail(&mut self, cause: Cause) {
        if self.cause.is_none() {
            self.cause = Some(cause);
            if !cause.awaits_answer() || self.gate.is_some() {
                self.upload.refuse();
            }
        }
    }

    /// Has the tunnel shut down at `deadline`, which a later drive will find.
    pub fn shut_down_at(&mut self, deadline: Msec) {
        self.shutdown_at = Some(deadline);
    }

    /// Has the right to the tunnel end at `deadline`, which a later drive will find.
    pub fn expire_at(&mut self, deadline: Msec) {
        self.expires_at = Some(deadline);
    }

    /// The end as it would be now, for a tunnel that cannot wait for it.
    #[must_use]
    pub fn end_now(&self) -> End {
        self.end(self.cause.unwrap_or(Cause::Internal))
    }

    /// Gives the buffers back; the tunnel must not be driven any more.
    pub fn release(&mut self, buffers: &mut impl Buffers) {
        self.upload.release(buffers);
        self.download.release(buffers);
    }

    /// Moves what can be moved now, for about [`TURN`] of work at most.
    pub fn drive<C: Stream, T: Stream, B: Buffers>(
        &mut self,
        now: Msec,
        limits: &Limits,
        ends: &mut Ends<'_, C, T, B>,
    ) -> Turn {
        let (mut work, mut rounds) = (0, 0);
        while work + rounds * ROUND < TURN {
            let (work_before, standing) = (work, (self.cause, self.close));
            work += self.round(now, ends);
            rounds += 1;
            let readable = (ends.client.is_readable(), ends.target.is_readable());
            self.find_cause(now, ends);
            self.lift_paces_at_end();
            self.begin_close(now, ends);
            if let Some(cause) = self.cause.filter(|&cause| self.is_over(cause)) {
                return Turn::Ended(self.end(cause));
            }
            // A look behind the event loop's back has to be followed: the loop may not announce what was found.
            let found = readable != (ends.client.is_readable(), ends.target.is_readable());
            let turned = standing != (self.cause, self.close);
            if found || turned || (work_before != work && self.may_go_on(ends)) {
                continue;
            }
            let (deadline, expiry) = self.deadline(now, limits);
            if self.owes_client() && !self.client_blocked.is_blocked() {
                // The heartbeat has a ping to send.
                continue;
            }
            if now < deadline {
                self.download.release_if_empty(ends.buffers);
                return Turn::Wait(deadline);
            }
            if let Some(end) = self.expire(now, expiry, ends) {
                return Turn::Ended(end);
            }
        }
        Turn::Yield
    }

    /// Whether another round may move something: mostly one has emptied both ends, and the next would find that. What waits
    /// for the client was offered to it last of all.
    fn may_go_on<C: Stream, T: Stream, B: Buffers>(&self, ends: &Ends<'_, C, T, B>) -> bool {
        ends.client.is_readable()
            || ends.target.is_readable()
            || (self.owes(Side::Target) && ends.target.is_writable())
    }

    /// Whether something waits for room on this side. Where nothing does, news of room are none.
    #[must_use]
    pub fn owes(&self, side: Side) -> bool {
        match side {
            Side::Client => self.owes_client(),
            Side::Target => !self.upload.is_empty(),
        }
    }

    /// One round over both directions. Returns how much work it was: nothing if nothing moved.
    fn round<C: Stream, T: Stream, B: Buffers>(&mut self, now: Msec, ends: &mut Ends<'_, C, T, B>) -> usize {
        self.lift_paces_at_end();
        self.upload.pace().go_on();
        self.download.pace().go_on();
        let mut work = self.send_to_client(now, ends.client);
        if self.gate.is_some() {
            return work + self.knock(now, ends);
        }
        if self.reads_target() {
            match self.download.receive(now, ends.target, ends.buffers, &mut self.desk) {
                Ok(0) => {}
                Ok(len) => {
                    if self.cause.is_some() {
                        self.drain = self.drain.saturating_sub(len);
                    }
                    work += len + self.send_to_client(now, ends.client);
                }
                Err(OutOfMemory) => {
                    // A goodbye must not wait for what cannot be read.
                    self.drain = 0;
                    self.fail(Cause::OutOfMemory);
                }
            }
        }
        if self.reads_client() {
            match self.upload.advance(now, ends, &mut self.desk) {
                Ok(done) => work += done,
                Err(OutOfMemory) => self.fail(Cause::OutOfMemory),
            }
        }
        work + self.send_to_client(now, ends.client)
    }

    /// Last words go as fast as they can.
    fn lift_paces_at_end(&mut self) {
        if self.cause.is_some() || self.client_gone || self.upload.is_refused() {
            self.upload.pace().lift();
            self.download.pace().lift();
        }
    }

    /// Whether what the target says still goes to the client: always, until the end begins; then only what a
    /// client that said goodbye is still owed.
    fn reads_target(&self) -> bool {
        match self.cause {
            _ if self.client_gone => false,
            None => true,
            Some(Cause::ClientClose(_) | Cause::ClientEof) => self.close == Close::None && self.drain > 0,
            Some(_) => false,
        }
    }

    /// Whether what the client says, or has said before its end, still goes to the target.
    fn reads_client(&self) -> bool {
        match self.cause {
            None | Some(Cause::ClientClose(_) | Cause::ClientEof | Cause::Fault(_)) => true,
            Some(cause) => cause.awaits_answer(),
        }
    }

    /// Sends what waits for the client; a frame that has begun is finished before another begins.
    #[inline]
    fn send_to_client(&mut self, now: Msec, client: &mut impl Stream) -> usize {
        if self.owes_client() || self.client_blocked.is_blocked() {
            self.send_what_waits(now, client)
        } else {
            0
        }
    }

    fn send_what_waits(&mut self, now: Msec, client: &mut impl Stream) -> usize {
        let mut moved = 0;
        while self.owes_client() && client.is_writable() {
            let control_first = !self.download.is_begun() && !self.desk.control.is_empty();
            let is_last = control_first && self.desk.control.is_at_last() && self.ends_with_it();
            let bytes = if control_first { self.desk.control.begin() } else { self.download.begin() };
            match if is_last { client.send_last(bytes) } else { client.send(bytes) } {
                Io::Done(len) if control_first => {
                    self.desk.control.advance(len);
                    moved += len;
                }
                Io::Done(len) => {
                    self.download.advance(len);
                    self.desk.payload_at = now;
                    moved += len;
                }
                Io::Again => break,
                Io::Eof | Io::Error => self.client_gone = true,
            }
        }
        if self.client_blocked.note(now, moved > 0, self.owes_client()) {
            self.desk.stood_still(now);
        }
        if self.desk.control.is_empty() {
            self.desk.stats.pings += u32::from(self.desk.heartbeat.on_ping_sent(now));
        }
        moved
    }

    /// Whether nothing is left to do once what waits for the client, our Close mostly, has gone out.
    fn ends_with_it(&self) -> bool {
        self.close == Close::Queued
            && self.upload.is_empty()
            && self.cause.is_some_and(|it| !it.awaits_answer())
    }

    fn owes_client(&self) -> bool {
        !self.client_gone && (!self.download.is_empty() || !self.desk.control.is_empty())
    }
}
