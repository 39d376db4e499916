//! Columns of files, decoded and kept in memory, for questions that come again.
//!
//! ```text
//! scan (source.rs) --file--> are all its columns kept?
//!                              yes: their rows, and nothing is read (given.rs)
//!                              no:  Parquet's reader; what it gives of columns that are asked for
//!                                   again is kept (fill.rs)
//! ```
//!
//! Most of what a grouping over a few columns costs is decoding them. A column is kept once it is
//! asked for the second time, so a question that comes once costs nothing here; what is kept stays
//! by how often it is asked for, so one walk through a large table pushes nothing out.
//!
//! Only a column of which every row of the file (or of the same range of it) was read is kept:
//! where statistics, pages or filters left rows out, the count of rows says so. What must meet
//! conditions meets them above the scan. A data file never changes (E2), and as with blocks
//! (`cache`) only scans of a table's newest version come here, so that nothing erased comes back.
//! Columns of encrypted tables aren't kept.

mod fill;
mod given;
mod name;
mod source;

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::ArrayRef;
use foyer::{Cache, CacheBuilder, LfuConfig};

pub(crate) use source::{KeptSource, parquet_of};

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    /// The file: its lake, path, size and time, and which range of it.
    file: Arc<str>,
    /// The column: its path in the file, and its type.
    column: Arc<str>,
}

/// All rows of a column of a file.
#[derive(Debug)]
struct Column {
    /// The rows in the file's order, in parts of any length.
    parts: Vec<ArrayRef>,
    rows: usize,
    /// The memory that they take.
    bytes: usize,
    /// The bytes that they are in the file.
    file_bytes: u64,
}

/// How many questions for columns are remembered, twice.
const ASKED_MOST: usize = 65_536;

/// The columns of all files of all lakes.
pub(crate) struct Columns {
    kept: Cache<Key, Arc<Column>>,
    asked: Mutex<Asked>,
    /// Bytes of columns that are read just now and may be kept.
    filling: AtomicUsize,
    filling_most: usize,
}

/// What was asked for lately.
#[derive(Default)]
struct Asked {
    now: HashSet<u64>,
    before: HashSet<u64>,
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Columns")
            .field("memory_bytes", &self.kept.capacity())
            .finish_non_exhaustive()
    }
}

impl Columns {
    /// At most so many bytes, and half as many again while columns are read; `None` for none.
    pub(crate) fn new(memory_bytes: usize) -> Option<Arc<Self>> {
        if memory_bytes == 0 {
            return None;
        }
        let kept = CacheBuilder::new(memory_bytes)
            // A column is large, and all of the memory should be one column's if need be.
            .with_shards(1)
            .with_eviction_config(LfuConfig::default())
            .with_weighter(|key: &Key, column: &Arc<Column>| {
                key.file.len() + key.column.len() + column.bytes
            })
            .build();
        Some(Arc::new(Self {
            kept,
            asked: Mutex::default(),
            filling: AtomicUsize::new(0),
            filling_most: memory_bytes / 2,
        }))
    }

    fn get(&self, key: &Key) -> Option<Arc<Column>> {
        self.kept.get(key).map(|found| Arc::clone(found.value()))
    }

    /// Notes a question; whether it came before.
    fn is_asked_again(&self, key: &Key) -> bool {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let hash = hasher.finish();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.now.len() >= ASKED_MOST {
            asked.before = std::mem::take(&mut asked.now);
        }
        let again = asked.before.contains(&hash);
        !asked.now.insert(hash) || again
    }

    fn keep(&self, key: Key, column: Column) {
        self.kept.insert(key, Arc::new(column));
        let bytes = u32::try_from(self.kept.usage() >> 10).unwrap_or(u32::MAX);
        metrics::gauge!("eddy_query_columns_memory_bytes").set(f64::from(bytes) * 1024.0);
    }

    /// Whether there is room for more that is read.
    fn reserve(&self, bytes: usize) -> bool {
        let fits = |held: usize| Some(held + bytes).filter(|held| *held <= self.filling_most);
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        self.filling.fetch_update(set, get, fits).is_ok()
    }

    fn release(&self, bytes: usize) {
        self.filling.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Counts columns of files by whether they were kept.
fn count(kept: &'static str, columns: usize) {
    let columns = u64::try_from(columns).unwrap_or(u64::MAX);
    metrics::counter!("eddy_query_columns_total", "kept" => kept).increment(columns);
}

#[cfg(test)]
mod tests;
