//! Whether a silent client is still there: pings, their answers, and the time between (RFC 6455 section 5.5.2).

/// Milliseconds on a clock that never goes back.
type Msec = u64;

/// What a heartbeat asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing before this time.
    Wait(Msec),
    /// Send a ping with this payload, and say when it has left: [`Heartbeat::on_ping_sent`].
    Ping([u8; 4]),
    /// The client has been silent for too long.
    Dead,
}

/// How often a silent client is pinged, and how long it may take to answer, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// How long a client may be silent before it is pinged; 0 for never.
    pub interval: Msec,
    /// How long it may be silent after a ping has left; 0 for ever.
    pub timeout: Msec,
}

/// The pulse of one client.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    heard_at: Msec,
    ping: Ping,
    /// Numbers the pings, so that a late or made-up pong measures nothing.
    count: u32,
    round_trip: Option<Msec>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    /// None since the client was last heard.
    None,
    /// One waits for its way to the client.
    Queued,
    Sent(Msec),
}

impl Heartbeat {
    /// The pulse of a client that was heard at `now`.
    #[must_use]
    pub const fn new(now: Msec) -> Self {
        Self { heard_at: now, ping: Ping::None, count: 0, round_trip: None }
    }

    /// Asks what is due at `now`.
    pub fn poll(&mut self, now: Msec, rhythm: Rhythm) -> Beat {
        let due = match self.ping {
            _ if rhythm.interval == 0 => return Beat::Wait(Msec::MAX),
            Ping::None => self.heard_at.saturating_add(rhythm.interval),
            Ping::Queued => return Beat::Wait(Msec::MAX),
            // Without a timeout a client is pinged on and on: what carries the pings may notice that it is gone.
            Ping::Sent(at) if rhythm.timeout == 0 => at.saturating_add(rhythm.interval),
            Ping::Sent(at) => at.saturating_add(rhythm.timeout),
        };
        match self.ping {
            _ if now < due => Beat::Wait(due),
            Ping::Sent(_) if rhythm.timeout > 0 => Beat::Dead,
            _ => {
                self.count = self.count.wrapping_add(1);
                self.ping = Ping::Queued;
                Beat::Ping(self.count.to_be_bytes())
            }
        }
    }

    /// The ping asked for last has left at `now`. Does nothing and returns `false` if none waits.
    pub fn on_ping_sent(&mut self, now: Msec) -> bool {
        let waits = self.ping == Ping::Queued;
        if waits {
            self.ping = Ping::Sent(now);
        }
        waits
    }

    /// The client was heard at `now`, whatever it said.
    pub fn on_heard(&mut self, now: Msec) {
        self.heard_at = now;
        if let Ping::Sent(_) = self.ping {
            self.ping = Ping::None;
        }
    }

    /// A pong came at `now`; to be told before [`Heartbeat::on_heard`]. Returns whether it has measured the way.
    pub fn on_pong(&mut self, now: Msec, payload: &[u8]) -> bool {
        match self.ping {
            Ping::Sent(at) if payload == self.count.to_be_bytes() => {
                self.round_trip = Some(now.saturating_sub(at));
                true
            }
            _ => false,
        }
    }

    /// How long the last answered ping took there and back, in milliseconds.
    #[must_use]
    pub const fn round_trip(&self) -> Option<Msec> {
        self.round_trip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RHYTHM: Rhythm = Rhythm { interval: 30, timeout: 20 };

    fn ping(heartbeat: &mut Heartbeat, now: Msec) -> [u8; 4] {
        match heartbeat.poll(now, RHYTHM) {
            Beat::Ping(payload) => payload,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_talking_client_is_not_pinged() {
        let mut heartbeat = Heartbeat::new(0);
        for now in (0..300).step_by(10) {
            heartbeat.on_heard(now);
            assert_eq!(heartbeat.poll(now, RHYTHM), Beat::Wait(now + 30));
        }
    }

    #[test]
    fn a_silent_client_is_pinged_once_and_then_given_up() {
        let mut heartbeat = Heartbeat::new(100);
        assert_eq!(heartbeat.poll(129, RHYTHM), Beat::Wait(130));
        ping(&mut heartbeat, 130);
        heartbeat.on_ping_sent(131);
        assert_eq!(heartbeat.poll(150, RHYTHM), Beat::Wait(151));
        assert_eq!(heartbeat.poll(151, RHYTHM), Beat::Dead);
    }

    #[test]
    fn the_timeout_starts_when_the_ping_has_left_our_buffer() {
        let mut heartbeat = Heartbeat::new(0);
        ping(&mut heartbeat, 30);
        assert_eq!(heartbeat.poll(10_000, RHYTHM), Beat::Wait(Msec::MAX));
        heartbeat.on_ping_sent(10_000);
        assert_eq!(heartbeat.poll(10_001, RHYTHM), Beat::Wait(10_020));
    }

    #[test]
    fn its_own_pong_measures_the_round_trip() {
        let mut heartbeat = Heartbeat::new(0);
        let payload = ping(&mut heartbeat, 30);
        heartbeat.on_ping_sent(30);
        heartbeat.on_pong(37, &payload);
        heartbeat.on_heard(37);
        assert_eq!(heartbeat.round_trip(), Some(7));
        assert_eq!(heartbeat.poll(37, RHYTHM), Beat::Wait(67));
    }

    #[test]
    fn any_sign_of_life_will_do_but_measures_nothing() {
        let mut heartbeat = Heartbeat::new(0);
        ping(&mut heartbeat, 30);
        heartbeat.on_ping_sent(30);
        heartbeat.on_pong(35, b"made up");
        heartbeat.on_heard(35);
        assert_eq!(heartbeat.round_trip(), None);
        assert_eq!(heartbeat.poll(40, RHYTHM), Beat::Wait(65));
    }

    #[test]
    fn an_interval_of_zero_is_off() {
        let rhythm = Rhythm { interval: 0, timeout: 20 };
        assert_eq!(Heartbeat::new(0).poll(Msec::MAX, rhythm), Beat::Wait(Msec::MAX));
    }

    #[test]
    fn a_timeout_of_zero_pings_on_and_on() {
        let rhythm = Rhythm { interval: 30, timeout: 0 };
        let mut heartbeat = Heartbeat::new(0);
        for now in [30, 60, 90] {
            assert!(matches!(heartbeat.poll(now, rhythm), Beat::Ping(_)));
            heartbeat.on_ping_sent(now);
        }
    }
}
