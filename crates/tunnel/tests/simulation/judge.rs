//! What must be true of a session that has ended.

use websockify_protocol::subprotocol::Encoding;
use websockify_tunnel::{Cause, End, Msec, Side, Unlike};

use crate::socket::Last;
use crate::watch::{awaits_answer, delivers, LAST_WORDS};
use crate::world::{Found, World};

impl World {
    pub(crate) fn judge(&mut self, end: End) {
        let found = self.found.expect("a cause");
        assert_eq!(found.cause, end.cause, "the first cause stands");
        self.check_order(end);
        self.check_cause(&found);
        self.check_close(end);
        self.check_upload(end, &found);
        self.check_download(end, &found);
    }

    /// Nothing is invented, nothing comes twice, nothing changes places, nothing is lost without a word.
    fn check_order(&self, end: End) {
        let (heard, got) = (&self.client.end.payload, &self.target.socket.wrote);
        assert!(self.target.spoken.payload.starts_with(heard), "the client heard something else");
        assert!(self.client.end.spoken.payload.starts_with(got), "the target heard something else");
        let stats = self.tunnel.stats();
        if self.is_shut() {
            assert_eq!((heard.len(), got.len(), stats.bytes_sent), (0, 0, 0), "the gate was open");
            return;
        }
        let accounted = got.len() as u64 + end.undelivered;
        assert_eq!(
            stats.bytes_received, accounted,
            "delivered and undelivered are not all that was received"
        );
        let fit = self.fit_to_hear(self.target.socket.read);
        assert_eq!(stats.bytes_sent, fit as u64, "what the target said is not counted");
    }

    fn encoding(&self) -> Encoding {
        self.client.end.encoding()
    }

    /// How much of the first `len` bytes from the target a client of this encoding can be told.
    fn fit_to_hear(&self, len: usize) -> usize {
        match std::str::from_utf8(&self.target.spoken.payload[..len]) {
            Err(fault) if self.encoding() == Encoding::Text => fault.valid_up_to(),
            _ => len,
        }
    }

    /// The cause is true, and nobody who did his part in time is given up.
    fn check_cause(&self, found: &Found) {
        let (client, target, limits) = (&self.client.end.socket, &self.target.socket, &self.limits);
        let passed = |since: Msec| found.at - since;
        match found.cause {
            Cause::ClientClose(_) => assert!(self.client.end.spoken.is_over),
            Cause::ClientEof => assert_eq!(client.ended(), Some(Last::Eof)),
            Cause::ClientReset if self.is_shut() => assert!(client.is_broken() || client.ended().is_some()),
            Cause::ClientReset => {
                assert!(client.is_broken());
                let spoken = &self.client.end.spoken;
                let was_there = spoken.is_over && found.client_arrived == spoken.written;
                let may_miss_it = found.target_blocked || target.is_blocked();
                assert!(!was_there || may_miss_it, "a Close was there to be read");
            }
            Cause::Fault(fault) => assert_eq!(Some(fault.close_code().as_u16()), self.fault_code),
            Cause::TargetEof => assert_eq!(target.ended(), Some(Last::Eof)),
            Cause::TargetReset => assert!(target.is_broken()),
            Cause::FirstBytes(unlike) => self.check_unlike(unlike, found),
            Cause::TargetNotUtf8 => {
                assert_eq!(self.encoding(), Encoding::Text);
                let said = &self.target.spoken.payload[..self.target.socket.read];
                let fault = std::str::from_utf8(said).expect_err("it is UTF-8");
                assert!(fault.error_len().is_some() || target.ended() == Some(Last::Eof), "more may come");
            }
            Cause::SendTimeout(Side::Client) => {
                assert!(found.client_blocked && passed(found.client.moved) >= limits.send_timeout);
                assert!(passed(found.client.taken) >= limits.send_timeout, "a client that took something");
            }
            Cause::SendTimeout(Side::Target) => {
                assert!(found.target_blocked && passed(found.target.moved) >= limits.send_timeout);
                assert!(passed(found.target.taken) >= limits.send_timeout, "a target that took something");
            }
            Cause::ReadTimeout => {
                self.check_silence(found, limits.read_timeout);
                assert!(passed(found.target.read) >= limits.read_timeout, "the target spoke");
            }
            Cause::NoPong => {
                self.check_silence(found, limits.heartbeat.timeout);
                let pinged = found.ping_left.expect("a ping");
                assert!(passed(pinged) >= limits.heartbeat.timeout, "the ping left {} ago", passed(pinged));
                assert!(pinged >= found.client.read, "the client answered the ping");
            }
            Cause::IdleTimeout => {
                assert!(!found.owed_payload, "a block is not idleness");
                assert!(passed(found.payload_at) >= limits.idle_timeout, "payload moved");
            }
            Cause::SessionTimeout => assert!(found.at >= limits.session_timeout),
            Cause::RightExpired => assert!(self.expires_at.is_some_and(|at| at <= found.at)),
            Cause::Shutdown => assert!(self.shutdown_at.is_none_or(|at| at <= found.at)),
            Cause::OutOfMemory => assert!(self.memory.has_failed),
            Cause::Admin(_) | Cause::Internal => {}
        }
    }

    /// A target is turned away for what it said, or did not say.
    fn check_unlike(&self, unlike: Unlike, found: &Found) {
        let target = &self.target.socket;
        let (greeting, until) = self.demanded.as_ref().expect("a demand");
        let heard = &self.target.spoken.payload[..target.read];
        match unlike {
            Unlike::Different => assert!(!greeting.starts_with(heard), "it could still have said it"),
            Unlike::Ended => assert!(target.ended().is_some() || target.is_broken()),
            Unlike::Late => assert!(found.at >= *until),
        }
        assert!(self.is_shut(), "it did as is demanded");
    }

    /// Time in which somebody could not be heard is no silence.
    fn check_silence(&self, found: &Found, timeout: Msec) {
        assert!(!found.owed, "a block is not silence");
        for since in [found.client.read, found.client.unblocked, found.target.unblocked] {
            assert!(found.at - since >= timeout, "silent only since {since}, at {}", found.at);
        }
    }

    /// The client is told why, unless it is lost or takes nothing.
    fn check_close(&self, end: End) {
        let client = &self.client.end;
        let expected = self.goodbye(end.cause);
        assert_eq!(end.close_sent, client.close.is_some(), "the Close is not what it is said to be");
        if end.close_sent {
            assert_eq!(client.close, expected);
            assert!(client.is_between_frames());
        } else if expected.is_some() && !client.socket.is_broken() {
            self.check_client_given_up(end.cause);
        }
        let answers_all = matches!(end.cause, Cause::ClientClose(_) | Cause::Fault(_));
        assert!(!end.close_sent || !answers_all || !client.owes_pongs(), "pongs are missing");
    }

    /// The code and the reason of the contract, written down once more.
    fn goodbye(&self, cause: Cause) -> Option<(Option<u16>, String)> {
        let (code, reason) = match cause {
            Cause::ClientEof | Cause::ClientReset => return None,
            Cause::ClientClose(code) => return Some((code.map(|code| code.as_u16()), String::new())),
            Cause::Fault(fault) => return Some((self.fault_code, fault.to_string())),
            Cause::TargetEof => (1000, "target closed"),
            Cause::IdleTimeout => (1000, "idle"),
            Cause::SessionTimeout => (1000, "session timeout"),
            Cause::RightExpired => (4401, "right expired"),
            Cause::FirstBytes(_) => (1011, "first bytes"),
            Cause::NoPong => (1001, "no pong"),
            Cause::Shutdown => (1001, "server is shutting down"),
            Cause::Admin(reason) => (4000, reason),
            Cause::TargetReset => (1011, "target reset the connection"),
            Cause::TargetNotUtf8 => (1011, "target sent invalid UTF-8"),
            Cause::SendTimeout(Side::Client) => (1011, "client timed out"),
            Cause::SendTimeout(Side::Target) => (1011, "target timed out"),
            Cause::ReadTimeout => (1011, "timed out"),
            Cause::OutOfMemory | Cause::Internal => (1011, "internal error"),
        };
        Some((Some(code), reason.to_owned()))
    }

    fn check_client_given_up(&self, cause: Cause) {
        let client = &self.client.end.socket;
        let passed = self.now - client.times.taken;
        let timeout = self.client_timeout(Some(cause));
        assert!(
            client.is_blocked() && passed >= timeout,
            "a client is given up that took something {passed} ms ago"
        );
    }

    /// What the client said has reached the target, if that one took it.
    fn check_upload(&self, end: End, found: &Found) {
        let (client, target) = (&self.client.end, &self.target.socket);
        if self.is_shut()
            || !delivers(end.cause)
            || target.is_broken()
            || client.socket.is_broken()
            || self.is_client_given_up(end)
        {
            return;
        }
        let is_late = self.now >= client.close_left + LAST_WORDS;
        if awaits_answer(end.cause) && is_late {
            return;
        }
        if end.undelivered > 0 {
            if client.socket.times.unblocked > found.at {
                // It was the client that was waited for, and the target may have been given up long before.
                return;
            }
            let base = match end.cause {
                Cause::ClientEof => client.socket.times.left,
                Cause::IdleTimeout | Cause::SessionTimeout | Cause::Shutdown => 0,
                _ => found.at,
            };
            let passed = self.now - base.max(target.times.taken);
            let timeout = self.target_timeout(Some(end.cause));
            assert!(passed >= timeout, "a target is given up that took something {passed} ms ago");
            return;
        }
        assert_eq!(target.wrote.len(), client.spoken.payload.len(), "the upload is cut short");
    }

    /// What the target had said has reached the client, if that one took it.
    fn check_download(&self, end: End, found: &Found) {
        let client = &self.client.end;
        let says_all = match end.cause {
            Cause::ClientClose(_) | Cause::ClientEof => !self.memory.has_failed,
            Cause::TargetEof | Cause::TargetReset | Cause::TargetNotUtf8 => true,
            _ => false,
        };
        if self.is_shut() || !says_all || client.socket.is_broken() || self.is_client_given_up(end) {
            return;
        }
        let said = self.fit_to_hear(found.target_arrived);
        let heard = client.payload.len();
        assert!(heard >= said, "of {said} bytes from the target the client heard {heard}");
    }

    fn is_client_given_up(&self, end: End) -> bool {
        let client = &self.client.end.socket;
        client.is_blocked() && self.now >= client.times.taken + self.client_timeout(Some(end.cause))
    }
}
