//! One version of a table: its files, columns and positions. It never changes once made (E4).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{Array, AsArray, MapArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use delta_kernel::scan::StatsOptions;
use delta_kernel::snapshot::SnapshotRef;

use crate::commit::kernel::{self, Engine, translate};
use crate::commit::since;
use crate::commit::{
    Actions, DataFile, Metadata, Since, TableState, check_positions, data_file, read_commit,
    record_batch, strings,
};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::layout;
use crate::partition::Partitioning;
use crate::path::TablePath;
use crate::record::{Position, TopicId};

/// Beyond this age a snapshot is loaded anew: the log may have been cleaned behind it (P10).
const STALE: Duration = Duration::from_hours(1);

/// A version of a table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The table's version.
    pub version: u64,
    /// The columns with their identities, without the partition column.
    pub schema: SchemaRef,
    /// The files, ordered by path.
    pub files: Arc<[Arc<DataFile>]>,
    /// The position of each partition.
    pub positions: Arc<BTreeMap<(TopicId, i32), Position>>,
    /// When the version was committed, in milliseconds since the Unix epoch.
    pub committed_at_ms: i64,
    state: TableState,
    loaded_at: Duration,
}

impl Snapshot {
    /// The newest version of a table, or the one asked for. `None` when there is no such table.
    /// Synchronous, as all of the log.
    ///
    /// # Errors
    /// `NotFound` for a version that the table doesn't have; `Data` for a table that Eddy can't
    /// read (P22); `Unavailable`.
    pub fn load(lake: &Lake, table: &TablePath, version: Option<u64>) -> Result<Option<Self>> {
        let loaded_at = lake.clock().monotonic();
        let engine = kernel::engine(lake);
        let Some(base) = kernel::load(lake, &engine, table, version)? else {
            return Ok(None);
        };
        let state = TableState::load(&engine, &base, table)?;
        let mut files = scan(&engine, &base, table)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let committed_at_ms = committed_at_ms(lake, &engine, &base, table)?;
        Ok(Some(Self::assemble(
            state,
            files.into(),
            committed_at_ms,
            loaded_at,
        )))
    }

    /// The newest version of the same table: this one if there is none newer, else this one with
    /// the commits since.
    ///
    /// # Errors
    /// As [`Snapshot::load`].
    pub fn refresh(&self, lake: &Lake, table: &TablePath) -> Result<Self> {
        let now = lake.clock().monotonic();
        if now.saturating_sub(self.loaded_at) > STALE {
            return self.reload(lake, table);
        }
        let mut state = self.state.clone();
        let mut changes: BTreeMap<String, Option<DataFile>> = BTreeMap::new();
        let mut committed_at_ms = self.committed_at_ms;
        while let Some(bytes) = read_commit(lake, table, state.version + 1)? {
            let actions = Actions::parse(&bytes)?;
            state.advance(&actions, table)?;
            for removed in actions.removes {
                changes.insert(removed.path, None);
            }
            for added in actions.adds {
                changes.insert(added.path.clone(), Some(added));
            }
            committed_at_ms = actions.timestamp_ms.unwrap_or(committed_at_ms);
        }
        if state.version == self.version {
            return Ok(Self {
                loaded_at: now,
                ..self.clone()
            });
        }
        let files = merge(&self.files, changes);
        Ok(Self::assemble(state, files, committed_at_ms, now))
    }

    /// The position of one partition.
    pub fn position(&self, topic_id: &TopicId, partition: i32) -> Option<Position> {
        self.positions.get(&(topic_id.clone(), partition)).copied()
    }

    /// Whether the table's files are called as another sink would call them.
    pub(crate) fn is_foreign(&self) -> bool {
        let property = self.state.metadata.configuration.get(layout::PROPERTY);
        property.is_some_and(|layout| layout == layout::FOREIGN)
    }

    /// The number of the record of what last altered a partition's position by hand (P5).
    pub(crate) fn altered_by(&self, key: &(TopicId, i32)) -> Option<i64> {
        self.state.ledger.altered(key)
    }

    /// The id of the key with which the table's files are written; `None`: in plain.
    pub fn key_id(&self) -> Option<&str> {
        self.state.metadata.key_id()
    }

    /// Since when the table has its columns.
    pub fn schema_history(&self) -> SchemaHistory {
        SchemaHistory(Arc::clone(&self.state.metadata))
    }

    /// How the table is partitioned.
    ///
    /// # Errors
    /// `Invalid` when its partition columns aren't those that Eddy made it with; `Data` when a
    /// newer version of Eddy did.
    pub fn partitioning(&self, table: &TablePath) -> Result<Partitioning> {
        self.state.metadata.partitioning(table)
    }

    fn reload(&self, lake: &Lake, table: &TablePath) -> Result<Self> {
        let fresh = Self::load(lake, table, None)?.ok_or_else(|| {
            Error::not_found(format!("table `{}` is gone from the lake", table.topic()))
        })?;
        check_positions(&self.positions, &fresh.positions, table)?;
        Ok(fresh)
    }

    fn assemble(
        state: TableState,
        files: Arc<[Arc<DataFile>]>,
        committed_at_ms: i64,
        loaded_at: Duration,
    ) -> Self {
        Self {
            version: state.version,
            schema: Arc::clone(&state.schema),
            files,
            positions: Arc::clone(&state.positions),
            committed_at_ms,
            state,
            loaded_at,
        }
    }
}

/// The history of a version's columns; cheap to clone, and only read when it is asked for.
#[derive(Debug, Clone)]
pub struct SchemaHistory(Arc<Metadata>);

impl SchemaHistory {
    /// Since when each column is there, by the names from the root (the step into a list's
    /// elements is `element`). Columns that came with the table are not in it.
    ///
    /// # Errors
    /// `Data` for a schema that Eddy can't read.
    pub fn read(&self) -> Result<BTreeMap<Vec<String>, Since>> {
        since::read(&self.0.schema)
    }
}

/// Snapshots by table, so that a query brings the last one up to date instead of loading anew.
#[derive(Debug, Default)]
pub struct SnapshotCache {
    tables: Mutex<BTreeMap<TablePath, Entry>>,
}

/// Locked while one caller refreshes, so that the others wait for its answer.
type Entry = Arc<Mutex<Option<Arc<Snapshot>>>>;

impl SnapshotCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives up what is held of `table`, for whoever looks at many tables and at each seldom.
    pub fn forget(&self, table: &TablePath) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.remove(table);
    }

    /// The newest version of `table`; `None` when there is no such table.
    ///
    /// # Errors
    /// As [`Snapshot::load`].
    pub fn newest(&self, lake: &Lake, table: &TablePath) -> Result<Option<Arc<Snapshot>>> {
        let entry = {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tables.entry(table.clone()).or_default())
        };
        let mut held = entry.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = match held.as_ref() {
            Some(snapshot) => Some(Arc::new(snapshot.refresh(lake, table)?)),
            None => Snapshot::load(lake, table, None)?.map(Arc::new),
        };
        held.clone_from(&fresh);
        Ok(fresh)
    }
}

fn merge(
    files: &Arc<[Arc<DataFile>]>,
    changes: BTreeMap<String, Option<DataFile>>,
) -> Arc<[Arc<DataFile>]> {
    if changes.is_empty() {
        return Arc::clone(files);
    }
    let kept = files
        .iter()
        .filter(|file| !changes.contains_key(&file.path))
        .cloned();
    let mut merged: Vec<_> = kept.collect();
    merged.extend(changes.into_values().flatten().map(Arc::new));
    merged.sort_by(|a, b| a.path.cmp(&b.path));
    merged.into()
}

fn committed_at_ms(
    lake: &Lake,
    engine: &Engine,
    base: &SnapshotRef,
    table: &TablePath,
) -> Result<i64> {
    if let Some(bytes) = read_commit(lake, table, base.version())?
        && let Some(timestamp_ms) = Actions::parse(&bytes)?.timestamp_ms
    {
        return Ok(timestamp_ms);
    }
    base.get_timestamp(engine)
        .map_err(|error| translate(error, table))
}

fn scan(engine: &Engine, base: &SnapshotRef, table: &TablePath) -> Result<Vec<Arc<DataFile>>> {
    let scan = Arc::clone(base)
        .scan_builder()
        .with_stats(StatsOptions::json_only())
        .without_row_transforms()
        .build()
        .map_err(|error| translate(error, table))?;
    let mut files = Vec::new();
    for batch in scan
        .scan_metadata(engine)
        .map_err(|error| translate(error, table))?
    {
        let batch = batch.map_err(|error| translate(error, table))?;
        let selected = batch
            .scan_files
            .apply_selection_vector()
            .map_err(|error| translate(error, table))?;
        read_files(&record_batch(selected)?, &mut files)?;
    }
    Ok(files)
}

fn read_files(batch: &RecordBatch, files: &mut Vec<Arc<DataFile>>) -> Result<()> {
    let column = |name: &str| batch.column_by_name(name).map(AsRef::as_ref);
    let number = |name: &'static str| {
        column(name)
            .and_then(|column: &dyn Array| column.as_primitive_opt::<Int64Type>())
            .ok_or_else(|| Error::internal(format!("the kernel's scan has no `{name}`")))
    };
    let (paths, stats) = (strings(column("path"))?, strings(column("stats"))?);
    let (sizes, modified) = (number("size")?, number("modificationTime")?);
    let values = column("fileConstantValues")
        .and_then(|constants| constants.as_struct_opt()?.column_by_name("partitionValues"))
        .and_then(|values| values.as_map_opt())
        .ok_or_else(|| Error::internal("the kernel's scan has no `partitionValues`"))?;
    for row in 0..batch.num_rows() {
        let stats = stats.is_valid(row).then(|| stats.value(row).to_owned());
        files.push(Arc::new(data_file(
            paths.value(row),
            sizes.value(row),
            modified.value(row),
            partition_values(values, row)?,
            stats,
        )));
    }
    Ok(())
}

fn partition_values(values: &MapArray, row: usize) -> Result<BTreeMap<String, Option<String>>> {
    if values.is_null(row) {
        return Ok(BTreeMap::new());
    }
    let entries = values.value(row);
    let keys = strings(entries.columns().first().map(AsRef::as_ref))?;
    let texts = strings(entries.columns().get(1).map(AsRef::as_ref))?;
    Ok((0..keys.len())
        .map(|at| {
            let text = texts.is_valid(at).then(|| texts.value(at).to_owned());
            (keys.value(at).to_owned(), text)
        })
        .collect())
}
