//! Which addresses a session may be connected to, and until when.
//!
//! Floor 0 of the module, as the other pure crates: no nginx, no socket, no file, no clock. [`Pattern`] is what a rule
//! is written as, [`Rules`] are a location's in their order, and a [`Peer`] is where a connection would go.
//!
//! ```
//! use websockify_policy::{Action, Pattern, Peer, Refusal, Rules};
//!
//! let mut rules = Rules::default();
//! rules.push(Action::Allow, Pattern::parse(b"10.0.0.0/8:5900-5999")?, "nginx.conf:7");
//!
//! let desktop = Peer::Ip("10.1.2.3:5901".parse().expect("an address"));
//! let database = Peer::Ip("10.1.2.3:5432".parse().expect("an address"));
//! assert_eq!(rules.judge(desktop, false), Ok(()));
//! assert_eq!(rules.judge(database, false), Err(Refusal::Unlisted(&"nginx.conf:7")));
//! # Ok::<(), websockify_policy::PatternError>(())
//! ```
#![forbid(unsafe_code)]

pub mod moment;
mod network;
mod pattern;
mod peer;
mod rules;

pub use network::Network;
pub use pattern::{Pattern, PatternError};
pub use peer::Peer;
pub use rules::{Action, Refusal, Rules};
