//! The same answers with columns that are kept and without, and what was kept answers alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion_datasource::morsel::Morsel;
use eddy_engine::Clock;
use eddy_engine::testing::{FaultyStore, store_lake};
use futures::TryStreamExt;
use object_store::memory::InMemory;
use serde_json::json;

use super::given::Given;
use super::{Column, Columns, Key};
use crate::query::Request;
use crate::table::Reads;
use crate::testing::{Topic, World};

const STATEMENTS: [&str; 9] = [
    "SELECT count(*), count(n), sum(n), min(_timestamp) FROM events",
    "SELECT kind, count(*) AS many FROM events GROUP BY kind ORDER BY kind",
    "SELECT deep.er.name AS name, count(DISTINCT n) FROM events GROUP BY name ORDER BY name",
    "SELECT n, deep.er.name FROM events WHERE kind = 'b' AND deep.er.name <> 'x' ORDER BY n",
    "SELECT n, odd FROM events WHERE n % 100 = 7 ORDER BY n",
    "SELECT list, count(*) FROM events GROUP BY list ORDER BY 2, list[1]",
    "SELECT dt, kind, max(n) FROM events GROUP BY dt, kind ORDER BY kind",
    "SELECT kind, n FROM events ORDER BY n DESC LIMIT 3",
    "SELECT a.kind, count(*) FROM events a JOIN events b ON a.n = b.n + 1 GROUP BY a.kind \
     ORDER BY a.kind",
];

/// Three files of a thousand rows each: kinds that repeat, a path of three names, a column that
/// changes its type, one that is missing in the first file.
fn filled(world: &World) -> Topic {
    let mut topic = world.writer("events", 1);
    for cut in 0..3 {
        for n in cut * 1_000..(cut + 1) * 1_000 {
            let kind = ["a", "b", "c"][n % 3];
            let mut event = json!({
                "n": n,
                "kind": kind,
                "deep": {"er": {"name": format!("name {}", n % 11)}},
                "list": [n % 2, 3],
            });
            if cut > 0 {
                event["odd"] = if n % 2 == 0 {
                    json!(n)
                } else {
                    json!(format!("no {n}"))
                };
            }
            topic.put(0, &event.to_string());
        }
        topic.commit();
    }
    topic
}

fn reads(world: &World, sql: &str) -> Reads {
    world.runtime.block_on(async {
        let mut answer = world.query.execute(Request::new(sql)).await.unwrap();
        while let Some(_batch) = answer.batches.try_next().await.unwrap() {}
        answer.done().reads.unwrap()
    })
}

fn without() -> World {
    World::with(|options| options.cache.columns_bytes = 0)
}

#[test]
fn answers_are_the_same_with_kept_columns_and_without_whatever_was_asked_before() {
    let (world, plain) = (World::new(), without());
    let (mut topic, mut other) = (filled(&world), filled(&plain));
    for round in 0..4 {
        for sql in STATEMENTS {
            assert_eq!(world.rows(sql), plain.rows(sql), "round {round}: {sql}");
        }
    }
    for topic in [&mut topic, &mut other] {
        for n in 3_000..3_100 {
            topic.put(0, &json!({"n": n, "kind": "d", "odd": [n]}).to_string());
        }
    }
    for sql in STATEMENTS {
        assert_eq!(world.rows(sql), plain.rows(sql), "with live rows: {sql}");
    }
    topic.commit();
    other.commit();
    for sql in STATEMENTS {
        assert_eq!(
            world.rows(sql),
            plain.rows(sql),
            "another column, another file: {sql}"
        );
    }
}

#[test]
fn what_is_asked_for_the_third_time_reads_nothing_and_tells_what_it_stood_for() {
    let world = World::new();
    let _topic = filled(&world);
    let sql = "SELECT kind, sum(n) FROM events WHERE deep.er.name <> 'x' GROUP BY kind";
    let [first, second, third] = [0, 1, 2].map(|_| reads(&world, sql));
    assert!(first.requests > 0 && second.requests > 0, "{second}");
    assert_eq!(
        (third.requests, third.bytes, third.row_groups),
        (0, 0, 0),
        "{third}"
    );
    assert!(
        0 < third.cache_bytes && third.cache_bytes < second.bytes,
        "{third}"
    );
    // Of other columns one is new: all are read, and that one isn't kept yet.
    let more = "SELECT kind, sum(n), min(_offset) FROM events GROUP BY kind";
    assert!(reads(&world, more).requests > 0);
    assert_eq!(reads(&without(), "SELECT 1").cache_bytes, 0);
}

#[test]
fn a_scan_that_leaves_rows_out_keeps_nothing() {
    let world = World::new();
    let _topic = filled(&world);
    for _ in 0..3 {
        // It has its rows before the file is at its end.
        let read = reads(&world, "SELECT kind, n FROM events LIMIT 2");
        assert!(read.requests > 0 && read.cache_bytes == 0, "{read}");
    }
    let sql = "SELECT count(*), min(kind), max(n) FROM events";
    let rows = world.rows(sql);
    assert_eq!(rows[0]["count(*)"], json!(3_000), "{rows:?}");
}

#[test]
fn nothing_that_was_erased_comes_back_from_kept_columns() {
    let store = FaultyStore::new(Arc::new(InMemory::new()));
    let behind = Arc::new(store.clone());
    let world = World::over(
        |_| store_lake(behind, Clock::system()),
        |options| {
            options.cache.memory_bytes = 0;
        },
    );
    let _topic = filled(&world);
    let sql = "SELECT count(*), sum(n) FROM events";
    let answer = world.rows(sql);
    world.rows(sql);
    let newest = "SELECT max(version) FROM system.commits WHERE \"table\" = 'events'";
    let version = world.value(newest);
    // As if the objects were removed: after an erasure's grace time they are.
    store.script(".parquet", []);
    store.fail_reads(true);
    assert_eq!(world.rows(sql), answer, "all of it is kept");
    let old = Request {
        as_of: Some(json!({"version": version})),
        ..Request::new(sql)
    };
    assert!(
        world.ask(old).is_err(),
        "a version that is named is the store's to give"
    );
}

fn key(column: &str) -> Key {
    Key {
        file: "f".into(),
        column: column.into(),
    }
}

fn column(lengths: &[i64]) -> Arc<Column> {
    let mut next = 0;
    let part = |length: &i64| {
        let values = (next..next + length).collect::<Vec<i64>>();
        next += length;
        Arc::new(Int64Array::from(values)) as ArrayRef
    };
    let parts: Vec<ArrayRef> = lengths.iter().map(part).collect();
    Arc::new(Column {
        rows: parts.iter().map(|part| part.len()).sum(),
        bytes: 8 * usize::try_from(next).unwrap(),
        file_bytes: 1,
        parts,
    })
}

#[tokio::test]
async fn columns_in_unlike_parts_are_put_beside_each_other_row_by_row() {
    let field = |name: &str| Field::new(name, DataType::Int64, true);
    let schema = Arc::new(Schema::new(vec![field("a"), field("b"), field("c")]));
    let columns = vec![column(&[5, 0, 7]), column(&[12]), column(&[1, 1, 1, 9])];
    let given = Box::new(Given::new(columns, schema, 4));
    let batches: Vec<_> = given.into_stream().try_collect().await.unwrap();
    let mut all = Vec::new();
    for batch in &batches {
        assert!((1..=4).contains(&batch.num_rows()));
        let values = |at: usize| batch.column(at).as_primitive::<Int64Type>().values();
        assert_eq!(values(0), values(1));
        assert_eq!(values(0), values(2));
        all.extend_from_slice(values(0));
    }
    assert_eq!(all, (0..12).collect::<Vec<i64>>());
}

#[test]
fn memory_is_bounded_while_columns_are_read_and_when_they_are_kept() {
    assert!(Columns::new(0).is_none());
    let columns = Columns::new(4_000).unwrap();
    assert!(columns.reserve(1_500) && !columns.reserve(501) && columns.reserve(500));
    columns.release(2_000);
    assert!(columns.reserve(2_000));
    for n in 0..10 {
        let one = Arc::into_inner(column(&[100])).unwrap();
        columns.keep(key(&n.to_string()), one);
        assert!(columns.kept.usage() <= 4_000);
    }
    let kept = (0..10).filter(|n: &i32| columns.get(&key(&n.to_string())).is_some());
    assert!(kept.count() >= 3, "most of the memory is used");
}

#[test]
fn a_question_is_remembered_for_a_while() {
    let columns = Columns::new(1).unwrap();
    assert!(!columns.is_asked_again(&key("a")));
    assert!(columns.is_asked_again(&key("a")));
    for n in 0..super::ASKED_MOST {
        columns.is_asked_again(&key(&format!("other {n}")));
    }
    assert!(
        columns.is_asked_again(&key("a")),
        "it is of the time before"
    );
    for n in 0..2 * super::ASKED_MOST {
        columns.is_asked_again(&key(&format!("more {n}")));
    }
    assert!(!columns.is_asked_again(&key("a")));
}
