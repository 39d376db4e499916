//! What one query sees of one table: a version's files, and live rows beyond its positions (P20).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use eddy_engine::commit::DataFile;
use eddy_engine::partition::Partitioning;
use eddy_engine::read::SchemaHistory;
use eddy_engine::schema::{VALUE, VALUE_SHAPE};
use eddy_engine::{Position, TablePath, TopicId};

use super::columns::SqlColumns;
use crate::flight::peers::Away;

/// The partition column of tables by day.
pub(crate) const DT: &str = "dt";

/// The file of a row, null for a live one. No payload column's name has a control character.
pub(crate) const FILE: &str = "\u{1}file";

/// The number of a row's file in its view, null for a live row: half of its address.
pub(crate) const NUMBER: &str = "\u{1}number";

/// The number of a row in its file, null for a live row: the other half.
pub(crate) const ROW: &str = "\u{1}row";

/// Columns that `*` leaves out: the record's bytes, their text, and what they are made of.
pub(crate) const HIDDEN: &[&str] = &["_key", VALUE, "_headers", KEY_TEXT, VALUE_TEXT, VALUE_SHAPE];

/// The key as text, null where it isn't UTF-8.
pub(super) const KEY_TEXT: &str = "_key_text";
/// The value as text, null where it isn't UTF-8.
pub(super) const VALUE_TEXT: &str = "_value_text";

/// Next offsets by partition, as `as_of` and `wait_for` take them.
pub(crate) type OffsetMap = BTreeMap<i32, i64>;

/// A bound on what a query sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum AsOf {
    /// Everything that is visible.
    #[default]
    Now,
    /// Rows below these offsets; partitions that aren't named have none.
    Offsets(OffsetMap),
}

/// Which rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Those without `_error`: the topic's table.
    Good,
    /// Those with `_error`: `system.dead_letters`.
    Dead,
    /// All of them, with [`FILE`]: what an erasure may mean.
    All,
}

/// One consistent view of one table; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// The table's name in SQL.
    pub(crate) name: String,
    /// The version of the files.
    pub(crate) version: u64,
    /// The columns in the files, with identities in their metadata; grown by what live rows have.
    pub(crate) schema: SchemaRef,
    /// Since when the table has its columns.
    pub(crate) history: Option<SchemaHistory>,
    /// Where the table is.
    pub(crate) path: TablePath,
    /// With which key the table's files are encrypted.
    pub(crate) key_id: Option<String>,
    /// How the table is partitioned.
    pub(crate) partitioning: Arc<Partitioning>,
    /// The version's files.
    pub(crate) files: Arc<[Arc<DataFile>]>,
    /// The version's positions.
    pub(crate) positions: Arc<BTreeMap<(TopicId, i32), Position>>,
    /// Live rows beyond the positions, under provisional names; identities are in the schemas'
    /// metadata (P12).
    pub(crate) live: Vec<RecordBatch>,
    /// The next offset that files and live rows don't answer, by partition.
    pub(crate) ends: BTreeMap<(TopicId, i32), i64>,
    /// The bound on rows.
    pub(crate) as_of: AsOf,
    /// When the version was committed, in milliseconds since the epoch.
    pub(crate) committed_at_ms: i64,
    /// The workers whose live rows are missing.
    pub(crate) away: Arc<[Away]>,
    /// Whether the version was the newest: then no file of it has been erased.
    pub(crate) is_newest: bool,
}

impl View {
    /// The columns as SQL sees them: what is stored, keys of several columns as one, the
    /// partition columns, and the text of key and value.
    pub(crate) fn sql_columns(&self) -> SqlColumns {
        SqlColumns::of(&self.schema)
    }

    /// How many live rows there are beyond the version's files.
    pub(crate) fn live_rows(&self) -> u64 {
        let rows: usize = self.live.iter().map(RecordBatch::num_rows).sum();
        u64::try_from(rows).unwrap_or(u64::MAX)
    }

    /// [`View::ends`] by partition alone; of several topic ids the farthest counts.
    pub(crate) fn visible_offsets(&self) -> OffsetMap {
        let mut offsets = OffsetMap::new();
        for ((_, partition), offset) in &self.ends {
            let known = offsets.entry(*partition).or_insert(*offset);
            *known = (*offset).max(*known);
        }
        offsets
    }
}
