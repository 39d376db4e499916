//! What the invariants read out of the files themselves: who each row is, and that a rewrite keeps
//! the rows.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Int64Type, Schema};
use bytes::Bytes;
use object_store::{Error as StoreError, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;

use crate::commit::actions::Actions;
use crate::commit::cut::DataFile;
use crate::elide::Values;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::record::TopicId;
use crate::schema::{VALUE, VALUE_SHAPE};

/// The offsets of each partition's rows.
pub(super) type Offsets = BTreeMap<(TopicId, i32), Vec<i64>>;

/// A version that only stored rows otherwise, but for those that a rewind took back.
pub(super) struct Rewritten {
    version: u64,
    before: Vec<String>,
    after: Vec<String>,
    /// Where a rewind's partitions went back to.
    targets: BTreeMap<(TopicId, i32), i64>,
}

impl Rewritten {
    pub(super) fn of(
        version: u64,
        actions: &Actions,
        targets: BTreeMap<(TopicId, i32), i64>,
    ) -> Self {
        let removes = actions.removes.iter().map(|gone| gone.path.clone());
        let adds = actions.adds.iter().map(|added| added.path.clone());
        Self {
            version,
            before: removes.collect(),
            after: adds.collect(),
            targets,
        }
    }

    fn stays(&self, row: &Envelope) -> bool {
        let target = self.targets.get(&row.key);
        target.is_none_or(|target| row.offset < *target)
    }
}

/// Every row's identity; and 7: what a file calls a column is one of the table's, of its type.
pub(super) fn read_offsets(lake: &Lake, table: &TablePath, snapshot: &Snapshot) -> Result<Offsets> {
    let mut offsets = Offsets::new();
    for file in snapshot.files.iter() {
        let bytes = read(lake, table, &file.path)??;
        check_columns(lake, &bytes, file, table, snapshot)?;
        let mut rows = 0;
        let path = table.object(&file.path);
        for row in envelopes(lake, bytes, path.as_ref(), &snapshot.schema)? {
            offsets.entry(row.key).or_default().push(row.offset);
            rows += 1;
        }
        if !file.stats_json.is_empty() && rows != file.rows {
            return Err(Error::data(format!(
                "`{}` has `{rows}` rows, its statistics say `{}`",
                file.path, file.rows
            )));
        }
    }
    Ok(offsets)
}

/// 4: a rewrite keeps the multiset of rows, keys and values included. What was removed for good
/// since can't be compared any more. A rewind keeps those below its targets.
pub(super) fn check_rewrite(
    lake: &Lake,
    table: &TablePath,
    rewritten: &Rewritten,
    reserved: &Schema,
) -> Result<()> {
    let gather = |paths: &[String]| -> Result<Option<Vec<Envelope>>> {
        let mut rows = Vec::new();
        for path in paths {
            match read(lake, table, path)? {
                Ok(bytes) => rows.extend(envelopes(lake, bytes, path, reserved)?),
                Err(StoreError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        rows.sort_unstable();
        Ok(Some(rows))
    };
    let (mut before, after) = (gather(&rewritten.before)?, gather(&rewritten.after)?);
    if let Some(before) = &mut before {
        before.retain(|row| rewritten.stays(row));
    }
    match (before, after) {
        (Some(before), Some(after)) if before != after => Err(Error::data(format!(
            "invariant 4: version `{}` of table `{}` rewrites `{}` rows to `{}` others",
            rewritten.version,
            table.topic(),
            before.len(),
            after.len()
        ))),
        _ => Ok(()),
    }
}

/// Who a row is, and a hash over its key and value.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Envelope {
    key: (TopicId, i32),
    offset: i64,
    content: u64,
}

fn read(
    lake: &Lake,
    table: &TablePath,
    path: &str,
) -> Result<std::result::Result<Bytes, StoreError>> {
    let (store, location) = (Arc::clone(lake.store()), table.object(path));
    lake.wait(async move { store.get(&location).await?.bytes().await })
}

fn envelopes(lake: &Lake, bytes: Bytes, path: &str, reserved: &Schema) -> Result<Vec<Envelope>> {
    let mut builder = lake
        .keys()
        .reader(bytes, path, ArrowReaderOptions::default())?;
    let mut rows = Vec::new();
    if builder.schema().column_with_name(VALUE_SHAPE).is_some() {
        // Bytes that aren't stored are made of all columns.
        let values = Values::of_file(builder.schema(), reserved)?;
        for batch in builder.build()? {
            gather(&values.whole(&batch?)?, path, &mut rows)?;
        }
        return Ok(rows);
    }
    let wanted = ["_topic_id", "_partition", "_offset", "_key", VALUE];
    let mask = ProjectionMask::columns(builder.parquet_schema(), wanted);
    builder = builder.with_projection(mask);
    for batch in builder.build()? {
        gather(&batch?, path, &mut rows)?;
    }
    Ok(rows)
}

fn gather(batch: &RecordBatch, path: &str, rows: &mut Vec<Envelope>) -> Result<()> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .ok_or_else(|| Error::data(format!("`{path}` has no column `{name}`")))
    };
    let ids = column("_topic_id")?.as_string::<i32>();
    let partitions = column("_partition")?.as_primitive::<Int32Type>();
    let offsets = column("_offset")?.as_primitive::<Int64Type>();
    // Files that tests make by hand have neither.
    let contents = ["_key", VALUE].map(|name| batch.column_by_name(name));
    for row in 0..batch.num_rows() {
        let mut hasher = DefaultHasher::new();
        for content in contents.into_iter().flatten() {
            let content = content.as_binary::<i32>();
            content
                .is_valid(row)
                .then(|| content.value(row))
                .hash(&mut hasher);
        }
        rows.push(Envelope {
            key: (TopicId::new(ids.value(row)), partitions.value(row)),
            offset: offsets.value(row),
            content: hasher.finish(),
        });
    }
    Ok(())
}

fn check_columns(
    lake: &Lake,
    bytes: &Bytes,
    file: &DataFile,
    table: &TablePath,
    snapshot: &Snapshot,
) -> Result<()> {
    let options = ArrowReaderOptions::default();
    let builder = lake.keys().reader(bytes.clone(), &file.path, options)?;
    for field in builder.schema().fields() {
        let known = snapshot.schema.field_with_name(field.name());
        if !known.is_ok_and(|known| covers(known.data_type(), field.data_type())) {
            return Err(Error::data(format!(
                "invariant 7: `{}` has a column `{}` that table `{}` doesn't have so",
                file.path,
                field.name(),
                table.topic()
            )));
        }
    }
    Ok(())
}

/// Whether a file's type is the table's, perhaps with fewer fields.
fn covers(table: &DataType, file: &DataType) -> bool {
    use DataType::{List, Struct};
    match (table, file) {
        (Struct(table), Struct(file)) => file.iter().all(|field| {
            let known = table.iter().find(|known| known.name() == field.name());
            known.is_some_and(|known| covers(known.data_type(), field.data_type()))
        }),
        (List(table), List(file)) => covers(table.data_type(), file.data_type()),
        (table, file) => table == file,
    }
}
