//! The files that a rewrite makes: encoded and uploaded piece by piece, each named in the upload
//! journal before its first byte goes out (P14).
//!
//! The hot path writes fast, this writes beautifully: rows in order and declared so, denser
//! compression, bloom filters on keys.

use std::mem;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use object_store::buffered::BufWriter;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, ParquetMetaData, SortingColumn};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::commit::DataFile;
use crate::encode::{ROW_GROUP_ROWS, delta_stats, properties};
use crate::error::{Error, Result};
use crate::fault;
use crate::lake::Lake;
use crate::path::{TablePath, sibling};
use crate::write::{PART_BYTES, write_journal};

/// The order of compacted rows, as the footer says it; only files that say so are believed (P22).
const SORTED: &str = "eddy.sorted";
const ORDER: [&str; 3] = ["_timestamp", "_partition", "_offset"];

/// Encoded bytes of a row group: what the rewrite holds until it is complete.
const ROW_GROUP_BYTES: usize = 64 << 20;

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
    properties: WriterProperties,
    /// A file of the same partition: the new ones lie beside it.
    beside: Arc<DataFile>,
    target_bytes: u64,
    open: Option<Open>,
    done: Vec<DataFile>,
    journals: Vec<Uuid>,
}

/// A file that is being written.
struct Open {
    path: String,
    begun_us: i64,
    writer: ArrowWriter<Vec<u8>>,
    upload: BufWriter,
}

impl Output {
    /// Nothing is written yet. `sorted`: the rows will come in our order.
    ///
    /// # Errors
    /// `Internal` for columns that Parquet can't hold.
    pub(super) fn new(
        lake: &Lake,
        table: &TablePath,
        schema: &SchemaRef,
        beside: &Arc<DataFile>,
        target_bytes: u64,
        sorted: bool,
    ) -> Result<Self> {
        Ok(Self {
            lake: lake.clone(),
            table: table.clone(),
            properties: compacted(schema, sorted)?,
            schema: SchemaRef::clone(schema),
            beside: Arc::clone(beside),
            target_bytes,
            open: None,
            done: Vec::new(),
            journals: Vec::new(),
        })
    }

    /// Takes rows that follow those before.
    ///
    /// # Errors
    /// `Unavailable` when the store doesn't take them.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        open.writer.write(rows)?;
        let written = open.writer.bytes_written() + open.writer.in_progress_size();
        let full = u64::try_from(written).unwrap_or(u64::MAX) >= self.target_bytes;
        let open = if open.writer.inner_mut().len() >= PART_BYTES {
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
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let metadata = open.writer.finish()?;
        let size = u64::try_from(open.writer.bytes_written()).unwrap_or(0);
        let stats_json = delta_stats(&metadata);
        let open = self.send(open)?;
        let mut upload = open.upload;
        self.lake.wait(async move {
            upload.shutdown().await.map_err(|error| {
                Error::unavailable("the store did not complete an upload").with_source(error)
            })
        })??;
        self.done.push(DataFile {
            path: open.path,
            size,
            modified_ms: open.begun_us.div_euclid(1_000),
            partition_values: self.beside.partition_values.clone(),
            rows: u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0),
            stats_json,
        });
        Ok(())
    }

    /// The finished files, and the journals that name them.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub(super) fn finish(mut self) -> Result<(Vec<DataFile>, Vec<Uuid>)> {
        self.close()?;
        Ok((self.done, self.journals))
    }

    fn begin(&mut self) -> Result<Open> {
        let (journal, begun_us) = (self.lake.clock().new_id(), self.lake.clock().now_us());
        let path = sibling(&self.beside.path, self.lake.clock().new_id());
        let (lake, table, files) = (self.lake.clone(), self.table.clone(), [path.clone()]);
        self.lake
            .wait(async move { write_journal(&lake, &table, journal, &files, begun_us).await })??;
        self.journals.push(journal);
        fault::point("before_compacted_upload");
        let options = ArrowWriterOptions::new()
            .with_properties(self.properties.clone())
            .with_skip_arrow_metadata(true);
        let schema = SchemaRef::clone(&self.schema);
        let store = Arc::clone(self.lake.store());
        Ok(Open {
            writer: ArrowWriter::try_new_with_options(Vec::new(), schema, options)?,
            upload: BufWriter::with_capacity(store, self.table.object(&path), PART_BYTES),
            path,
            begun_us,
        })
    }

    /// Passes what is encoded on to the store.
    fn send(&self, mut open: Open) -> Result<Open> {
        let bytes = Bytes::from(mem::take(open.writer.inner_mut()));
        let mut upload = open.upload;
        let (upload, sent) = self.lake.wait(async move {
            let sent = upload.put(bytes).await;
            (upload, sent)
        })?;
        sent?;
        Ok(Open { upload, ..open })
    }
}

/// What compacted files with the columns of `schema` are written with.
fn compacted(schema: &Schema, sorted: bool) -> Result<WriterProperties> {
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
    let keys = ColumnPath::from("_key");
    let most = u64::try_from(ROW_GROUP_ROWS).unwrap_or(u64::MAX);
    Ok(properties(schema)?
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_column_bloom_filter_fpp(keys.clone(), BLOOM_FALSE)
        .set_column_bloom_filter_max_ndv(keys, most)
        .set_key_value_metadata(
            sorted.then(|| vec![KeyValue::new(SORTED.to_owned(), ORDER.join(","))]),
        )
        .set_sorting_columns(order.filter(|_| sorted))
        .build())
}
