//! What a version of a table says about itself: columns, positions, owner; read from the kernel or
//! brought forward commit by commit.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use delta_kernel::EngineData;
use delta_kernel::actions::LOG_TXN_SCHEMA;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::snapshot::SnapshotRef;

use crate::commit::actions::{Actions, Metadata};
use crate::commit::app::Ledger;
use crate::commit::columns;
use crate::commit::kernel::{Engine, translate};
use crate::error::{Error, Result};
use crate::path::TablePath;
use crate::record::{Position, TopicId};

/// The state of one version. Cheap to clone, and what comes after it costs what changes, however
/// many positions the table has.
#[derive(Debug, Clone)]
pub(crate) struct TableState {
    pub(crate) version: u64,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) schema: SchemaRef,
    pub(crate) ledger: Ledger,
    pub(crate) positions: Arc<BTreeMap<(TopicId, i32), Position>>,
}

impl TableState {
    /// The state of a version that the kernel has loaded.
    ///
    /// # Errors
    /// `Data` when the table is not one that Eddy can read (P22); `Unavailable`.
    pub(crate) fn load(engine: &Engine, snapshot: &SnapshotRef, table: &TablePath) -> Result<Self> {
        let configuration = snapshot.table_configuration();
        let (protocol, found) = (configuration.protocol(), configuration.metadata());
        check_protocol(
            i64::from(protocol.min_reader_version()),
            i64::from(protocol.min_writer_version()),
            table,
        )?;
        let metadata = Metadata {
            schema: found.schema_string().clone(),
            partition_columns: found.partition_columns().to_vec(),
            configuration: found.configuration().clone().into_iter().collect(),
        };
        check_metadata(&metadata, table)?;
        let ledger = read_ledger(engine, snapshot, table)?;
        Ok(Self {
            version: snapshot.version(),
            schema: columns::from_delta(&metadata.schema, &metadata.partition_columns)?,
            metadata: Arc::new(metadata),
            positions: Arc::new(ledger.positions()),
            ledger,
        })
    }

    /// The state after the next version's `actions`.
    ///
    /// # Errors
    /// `Data` when someone changed the table in a way that Eddy can't go on with (P22).
    pub(crate) fn advance(&mut self, actions: &Actions, table: &TablePath) -> Result<()> {
        if let Some((reader, writer)) = actions.protocol {
            check_protocol(reader, writer, table)?;
        }
        if let Some(metadata) = &actions.metadata
            && *metadata != *self.metadata
        {
            check_metadata(metadata, table)?;
            self.check_partition_columns(metadata, table)?;
            self.schema = columns::from_delta(&metadata.schema, &metadata.partition_columns)?;
            self.metadata = Arc::new(metadata.clone());
        }
        self.move_positions(&actions.txns, table)?;
        self.version += 1;
        Ok(())
    }

    /// Files say the values of the columns that were there when they were written.
    fn check_partition_columns(&self, metadata: &Metadata, table: &TablePath) -> Result<()> {
        if metadata.partition_columns == self.metadata.partition_columns {
            return Ok(());
        }
        Err(Error::data(format!(
            "something else changed the partition columns of table `{}` from `{}` to `{}`: restore \
             the table",
            table.topic(),
            self.metadata.partition_columns.join("`, `"),
            metadata.partition_columns.join("`, `")
        )))
    }

    /// E3 for those positions that a version moves; the others stay where they are.
    fn move_positions(&mut self, txns: &[(String, i64)], table: &TablePath) -> Result<()> {
        let set = |(app_id, version): &(String, i64)| self.ledger.set(app_id, *version);
        let moved: Vec<(TopicId, i32)> = txns.iter().filter_map(set).collect();
        for key in &moved {
            if let Some(old) = self.positions.get(key) {
                check_position(key, *old, self.ledger.position(key), table)?;
            }
        }
        if !moved.is_empty() {
            let positions = Arc::make_mut(&mut self.positions);
            for key in moved {
                if let Some(position) = self.ledger.position(&key) {
                    positions.insert(key, position);
                }
            }
        }
        Ok(())
    }
}

/// E3 from one version to a later one: no position is lost, and none goes back without a higher
/// epoch. Compared on every refresh, since Delta itself doesn't mind (P22).
pub(crate) fn check_positions(
    before: &BTreeMap<(TopicId, i32), Position>,
    after: &BTreeMap<(TopicId, i32), Position>,
    table: &TablePath,
) -> Result<()> {
    for (key, old) in before {
        check_position(key, *old, after.get(key).copied(), table)?;
    }
    Ok(())
}

fn check_position(
    (topic_id, partition): &(TopicId, i32),
    old: Position,
    new: Option<Position>,
    table: &TablePath,
) -> Result<()> {
    let place = || format!("partition `{partition}` of topic `{topic_id}`");
    match new {
        None => Err(Error::data(format!(
            "table `{}` has lost the position of {}: something removed Eddy's `txn` actions; \
             restore the table to a version that has them",
            table.topic(),
            place()
        ))),
        Some(new) if (new.epoch, new.offset) < (old.epoch, old.offset) => {
            Err(Error::data(format!(
                "table `{}` went back in {}, from offset `{}` of epoch `{}` to `{}` of `{}`: it \
                 was restored or written by something else; rewind the connector's offsets \
                 explicitly",
                table.topic(),
                place(),
                old.offset,
                old.epoch,
                new.offset,
                new.epoch
            )))
        }
        Some(_) => Ok(()),
    }
}

fn check_protocol(reader: i64, writer: i64, table: &TablePath) -> Result<()> {
    if reader > 1 || writer > 2 {
        return Err(Error::data(format!(
            "table `{}` was upgraded to Delta protocol `{reader}/{writer}`, and Eddy reads and \
             writes `1/2`: undo what enabled newer table features, or restore the table",
            table.topic()
        )));
    }
    Ok(())
}

fn check_metadata(metadata: &Metadata, table: &TablePath) -> Result<()> {
    let expires = "delta.setTransactionRetentionDuration";
    if metadata.configuration.contains_key(expires) {
        return Err(Error::data(format!(
            "table `{}` has the property `{expires}`, which makes the positions of idle \
             partitions disappear; unset it",
            table.topic()
        )));
    }
    Ok(())
}

/// All `txn` actions of a version, in one pass over its log: asking the kernel for one id after
/// the other would replay the log for each.
fn read_ledger(engine: &Engine, snapshot: &SnapshotRef, table: &TablePath) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    let mut seen = HashSet::new();
    let batches = snapshot
        .log_segment()
        .read_actions(engine, LOG_TXN_SCHEMA.clone())
        .map_err(|error| translate(error, table))?;
    for batch in batches {
        let batch = record_batch(batch.map_err(|error| translate(error, table))?.actions)?;
        // Newest first: what comes later in this order is older.
        for (app_id, version) in txns(&batch)? {
            if seen.insert(app_id.clone()) {
                ledger.set(&app_id, version);
            }
        }
    }
    Ok(ledger)
}

fn txns(batch: &RecordBatch) -> Result<Vec<(String, i64)>> {
    let Some(txn) = batch
        .column_by_name("txn")
        .and_then(|txn| txn.as_struct_opt())
    else {
        return Ok(Vec::new());
    };
    let app_ids = strings(txn.column_by_name("appId").map(AsRef::as_ref))?;
    let versions = txn
        .column_by_name("version")
        .and_then(|versions| versions.as_primitive_opt::<Int64Type>())
        .ok_or_else(|| Error::internal("the kernel's `txn` has no `version`"))?;
    Ok((0..txn.len())
        .filter(|&row| txn.is_valid(row) && app_ids.is_valid(row) && versions.is_valid(row))
        .map(|row| (app_ids.value(row).to_owned(), versions.value(row)))
        .collect())
}

/// The kernel's data as an Arrow batch.
pub(crate) fn record_batch(data: Box<dyn EngineData>) -> Result<RecordBatch> {
    let data = ArrowEngineData::try_from_engine_data(data)
        .map_err(|error| Error::internal("the kernel's data is not Arrow").with_source(error))?;
    Ok((*data).into())
}

/// A column of strings, whatever layout the kernel chose for it.
pub(crate) fn strings(column: Option<&dyn Array>) -> Result<StringArray> {
    let column = column.ok_or_else(|| Error::internal("the kernel left out a column"))?;
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}
