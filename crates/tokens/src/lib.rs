//! websockify's token files, and a table of tokens that many processes share as plain bytes.
//!
//! Floor 0 of the module: nothing here knows of nginx, a file, a thread or a clock. A [`Builder`] reads the text of
//! token files; what it makes is one block of bytes, in which a [`Table`] finds the target of a token. A block that is
//! damaged, or no table at all, finds nothing, and never panics.
//!
//! ```
//! use websockify_tokens::{Builder, Key, Table};
//!
//! let mut builder = Builder::new(Key([0x5a; 16]));
//! builder.add_file(b"# a comment\ndesk1: 10.0.0.11:5900\ndesk2: unix_socket:/run/vnc/2\n", None)?;
//! let block = builder.finish().expect("memory").bytes;
//! let table = Table::new(&block).expect("a table");
//! assert_eq!(table.find(b"desk1"), Some(&b"10.0.0.11:5900"[..]));
//! assert_eq!(table.find(b"desk2"), Some(&b"unix:/run/vnc/2"[..]));
//! assert_eq!(table.find(b"desk3"), None);
//! # Ok::<(), websockify_tokens::Broken>(())
//! ```
#![forbid(unsafe_code)]

mod address;
mod builder;
mod line;
mod same;
mod siphash;
mod table;
mod text;

pub use builder::{Broken, Builder, Built, Duplicate, Place};
pub use line::{Fault, TOKEN_LIMIT};
pub use siphash::{hash, Key};
pub use table::Table;
pub use text::decode;
