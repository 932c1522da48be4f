//! What is counted by its cause: ends, refusals, failures to connect.

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client's Close.
    ClientClose,
    /// The client ended its stream.
    ClientEof,
    /// The client's connection broke.
    ClientReset,
    /// The client broke the protocol.
    ClientFault,
    /// The target ended its stream.
    TargetEof,
    /// The target's connection broke.
    TargetReset,
    /// What the target said was not what was demanded.
    TargetRefused,
    /// The client took nothing.
    ClientTimeout,
    /// The target took nothing.
    TargetTimeout,
    /// Neither side said anything.
    ReadTimeout,
    /// The client did not answer a ping.
    NoPong,
    /// No payload went either way.
    IdleTimeout,
    /// The session has lasted as long as it may.
    SessionTimeout,
    /// An administrator has ended it.
    Admin,
    /// The worker shut down.
    Shutdown,
    /// A fault of our own, or no memory.
    Internal,
    /// The worker was killed.
    Lost,
}

/// What refused a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The handshake itself.
    Handshake,
    /// The page it came from.
    Origin,
    /// The token.
    Token,
    /// The right to a session: over, or not to be read.
    Right,
    /// The target: none, not to be read, or not permitted.
    Target,
    /// A fault of our own, or no memory.
    Internal,
}

/// What kept a session from its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconnected {
    /// Refused, reset, not to be resolved, no server left.
    Failed,
    /// No answer in time.
    TimedOut,
    /// The client left first.
    ClientLeft,
    /// A fault of our own, or no memory.
    Internal,
}

/// Something that is counted by its cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session ended with this close code, 1006 where the client could be told none.
    Ended(Ending, u16),
    /// A handshake was refused with this status.
    Refused(Refusal, u16),
    /// A target was not connected.
    Unconnected(Unconnected),
}

/// The kinds of events; a key's upper bits.
pub(crate) const ENDED: u64 = 1;
pub(crate) const REFUSED: u64 = 2;
pub(crate) const UNCONNECTED: u64 = 3;

const ENDINGS: [&str; 17] = [
    "client_close",
    "client_eof",
    "client_reset",
    "client_fault",
    "target_eof",
    "target_reset",
    "target_refused",
    "client_timeout",
    "target_timeout",
    "read_timeout",
    "no_pong",
    "idle_timeout",
    "session_timeout",
    "admin",
    "shutdown",
    "internal",
    "lost",
];
const REFUSALS: [&str; 6] = ["handshake", "origin", "token", "right", "target", "internal"];
const UNCONNECTEDS: [&str; 4] = ["failed", "timeout", "client_left", "internal"];

/// A client may choose among 2,000 codes of its own: these are counted by the thousand.
fn bounded(code: u16) -> u16 {
    match code {
        3000..=3999 => 3000,
        4005..=4399 | 4500..=4999 => 4999,
        code => code,
    }
}

impl Event {
    pub(crate) fn key(self) -> u64 {
        let (kind, cause, code) = match self {
            Self::Ended(ending @ Ending::ClientClose, code) => {
                (ENDED, ending as u64, if code >= 4000 { 4999 } else { bounded(code) })
            }
            Self::Ended(ending, code) => (ENDED, ending as u64, bounded(code)),
            Self::Refused(refusal, status) => (REFUSED, refusal as u64, status),
            Self::Unconnected(cause) => (UNCONNECTED, cause as u64, 0),
        };
        kind << 32 | cause << 16 | u64::from(code)
    }
}

pub(crate) fn kind_of(key: u64) -> u64 {
    key >> 32
}

#[allow(clippy::cast_possible_truncation, reason = "16 bits")]
pub(crate) fn cause_of(key: u64) -> &'static str {
    let names: &[&str] = match kind_of(key) {
        ENDED => &ENDINGS,
        REFUSED => &REFUSALS,
        _ => &UNCONNECTEDS,
    };
    names.get((key >> 16 & 0xffff) as usize).copied().unwrap_or("other")
}

/// The code as it is shown: `3xxx` and `4xxx` stand for a client's own.
pub(crate) struct Code(pub(crate) u64);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 & 0xffff {
            3000 => f.write_str("3xxx"),
            4999 => f.write_str("4xxx"),
            code => write!(f, "{code}"),
        }
    }
}
