//! The rows of a replay, slice by slice: the first ones come once the first files are read, and a
//! table of any size is never sorted as a whole.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use serde_json::Value as Json;

use super::slices::{Slice, slices};
use super::survey::{Found, survey};
use crate::error::{Error, Result};
use crate::query::Inner;
use crate::run::{Bound, Given, Halt, Head, Order, Prepared, Scans, planned};
use crate::table::{Rows, TopicTable};

/// The bytes of files that are worth a plan of their own. More than that is only sorted together
/// where files overlap.
pub(super) const SLICE_BYTES: u64 = 4 << 20;

/// What a replay reads of a table, in several statements.
#[derive(Debug, Clone)]
pub(crate) struct Sliced {
    /// The table's name.
    pub(super) table: String,
    /// The version that is read.
    pub(super) version: u64,
    /// The table's name in the statements.
    pub(super) pinned: String,
    /// What tells where the rows are.
    pub(super) survey: String,
    /// The rows as they lie.
    pub(super) lying: String,
    /// Whether they may come so: a file may have many rows of one partition before the first of
    /// another one.
    pub(super) may_lie: bool,
    /// The rows in order.
    pub(super) ordered: String,
    /// The bytes of files that make a slice.
    pub(super) slice_bytes: u64,
}

impl Sliced {
    /// The rows; nothing where there are none, or in too many places: then the whole statement is
    /// to be run.
    ///
    /// # Errors
    /// As a query.
    pub(crate) async fn prepare(
        &self,
        inner: &Arc<Inner>,
        halt: &Arc<Halt>,
    ) -> Result<Option<Prepared>> {
        let table = self.open(inner).await?;
        let Some(found) = self.found(inner, &table, Some(halt)).await? else {
            return Ok(None);
        };
        let mut slices = slices(found.files.clone(), self.slice_bytes).into_iter();
        let Some(first) = slices.next() else {
            return Ok(None);
        };
        let reading = Arc::new(Slices {
            sliced: self.clone(),
            inner: Arc::clone(inner),
            halt: Arc::clone(halt),
            table,
        });
        let (bound, plan) = reading.planned(&first).await?;
        let scans = Scans::new(bound.counts.clone(), Arc::clone(&plan));
        let rows = execute_stream(Arc::clone(&plan), bound.state.task_ctx())?;
        let others = stream::iter(slices).then(move |slice| {
            let reading = Arc::clone(&reading);
            async move { reading.rows(&slice).await }
        });
        let rows = rows.map_err(Error::from).chain(others.try_flatten());
        Ok(Some(Prepared {
            head: Head {
                schema: plan.schema(),
                position: Json::Null,
                stale: None,
            },
            rows: rows.boxed(),
            reads: Some((scans, bound.memory)),
        }))
    }

    /// The version of the table that is read.
    pub(super) async fn open(&self, inner: &Arc<Inner>) -> Result<TopicTable> {
        let view = inner.catalog.view(&self.table, Some(self.version)).await?;
        Ok(TopicTable::new(
            view,
            Rows::Good,
            inner.origin(&self.table)?,
        ))
    }

    /// Where the rows are.
    pub(super) async fn found(
        &self,
        inner: &Arc<Inner>,
        table: &TopicTable,
        halt: Option<&Arc<Halt>>,
    ) -> Result<Option<Arc<Found>>> {
        survey(inner, &self.survey, (&self.pinned, table), halt).await
    }
}

/// The slices that are being read.
struct Slices {
    sliced: Sliced,
    inner: Arc<Inner>,
    halt: Arc<Halt>,
    table: TopicTable,
}

impl Slices {
    async fn rows(&self, slice: &Slice) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let (bound, plan) = self.planned(slice).await?;
        let rows = execute_stream(plan, bound.state.task_ctx())?;
        Ok(rows.map_err(Error::from).boxed())
    }

    async fn planned(&self, slice: &Slice) -> Result<(Bound, Arc<dyn ExecutionPlan>)> {
        let all = &self.table.view().files;
        let files = slice.numbers.iter();
        let files = files.filter_map(|number| all.get(*number).map(Arc::clone));
        let (text, order) = match slice.in_order && self.sliced.may_lie {
            true => (&self.sliced.lying, Order::Lying),
            false => (&self.sliced.ordered, Order::Any),
        };
        let given = Given {
            name: self.sliced.pinned.clone(),
            table: self.table.of(files.collect()),
            order,
        };
        Box::pin(planned(&self.inner, text, given, Some(&self.halt))).await
    }
}
