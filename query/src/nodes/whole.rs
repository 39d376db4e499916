//! The first step of a part, so that what it gives is whole or an error: rows are counted by
//! partition, and a panic is an error of the query instead of a stream that just ends.
//!
//! It stands in the place of the step and has its inputs, because figures come back step by step,
//! in the order of the plan that was sent.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{FutureExt, StreamExt};

use super::reads::ROWS;
use crate::error::Error;

/// The first step of a part.
#[derive(Debug)]
pub(super) struct Whole {
    step: Arc<dyn ExecutionPlan>,
    metrics: ExecutionPlanMetricsSet,
}

impl Whole {
    /// In the place of `step`.
    pub(super) fn new(step: Arc<dyn ExecutionPlan>) -> Self {
        Self {
            step,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for Whole {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.step.fmt_as(kind, f)
    }
}

impl ExecutionPlan for Whole {
    fn name(&self) -> &str {
        self.step.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.step.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.step.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.step.apply_expressions(f)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_plan::ChildrenPropertiesMode::Recompute;
        use datafusion::physical_plan::ReplaceChildrenOptions;
        let options = ReplaceChildrenOptions::new(Recompute);
        let step = Arc::clone(&self.step).replace_children(children, options)?;
        Ok(Arc::new(Self::new(step)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = MetricBuilder::new(&self.metrics).counter(ROWS, partition);
        let schema: SchemaRef = self.step.schema();
        let stream = self.step.execute(partition, context)?;
        let start = Some((stream, rows));
        let counted = futures::stream::unfold(start, |state| async move {
            let (mut stream, rows) = state?;
            match AssertUnwindSafe(stream.next()).catch_unwind().await {
                Ok(Some(Ok(batch))) => {
                    rows.add(batch.num_rows());
                    Some((Ok(batch), Some((stream, rows))))
                }
                Ok(Some(Err(error))) => Some((Err(error), None)),
                Ok(None) => None,
                Err(panic) => Some((Err(panicked(panic.as_ref())), None)),
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            schema,
            counted.boxed(),
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut all = self.step.metrics().unwrap_or_default();
        for metric in self.metrics.clone_inner().iter() {
            all.push(Arc::clone(metric));
        }
        Some(all)
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> DataFusionError {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    Error::internal(format!(
        "a part of the query panicked: {}",
        said.unwrap_or("?")
    ))
    .into()
}
