//! Makes plans stop where DataFusion would compute on: [`Yielding`], a rule that puts a
//! [`YieldExec`] above what reads and above what makes many rows of few, and asks [`Halt`] within
//! the conditions of joins.
//!
//! DataFusion's own points of waiting are at scans, one for every 128 batches. A cross join makes
//! millions of rows of each batch, so its reader would neither be cancelled nor let other queries
//! run for minutes; one whose condition holds for no pair doesn't even give rows to anybody.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder,
};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::{Stream, StreamExt};

use super::halt::Halt;
use crate::error::{Error, ErrorKind};

/// How long a task computes before others have a turn.
const SLICE: Duration = Duration::from_millis(10);

/// What has one input and may make much of it: many rows, or long texts.
const MULTIPLY: [&str; 3] = ["ProjectionExec", "RecursiveQueryExec", "UnnestExec"];

/// The rule. It comes after DataFusion's own for the same purpose, and before dynamic filters are
/// pushed down, since those belong to the nodes that they were made for.
#[derive(Debug)]
pub(crate) struct Yielding {
    halt: Arc<Halt>,
    /// The memory of all queries, in bytes.
    memory_max: usize,
}

impl Yielding {
    /// Puts a rule for the query of `halt` into the optimizer's.
    pub(crate) fn among(
        rules: &[Arc<dyn PhysicalOptimizerRule + Send + Sync>],
        halt: &Arc<Halt>,
        memory_max: usize,
    ) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
        let mut all = rules.to_vec();
        let after = rules
            .iter()
            .position(|rule| rule.name() == "EnsureCooperative");
        let place = after.map_or(rules.len(), |after| after + 1);
        let rule = Self {
            halt: Arc::clone(halt),
            memory_max,
        };
        all.insert(place, Arc::new(rule));
        all
    }
}

impl PhysicalOptimizerRule for Yielding {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let done = plan.transform_up(|node| {
            let node = with_asking_condition(node, &self.halt)?;
            if node.children().len() == 1 && !MULTIPLY.contains(&node.name()) {
                return Ok(Transformed::no(node));
            }
            Ok(Transformed::yes(Arc::new(YieldExec {
                properties: Arc::clone(node.properties()),
                input: node,
                halt: Arc::clone(&self.halt),
                memory_max: self.memory_max,
            }) as Arc<dyn ExecutionPlan>))
        })?;
        Ok(done.data)
    }

    fn name(&self) -> &str {
        "Yielding"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A join whose condition ends with an error once the query may not go on.
fn with_asking_condition(
    node: Arc<dyn ExecutionPlan>,
    halt: &Arc<Halt>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let asking = |filter: &JoinFilter| {
        let expression = Arc::new(Asking {
            inner: Arc::clone(filter.expression()),
            halt: Arc::clone(halt),
        });
        let indices = filter.column_indices().to_vec();
        JoinFilter::new(expression, indices, Arc::clone(filter.schema()))
    };
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>()
        && let Some(filter) = join.filter()
    {
        let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
        let builder = NestedLoopJoinExecBuilder::new(left, right, *join.join_type())
            .with_filter(Some(asking(filter)))
            .with_projection_ref(join.projection().clone());
        return Ok(Arc::new(builder.build()?));
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>()
        && let Some(filter) = join.filter()
    {
        let filter = Some(asking(filter));
        return join.builder().with_filter(filter).build_exec();
    }
    Ok(node)
}

/// Whether a step does nothing but that.
pub(crate) fn is_yield(step: &dyn ExecutionPlan) -> bool {
    step.is::<YieldExec>()
}

/// Lets others have a turn, and ends with an error once the query may not go on.
#[derive(Debug, Clone)]
struct YieldExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    halt: Arc<Halt>,
    memory_max: usize,
}

impl DisplayAs for YieldExec {
    fn fmt_as(&self, _type: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YieldExec")
    }
}

impl ExecutionPlan for YieldExec {
    fn name(&self) -> &str {
        "YieldExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| {
            datafusion::common::internal_datafusion_err!("a `YieldExec` has one input")
        })?;
        Ok(Arc::new(Self {
            properties: Arc::clone(input.properties()),
            input,
            halt: Arc::clone(&self.halt),
            memory_max: self.memory_max,
        }))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(Recompute))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows_max = context.session_config().batch_size().max(1);
        Ok(Box::pin(YieldStream {
            inner: self.input.execute(partition, context)?,
            rows_max,
            rest: None,
            since: self.halt.clock().monotonic(),
            halt: Arc::clone(&self.halt),
            memory_max: self.memory_max,
        }))
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn gather_filters_for_pushdown(
        &self,
        _phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }
}

struct YieldStream {
    inner: SendableRecordBatchStream,
    halt: Arc<Halt>,
    memory_max: usize,
    /// The most rows of a batch: live rows come as they were written.
    rows_max: usize,
    /// What of a batch hasn't been given yet.
    rest: Option<RecordBatch>,
    /// When the task last had its turn.
    since: Duration,
}

impl Stream for YieldStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let now = self.halt.clock().monotonic();
        if now.saturating_sub(self.since) >= SLICE {
            self.since = now;
            if let Err(error) = self.halt.check() {
                return Poll::Ready(Some(Err(error.into())));
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let ready = match self.rest.take() {
            Some(rest) => Poll::Ready(Some(Ok(rest))),
            None => self.inner.poll_next_unpin(cx),
        };
        match ready {
            Poll::Pending => {
                self.since = self.halt.clock().monotonic();
                Poll::Pending
            }
            Poll::Ready(Some(Ok(batch))) => {
                let batch = self.first(batch);
                Poll::Ready(Some(fits(batch, self.memory_max).map_err(Into::into)))
            }
            ready => ready,
        }
    }
}

impl YieldStream {
    /// As many rows as a batch may have; the others are kept for the next one.
    fn first(&mut self, batch: RecordBatch) -> RecordBatch {
        let rows = batch.num_rows();
        if rows <= self.rows_max {
            return batch;
        }
        self.rest = Some(batch.slice(self.rows_max, rows - self.rows_max));
        batch.slice(0, self.rows_max)
    }
}

/// Refuses rows that take more memory than a batch may: texts that doubled and doubled.
fn fits(batch: RecordBatch, most: usize) -> Result<RecordBatch, Error> {
    if batch.get_array_memory_size() <= most {
        return Ok(batch);
    }
    // The sum above has whole buffers, of which these rows may be a small part.
    let columns = batch.columns().iter();
    let sizes = columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or(0));
    let bytes: usize = sizes.sum();
    if bytes <= most {
        return Ok(batch);
    }
    Err(Error::new(
        ErrorKind::OutOfMemory,
        format!(
            "{} rows took {bytes} bytes at once; without a larger `query.memory` they may take \
             {most}",
            batch.num_rows()
        ),
    )
    .with_hint("make shorter texts and lists, or set a larger `query.memory`"))
}

impl RecordBatchStream for YieldStream {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
}

/// The condition of a join, which asks before it computes.
#[derive(Debug)]
struct Asking {
    inner: Arc<dyn PhysicalExpr>,
    halt: Arc<Halt>,
}

impl fmt::Display for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PartialEq for Asking {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Asking {}

impl Hash for Asking {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl PhysicalExpr for Asking {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.inner.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.halt.check()?;
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().unwrap_or_else(|| Arc::clone(&self.inner));
        Ok(Arc::new(Self {
            inner,
            halt: Arc::clone(&self.halt),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
