//! What a tunnel waits for at most until when, and what follows when that time has come.

use websockify_protocol::encoder::ControlFrame;
use websockify_protocol::heartbeat::Beat;

use super::{Close, Tunnel};
use crate::ending::{Cause, End, Side};
use crate::first_bytes::Unlike;
use crate::limits::Limits;
use crate::stream::{Buffers, Ends, Msec, Stream};

/// How long the client has to answer our Close, and a target to take at least a byte once its client is gone.
const LAST_WORDS: Msec = 5_000;

/// What has waited too long.
#[derive(Clone, Copy)]
pub(super) enum Expiry {
    /// The client took nothing.
    Client,
    /// The target took nothing.
    Target,
    /// The client did not answer our Close.
    Answer,
    /// A direction was to wait for its pace, and may go on.
    Pace,
    /// Something of the session as a whole.
    Session(Cause),
}

/// The deadline that comes first.
struct First(Msec, Expiry);

impl First {
    fn offer(&mut self, at: Option<Msec>, expiry: Expiry) {
        if let Some(at) = at.filter(|&at| at < self.0) {
            *self = Self(at, expiry);
        }
    }
}

impl Tunnel {
    /// What the tunnel waits for at most until when. Asks the heartbeat, which may have a ping sent.
    pub(super) fn deadline(&mut self, now: Msec, limits: &Limits) -> (Msec, Expiry) {
        let mut first = First(Msec::MAX, Expiry::Session(Cause::ReadTimeout));
        first.offer(self.client_blocked.deadline(self.client_timeout(limits)), Expiry::Client);
        let target_timeout = self.target_timeout(limits);
        first.offer(self.upload.blocked().deadline(target_timeout), Expiry::Target);
        match (self.cause, self.close) {
            (None, _) => self.offer_session(now, limits, &mut first),
            (Some(cause), Close::Sent(at)) if cause.awaits_answer() => {
                first.offer(Some(at + LAST_WORDS), Expiry::Answer);
            }
            (Some(_), _) => {}
        }
        (first.0, first.1)
    }

    fn offer_session(&mut self, now: Msec, limits: &Limits, first: &mut First) {
        let desk = &mut self.desk;
        let after = |since: Msec, timeout: Msec| (timeout > 0).then(|| since.saturating_add(timeout));
        first.offer(after(desk.started_at, limits.session_timeout), Expiry::Session(Cause::SessionTimeout));
        first.offer(self.expires_at, Expiry::Session(Cause::RightExpired));
        first.offer(self.shutdown_at, Expiry::Session(Cause::Shutdown));
        let (upload, download) = (self.upload.pace().waits_until(), self.download.pace().waits_until());
        first.offer(upload, Expiry::Pace);
        first.offer(download, Expiry::Pace);
        if let Some(gate) = &self.gate {
            first.offer(Some(gate.until), Expiry::Session(Cause::FirstBytes(Unlike::Late)));
            return;
        }
        // A client that is not read cannot be heard, and one that takes nothing cannot be asked: the send timeout
        // alone counts then. Nor is it silent who is not read for the sake of a pace.
        let blocked = self.upload.blocked().is_blocked() || self.client_blocked.is_blocked();
        if blocked || upload.is_some() {
            return;
        }
        if download.is_none() {
            first.offer(after(desk.payload_at, limits.idle_timeout), Expiry::Session(Cause::IdleTimeout));
            let silence = desk.heard_at.saturating_add(limits.read_timeout);
            first.offer(Some(silence), Expiry::Session(Cause::ReadTimeout));
        }
        match desk.heartbeat.poll(now, limits.heartbeat) {
            Beat::Wait(at) => first.offer(Some(at), Expiry::Session(Cause::NoPong)),
            Beat::Dead => first.offer(Some(now), Expiry::Session(Cause::NoPong)),
            Beat::Ping(payload) => {
                if !desk.control.push(ControlFrame::ping(&payload)) {
                    first.offer(Some(now), Expiry::Session(Cause::OutOfMemory));
                }
            }
        }
    }

    /// How long the client may take nothing: less where nothing waits for it but our last words.
    fn client_timeout(&self, limits: &Limits) -> Msec {
        match self.cause {
            None | Some(Cause::ClientClose(_) | Cause::ClientEof | Cause::TargetEof) => limits.send_timeout,
            Some(_) => LAST_WORDS.min(limits.send_timeout),
        }
    }

    /// How long the target may take nothing: less for a client that has gone, whose last bytes these are.
    fn target_timeout(&self, limits: &Limits) -> Msec {
        if self.cause.is_some() || self.client_left {
            LAST_WORDS.min(limits.send_timeout)
        } else {
            limits.send_timeout
        }
    }

    /// Draws the consequence of a deadline that has passed.
    pub(super) fn expire<C: Stream, T: Stream, B: Buffers>(
        &mut self,
        now: Msec,
        expiry: Expiry,
        ends: &mut Ends<'_, C, T, B>,
    ) -> Option<End> {
        match expiry {
            Expiry::Client => {
                let expired = self.client_blocked.has_expired(now, ends.client);
                expired.then(|| self.end(self.cause.unwrap_or(Cause::SendTimeout(Side::Client))))
            }
            Expiry::Target => {
                if self.upload.blocked().has_expired(now, ends.target) {
                    let left = self.client_left;
                    let cause = if left { Cause::ClientEof } else { Cause::SendTimeout(Side::Target) };
                    self.cause.get_or_insert(cause);
                    self.upload.refuse();
                }
                None
            }
            Expiry::Answer => Some(self.end_now()),
            Expiry::Pace => None,
            Expiry::Session(cause) => {
                self.fail(cause);
                None
            }
        }
    }
}
