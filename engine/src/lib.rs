//! Eddy's engine: what is durable, and what it means.
//!
//! Records go in, a Delta table of plain Parquet comes out, and a snapshot says what a query may
//! see. The engine knows no Kafka client, no SQL and no HTTP; the crates above it do.
//!
//! ```text
//! Record -> redact/ -> shred/ -> Arrow batches -> write/ -> Parquet + commit/ -> one Delta version
//!                        |                         |                               |
//!                     schema/ (names, types)    read/live (not yet committed)   read/snapshot
//! ```
//!
//! # Guarantees
//!
//! Asserts and tests cite these names; `commit/` has the rules P1 to P23 that they rest on.
//!
//! - **E1** Every (topic id, partition, offset) below a table's position is accounted exactly
//!   once: a row (good or with `_error`), or a range that the broker, a filter, retention, erasure
//!   or a stated policy explains.
//! - **E2** Files never change.
//! - **E3** Positions only move by commits, and backwards only by an explicit rewind that raises
//!   the epoch.
//! - **E4** A reader sees one version of a table from start to end.
//! - **E5** After a revoke is acknowledged nothing of it stays buffered: committed within its
//!   deadline, or dropped to be read again.
//! - **E6** Only objects that our own log removed or our upload journal names are deleted, after a
//!   grace time; and with the last of their files the filters that tell of these.
//! - **E7** Key, value, headers, timestamp and position come back as they were received; where a
//!   table has rules for what must never land (`redact/`), what no rule names, byte for byte.
//! - **E8** An answer holds each record once: lake rows, and live rows beyond the lake snapshot's
//!   positions.

pub mod budget;
pub mod clock;
pub mod commit;
pub mod elide;
mod encode;
pub mod error;
pub mod export;
pub mod fault;
pub mod filter;
pub mod flat;
pub mod lake;
pub mod layout;
pub mod maintain;
pub mod moment;
pub mod partition;
pub mod path;
mod probe;
pub mod read;
pub mod record;
pub mod redact;
pub mod schema;
pub mod seal;
pub mod shred;
mod spare;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod thrift;
pub mod value;
pub mod write;

pub use clock::Clock;
pub use error::{Error, ErrorKind, Result};
pub use lake::{Lake, LakeOptions};
pub use path::TablePath;
pub use record::{Avro, Decoded, Header, Position, Record, TimestampType, TopicId};
pub use value::Value;
