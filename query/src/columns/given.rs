//! A file's rows from columns that are kept.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::Column;

/// The rows of a file, all of whose columns are kept.
pub(super) struct Given {
    columns: Vec<Place>,
    schema: SchemaRef,
    /// The most rows of a batch.
    rows_most: usize,
}

/// How far a column's rows are given.
struct Place {
    column: Arc<Column>,
    part: usize,
    /// Rows of that part.
    row: usize,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given")
            .field("columns", &self.columns.len())
            .finish_non_exhaustive()
    }
}

impl Given {
    /// The rows of `columns`, which have the types of `schema`, and as many rows each.
    pub(super) fn new(columns: Vec<Arc<Column>>, schema: SchemaRef, rows_most: usize) -> Self {
        let place = |column| Place {
            column,
            part: 0,
            row: 0,
        };
        Self {
            columns: columns.into_iter().map(place).collect(),
            schema,
            rows_most: rows_most.max(1),
        }
    }

    /// The next rows; `None` at the end.
    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let left = self.columns.iter_mut().map(Place::left);
        let rows = left.min().unwrap_or(0).min(self.rows_most);
        if rows == 0 {
            return None;
        }
        let columns = self.columns.iter_mut().filter_map(|one| one.take(rows));
        let columns: Vec<ArrayRef> = columns.collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        Some(batch.map_err(Into::into))
    }
}

impl Place {
    /// Rows that are left of the part; none at the column's end.
    fn left(&mut self) -> usize {
        while let Some(part) = self.column.parts.get(self.part) {
            if self.row < part.len() {
                return part.len() - self.row;
            }
            (self.part, self.row) = (self.part + 1, 0);
        }
        0
    }

    fn take(&mut self, rows: usize) -> Option<ArrayRef> {
        let part = self.column.parts.get(self.part)?;
        let taken = part.slice(self.row, rows);
        self.row += rows;
        Some(taken)
    }
}

impl MorselPlanner for Given {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        Ok(Some(MorselPlan::new().with_morsels(vec![self])))
    }
}

impl Morsel for Given {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let mut given = self;
        futures::stream::iter(std::iter::from_fn(move || given.next())).boxed()
    }
}
