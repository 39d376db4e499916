//! SQL with the cache and without: the same answers, and what was read says the difference.

use arrow::array::RecordBatch;
use eddy_engine::Clock;
use eddy_engine::seal::Key;
use eddy_engine::testing::{FaultyStore, store_lake};
use futures::TryStreamExt;
use serde_json::{Value as Json, json};

use super::*;
use crate::cache::CacheOptions;
use crate::error::ErrorKind;
use crate::query::{Query, QueryOptions, Request};
use crate::table::Reads;
use crate::testing::{Topic, World};

const STATEMENTS: [&str; 6] = [
    "SELECT count(*), sum(n), max(_value_text) FROM {}",
    "SELECT n FROM {} WHERE name = 'user 7' ORDER BY n",
    "SELECT * FROM {} ORDER BY n",
    "SELECT _offset FROM {} WHERE _offset IN (0, 700, 2999) ORDER BY _offset",
    "SELECT count(*) FROM {} WHERE search('user 7')",
    "SELECT name, count(*) FROM {} GROUP BY name ORDER BY name",
];

/// A lake that isn't on a local disk, with a table in plain and an encrypted one of the same rows.
fn world() -> (World, FaultyStore, [Topic; 2]) {
    let store = FaultyStore::new(Arc::new(InMemory::new()));
    let behind = Arc::new(store.clone());
    let world = World::over(|_| store_lake(behind, Clock::system()), |_| {});
    let key = Key::from_base64("key", "ZmVkY2JhOTg3NjU0MzIxMA==").unwrap();
    let topics = [("plain", None), ("sealed", Some(key))].map(|(name, key)| {
        let mut topic = world.writer_as(name, 1, |options| options.key = key);
        for cut in 0..3 {
            for n in cut * 1_000..(cut + 1) * 1_000 {
                topic.put(
                    0,
                    &json!({"n": n, "name": format!("user {}", n % 50)}).to_string(),
                );
            }
            topic.commit();
        }
        topic
    });
    (world, store, topics)
}

fn reads(world: &World, sql: &str) -> Reads {
    world.runtime.block_on(async {
        let mut answer = world.query.execute(Request::new(sql)).await.unwrap();
        while let Some(_batch) = answer.batches.try_next().await.unwrap() {}
        answer.done().reads.unwrap()
    })
}

async fn rows(query: &Query, sql: &str) -> Vec<RecordBatch> {
    let answer = query.execute(Request::new(sql)).await.unwrap();
    answer.batches.try_collect().await.unwrap()
}

#[test]
fn answers_are_the_same_with_the_cache_and_without_and_the_second_time_nothing_is_read() {
    let (world, _store, _topics) = world();
    let off = QueryOptions {
        cache: CacheOptions {
            memory_bytes: 0,
            columns_bytes: 0,
            ..CacheOptions::default()
        },
        ..QueryOptions::default()
    };
    let without = Query::new(world.lake.clone(), off).unwrap();
    for table in ["plain", "sealed"] {
        for sql in STATEMENTS.map(|sql| sql.replace("{}", table)) {
            let first = world.runtime.block_on(rows(&world.query, &sql));
            let again = world.runtime.block_on(rows(&world.query, &sql));
            let plain = world.runtime.block_on(rows(&without, &sql));
            let of = |batches: &[RecordBatch]| {
                let schema = batches[0].schema();
                arrow::compute::concat_batches(&schema, batches).unwrap()
            };
            assert_eq!(of(&first), of(&plain), "{sql}");
            assert_eq!(of(&again), of(&plain), "{sql}");
        }
        let sql = format!("SELECT n, name FROM {table} ORDER BY n");
        let read = reads(&world, &sql);
        assert_eq!((read.requests, read.bytes), (0, 0), "{read}");
        assert!(read.cache_bytes > 0, "{read}");
    }
}

#[test]
fn an_older_version_is_read_from_the_store_so_that_nothing_erased_comes_back() {
    let (world, store, _topics) = world();
    let sql = "SELECT count(*), sum(n) FROM plain";
    let answer = world.rows(sql);
    // As if the objects were removed: after an erasure's grace time they are.
    store.script(".parquet", []);
    store.fail_reads(true);
    assert_eq!(world.rows(sql), answer, "all of it is kept");
    let version = world.value("SELECT max(version) FROM system.commits WHERE \"table\" = 'plain'");
    let old = format!("SELECT count(*), sum(n) FROM \"plain@{version}\"");
    let error = world.ask(Request::new(old)).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::UnknownTable, "{error}");
    let as_of = Request {
        as_of: Some(json!({"version": version})),
        ..Request::new(sql)
    };
    assert!(world.ask(as_of).is_err());
}

#[test]
fn the_limit_on_bytes_counts_those_that_were_kept() {
    let (world, _store, _topics) = world();
    let sql = "SELECT * FROM plain";
    let first = reads(&world, sql);
    assert!(first.bytes > 10_000, "{first}");
    let options = QueryOptions {
        scan_bytes_max: Some(1_000),
        ..QueryOptions::default()
    };
    let limited = Query::new(world.lake.clone(), options).unwrap();
    for _ in 0..2 {
        let error = world.runtime.block_on(async {
            let answer = limited.execute(Request::new(sql)).await?;
            answer.batches.try_collect::<Vec<_>>().await
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::TooManyBytes);
    }
}

#[test]
fn explain_analyze_says_what_was_kept() {
    let (world, _store, _topics) = world();
    let sql = "EXPLAIN ANALYZE SELECT sum(n) FROM plain";
    let said = |rows: &[Json]| {
        let last = rows.last().unwrap();
        last["plan"].as_str().unwrap().to_owned()
    };
    let first = said(&world.rows(sql));
    assert!(!first.contains("requests=0, bytes=0 of"), "{first}");
    let again = said(&world.rows(sql));
    assert!(again.contains("requests=0, bytes=0 of"), "{again}");
    assert!(!again.contains("cache_bytes=0,"), "{again}");
}
