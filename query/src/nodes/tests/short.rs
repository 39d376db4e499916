//! A node whose rows end before it says that they do.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use async_trait::async_trait;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, Metric, MetricValue, MetricsSet,
};
use datafusion_distributed::{
    CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest, GetWorkerInfoResponse,
    MaybeEncoded, ProducerHead, SetPlanRequest, TaskKey, TaskMetrics, Worker, WorkerChannel,
    WorkerToCoordinatorMsg,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tonic::codegen::http::HeaderMap;
use url::Url;
use uuid::Uuid;

use crate::error::{Error, ErrorKind};
use crate::nodes::asked::Asked;
use crate::nodes::errand::Errand;
use crate::nodes::known::Node;
use crate::nodes::reads::ROWS;

/// Gives two rows, and says that it gave so many.
struct Gives(Option<usize>);

#[async_trait]
impl WorkerChannel for Gives {
    async fn coordinator_channel(
        &mut self,
        _headers: HeaderMap,
        _request: SetPlanRequest,
        _words: BoxStream<'static, CoordinatorToWorkerMsg>,
        _metrics: ExecutionPlanMetricsSet,
        _context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        let said = self.0.map(|rows| {
            let count = Count::new();
            count.add(rows);
            let name = ROWS.into();
            let mut set = MetricsSet::new();
            set.push(Arc::new(Metric::new(
                MetricValue::Count { name, count },
                Some(0),
            )));
            Ok(WorkerToCoordinatorMsg::TaskMetrics(TaskMetrics {
                pre_order_plan_metrics: vec![set],
                task_metrics: MetricsSet::new(),
            }))
        });
        Ok(futures::stream::iter(said).boxed())
    }

    async fn execute_task(
        &mut self,
        _headers: HeaderMap,
        _request: ExecuteTaskRequest,
        _metrics: ExecutionPlanMetricsSet,
        _context: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        let column = Arc::new(Int64Array::from(vec![1, 2])) as _;
        let batch = RecordBatch::try_from_iter([("n", column)])?;
        Ok(vec![futures::stream::iter([Ok(batch)]).boxed()])
    }

    async fn get_worker_info(
        &mut self,
        _request: GetWorkerInfoRequest,
    ) -> Result<GetWorkerInfoResponse> {
        Ok(GetWorkerInfoResponse {
            version: String::new(),
        })
    }
}

/// Asks for a part, reads it to its end, and then what was said of it.
async fn asked(says: Option<usize>) -> (Arc<Errand>, Result<()>) {
    asked_in_order(says, false).await
}

/// The same, or what is said first and then the rows.
async fn asked_in_order(says: Option<usize>, is_said_first: bool) -> (Arc<Errand>, Result<()>) {
    let node = Node::here(Uuid::nil());
    let errand = Arc::new(Errand::new(vec![node.clone()], Worker::default()));
    let mut asked = Asked {
        channel: Box::new(Gives(says)),
        node,
        errand: Arc::clone(&errand),
    };
    let task_key = TaskKey {
        query_id: Uuid::nil(),
        stage_id: 1,
        task_number: 0,
    };
    let request = SetPlanRequest {
        task_key,
        task_count: 1,
        plan: MaybeEncoded::Encoded(Vec::new()),
        work_unit_feed_declarations: Vec::new(),
        target_worker_url: Url::parse("eddy://here").unwrap(),
        query_start_time_ns: 0,
    };
    let context = Arc::new(TaskContext::default());
    let words = futures::stream::empty().boxed();
    let metrics = ExecutionPlanMetricsSet::new();
    let said = asked.coordinator_channel(HeaderMap::new(), request, words, metrics, &context);
    let said = said.await.unwrap();
    let request = ExecuteTaskRequest {
        task_key,
        target_partition_start: 0,
        target_partition_end: 1,
        producer_head: ProducerHead::None,
    };
    let metrics = ExecutionPlanMetricsSet::new();
    let rows = asked
        .execute_task(HeaderMap::new(), request, metrics, &context)
        .await;
    let rows = async {
        for partition in rows.unwrap() {
            partition.try_collect::<Vec<RecordBatch>>().await?;
        }
        Ok(())
    };
    let said = said.try_for_each(|_| async { Ok(()) });
    let result = match is_said_first {
        true => said.await.and(rows.await),
        false => rows.await.and(said.await),
    };
    (errand, result)
}

#[tokio::test]
async fn a_node_that_ends_without_a_word_before_its_rows_end_is_an_error_that_names_it() {
    let (errand, cut) = asked_in_order(None, true).await;
    let error = Error::from(cut.unwrap_err());
    assert!(
        error.message().contains("this node ended before"),
        "{error}"
    );
    assert!(errand.is_failed());
}

#[tokio::test]
async fn rows_that_are_fewer_than_their_node_says_are_an_error_that_names_it() {
    let (errand, whole) = asked(Some(2)).await;
    assert!(whole.is_ok() && !errand.is_failed());
    for says in [None, Some(3)] {
        let (errand, short) = asked(says).await;
        let error = Error::from(short.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            error.message().contains("this node ended before"),
            "{error}"
        );
        assert!(errand.is_failed());
    }
}
