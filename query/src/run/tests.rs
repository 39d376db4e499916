//! The limits of queries: what hits one ends with an error that names it, and stops.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod batches;
mod distinct;
mod few;
mod hostile;
mod one_view;

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use crate::error::{Error, ErrorKind};
use crate::hooks::SystemTable;
use crate::query::{Answer, Request};
use crate::testing::World;

/// Joins of which no test sees the end.
const ENDLESS: [&str; 5] = [
    "SELECT count(*) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b",
    "SELECT count(*) FROM generate_series(1, 10000000) a JOIN generate_series(1, 10000000) b \
     ON a.value + b.value < 0",
    "SELECT count(*) FROM (SELECT value % 2 AS x, value FROM generate_series(1, 5000000)) a \
     JOIN (SELECT value % 2 AS x, value FROM generate_series(1, 5000000)) b \
     ON a.x = b.x AND a.value + b.value < 0",
    "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r",
    "SELECT sum(u) FROM (SELECT unnest(range(1000)) AS u FROM generate_series(1, 100000000))",
];

fn limited(sql: &str, timeout: Duration) -> Request {
    Request {
        timeout: Some(timeout),
        ..Request::new(sql)
    }
}

fn orders(world: &World) {
    let mut topic = world.writer("orders", 1);
    for number in 0..100 {
        topic.put(0, &json!({"id": number}).to_string());
    }
    topic.commit();
}

/// The newest query and its state, if there is one.
fn newest(world: &World) -> Option<(uuid::Uuid, &'static str)> {
    let listed = world.query.0.registry.list();
    listed.last().map(|last| (last.query_id, last.state))
}

#[test]
fn what_computes_without_end_ends_at_its_timeout_and_gives_its_turn_back() {
    let world = World::with(|options| options.running_max = 1);
    for sql in ENDLESS {
        let asked = limited(sql, Duration::from_millis(300));
        let error = world.ask(asked).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{sql}: {error}");
        let text = error.to_string();
        assert!(
            text.contains("0.3 s") && text.contains("query.timeout_seconds"),
            "{text}"
        );
        // There is one turn: a query that went on computing would keep it.
        assert_eq!(world.value("SELECT 1"), json!(1), "{sql}");
    }
}

#[test]
fn what_computes_without_end_stops_when_it_is_cancelled_or_nobody_reads_it() {
    let world = World::with(|options| options.running_max = 1);
    for (sql, cancel) in ENDLESS.iter().flat_map(|sql| [(sql, true), (sql, false)]) {
        world.runtime.block_on(async {
            let query = world.query.clone();
            let request = Request::new(*sql);
            let asked = tokio::spawn(async move {
                let answer: Answer = query.execute(request).await?;
                answer.batches.try_collect::<Vec<_>>().await
            });
            let id = loop {
                match newest(&world) {
                    Some((id, "running")) => break id,
                    _ => tokio::task::yield_now().await,
                }
            };
            if cancel {
                world.query.cancel(id).unwrap();
                let error = asked.await.unwrap().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{sql}: {error}");
            } else {
                asked.abort();
                assert!(asked.await.unwrap_err().is_cancelled());
            }
            let listed = world.query.0.registry.list();
            let listed = listed.iter().find(|one| one.query_id == id).unwrap();
            assert_eq!(listed.state, "cancelled", "{sql}");
            assert!(listed.ended_us >= Some(listed.started_us));
        });
        assert_eq!(world.value("SELECT 1"), json!(1), "{sql}");
    }
}

#[test]
fn what_can_not_spill_is_told_its_share_and_the_setting() {
    let world = World::with(|options| options.memory_bytes_per_query = 8 << 20);
    let error = world.error("SELECT array_agg(value) FROM generate_series(1, 100000000)");
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("query.memory_per_query") && text.contains("8388608"),
        "{text}"
    );
    assert_eq!(newest(&world).unwrap().1, "failed");
    let done = world.query.0.registry.list().last().unwrap().done;
    assert_eq!(done.memory_bytes, 0, "nothing is held when it has ended");
    assert!(
        done.memory_bytes_max > 0 && done.memory_bytes_max <= 8 << 20,
        "{done:?}"
    );
}

const SORTED: &str = "SELECT value FROM generate_series(1, 1000000) ORDER BY random()";

#[test]
fn what_can_spill_does_and_answers_within_its_share() {
    let world = World::with(|options| options.memory_bytes_per_query = 16 << 20);
    let rows: usize = world.runtime.block_on(async {
        let answer = world.query.execute(Request::new(SORTED)).await.unwrap();
        let batches: Vec<RecordBatch> = answer.batches.try_collect().await.unwrap();
        batches.iter().map(RecordBatch::num_rows).sum()
    });
    assert_eq!(rows, 1_000_000);
    let done = world.query.0.registry.list().last().unwrap().done;
    assert_eq!(done.rows, 1_000_000);
    assert!(done.memory_bytes_max <= 16 << 20, "{done:?}");
}

#[test]
fn a_full_folder_for_spilling_is_told_by_its_setting() {
    let world = World::with(|options| {
        options.memory_bytes_per_query = 16 << 20;
        options.spill_bytes = 1 << 20;
    });
    let error = world.error(SORTED);
    assert_eq!(error.kind(), ErrorKind::SpillFull, "{error}");
    assert!(error.to_string().contains("`query.spill`"), "{error}");
}

#[test]
fn too_many_rows_and_too_many_bytes_are_told_by_their_settings() {
    let world = World::with(|options| options.rows_max = Some(50));
    orders(&world);
    assert_eq!(world.rows("SELECT id FROM orders LIMIT 50").len(), 50);
    let error = world.error("SELECT id FROM orders");
    assert_eq!(error.kind(), ErrorKind::TooManyRows, "{error}");
    assert!(error.to_string().contains("`query.rows_max`"), "{error}");

    let world = World::with(|options| options.scan_bytes_max = Some(10));
    orders(&world);
    assert_eq!(world.value("SELECT 1"), json!(1));
    let error = world.error("SELECT id FROM orders");
    assert_eq!(error.kind(), ErrorKind::TooManyBytes, "{error}");
    assert!(error.to_string().contains("`query.scan_max`"), "{error}");
}

#[test]
fn queries_beyond_the_queue_are_refused_at_once() {
    let world = World::with(|options| {
        options.running_max = 1;
        options.waiting_max = 1;
    });
    world.runtime.block_on(async {
        let mut running = world.query.execute(Request::new(SORTED)).await.unwrap();
        let query = world.query.clone();
        let waiting = tokio::spawn(async move { query.execute(Request::new("SELECT 1")).await });
        while world.query.0.pool.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let refused = world.query.execute(Request::new("SELECT 2")).await;
        let error = refused.map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
        assert!(error.to_string().contains("query.waiting_max"), "{error}");
        assert!(error.query_id().is_some());
        while running.batches.next().await.is_some() {}
        drop(running);
        let mut answer = waiting.await.unwrap().unwrap();
        assert!(answer.batches.next().await.unwrap().is_ok());
    });
}

#[test]
fn a_function_that_would_make_too_much_is_refused_before_it_does() {
    let world = World::new();
    for sql in [
        "SELECT repeat('x', 1000000000000)",
        "SELECT repeat(repeat('x', 10000), value) FROM generate_series(1, 100000)",
        "SELECT lpad('x', 2000000000, 'y')",
        "SELECT rpad('x', 2000000000)",
        "SELECT array_repeat(repeat('x', 1000), 1000000000)",
        "SELECT array_resize([1], 10000000000)",
        "SELECT range(1000000000000)",
        "SELECT generate_series(1, 1000000000000, 2)",
        "SELECT generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2100-01-01', \
         INTERVAL '1' MICROSECOND)",
        "SELECT levenshtein(repeat('x', 1000000), repeat('y', 1000000))",
        // Each is within the bound for one row.
        "SELECT count(*) FROM (SELECT unnest(range(1000000)) FROM generate_series(1, 1000000))",
        "SELECT repeat('x', 1000000) FROM generate_series(1, 10000)",
    ] {
        let error = world.error(sql);
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{sql}: {error}");
        assert!(error.hint().is_some(), "{sql}: {error}");
    }
    for (sql, expected) in [
        ("SELECT length(repeat('xy', 1000000))", json!(2_000_000)),
        ("SELECT lpad('x', 3, 'y')", json!("yyx")),
        (
            "SELECT sum(length(repeat('x', value))) FROM generate_series(1, 3)",
            json!(6),
        ),
        ("SELECT array_length(range(1, 1000000, 2))", json!(500_000)),
        ("SELECT range(2, 4)", json!([2, 3])),
        ("SELECT list_repeat('a', 2)", json!(["a", "a"])),
        (
            "SELECT array_length(generate_series(DATE '2000-01-01', DATE '2000-02-01', \
             INTERVAL '1' DAY))",
            json!(32),
        ),
        ("SELECT levenshtein('kitten', 'sitting')", json!(3)),
    ] {
        assert_eq!(world.value(sql), expected, "{sql}");
    }
}

#[test]
fn text_that_doubles_and_doubles_ends_before_memory_does() {
    let world = World::with(|options| options.memory_bytes = 64 << 20);
    let doubled = |n: usize| format!("t{} AS (SELECT x || x AS x FROM t{n})", n + 1);
    let all: Vec<String> = (0..40).map(doubled).collect();
    let error = world.error(&format!(
        "WITH t0 AS (SELECT repeat('x', value) AS x FROM generate_series(1000, 1000)), {} \
         SELECT length(x) FROM t40",
        all.join(", ")
    ));
    assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    assert!(error.to_string().contains("`query.memory`"), "{error}");
}

struct Panics;

#[async_trait]
impl SystemTable for Panics {
    fn name(&self) -> &str {
        "panics"
    }

    fn schema(&self) -> SchemaRef {
        Schema::empty().into()
    }

    async fn batches(&self) -> Result<Vec<RecordBatch>, Error> {
        panic!("as the test wants")
    }
}

#[test]
fn a_panic_ends_its_query_with_an_error_and_nothing_else() {
    let world = World::new();
    world.query.add_system_table(std::sync::Arc::new(Panics));
    let error = world.error("SELECT * FROM system.panics");
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    assert!(error.to_string().contains("as the test wants"), "{error}");
    assert_eq!(newest(&world).unwrap().1, "failed");
    assert_eq!(world.value("SELECT 1"), json!(1));
}
