//! Keeps what Parquet's reader gives of a file, once it has given all of it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::common::Result;
use datafusion::datasource::physical_plan::parquet::metadata::CachedParquetMetaData;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::ObjectMeta;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::{Column, Columns, Key};

/// Columns of a file that are being read.
pub(super) struct Fill {
    columns: Arc<Columns>,
    footers: Arc<FileMetadataCache>,
    file: ObjectMeta,
    range: Option<Range<i64>>,
    filled: Vec<Filled>,
    rows: usize,
    /// What is held of [`Columns::reserve`].
    bytes: usize,
}

/// A column that is being read.
pub(super) struct Filled {
    /// Its place among the scan's columns.
    pub(super) place: usize,
    /// Its path in the file.
    pub(super) path: Vec<String>,
    pub(super) key: Key,
    parts: Vec<ArrayRef>,
    bytes: usize,
}

impl Filled {
    pub(super) fn new(place: usize, path: Vec<String>, key: Key) -> Self {
        Self {
            place,
            path,
            key,
            parts: Vec::new(),
            bytes: 0,
        }
    }
}

impl Fill {
    /// Will keep `filled` of a file, or of a range of it.
    pub(super) fn new(
        columns: Arc<Columns>,
        footers: Arc<FileMetadataCache>,
        file: ObjectMeta,
        range: Option<Range<i64>>,
        filled: Vec<Filled>,
    ) -> Self {
        Self {
            columns,
            footers,
            file,
            range,
            filled,
            rows: 0,
            bytes: 0,
        }
    }

    fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows();
        let mut more = 0;
        for filled in &mut self.filled {
            if let Some(part) = batch.columns().get(filled.place) {
                let bytes = part.get_array_memory_size();
                filled.bytes += bytes;
                filled.parts.push(Arc::clone(part));
                more += bytes;
            }
        }
        if self.columns.reserve(more) {
            self.bytes += more;
        } else {
            self.give_up();
        }
    }

    /// Keeps nothing.
    fn give_up(&mut self) {
        self.filled.clear();
        self.columns.release(std::mem::take(&mut self.bytes));
    }

    /// Keeps the columns, if these were all rows.
    fn end(mut self) {
        let Some(kept) = self.footers.get(&self.file.location) else {
            return;
        };
        let footer = kept.file_metadata.as_any();
        let footer = footer.downcast_ref::<CachedParquetMetaData>();
        let Some(footer) = footer.filter(|_| kept.is_valid_for(&self.file)) else {
            return;
        };
        let groups = footer.parquet_metadata().row_groups();
        let read = groups.iter().filter(|group| self.is_in_range(group));
        let read: Vec<&RowGroupMetaData> = read.collect();
        let all: i64 = read.iter().map(|group| group.num_rows()).sum();
        if usize::try_from(all).ok() != Some(self.rows) {
            return;
        }
        for filled in std::mem::take(&mut self.filled) {
            let column = Column {
                parts: filled.parts,
                rows: self.rows,
                bytes: filled.bytes,
                file_bytes: read.iter().map(|one| bytes_of(one, &filled.path)).sum(),
            };
            self.columns.keep(filled.key, column);
        }
    }

    /// Whether a scan of the range reads the row group: DataFusion's rule.
    fn is_in_range(&self, group: &RowGroupMetaData) -> bool {
        let Some(range) = &self.range else {
            return true;
        };
        let first = group.columns().first();
        let offset = first.map(|column| {
            let dictionary = column.dictionary_page_offset();
            dictionary.unwrap_or_else(|| column.data_page_offset())
        });
        offset.is_some_and(|offset| range.contains(&offset))
    }
}

/// The bytes of a column, with all that is in it.
fn bytes_of(group: &RowGroupMetaData, path: &[String]) -> u64 {
    let is_of = |column: &&ColumnChunkMetaData| column.column_path().parts().starts_with(path);
    let bytes = group.columns().iter().filter(is_of);
    let bytes: i64 = bytes.map(ColumnChunkMetaData::compressed_size).sum();
    u64::try_from(bytes).unwrap_or(0)
}

impl Drop for Fill {
    fn drop(&mut self) {
        self.columns.release(self.bytes);
    }
}

/// Plans as the reader does, and keeps what it gives.
pub(super) struct Filling<T> {
    inner: T,
    fill: Fill,
}

impl<T> Filling<T> {
    pub(super) fn new(inner: T, fill: Fill) -> Self {
        Self { inner, fill }
    }
}

impl<T> fmt::Debug for Filling<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filling").finish_non_exhaustive()
    }
}

impl MorselPlanner for Filling<Box<dyn MorselPlanner>> {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { inner, fill } = *self;
        let Some(mut plan) = inner.plan()? else {
            return Ok(None);
        };
        let mut morsels = plan.take_morsels();
        let mut planners = plan.take_ready_planners();
        let pending = plan.take_pending_planner();
        let mut over = MorselPlan::new();
        // A file is one thing after the other; of several its order couldn't be told.
        match (morsels.len(), planners.len(), pending) {
            (1, 0, None) => {
                let morsel = morsels.swap_remove(0);
                morsels.push(Box::new(Filling::new(morsel, fill)));
                over = over.with_morsels(morsels);
            }
            (0, 1, None) => {
                let planner = planners.swap_remove(0);
                planners.push(Box::new(Filling::new(planner, fill)));
                over = over.with_planners(planners);
            }
            (0, 0, Some(pending)) => over.set_pending_planner(async move {
                let planner = Filling::new(pending.await?, fill);
                Ok(Box::new(planner) as Box<dyn MorselPlanner>)
            }),
            (_, _, pending) => {
                over = over.with_morsels(morsels).with_planners(planners);
                if let Some(pending) = pending {
                    over.set_pending_planner(pending);
                }
            }
        }
        Ok(Some(over))
    }
}

impl Morsel for Filling<Box<dyn Morsel>> {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { inner, fill } = *self;
        let state = (inner.into_stream(), fill);
        let batches = futures::stream::unfold(state, |(mut batches, mut fill)| async move {
            match batches.next().await {
                Some(Ok(batch)) => {
                    fill.add(&batch);
                    Some((Ok(batch), (batches, fill)))
                }
                Some(Err(error)) => {
                    fill.give_up();
                    Some((Err(error), (batches, fill)))
                }
                None => {
                    fill.end();
                    None
                }
            }
        });
        batches.boxed()
    }
}
