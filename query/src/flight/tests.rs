//! Live rows of other processes: workers and a node that is asked, each with a lake of its own
//! over the same folder, and only Flight between them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod hand_over;

use std::net::SocketAddr;
use std::time::Duration;

use arrow::array::RecordBatch;
use eddy_engine::state::workers::{Announcement, announce, withdraw};
use eddy_engine::testing::disk_lake;
use eddy_engine::{Clock, Lake};
use futures::TryStreamExt;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::flight::Served;
use crate::http::Token;
use crate::query::{Answer, QueryOptions, Request, Stale};
use crate::testing::World;

/// A worker that serves Flight until it is dropped or killed.
pub(super) struct Worker {
    pub(super) world: World,
    name: String,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
}

impl Worker {
    /// The worker `name` of the lake in `world`.
    pub(super) fn serve(world: World, name: &str, token: Option<&str>) -> Self {
        let listener = world.runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let query = world.query.clone();
        let served = Served {
            token: token.map(Token::new),
            statements: false,
        };
        world.runtime.spawn(async move {
            let stopped = async move {
                let _ = stopped.await;
            };
            let served = query.serve_flight(listener, served, stopped);
            served.await.unwrap();
        });
        let worker = Self {
            name: name.to_owned(),
            address,
            stop: Some(stop),
            world,
        };
        worker.announce();
        worker
    }

    fn announce(&self) {
        let said = Announcement {
            worker: self.name.clone(),
            process: self.world.query.process(),
            address: self.address.to_string(),
            said_at_ms: 0,
        };
        let said = announce(&self.world.lake, said);
        self.world.runtime.block_on(said).unwrap();
    }

    /// It answers nobody any more, and nobody took back what it said.
    fn kill(&mut self) {
        drop(self.stop.take());
    }

    fn withdraw(&self) {
        let process = self.world.query.process();
        let taken = withdraw(&self.world.lake, &self.name, &process);
        self.world.runtime.block_on(taken).unwrap();
    }
}

/// Another process over the lake of `world`.
pub(crate) fn beside(world: &World, change: impl FnOnce(&mut QueryOptions)) -> World {
    let mut other = World::with(change);
    let options = other.query.0.options.clone();
    let lake: Lake = {
        let _guard = other.runtime.enter();
        disk_lake(world.folder.path(), Clock::system())
    };
    other.query = crate::query::Query::new(lake.clone(), options).unwrap();
    other.lake = lake;
    other
}

fn asker(world: &World, token: Option<&str>) -> World {
    let asker = beside(world, |_| {});
    asker.query.look_for_workers(token.map(Token::new));
    asker
}

fn ask_stale(world: &World, sql: &str) -> (Option<Stale>, usize) {
    world.runtime.block_on(async {
        let answer: Answer = world.query.execute(Request::new(sql)).await.unwrap();
        let stale = answer.stale.clone();
        let batches: Vec<RecordBatch> = answer.batches.try_collect().await.unwrap();
        (stale, batches.iter().map(RecordBatch::num_rows).sum())
    })
}

const COUNT: &str = "SELECT count(*) AS n, count(DISTINCT _partition * 1000000 + _offset) AS d, \
                     sum(n) AS s FROM orders";

#[test]
fn e8_rows_of_another_process_are_seen_once_before_and_after_their_commit() {
    let worker = Worker::serve(World::new(), "w", None);
    let mut topic = worker.world.writer("orders", 2);
    let asker = asker(&worker.world, None);
    for n in 0..10 {
        topic.put(n % 2, &format!(r#"{{"n": {n}}}"#));
    }
    topic.publish();
    assert_eq!(asker.rows(COUNT), [json!({"n": 10, "d": 10, "s": 45})]);
    assert_eq!(
        beside(&worker.world, |_| {}).rows("SELECT count(*) AS n FROM orders"),
        [json!({"n": 0})],
        "whoever doesn't look for workers sees the lake alone"
    );
    // Held by now, and joined with what is new and of other columns.
    topic.put(0, r#"{"n": 10, "new": {"x": true}, "list": [{"a": 1}]}"#);
    topic.publish();
    assert_eq!(asker.rows(COUNT), [json!({"n": 11, "d": 11, "s": 55})]);
    assert_eq!(
        asker.rows("SELECT n, new, list, dt, _key_text AS k FROM orders WHERE new.x"),
        [json!({"n": 10, "new": {"x": true}, "list": [{"a": 1}], "dt": "2026-11-23", "k": "key"})]
    );
    topic.commit();
    assert_eq!(asker.rows(COUNT), [json!({"n": 11, "d": 11, "s": 55})]);
    let (stale, _) = ask_stale(&asker, COUNT);
    assert!(stale.is_none(), "{stale:?}");
    let states = asker.rows("SELECT worker, state FROM system.workers");
    assert_eq!(states, [json!({"worker": "w", "state": "here"})]);
    drop(topic);
    assert_eq!(asker.rows(COUNT), [json!({"n": 11, "d": 11, "s": 55})]);
}

#[test]
fn p20_wait_for_and_as_of_offsets_reach_into_another_process() {
    let worker = Worker::serve(World::new(), "w", None);
    let mut topic = worker.world.writer("orders", 1);
    let asker = asker(&worker.world, None);
    topic.put(0, r#"{"n": 0}"#);
    topic.commit();
    topic.put(0, r#"{"n": 1}"#);
    let waiting = Request {
        wait_for: Some(json!({"0": 2})),
        timeout: Some(Duration::from_secs(30)),
        ..Request::new("SELECT count(*) AS n FROM orders")
    };
    let (position, rows) = std::thread::scope(|scope| {
        let answer = scope.spawn(|| asker.ask(waiting).unwrap());
        topic.publish();
        answer.join().unwrap()
    });
    assert_eq!(rows, [json!({"n": 2})]);
    assert_eq!(position["offsets"], json!({"0": 2}));
    let at = |as_of: Json| {
        let request = Request {
            as_of: Some(as_of),
            ..Request::new("SELECT count(*) AS n FROM orders")
        };
        asker.ask(request).unwrap().1
    };
    assert_eq!(at(json!({"offsets": {"0": 2}})), [json!({"n": 2})]);
    assert_eq!(at(json!({"offsets": {"0": 1}})), [json!({"n": 1})]);
    let version = position["version"].clone();
    assert_eq!(
        at(json!({ "version": version })),
        [json!({"n": 1})],
        "live rows are read-uncommitted"
    );
}

#[test]
fn p20_a_worker_that_is_away_leaves_the_lake_and_the_answer_says_so() {
    let mut worker = Worker::serve(World::new(), "w", None);
    let mut topic = worker.world.writer("orders", 1);
    let asker = asker(&worker.world, None);
    topic.put(0, r#"{"n": 0}"#);
    topic.commit();
    topic.put(0, r#"{"n": 1}"#);
    topic.publish();
    let all = "SELECT * FROM orders";
    assert_eq!(ask_stale(&asker, all).1, 2);
    worker.kill();
    // Its last connection may end a moment after its listener.
    let (stale, rows) = loop {
        if let (Some(stale), rows) = ask_stale(&asker, all) {
            break (stale, rows);
        }
    };
    assert_eq!(rows, 1, "the lake alone, and nothing that was held");
    assert!(stale.stale_ms < 60_000, "{stale:?}");
    assert_eq!(stale.workers_away.len(), 1);
    assert_eq!(stale.workers_away[0].worker, "w");
    let told = asker.rows("SELECT state, error IS NOT NULL AS told FROM system.workers");
    assert_eq!(told, [json!({"state": "away", "told": true})]);
    let told = "SELECT workers_away AS n FROM system.queries WHERE stale_ms >= 0";
    assert_eq!(asker.rows(told), [json!({"n": 1})]);
    // One that ends in order has committed everything and is nobody's to miss.
    worker.withdraw();
    let another = self::asker(&worker.world, None);
    assert!(ask_stale(&another, all).0.is_none());
}

#[test]
fn live_rows_need_the_token_and_a_wrong_one_is_told() {
    let worker = Worker::serve(World::new(), "w", Some("secret"));
    let mut topic = worker.world.writer("orders", 1);
    topic.put(0, r#"{"n": 0}"#);
    topic.publish();
    for (token, rows) in [(Some("secret"), 1), (Some("wrong"), 0), (None, 0)] {
        let asker = asker(&worker.world, token);
        let (stale, found) = ask_stale(&asker, "SELECT * FROM orders");
        assert_eq!(found, rows, "{token:?}");
        let told = stale.map(|stale| stale.workers_away[0].reason.clone());
        assert_eq!(told.is_some(), rows == 0, "{token:?}: {told:?}");
        assert!(told.is_none_or(|told| told.contains("token")));
    }
}

#[test]
fn more_live_rows_than_may_be_held_are_a_prefix_and_the_answer_says_so() {
    let worker = Worker::serve(World::new(), "w", None);
    let mut topic = worker.world.writer("orders", 1);
    for n in 0..20 {
        topic.put(
            0,
            &format!(r#"{{"n": {n}, "text": "{}"}}"#, "x".repeat(4_000)),
        );
        topic.publish();
    }
    let asker = beside(&worker.world, |options| options.live_bytes = 40_000);
    asker.query.look_for_workers(None);
    let (stale, rows) = ask_stale(&asker, "SELECT n FROM orders");
    assert!(rows > 0 && rows < 20, "{rows}");
    let reason = &stale.expect("it says so").workers_away[0].reason;
    assert!(reason.contains("query.live_memory"), "{reason}");
    let found = asker.rows("SELECT max(n) AS last, count(*) AS n FROM orders");
    assert_eq!(found, [json!({"last": rows - 1, "n": rows})]);
    // What is committed needs no room.
    topic.commit();
    assert_eq!(ask_stale(&asker, "SELECT n FROM orders").1, 20);
}
