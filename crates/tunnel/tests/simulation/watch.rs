//! What must be true whenever the pump waits: it has a reason to, and not for too long.

use websockify_tunnel::{Cause, Msec, Side};

use crate::socket::Last;
use crate::world::World;

/// How long a client may take to answer our Close, and a peer to take something of the last words.
pub(crate) const LAST_WORDS: Msec = 5_000;

/// The part of a timeout after which it is first looked whether a blocked peer takes something.
const FIRST_LOOK: Msec = 16;

impl World {
    pub(crate) fn check_wait(&mut self, at: Msec) {
        assert!(at > self.now, "waits for the past");
        assert!(at - self.now < 10_000_000, "waits for ever");
        let cause = self.found.map(|found| found.cause);
        match cause {
            None if self.is_shut() => self.check_shut(),
            None => {
                self.check_pace(at);
                self.check_open();
            }
            Some(cause) => self.check_ending(cause),
        }
        if cause.is_none_or(awaits_answer) {
            self.check_memory();
        }
        for (limit, latest) in [self.latest_of_session(cause), self.latest_of_client(cause)].concat() {
            assert!(at <= latest, "waits until {at}, {limit} is over at {latest}");
        }
        if let Some(latest) = self.latest_of_target(cause) {
            assert!(at <= latest, "waits until {at}, the target's time is over at {latest}");
        }
    }

    /// An open session waits only for what it cannot have.
    fn check_open(&self) {
        let (client, target) = (&self.client.end.socket, &self.target.socket);
        let (client_blocked, target_blocked) = (client.is_blocked(), target.is_blocked());
        let (client_paced, target_paced) = (self.rates.0 > 0, self.rates.1 > 0);
        assert!(target_blocked || client_paced || !client.has_unread(), "the client is not read");
        assert!(
            client_blocked || client.send_failed || target_paced || !target.has_unread(),
            "the target is not read"
        );
        assert!(client.ended().is_none() || !client.is_read_out(), "the client's end is not seen");
        assert!(
            client_blocked || target.ended().is_none() || !target.is_read_out(),
            "the target's end is not seen"
        );
        assert!(!client.send_failed || (target_blocked && !client.is_read_out()), "a lost client is kept");
        assert!(!target.send_failed || client_blocked, "a lost target is kept");
        let is_reset = client.end_is_announced() && client.ended() == Some(Last::Reset);
        assert!(!(target.owed && is_reset), "a client's reset is not seen");
        let may_owe = client_blocked || client.send_failed;
        assert!(may_owe || !self.client.end.owes_pongs(), "a pong is not sent");
    }

    /// Before the target has begun as it must, nobody is heard but the target, and nobody hears anything.
    fn check_shut(&self) {
        let (client, target) = (&self.client.end, &self.target.socket);
        assert!(client.payload.is_empty() && target.wrote.is_empty(), "the gate is open");
        assert_eq!(client.socket.read, 0, "the client is read");
        assert!(!target.has_unread(), "the target is not read");
        assert!(target.ended().is_none() || !target.is_read_out(), "the target's end is not seen");
        assert!(!client.socket.end_is_announced(), "a client that left is kept");
    }

    /// Payload goes no faster than it may, and who waits for that does not wait long.
    fn check_pace(&self, at: Msec) {
        if self.client.end.socket.send_failed || self.target.socket.send_failed {
            return;
        }
        let stats = self.tunnel.stats();
        for (rate, moved, waits) in [
            (self.rates.0, stats.bytes_received, self.is_client_paced()),
            (self.rates.1, stats.bytes_sent, self.is_target_paced()),
        ] {
            if rate > 0 {
                let most = self.now * rate / 1000 + rate / 10 + 16_384;
                assert!(moved <= most, "{moved} bytes at {rate} a second in {} ms", self.now);
            }
            assert!(!waits || at <= self.now + 51, "waits {} ms at {rate} a second", at - self.now);
        }
    }

    /// Whether the client is not read though it could be.
    fn is_client_paced(&self) -> bool {
        let (client, target) = (&self.client.end.socket, &self.target.socket);
        self.rates.0 > 0 && client.has_unread() && !target.is_blocked()
    }

    /// Whether the target is not read though it could be.
    fn is_target_paced(&self) -> bool {
        let (client, target) = (&self.client.end.socket, &self.target.socket);
        self.rates.1 > 0 && target.has_unread() && !client.is_blocked() && !client.send_failed
    }

    /// A session that ends waits only for a peer that does not take what it is owed, or for the client's answer.
    fn check_ending(&self, cause: Cause) {
        let (client, target) = (&self.client.end.socket, &self.target.socket);
        let is_told = self.tunnel.end_now().close_sent;
        if awaits_answer(cause) {
            assert!(is_told || client.is_blocked(), "the client is not told of {cause:?}");
            let has_answered =
                self.client.end.spoken.is_over && self.client.is_heard_out() && client.is_read_out();
            assert!(!is_told || !has_answered || target.is_blocked(), "nothing is left to wait for");
            let reads = !target.is_blocked() && !self.memory.has_failed;
            assert!(!is_told || !reads || !client.has_unread(), "the client is not read any more");
        } else {
            let waits_for_client = client.is_blocked() && !client.send_failed;
            assert!(waits_for_client || target.is_blocked(), "does not end after {cause:?}");
        }
    }

    /// A buffer is held only for what waits in it.
    fn check_memory(&self) {
        let (client, target) = (&self.client.end.socket, &self.target.socket);
        let header_waits = self.client.end.spoken.is_cut_at(client.read);
        let frame_waits = client.is_blocked() || client.send_failed;
        let most = usize::from(frame_waits) + usize::from(target.is_blocked() || header_waits);
        assert!(self.memory.out <= most, "{} buffers are held, {most} are in use", self.memory.out);
    }

    fn latest_of_session(&self, cause: Option<Cause>) -> Vec<(&'static str, Msec)> {
        let (client, target, limits) = (&self.client.end.socket, &self.target.socket, &self.limits);
        if cause.is_some_and(awaits_answer) && self.tunnel.end_now().close_sent {
            return vec![("the client's time to answer", self.client.end.close_left + LAST_WORDS)];
        } else if cause.is_some() {
            return Vec::new();
        }
        let mut latest: Vec<_> =
            self.shutdown_at.map(|at| ("the time before a shutdown", at)).into_iter().collect();
        latest.extend(self.expires_at.map(|at| ("the time of the right", at)));
        if limits.session_timeout > 0 {
            latest.push(("the session's time", limits.session_timeout));
        }
        if let Some((_, until)) = self.demanded.as_ref().filter(|_| self.is_shut()) {
            latest.push(("the time for the first bytes", *until));
            return latest;
        }
        if client.is_blocked() || target.is_blocked() || self.is_client_paced() || self.is_target_paced() {
            return latest;
        }
        if limits.idle_timeout > 0 {
            latest.push(("the idle time", self.payload_at + limits.idle_timeout));
        }
        let unblocked = client.times.free.max(target.times.free).max(self.opened_at);
        latest.push((
            "the silence",
            client.times.read.max(target.times.read).max(unblocked) + limits.read_timeout,
        ));
        if limits.heartbeat.interval > 0 {
            let heard = client.times.read.max(unblocked);
            let pinged = self.client.end.ping_left.filter(|&at| at > client.times.read);
            latest.push(match pinged {
                Some(at) if limits.heartbeat.timeout > 0 => {
                    // The block that is over now may have been one of this very ping.
                    let over = if unblocked > at { unblocked + limits.heartbeat.interval } else { at };
                    ("the time for a pong", over + limits.heartbeat.timeout)
                }
                Some(at) => ("the time before the next ping", at.max(unblocked) + limits.heartbeat.interval),
                None => ("the time before a ping", heard + limits.heartbeat.interval),
            });
        }
        latest
    }

    fn latest_of_client(&self, cause: Option<Cause>) -> Vec<(&'static str, Msec)> {
        let client = &self.client.end.socket;
        if !client.owed || client.send_failed {
            return Vec::new();
        }
        let since = self.found.map_or(0, |found| found.at).max(client.times.moved);
        vec![("the client's time", latest(since, client.times.taken, self.client_timeout(cause)))]
    }

    fn latest_of_target(&self, cause: Option<Cause>) -> Option<Msec> {
        let (client, target) = (&self.client.end.socket, &self.target.socket);
        let takes = cause.is_none_or(delivers) && !target.send_failed;
        if !target.owed || !takes {
            return None;
        }
        let timeout = self.target_timeout(cause);
        let since = self.found.map_or(0, |found| found.at).max(target.times.moved).max(client.times.left);
        let is_late = self.now >= since.min(target.times.taken) + timeout || cause == Some(Cause::ClientEof);
        let may_be_dropped = is_late && client.is_blocked();
        (!may_be_dropped).then(|| latest(since, target.times.taken, timeout))
    }

    /// How long the client may take nothing.
    pub(crate) fn client_timeout(&self, cause: Option<Cause>) -> Msec {
        match cause {
            None
            | Some(
                Cause::ClientClose(_)
                | Cause::ClientEof
                | Cause::TargetEof
                | Cause::SendTimeout(Side::Client),
            ) => self.limits.send_timeout,
            Some(_) => LAST_WORDS.min(self.limits.send_timeout),
        }
    }

    /// How long the target may take nothing.
    pub(crate) fn target_timeout(&self, cause: Option<Cause>) -> Msec {
        match cause {
            None | Some(Cause::SendTimeout(_)) if !self.client.end.socket.end_is_announced() => {
                self.limits.send_timeout
            }
            _ => LAST_WORDS.min(self.limits.send_timeout),
        }
    }
}

/// Whether what the client said still goes to the target.
pub(crate) fn delivers(cause: Cause) -> bool {
    awaits_answer(cause) || matches!(cause, Cause::ClientClose(_) | Cause::ClientEof | Cause::Fault(_))
}

/// When a peer that takes nothing is given up at the latest: one that took something since it was last looked at has
/// a whole timeout more.
fn latest(since: Msec, taken: Msec, timeout: Msec) -> Msec {
    (since + timeout / FIRST_LOOK + timeout).max(taken + 2 * timeout)
}

/// Whether the client is to answer our Close, written down once more.
pub(crate) fn awaits_answer(cause: Cause) -> bool {
    matches!(cause, Cause::TargetEof | Cause::IdleTimeout | Cause::SessionTimeout | Cause::Shutdown)
}
