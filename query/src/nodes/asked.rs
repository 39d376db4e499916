//! A node that is asked for its part: errors name it, and its rows are counted against what it says
//! in the end that it gave.
//!
//! A stream over the network that ends isn't proof that it ended well: a process that stops may
//! close it in good order. So the last thing that a node says of a part is how many rows each
//! partition had (`whole`), and a partition that was read to its end must have had as many.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::{
    CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest, GetWorkerInfoResponse,
    MaybeEncoded, SetPlanRequest, TaskKey, TaskMetrics, Worker, WorkerChannel,
    WorkerToCoordinatorMsg,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use super::errand::Errand;
use super::known::Node;
use super::may::scan;
use super::{Divisible, reads};
use crate::error::{Error, ErrorKind};
use crate::table::ScanCount;

/// One node, for one query.
pub(super) struct Asked {
    pub(super) channel: Box<dyn WorkerChannel>,
    pub(super) node: Node,
    pub(super) errand: Arc<Errand>,
}

#[async_trait]
impl WorkerChannel for Asked {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        request: SetPlanRequest,
        words: BoxStream<'static, CoordinatorToWorkerMsg>,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        let task = request.task_key;
        let count = match &request.plan {
            MaybeEncoded::Decoded(plan) => count_of(plan),
            MaybeEncoded::Encoded(_) => None,
        };
        let answer = self
            .channel
            .coordinator_channel(headers, request, words, metrics, context);
        let answer = answer
            .await
            .map_err(|error| wrong(&self.node, &self.errand, error))?;
        let checked = Checked {
            task,
            count,
            node: self.node.clone(),
            errand: Arc::clone(&self.errand),
        };
        Ok(checked.all(answer))
    }

    async fn execute_task(
        &mut self,
        headers: HeaderMap,
        request: ExecuteTaskRequest,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        let (task, first) = (request.task_key, request.target_partition_start);
        let partitions = self
            .channel
            .execute_task(headers, request, metrics, context)
            .await;
        let partitions = partitions.map_err(|error| wrong(&self.node, &self.errand, error))?;
        let counted = partitions.into_iter().enumerate().map(|(at, rows)| {
            let (node, errand) = (self.node.clone(), Arc::clone(&self.errand));
            counted(rows, task, first + at, node, errand)
        });
        Ok(counted.collect())
    }

    async fn get_worker_info(
        &mut self,
        request: GetWorkerInfoRequest,
    ) -> Result<GetWorkerInfoResponse> {
        self.channel.get_worker_info(request).await
    }
}

/// A partition's rows, whose number is noted once they have ended.
fn counted(
    rows: BoxStream<'static, Result<RecordBatch>>,
    task: TaskKey,
    partition: usize,
    node: Node,
    errand: Arc<Errand>,
) -> BoxStream<'static, Result<RecordBatch>> {
    let start = (rows, 0_u64, node, errand);
    let counted =
        futures::stream::try_unfold(start, move |(mut rows, count, node, errand)| async move {
            match rows.next().await {
                Some(Ok(batch)) => {
                    let count = count + u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
                    Ok(Some((batch, (rows, count, node, errand))))
                }
                Some(Err(error)) => Err(wrong(&node, &errand, error)),
                None => {
                    errand.ended(task, partition, count);
                    // Nobody will look any more at whether these were all of them.
                    match errand.is_silent(&task) {
                        true => Err(cut_short(&node, &errand)),
                        false => Ok(None),
                    }
                }
            }
        });
    counted.boxed()
}

/// What a node says of its part while it does it and in the end.
struct Checked {
    task: TaskKey,
    count: Option<Arc<ScanCount>>,
    node: Node,
    errand: Arc<Errand>,
}

impl Checked {
    fn all(
        self,
        said: BoxStream<'static, Result<WorkerToCoordinatorMsg>>,
    ) -> BoxStream<'static, Result<WorkerToCoordinatorMsg>> {
        let start = (said, self, false);
        let checked = futures::stream::try_unfold(start, |(mut said, this, has_said)| async move {
            match said.next().await {
                Some(Ok(WorkerToCoordinatorMsg::TaskMetrics(metrics))) => {
                    this.check(Some(&metrics))?;
                    let word = WorkerToCoordinatorMsg::TaskMetrics(metrics);
                    Ok(Some((word, (said, this, true))))
                }
                Some(Ok(word)) => Ok(Some((word, (said, this, has_said)))),
                Some(Err(error)) => Err(wrong(&this.node, &this.errand, error)),
                None if has_said => Ok(None),
                None => {
                    this.errand.silent(this.task);
                    this.check(None).map(|()| None)
                }
            }
        });
        checked.boxed()
    }

    fn check(&self, said: Option<&TaskMetrics>) -> Result<()> {
        let rows = said.map(reads::rows).unwrap_or_default();
        let ended = self.errand.of(&self.task);
        let is_whole = |(partition, count): (&usize, &u64)| rows.get(partition) == Some(count);
        if !ended.iter().all(is_whole) {
            return Err(cut_short(&self.node, &self.errand));
        }
        if let (Some(count), Some(said)) = (&self.count, said) {
            count.done_by(self.node.process, &reads::reads(said));
        }
        Ok(())
    }
}

/// A node that was there and then wasn't.
fn cut_short(node: &Node, errand: &Errand) -> DataFusionError {
    errand.failed(node, true);
    let text = format!("{node} ended before it had given all of its rows");
    let error = Error::new(ErrorKind::Unavailable, text);
    error.with_hint("ask again").into()
}

/// Who counts what the scan of a part reads.
fn count_of(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<ScanCount>> {
    if let Some((config, _)) = scan(plan.as_ref()) {
        let mut files = config.file_groups.iter().flat_map(|group| group.files());
        let divisible = files.find_map(|file| file.extension::<Divisible>())?;
        return Some(Arc::clone(&divisible.count));
    }
    plan.children().into_iter().find_map(count_of)
}

/// What went wrong with a node's part, with its name.
fn wrong(node: &Node, errand: &Errand, error: DataFusionError) -> DataFusionError {
    let is_away = is_transport(&error);
    errand.failed(node, is_away);
    if is_away {
        let text = format!(
            "{node} went away or doesn't answer: {}",
            error.strip_backtrace()
        );
        return Error::new(ErrorKind::Unavailable, text)
            .with_hint("ask again")
            .into();
    }
    let error = Error::from(error);
    let text = format!("{} (on {node})", error.message());
    let named = Error::new(error.kind(), text);
    match error.hint() {
        Some(hint) => named.with_hint(hint).into(),
        None => named.into(),
    }
}

/// Whether it is the network's error and none of the query's: those come as they were.
fn is_transport(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::Shared(inner) => is_transport(inner),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            is_transport(inner)
        }
        DataFusionError::External(inner) => {
            inner.is::<Status>() || inner.is::<tonic::transport::Error>()
        }
        _ => false,
    }
}

/// This process, asked like any other node: what it does is told and bounded in the same way.
pub(super) struct Here(pub(super) Worker);

#[async_trait]
impl WorkerChannel for Here {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        request: SetPlanRequest,
        words: BoxStream<'static, CoordinatorToWorkerMsg>,
        _metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        // What another attempt may need again isn't touched by this one.
        let request = SetPlanRequest {
            plan: MaybeEncoded::Encoded(request.plan.encode(context)?),
            ..request
        };
        let words = words.map(Ok).boxed();
        self.0.coordinator_channel(headers, request, words).await
    }

    async fn execute_task(
        &mut self,
        _headers: HeaderMap,
        request: ExecuteTaskRequest,
        _metrics: ExecutionPlanMetricsSet,
        _context: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        let (partitions, _) = self.0.execute_task(request).await?;
        let partitions = partitions
            .into_iter()
            .map(|rows| rows.into_stream().boxed());
        Ok(partitions.collect())
    }

    async fn get_worker_info(
        &mut self,
        _request: GetWorkerInfoRequest,
    ) -> Result<GetWorkerInfoResponse> {
        let version = self.0.version().to_owned();
        Ok(GetWorkerInfoResponse { version })
    }
}
