//! The rows of a plan that several nodes work for, and of the same plan on this one alone where
//! another one didn't do its part before anything was answered.
//!
//! An error that came from elsewhere says little of the query: the node may have gone, or be full.
//! So the query is asked here again, and its answer or its error is as without peers. Once rows
//! have gone out that would give some of them twice: then it is an error that names the node.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use crate::error::{Error, Result};
use crate::nodes::{Errand, Spread};
use crate::query::Inner;
use crate::run::physical::physical;
use crate::table::ScanCount;

/// How this node does the query alone: planned anew, since steps of the plan that was begun keep
/// what they learnt. A scan leaves out what a `max` or the first rows of a sort have excluded, and
/// those that excluded it are not asked a second time.
pub(super) struct Alone {
    pub(super) state: SessionState,
    pub(super) plan: LogicalPlan,
    /// Who counts what its tables' scans read.
    pub(super) counts: Vec<Arc<ScanCount>>,
}

/// The rows of a plan.
///
/// # Errors
/// A plan that can't be executed, which is a fault.
pub(super) fn rows(
    inner: &Arc<Inner>,
    spread: Spread,
    alone: Alone,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let Spread {
        plan,
        context,
        errand,
    } = spread;
    let together = execute_stream(plan, context)?;
    let inner = Arc::clone(inner);
    let rows = begun(inner, together, errand, alone);
    Ok(futures::stream::once(rows).try_flatten().boxed())
}

/// Waits for the first rows, whoever makes them, and until there are more or no more: an answer of
/// one batch is sent when it is whole.
async fn begun(
    inner: Arc<Inner>,
    mut together: SendableRecordBatchStream,
    errand: Arc<Errand>,
    alone: Alone,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let mut held: Option<RecordBatch> = None;
    let next = loop {
        match together.next().await {
            Some(Ok(batch)) if batch.num_rows() == 0 => {}
            Some(Ok(batch)) if held.is_none() => held = Some(batch),
            Some(Err(error)) if errand.is_failed() => {
                note(&inner, &errand);
                let error = Error::from(error);
                match errand.has_away() {
                    true => tracing::warn!(%error, "a query goes on without its peers"),
                    false => tracing::debug!(%error, "a query is done again by one node"),
                }
                // What the nodes still do for it ends.
                drop(together);
                return alone.rows().await;
            }
            next => break next,
        }
    };
    let first = futures::stream::iter(held.map(Ok).into_iter().chain(next));
    let rows = first.chain(together).map_err(Error::from);
    Ok(rows.inspect_err(move |_| note(&inner, &errand)).boxed())
}

/// The next queries go without those that went away.
fn note(inner: &Inner, errand: &Errand) {
    if let Some(nodes) = inner.nodes.get() {
        nodes.note(errand);
    }
}

impl Alone {
    async fn rows(self) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        for count in &self.counts {
            count.replanned();
        }
        let plan = physical(&self.state, &self.plan).await?;
        let rows = execute_stream(Arc::clone(&plan), self.state.task_ctx())?;
        let count = self.counts.into_iter().next();
        let counted = futures::stream::once(async move {
            if let Some(count) = count {
                count.ran(plan.as_ref());
            }
        });
        let counted = counted.filter_map(|()| std::future::ready(None));
        Ok(rows.map_err(Error::from).chain(counted).boxed())
    }
}
