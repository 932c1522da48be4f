//! What the sessions of several processes do, in memory that they share: counted, listed, and told to end.
//!
//! The memory is a slice of words ([`Table`]) that all processes see. Each has a [`Slot`] in it and writes to nothing
//! but its own, so that nobody waits for anybody: there is no lock. What a process leaves behind that was killed is
//! found by the next one that looks. The module brings the memory, the processes and the clock; the tests bring
//! threads.
#![forbid(unsafe_code)]

mod chunk;
mod counters;
mod event;
mod form;
mod json;
mod order;
mod owner;
mod prometheus;
mod shelf;
mod table;
mod text;
mod totals;

pub use chunk::{Listed, Record};
pub use counters::{Counters, Progress};
pub use event::{Ending, Event, Refusal, Unconnected};
pub use form::field;
pub use json::{write_sessions, write_totals};
pub use order::{Order, Reason, MAX_REASON};
pub use owner::Owner;
pub use prometheus::write_metrics;
pub use shelf::{Place, Shelf};
pub use table::{Slot, Table, MAX_NAME, MAX_NAMES, SLOTS};
pub use text::Text;
pub use totals::Totals;
