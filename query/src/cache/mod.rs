//! Blocks of remote files, kept in memory and on a local disk.
//!
//! ```text
//! scan of one file (file.rs) --ranges--> blocks (plan.rs) --> memory --> disk.rs --> the store
//!                                                     who reads what: flights.rs
//! ```
//!
//! A data file never changes (E2), so a block is right for as long as its file is wanted, and a key
//! of lake, path, size and time can't be another file's. Blocks are what the store has: those of
//! encrypted files stay encrypted.
//!
//! What was erased must not come back, nor lie about for good:
//! - Only scans of a table's newest version come here. Its log names no file that an erasure, or
//!   anything else, took out of it; older versions and replays are read from the store, which has
//!   their files or has them no more.
//! - On disk a block is sealed with a key that is in memory alone and is forgotten at most
//!   [`seal::KEPT`] after the block was read (`seal.rs`): from then on its bytes are noise. They
//!   lie in files without a name, which the system frees when the process ends, however it ends.
//! - In memory a block stays until others push it out, and is never asked for again.
//!
//! A disk that fails, or lies, costs reading: a block that doesn't open is read from the store.

mod blocks;
mod disk;
mod file;
mod flights;
mod measures;
mod plan;
mod readers;
mod seal;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub(crate) use blocks::Blocks;
pub(crate) use readers::{Readers, readers};

/// What may be used for keeping what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// Memory, in bytes; none turns the cache off.
    pub memory_bytes: usize,
    /// Disk, in bytes; none unless said.
    pub disk_bytes: usize,
    /// The folder on that disk. Its bytes are of no use to another process.
    pub directory: Option<PathBuf>,
    /// Memory for decoded columns of any files, in bytes; none turns that off.
    pub columns_bytes: usize,
}

impl CacheOptions {
    /// With less memory not even what one scan reads at once would stay.
    pub const MEMORY_LEAST: usize = 4 << 20;
    /// With less disk there is nothing that could be given up while the rest is kept.
    pub const DISK_LEAST: usize = 64 << 20;
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            memory_bytes: 128 << 20,
            disk_bytes: 0,
            directory: None,
            columns_bytes: 128 << 20,
        }
    }
}
