//! Long texts of a statement make batches of few rows.

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use serde_json::json;

use crate::query::Request;
use crate::testing::{Topic, World};

/// A hundred rows that are committed and a hundred that are live.
fn world() -> (World, Topic) {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    for n in 0..200 {
        topic.put(0, &json!({"n": n}).to_string());
        if n == 99 {
            topic.commit();
        }
    }
    topic.publish();
    (world, topic)
}

/// The rows of each batch of an answer.
fn rows(world: &World, sql: &str) -> Vec<usize> {
    world.runtime.block_on(async {
        let answer = world.query.execute(Request::new(sql)).await.unwrap();
        let batches: Vec<RecordBatch> = answer.batches.try_collect().await.unwrap();
        batches.iter().map(RecordBatch::num_rows).collect()
    })
}

#[test]
fn a_long_text_for_each_row_makes_batches_of_few_rows() {
    let (world, _topic) = world();
    let long = "x".repeat(1 << 19);
    for sql in [
        format!("SELECT n, '{long}' AS text FROM t"),
        format!("SELECT n || '{long}' AS text FROM t"),
        format!("SELECT n, (SELECT '{long}') AS text FROM t"),
    ] {
        let rows = rows(&world, &sql);
        assert_eq!(rows.iter().sum::<usize>(), 200);
        assert!(rows.iter().all(|rows| *rows <= 32), "{rows:?}");
    }
}

#[test]
fn what_rows_are_compared_with_changes_no_batch() {
    let (world, _topic) = world();
    let long = "x".repeat(1 << 19);
    let plain = rows(&world, "SELECT n FROM t WHERE _value_text <> 'x'");
    for condition in [
        format!("_value_text <> '{long}'"),
        format!("_value_text NOT IN ('{long}', 'y')"),
    ] {
        let sql = format!("SELECT n FROM t WHERE {condition}");
        assert_eq!(rows(&world, &sql), plain);
    }
}
