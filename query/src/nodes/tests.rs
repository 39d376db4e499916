//! Three processes over one lake on disk that answer together: the same answers as one alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod limits;
mod shares;
mod short;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::Schema;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::joins::CrossJoinExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::NodeOptions;
use super::cut::is_part;
use crate::flight::Served;
use crate::http::Token;
use crate::query::QueryOptions;
use crate::testing::World;

/// A process with its listener.
struct Process {
    world: World,
    listener: Option<TcpListener>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
}

impl Process {
    fn new(world: World) -> Self {
        let listener = world.runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            listener: Some(listener),
            stop: None,
            world,
        }
    }

    /// Works together with those at `peers`, among which it may be itself.
    fn join(&mut self, peers: &[SocketAddr], least: u64, token: Option<&str>) {
        let options = NodeOptions {
            peers: peers.iter().map(ToString::to_string).collect(),
            spread_bytes_least: least,
        };
        let token = token.map(Token::new);
        self.world
            .query
            .look_for_nodes(options, token.clone())
            .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (query, listener) = (self.world.query.clone(), self.listener.take().unwrap());
        self.world.runtime.spawn(async move {
            let stopped = async move {
                let _ = stopped.await;
            };
            let served = Served {
                token,
                statements: false,
            };
            query.serve_flight(listener, served, stopped).await.unwrap();
        });
        self.stop = Some(stop);
    }
}

/// So many processes over the lake of the first one.
fn processes(count: usize, change: fn(&mut QueryOptions)) -> Vec<Process> {
    let first = World::with(change);
    let others: Vec<World> = (1..count)
        .map(|_| crate::flight::beside(&first, change))
        .collect();
    let worlds = std::iter::once(first).chain(others);
    worlds.map(Process::new).collect()
}

fn join_all(processes: &mut [Process], least: u64, token: Option<&str>) {
    let peers: Vec<SocketAddr> = processes.iter().map(|one| one.address).collect();
    for process in processes {
        process.join(&peers, least, token);
    }
}

/// The nodes that read for the last query of this text.
fn nodes(world: &World, sql: &str) -> Json {
    let listed = world.query.0.registry.list();
    let listed = listed.iter().rev().find(|listed| listed.sql == sql);
    json!(listed.unwrap().done.reads.unwrap().nodes)
}

/// A table of many files, with a key of two types, records that are none, and live rows.
fn fill(world: &World) -> crate::testing::Topic {
    let mut topic = world.writer("orders", 2);
    let mut n = 0;
    for file in 0..8 {
        for _ in 0..50 {
            let id = match n % 3 {
                0 => format!("\"{n}\""),
                _ => n.to_string(),
            };
            let value = format!(
                r#"{{"n": {n}, "id": {id}, "kind": "k{}", "note": "order {n} of file {file}",
                    "in": {{"a": {}, "b": [1, 2]}}}}"#,
                n % 7,
                n % 5
            );
            topic.put(n % 2, &value);
            n += 1;
        }
        topic.put(0, "no json");
        topic.commit();
    }
    for _ in 0..10 {
        topic.put(1, &format!(r#"{{"n": {n}, "kind": "k1", "more": true}}"#));
        n += 1;
    }
    topic.publish();
    topic
}

/// Statements that read files of all nodes.
const OF_ALL: &[&str] = &[
    "SELECT count(*) AS c, sum(n) AS s, min(note) AS a, max(note) AS z FROM orders WHERE n >= 0",
    "SELECT kind, count(*) AS c, count(DISTINCT n % 10) AS d, sum(n) AS s FROM orders \
     GROUP BY kind ORDER BY kind",
    "SELECT n, note FROM orders WHERE n % 3 = 1 ORDER BY n DESC LIMIT 12",
    "SELECT n, kind, note FROM orders ORDER BY n",
    "SELECT a.n, b.note FROM orders a JOIN orders b ON a.n = b.n + 1 WHERE a.kind = 'k2' \
     ORDER BY 1",
    "SELECT id, count(*) AS c FROM orders WHERE id >= 0 GROUP BY id ORDER BY c, id",
    "SELECT count(*) AS c FROM orders WHERE search('order of file')",
    "SELECT \"in\".a AS a, count(*) AS c FROM orders GROUP BY 1 ORDER BY 1",
    "SELECT kind, avg(n) AS m, array_agg(n ORDER BY n) AS l FROM orders WHERE n % 9 = 1 \
     GROUP BY 1 ORDER BY 1",
    "SELECT n, row_number() OVER (PARTITION BY kind ORDER BY n) AS r FROM orders ORDER BY n",
    "SELECT count(*) AS c FROM orders WHERE n > (SELECT avg(n) FROM orders)",
    "SELECT CAST(n AS VARCHAR) || '-' || upper(kind) AS t FROM orders WHERE note LIKE '%7 of%' \
     ORDER BY 1",
    "SELECT CASE WHEN n IN (1, 2, 3) THEN 'few' WHEN kind IS NULL THEN 'none' ELSE 'many' END \
     AS w, count(*) AS c FROM orders GROUP BY 1 ORDER BY 1",
];

/// Statements that read few files, or none elsewhere.
const OF_SOME: &[&str] = &[
    "SELECT id, n FROM orders WHERE id > 100 AND id < 150 ORDER BY n",
    "SELECT id FROM orders WHERE id = '30'",
    "SELECT count(*) AS c FROM orders WHERE search('order 17')",
    "SELECT kind FROM orders WHERE n < 9 UNION ALL SELECT note FROM orders WHERE n > 395 \
     ORDER BY 1",
    "SELECT _value_text AS v FROM orders WHERE _offset > 190 ORDER BY _partition, _offset",
    "SELECT * FROM orders WHERE kind = 'k4' ORDER BY n DESC LIMIT 5",
    "SELECT count(*) AS c FROM system.dead_letters WHERE _topic = 'orders'",
];

#[test]
fn three_processes_answer_as_one_does_each_record_once() {
    let mut processes = processes(3, |_| {});
    let _topic = fill(&processes[0].world);
    let all = || OF_ALL.iter().chain(OF_SOME);
    let alone: Vec<_> = all().map(|sql| processes[0].world.rows(sql)).collect();
    join_all(&mut processes, 0, None);
    let world = &processes[0].world;
    for (sql, alone) in all().zip(&alone) {
        assert!(!alone.is_empty(), "{sql}");
        assert_eq!(&world.rows(sql), alone, "{sql}");
    }
    let not_divided = OF_ALL.iter().filter(|sql| nodes(world, sql) != json!(3));
    assert_eq!(not_divided.collect::<Vec<_>>(), Vec::<&&str>::new());
    // Others are asked too; this one's live rows are not announced to them.
    let committed = "SELECT kind, count(*) AS c FROM orders GROUP BY 1 ORDER BY 1";
    let others = [&processes[1].world, &processes[2].world];
    assert_eq!(others[0].rows(committed), others[1].rows(committed));
    assert_eq!(nodes(others[0], committed), json!(3));
}

#[test]
fn small_scans_needles_and_limits_stay_on_their_node() {
    let mut processes = processes(2, |_| {});
    let _topic = fill(&processes[0].world);
    let peers: Vec<SocketAddr> = processes.iter().map(|one| one.address).collect();
    processes[0].join(&peers, 1 << 30, None);
    processes[1].join(&peers, 0, None);
    let sum = "SELECT sum(n) AS s FROM orders";
    processes[0].world.rows(sum);
    assert_eq!(nodes(&processes[0].world, sum), json!(1), "few bytes");
    let world = &processes[1].world;
    world.rows(sum);
    assert_eq!(nodes(world, sum), json!(2));
    for sql in [
        "SELECT count(*) AS c FROM orders",
        "SELECT n FROM orders LIMIT 3",
        "SELECT sum(n) AS s FROM \"orders@2\"",
    ] {
        world.rows(sql);
        assert_eq!(nodes(world, sql), json!(1), "{sql}");
    }
}

#[test]
fn explain_analyze_tells_what_each_node_read() {
    let mut processes = processes(3, |_| {});
    let _topic = fill(&processes[0].world);
    join_all(&mut processes, 0, None);
    let world = &processes[0].world;
    let rows = world.rows("EXPLAIN ANALYZE SELECT kind, sum(n) FROM orders GROUP BY kind");
    let text = Json::from(rows).to_string();
    assert!(
        text.contains("tasks=3") && text.contains("nodes=3"),
        "{text}"
    );
    assert!(text.contains("files=8 of 8"), "{text}");
    assert!(!text.contains("bytes=0 of"), "{text}");
}

#[test]
fn a_token_opens_the_nodes_and_without_it_they_take_no_part() {
    let mut processes = processes(2, |_| {});
    let _topic = fill(&processes[0].world);
    let peers: Vec<SocketAddr> = processes.iter().map(|one| one.address).collect();
    processes[1].join(&peers, 0, Some("secret"));
    processes[0].join(&peers, 0, Some("other"));
    let sum = "SELECT sum(n) AS s FROM orders";
    processes[0].world.rows(sum);
    assert_eq!(nodes(&processes[0].world, sum), json!(1));
    let mut third = Process::new(crate::flight::beside(&processes[0].world, |_| {}));
    third.join(&peers, 0, Some("secret"));
    third.world.rows(sum);
    assert_eq!(nodes(&third.world, sum), json!(2));
}

#[test]
fn a_node_that_is_gone_is_left_out_and_the_query_is_answered() {
    let mut processes = processes(3, |_| {});
    let _topic = fill(&processes[0].world);
    join_all(&mut processes, 0, None);
    let sum = "SELECT sum(n) AS s FROM orders WHERE n >= 0";
    let all = processes[0].world.rows(sum);
    assert_eq!(nodes(&processes[0].world, sum), json!(3));
    // Greeted a moment ago, and gone: the query finds out and goes on alone.
    let mut gone = processes.pop().unwrap();
    drop(gone.stop.take());
    gone.world.runtime.shutdown_timeout(Duration::ZERO);
    drop(gone.world.query);
    for _ in 0..3 {
        assert_eq!(processes[0].world.rows(sum), all);
    }
    assert_eq!(nodes(&processes[0].world, sum), json!(2), "two are left");
}

#[test]
fn an_error_of_a_row_is_told_as_by_one_node() {
    let mut processes = processes(2, |_| {});
    let _topic = fill(&processes[0].world);
    let sql = "SELECT sum(100 / (n - 7)) AS s FROM orders";
    let alone = processes[0].world.error(sql);
    join_all(&mut processes, 0, None);
    let together = processes[0].world.error(sql);
    assert_eq!(together.kind(), alone.kind());
    assert_eq!(together.message(), alone.message());
}

#[test]
fn a_part_is_nothing_but_steps_over_the_lake_that_all_have() {
    let scan = |store: &str| -> Arc<dyn ExecutionPlan> {
        let source = Arc::new(ParquetSource::new(Arc::new(Schema::empty())));
        let url = ObjectStoreUrl::parse(store).unwrap();
        DataSourceExec::from_data_source(FileScanConfigBuilder::new(url, source).build())
    };
    let ours = "eddy://lake0/";
    assert!(is_part(&scan("eddy://lake0"), ours).unwrap());
    let projected = ProjectionExec::try_new(Vec::<ProjectionExpr>::new(), scan(ours)).unwrap();
    assert!(is_part(&(Arc::new(projected) as _), ours).unwrap());
    let empty: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(Arc::new(Schema::empty())));
    let joined: Arc<dyn ExecutionPlan> = Arc::new(CrossJoinExec::new(scan(ours), scan(ours)));
    for other in [scan("file:///"), scan("eddy://lake1"), empty, joined] {
        assert!(!is_part(&other, ours).unwrap(), "{other:?}");
    }
}
