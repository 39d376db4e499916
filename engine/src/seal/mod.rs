//! Files that only who has the key can read: Parquet's modular encryption, of tables that ask for
//! it.
//!
//! ```text
//! plain file in memory -> file.rs: each module of it sealed -> the file that lands
//!                          thrift.rs: the few structures that have to be written anew
//! a reader -> open.rs: the key that the file names, out of the lake's keys (keys.rs)
//! ```
//!
//! Everything of a file is sealed with one key (AES-GCM, 128 or 256 bits): pages and their headers,
//! page indexes, and the footer, so that nobody learns a column's name from it. The format's AADs
//! say which module of which file each one is, so modules can't be moved, swapped or left out
//! within a file or between files. A nonce begins at a random one per file and counts up. In plain
//! stand only the random id of the file and the key's id, by which a reader finds the key: so a
//! table's files may have different keys, and rotating one rewrites nothing.
//!
//! The table says by a property with which key its files are written, never the key itself. Who
//! has the id and not the key refuses to write. What else would tell of values is left out for
//! such tables: bounds in the log (`encode/stats.rs` keeps positions and times, which pruning by
//! time needs) and filters, in files and in packs. What stays readable in the log: columns' names,
//! values of partition columns, counts.
//!
//! The hot path writes its own pages, and the Parquet crate's API has no way to seal these. So a
//! finished file is gone through once more, page by page, after it was compressed: that costs a
//! copy and the cipher. Compaction uses the crate's own sealing, which differs in nothing.

mod file;
mod keys;
mod open;
#[cfg(test)]
mod tests;
mod thrift;

pub(crate) use file::seal;
pub use keys::{Key, Keys};
pub use open::Opening;

/// The table's property: the id of the key with which its files are written.
pub(crate) const PROPERTY: &str = "eddy.encryption.key.id";
