//! The files that a rewrite makes: encoded and uploaded piece by piece, each named in the upload
//! journal before its first byte goes out (P14).
//!
//! The hot path writes fast, this writes beautifully: rows in order and declared so, denser
//! compression, bloom filters on keys and ids. Beside them come the filters by which Eddy's own
//! queries find what they look for without opening a file (`crate::filter`).

use std::mem;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use object_store::buffered::BufWriter;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::file::metadata::{KeyValue, ParquetMetaData, SortingColumn};
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::schema::types::ColumnPath;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::groups::Groups;
use crate::commit::DataFile;
use crate::elide::Values;
use crate::encode::{ROW_GROUP_ROWS, delta_stats, properties};
use crate::error::{Error, Result};
use crate::fault;
use crate::filter::{Chosen, FileFilters, Gather, SAMPLE, SLICE_ROWS, choose};
use crate::lake::Lake;
use crate::path::{TablePath, sibling};
use crate::seal::Key;
use crate::write::{PART_BYTES, write_journal};

/// The order of compacted rows, as the footer says it; only files that say so are believed (P22).
const SORTED: &str = "eddy.sorted";
const ORDER: [&str; 3] = ["_timestamp", "_partition", "_offset"];

/// Encoded bytes of a row group: what the rewrite holds until it is complete.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Decoded rows held back for the sake of a sample.
const AHEAD_BYTES: usize = 32 << 20;

/// Denser than the hot path's: what is written once here is read for years.
const ZSTD_LEVEL: i32 = 3;

/// One in so many keys that aren't there looks as if it were.
const BLOOM_FALSE: f64 = 0.01;

/// Whether the file with this footer says that its rows are in our order.
pub(super) fn is_sorted(metadata: &ParquetMetaData) -> bool {
    let entries = metadata.file_metadata().key_value_metadata();
    entries.is_some_and(|entries| {
        let said = |entry: &KeyValue| entry.value.as_deref() == Some(&ORDER.join(","));
        entries
            .iter()
            .any(|entry| entry.key == SORTED && said(entry))
    })
}

/// The files of one rewrite.
pub(super) struct Output {
    lake: Lake,
    table: TablePath,
    schema: SchemaRef,
    /// Which rows still need no bytes of their own.
    values: Values,
    /// A file of the same partition: the new ones lie beside it.
    beside: Arc<DataFile>,
    limits: FileLimits,
    sorted: bool,
    /// Seals the files.
    key: Option<Key>,
    /// Rows of the next file, until they are enough to tell what it holds.
    ahead: Vec<RecordBatch>,
    open: Option<Open>,
    made: Made,
}

/// How large files become.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileLimits {
    /// Bytes after which a file ends.
    pub(super) bytes: u64,
    /// Rows of a row group.
    pub(super) row_group_rows: usize,
    /// Rows of a slice of it, which has filters of its own.
    pub(super) slice_rows: usize,
}

impl FileLimits {
    /// Files of about `bytes` bytes.
    pub(super) fn of(bytes: u64) -> Self {
        Self {
            bytes,
            row_group_rows: ROW_GROUP_ROWS,
            slice_rows: SLICE_ROWS,
        }
    }
}

/// What a rewrite made.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// The files.
    pub(super) files: Vec<DataFile>,
    /// Their filters.
    pub(super) filters: Vec<FileFilters>,
    /// The journals that name the files.
    pub(super) journals: Vec<Uuid>,
}

/// A file that is being written.
struct Open {
    path: String,
    begun_us: i64,
    groups: Groups,
    /// A sealed file has none: they tell of its words.
    filters: Option<Gather>,
    upload: BufWriter,
}

impl Output {
    /// Nothing is written yet. `sorted`: the rows will come in our order.
    pub(super) fn new(
        lake: &Lake,
        table: &TablePath,
        schema: &SchemaRef,
        beside: &Arc<DataFile>,
        limits: FileLimits,
        sorted: bool,
        key: Option<Key>,
    ) -> Self {
        Self {
            lake: lake.clone(),
            table: table.clone(),
            values: Values::new(schema.fields()),
            schema: SchemaRef::clone(schema),
            beside: Arc::clone(beside),
            limits,
            sorted,
            key,
            ahead: Vec::new(),
            open: None,
            made: Made::default(),
        }
    }

    /// Takes rows that follow those before, with their whole bytes: one whose shape makes the same
    /// of the columns that are written gives them up again.
    ///
    /// # Errors
    /// `Unavailable` when the store doesn't take them.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        if self.open.is_some() {
            return self.append(rows);
        }
        self.ahead.push(rows.clone());
        let count: usize = self.ahead.iter().map(RecordBatch::num_rows).sum();
        let bytes: usize = self
            .ahead
            .iter()
            .map(RecordBatch::get_array_memory_size)
            .sum();
        if count >= SAMPLE || bytes >= AHEAD_BYTES {
            self.begin()?;
        }
        Ok(())
    }

    fn append(&mut self, rows: &RecordBatch) -> Result<()> {
        let Some(mut open) = self.open.take() else {
            return Err(Error::internal("a file is written before it is begun"));
        };
        open.write(rows, self.limits, &self.values)?;
        let written = open.groups.bytes_written() + open.groups.size();
        let full = u64::try_from(written).unwrap_or(u64::MAX) >= self.limits.bytes;
        let open = if open.groups.bytes().len() >= PART_BYTES {
            self.send(open)?
        } else {
            open
        };
        self.open = Some(open);
        if full { self.close() } else { Ok(()) }
    }

    /// Ends the file that is being written, if there is one.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub(super) fn close(&mut self) -> Result<()> {
        // A file may be full before its first rows are all written; the rest begins another.
        while !self.ahead.is_empty() {
            self.begin()?;
        }
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        open.end_row_group()?;
        let metadata = open.groups.finish()?;
        let size = u64::try_from(open.groups.bytes_written()).unwrap_or(0);
        let stats_json = delta_stats(&metadata, self.key.is_some());
        let open = self.send(open)?;
        let mut upload = open.upload;
        self.lake.wait(async move {
            upload.shutdown().await.map_err(|error| {
                Error::unavailable("the store did not complete an upload").with_source(error)
            })
        })??;
        let filters = open.filters.map(|made| made.finish(open.path.clone()));
        self.made.filters.extend(filters);
        self.made.files.push(DataFile {
            path: open.path,
            size,
            modified_ms: open.begun_us.div_euclid(1_000),
            partition_values: self.beside.partition_values.clone(),
            rows: u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0),
            stats_json,
        });
        Ok(())
    }

    /// The finished files, their filters, and the journals that name them.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub(super) fn finish(mut self) -> Result<Made> {
        self.close()?;
        Ok(self.made)
    }

    /// Begins a file with the rows ahead: what they hold decides which columns have filters.
    fn begin(&mut self) -> Result<()> {
        let ahead = mem::take(&mut self.ahead);
        let (journal, begun_us) = (self.lake.clock().new_id(), self.lake.clock().now_us());
        let path = sibling(&self.beside.path, self.lake.clock().new_id());
        let (lake, table, files) = (self.lake.clone(), self.table.clone(), [path.clone()]);
        self.lake
            .wait(async move { write_journal(&lake, &table, journal, &files, begun_us).await })??;
        self.made.journals.push(journal);
        fault::point("before_compacted_upload");
        let plain = self.key.is_none();
        // The Parquet crate seals all but bloom filters.
        let chosen = if plain { choose(&ahead) } else { Vec::new() };
        let mut properties = compacted(&self.schema, &chosen, self.sorted)?
            .set_data_page_row_count_limit(self.limits.slice_rows.max(1));
        if let Some(key) = &self.key {
            properties = properties.with_file_encryption_properties(key.properties()?);
        }
        let options = ArrowWriterOptions::new()
            .with_properties(properties.build())
            .with_skip_arrow_metadata(true);
        let schema = SchemaRef::clone(&self.schema);
        let store = Arc::clone(self.lake.store());
        self.open = Some(Open {
            groups: Groups::new(schema, options)?,
            upload: BufWriter::with_capacity(store, self.table.object(&path), PART_BYTES),
            filters: plain.then(|| Gather::new(&chosen, self.limits.slice_rows)),
            path,
            begun_us,
        });
        ahead.iter().try_for_each(|rows| self.write(rows))
    }

    /// Passes what is encoded on to the store.
    fn send(&self, mut open: Open) -> Result<Open> {
        let bytes = Bytes::from(mem::take(open.groups.bytes()));
        let mut upload = open.upload;
        let (upload, sent) = self.lake.wait(async move {
            let sent = upload.put(bytes).await;
            (upload, sent)
        })?;
        sent?;
        Ok(Open { upload, ..open })
    }
}

impl Open {
    /// Writes rows, row groups ending where [`FileLimits`] and [`ROW_GROUP_BYTES`] say.
    fn write(&mut self, rows: &RecordBatch, limits: FileLimits, values: &Values) -> Result<()> {
        let (group_rows, slice_rows) = (limits.row_group_rows.max(1), limits.slice_rows.max(1));
        let mut at = 0;
        while at < rows.num_rows() {
            let written = self.groups.rows();
            let room = group_rows.saturating_sub(written);
            if room == 0 || self.groups.size() >= ROW_GROUP_BYTES {
                self.end_row_group()?;
                continue;
            }
            // Pages end only where rows are handed over, so that none reaches into the next slice.
            let room = room.min(slice_rows - written % slice_rows);
            let some = rows.slice(at, room.min(rows.num_rows() - at));
            self.groups.write(&values.settled(&some)?)?;
            // Their whole bytes are there so far.
            self.filters.iter_mut().for_each(|made| made.add(&some));
            at += some.num_rows();
        }
        Ok(())
    }

    fn end_row_group(&mut self) -> Result<()> {
        if self.groups.rows() > 0 {
            self.groups.end()?;
            self.filters.iter_mut().for_each(Gather::end_row_group);
        }
        Ok(())
    }
}

/// What compacted files with the columns of `schema` are written with; `chosen` have bloom filters.
fn compacted(schema: &Schema, chosen: &[Chosen], sorted: bool) -> Result<WriterPropertiesBuilder> {
    let parquet_schema = ArrowSchemaConverter::new().convert(schema)?;
    let leaf = |name: &str| {
        let columns = parquet_schema.columns().iter();
        let at = columns
            .map(|column| column.path().parts())
            .position(|path| path == [name]);
        at.and_then(|at| i32::try_from(at).ok())
    };
    let order: Option<Vec<SortingColumn>> = ORDER
        .iter()
        .map(|name| {
            leaf(name).map(|column_idx| SortingColumn {
                column_idx,
                descending: false,
                nulls_first: true,
            })
        })
        .collect();
    let most = u64::try_from(ROW_GROUP_ROWS).unwrap_or(u64::MAX);
    let mut properties = properties(schema)?
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        // Row groups end where their filters do, which is ours to say.
        .set_max_row_group_row_count(None)
        .set_max_row_group_bytes(None)
        .set_key_value_metadata(
            sorted.then(|| vec![KeyValue::new(SORTED.to_owned(), ORDER.join(","))]),
        )
        .set_sorting_columns(order.filter(|_| sorted));
    for one in chosen {
        let path = ColumnPath::from(one.path.clone());
        let mut columns = parquet_schema.columns().iter();
        let column = columns.find(|column| *column.path() == path);
        let is_text = column.is_some_and(|column| column.physical_type() == Type::BYTE_ARRAY);
        if one.unique && is_text {
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
        }
        properties = properties
            .set_column_bloom_filter_fpp(path.clone(), BLOOM_FALSE)
            .set_column_bloom_filter_max_ndv(path, most);
    }
    Ok(properties)
}
