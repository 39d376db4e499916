//! One file, read as an erasure or a rewind needs it: the columns that a condition looks at, then
//! all of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{concat, prep_null_mask_filter};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};
use arrow::record_batch::RecordBatchOptions;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;

use crate::commit::DataFile;
use crate::elide::Values;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::maintain::erase::Matches;
use crate::maintain::input::{Input, fetch, key_for, look};
use crate::maintain::sizes::rows_of_batch;
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::read::retired::Gone;
use crate::schema::{VALUE, VALUE_SHAPE, bind, partition_columns, with_identities};
use crate::seal::{Key, Keys};

/// The most rows of a batch; few, since a wide table's nulls take room too.
const BATCH_ROWS: usize = 1_024;

/// One file of a version.
pub(super) struct Scan {
    bytes: Bytes,
    input: Input,
    /// Where the file is in the store.
    path: object_store::path::Path,
    table: SchemaRef,
    keys: Keys,
}

impl Scan {
    /// Reads `file` of `snapshot`.
    ///
    /// # Errors
    /// `Unavailable`, `NotFound`; `Data` for a file that can't be read.
    pub(super) fn open(
        lake: &Lake,
        table: &TablePath,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
    ) -> Result<Self> {
        let inputs = look(lake, table, &[Arc::clone(file)], &snapshot.schema)?;
        let bytes = fetch(lake, table, &inputs)?.pop();
        match (inputs.into_iter().next(), bytes) {
            (Some(input), Some(bytes)) => Ok(Self {
                bytes,
                path: table.object(&file.path),
                input,
                table: Arc::clone(&snapshot.schema),
                keys: lake.keys().clone(),
            }),
            _ => Err(Error::internal("a file was not read")),
        }
    }

    /// The file says that its rows are in our order.
    pub(super) fn is_sorted(&self) -> bool {
        self.input.sorted
    }

    /// The key of the files that this one becomes.
    ///
    /// # Errors
    /// As [`key_for`].
    pub(super) fn key(
        &self,
        lake: &Lake,
        table: &TablePath,
        snapshot: &Snapshot,
    ) -> Result<Option<Key>> {
        key_for(lake, table, snapshot, std::slice::from_ref(&self.input))
    }

    /// A value per row of the file, true for those that match; `None` when none does.
    ///
    /// # Errors
    /// As [`Scan::batches`], and what the condition says.
    pub(super) fn matching(
        &self,
        columns: &[String],
        matches: &Matches<'_>,
    ) -> Result<Option<BooleanArray>> {
        let mut found: Vec<ArrayRef> = Vec::new();
        for batch in self.batches(Some(columns))? {
            let seen = self.as_table_has(&batch?, columns)?;
            let rows = matches(&seen)?;
            if rows.len() != seen.num_rows() {
                return Err(Error::internal("a condition answered for other rows"));
            }
            // What isn't known to match stays.
            let rows = match rows.null_count() {
                0 => rows,
                _ => prep_null_mask_filter(&rows),
            };
            found.push(Arc::new(rows));
        }
        let arrays: Vec<&dyn Array> = found.iter().map(AsRef::as_ref).collect();
        if arrays.is_empty() {
            return Ok(None);
        }
        let rows = concat(&arrays)?.as_boolean().clone();
        Ok((rows.true_count() > 0).then_some(rows))
    }

    /// The file's rows with their columns' identities and their whole bytes, all columns or those
    /// named.
    ///
    /// # Errors
    /// `Data` when the file can't be read.
    pub(super) fn batches(
        &self,
        columns: Option<&[String]>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let (bytes, path) = (self.bytes.clone(), self.path.as_ref());
        let builder = self.keys.reader(bytes, path, options)?;
        let asked = |schema: &Schema| -> Vec<usize> {
            let fields = schema.fields().iter().enumerate();
            let asked = fields
                .filter(|(_, field)| columns.is_none_or(|names| names.contains(field.name())));
            asked.map(|(at, _)| at).collect()
        };
        // Bytes that aren't stored are made of all columns.
        let made = self.input.schema.column_with_name(VALUE_SHAPE).is_some()
            && columns.is_none_or(|names| names.iter().any(|name| name == VALUE));
        let roots = match made {
            true => (0..self.input.schema.fields().len()).collect(),
            false => asked(&self.input.schema),
        };
        let identified = Arc::new(self.input.schema.project(&roots)?);
        let asked = asked(&identified);
        let values = made.then(|| Values::new(identified.fields()));
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let batches = builder
            .with_projection(mask)
            .with_batch_size(rows_of_batch(&[self.input.sizes], 0).min(BATCH_ROWS))
            .build()?;
        Ok(batches.map(move |batch| {
            let batch = batch.map_err(|error| {
                Error::data("a file of the table can't be read").with_source(error)
            })?;
            let batch = with_identities(&batch, &identified)?;
            match &values {
                Some(values) => Ok(values.whole(&batch)?.project(&asked)?),
                None => Ok(batch),
            }
        }))
    }

    /// `batch` under the whole columns `names` of the table, null where the file has none, and its
    /// partition columns among them.
    fn as_table_has(&self, batch: &RecordBatch, names: &[String]) -> Result<RecordBatch> {
        let wanted = self.table.fields().iter();
        let wanted = wanted.filter(|field| names.contains(field.name())).cloned();
        let target = Schema::new(wanted.collect::<Vec<_>>());
        let bound = bind(batch, &target)?;
        let mut fields: Vec<_> = target.fields().iter().cloned().collect();
        let mut arrays = bound.columns().to_vec();
        for name in partition_columns(&self.table) {
            if !names.contains(&name) {
                continue;
            }
            let value = self.input.file.partition_values.get(&name);
            let value = value.and_then(Option::as_deref);
            let values: StringArray = std::iter::repeat_n(value, bound.num_rows()).collect();
            fields.push(Arc::new(Field::new(name, DataType::Utf8, true)));
            arrays.push(Arc::new(values));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(bound.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            Arc::new(Schema::new(fields)),
            arrays,
            &options,
        )?)
    }
}

/// Adds who the rows of `batch` are to `gone`.
///
/// # Errors
/// `Data` when the envelope is not what Eddy writes.
pub(super) fn note(batch: &RecordBatch, gone: &mut Gone) -> Result<()> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .ok_or_else(|| Error::data(format!("a file has no column `{name}`")))
    };
    let wrong = || Error::data("an envelope column has another type than Eddy writes");
    let ids = column("_topic_id")?;
    let ids = ids.as_string_opt::<i32>().ok_or_else(wrong)?;
    let partitions = column("_partition")?;
    let partitions = partitions
        .as_primitive_opt::<Int32Type>()
        .ok_or_else(wrong)?;
    let offsets = column("_offset")?;
    let offsets = offsets.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
    for row in 0..batch.num_rows() {
        gone.add(ids.value(row), partitions.value(row), offsets.value(row));
    }
    Ok(())
}
