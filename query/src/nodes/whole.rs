//! The first step of a part, so that what it gives is whole or an error: rows are counted by
//! partition, and a panic is an error of the query instead of a stream that just ends.
//!
//! It stands in the place of the step and has its inputs, because figures come back step by step,
//! in the order of the plan that was sent. It holds the part's place while rows are made.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::{FutureExt, StreamExt};

use super::reads::ROWS;
use super::serve::Place;
use crate::error::Error;

/// The first step of a part.
#[derive(Debug)]
pub(super) struct Whole {
    step: Arc<dyn ExecutionPlan>,
    metrics: ExecutionPlanMetricsSet,
    place: Mutex<Held>,
}

/// The part's place, for the partitions that haven't begun yet.
#[derive(Debug)]
struct Held {
    place: Option<Arc<Place>>,
    left: usize,
}

impl Held {
    /// The place for one more partition; whatever begins last gives it back when all have ended.
    fn take(&mut self) -> Option<Arc<Place>> {
        let place = self.place.clone();
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.place = None;
        }
        place
    }
}

impl Whole {
    /// Instead of `step`.
    pub(super) fn new(step: Arc<dyn ExecutionPlan>, place: Option<Place>) -> Self {
        let held = Held {
            place: place.map(Arc::new),
            left: step.output_partitioning().partition_count(),
        };
        Self {
            place: Mutex::new(held),
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
        let mut held = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let place = held.place.take();
        let whole = Self::new(step, None);
        let left = whole.step.output_partitioning().partition_count();
        Ok(Arc::new(Self {
            place: Mutex::new(Held { place, left }),
            ..whole
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = MetricBuilder::new(&self.metrics).counter(ROWS, partition);
        let schema: SchemaRef = self.step.schema();
        let stream = self.step.execute(partition, context)?;
        let place = {
            let mut held = self.place.lock().unwrap_or_else(PoisonError::into_inner);
            held.take()
        };
        if let Some(place) = &place {
            place.begin();
        }
        let start = Some((stream, rows, place));
        let counted = futures::stream::unfold(start, |state| async move {
            let (mut stream, rows, place) = state?;
            match AssertUnwindSafe(stream.next()).catch_unwind().await {
                Ok(Some(Ok(batch))) => {
                    rows.add(batch.num_rows());
                    Some((Ok(batch), Some((stream, rows, place))))
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
