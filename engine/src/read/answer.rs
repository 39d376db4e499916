//! What a query over lake and live rows reads: one snapshot, and the rows beyond it (P20, E8).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::lake::Lake;
use crate::path::TablePath;
use crate::read::clip::clip;
use crate::read::live::LiveBatch;
use crate::read::snapshot::{Snapshot, SnapshotCache};
use crate::record::TopicId;

/// Looks at lake and live rows until they fit together. Within one process the first one does; a
/// store that lists late may need another.
const ATTEMPTS: usize = 5;

/// A table as of now, each record once.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The version that the answer's committed rows come from.
    pub snapshot: Arc<Snapshot>,
    /// The rows beyond it, columns named provisionally: bind them by identity (P12).
    pub live: Vec<RecordBatch>,
    /// Per partition the next offset: everything below it is in the answer, which makes this the
    /// answer's position.
    pub ends: BTreeMap<(TopicId, i32), i64>,
}

/// The newest version of `table` and its live rows beyond; `None` when there is no such table.
/// `elsewhere` are live rows of other processes, fetched before this call. Synchronous, as all of
/// the log.
///
/// # Errors
/// As [`SnapshotCache::newest`].
pub fn consistent(
    lake: &Lake,
    cache: &SnapshotCache,
    table: &TablePath,
    elsewhere: &[Arc<LiveBatch>],
) -> Result<Option<Answer>> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        // Live rows first: what is committed after this line is in the snapshot below.
        let mut live = lake.live().batches(table);
        live.extend(elsewhere.iter().cloned());
        let Some(snapshot) = cache.newest(lake, table)? else {
            return Ok(None);
        };
        let clipped = clip(&live, &snapshot.positions)?;
        if clipped.gap && attempt < ATTEMPTS {
            continue;
        }
        // A range that still begins beyond the snapshot is left out: the answer stays a prefix.
        return Ok(Some(Answer {
            snapshot,
            live: clipped.batches,
            ends: clipped.ends,
        }));
    }
}
