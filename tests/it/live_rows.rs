//! Live rows across processes: a query node that keeps no table sees what workers have accepted,
//! each record once, while partitions move between them (E8, P20).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use eddy_engine::Clock;
use serde_json::json;

use crate::harness::kafka::{Produce, Topic, group};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::scale;
use crate::harness::wait::{PATIENCE, wait_until};

const PARTITIONS: i32 = 4;
/// Other processes see its live rows.
const FLIGHT: &str = "[flight]\nlisten = \"127.0.0.1:0\"";

/// A worker of the topic's connector; several share its partitions. What it accepts is committed
/// late, so that most of it is live.
fn worker(lake: &TestLake, topic: &Topic) -> Start {
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "5000"),
    ];
    let start = Start::on(lake)
        .connector(&topic.name, &settings)
        .toml(FLIGHT);
    // A member of the moment leaves its group when it ends, so that its partitions move at once.
    start
        .kafka("group.instance.id", "")
        .kafka("session.timeout.ms", "6000")
        .argument("--roles")
        .argument("worker")
}

fn query_node(lake: &TestLake) -> Eddy {
    Start::on(lake)
        .argument("--roles")
        .argument("query")
        .ready()
}

/// Produces all the while, and tells what Kafka has acknowledged.
struct Load {
    end: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<BTreeMap<i32, i64>>>,
    thread: JoinHandle<()>,
}

impl Load {
    fn start(topic: &Topic) -> Self {
        let end = Arc::<AtomicBool>::default();
        let acknowledged = Arc::<Mutex<BTreeMap<i32, i64>>>::default();
        let (halt, told) = (Arc::clone(&end), Arc::clone(&acknowledged));
        let topic = topic.clone();
        let thread = std::thread::spawn(move || {
            let mut sent = 0;
            while !halt.load(Ordering::SeqCst) {
                let records: Vec<Produce> = (sent..sent + 40).map(record).collect();
                sent += 40;
                let placed = topic.produce(&records);
                let placed = placed.into_iter();
                let next = placed.map(|(partition, offset)| (partition, offset + 1));
                told.lock().expect("no panic").extend(next);
                Clock::system().block(Duration::from_millis(20));
            }
        });
        Self {
            end,
            acknowledged,
            thread,
        }
    }

    /// Next offsets, as `wait_for` takes them.
    fn acknowledged(&self) -> BTreeMap<i32, i64> {
        self.acknowledged.lock().expect("no panic").clone()
    }

    fn stop(self) -> BTreeMap<i32, i64> {
        self.end.store(true, Ordering::SeqCst);
        self.thread.join().expect("the load");
        self.acknowledged.lock().expect("no panic").clone()
    }
}

fn record(number: i32) -> Produce {
    Produce {
        partition: number % PARTITIONS,
        value: Some(format!(r#"{{"n": {number}}}"#).into_bytes()),
        ..Produce::default()
    }
}

/// Asks for everything below these offsets once it is visible: exactly that comes, each once.
fn all_is_there(node: &Eddy, topic: &Topic, offsets: &BTreeMap<i32, i64>) {
    let wanted: BTreeMap<String, i64> = offsets
        .iter()
        .map(|(partition, next)| (partition.to_string(), *next))
        .collect();
    let sql = format!(
        "SELECT _partition AS p, count(*) AS n, count(DISTINCT _offset) AS d FROM {} GROUP BY 1",
        topic.name
    );
    let request = json!({
        "sql": sql,
        "wait_for": wanted,
        "as_of": {"offsets": wanted},
        "timeout": "60s",
    });
    let rows = node.http().ask(&request).expect("an answer");
    let found: BTreeMap<i32, (i64, i64)> = rows
        .iter()
        .map(|row| {
            let number = |name: &str| row[name].as_i64().expect("a number");
            let partition = i32::try_from(number("p")).expect("a partition");
            (partition, (number("n"), number("d")))
        })
        .collect();
    let expected = offsets.iter();
    let expected: BTreeMap<i32, (i64, i64)> = expected
        .map(|(partition, next)| (*partition, (*next, *next)))
        .collect();
    assert_eq!(found, expected, "every record once");
}

/// Waits until the connector's group has so many members that share its partitions.
fn members(topic: &Topic, count: usize) {
    let name = format!("connect-{}", topic.name);
    wait_until(PATIENCE, "the group is stable", || {
        group(&name) == Some((count, "Stable".to_owned()))
    });
}

#[test]
fn e8_p20_everything_that_was_produced_is_counted_once_through_hand_overs_between_workers() {
    let lake = TestLake::s3();
    let topic = Topic::create("moving", PARTITIONS);
    topic.produce(&(0..PARTITIONS).map(record).collect::<Vec<_>>());
    let mut first = worker(&lake, &topic).ready();
    let mut second = worker(&lake, &topic).ready();
    let node = query_node(&lake);
    members(&topic, 2);
    let load = Load::start(&topic);
    wait_until(PATIENCE, "the load has begun", || {
        load.acknowledged().len() == usize::try_from(PARTITIONS).expect("a count")
    });
    // Half of the partitions go to the other worker when one ends, and come back when it starts.
    for turn in 0..scale(4, 20) / 2 {
        let moving = if turn % 2 == 0 {
            &mut second
        } else {
            &mut first
        };
        let ending = std::thread::scope(|scope| {
            let ending = scope.spawn(|| moving.terminate());
            while !ending.is_finished() {
                all_is_there(&node, &topic, &load.acknowledged());
            }
            ending.join().expect("it ends")
        });
        assert!(ending.success(), "{ending}");
        all_is_there(&node, &topic, &load.acknowledged());
        moving.start_again();
        let name = format!("connect-{}", topic.name);
        while group(&name) != Some((2, "Stable".to_owned())) {
            all_is_there(&node, &topic, &load.acknowledged());
        }
    }
    all_is_there(&node, &topic, &load.acknowledged());
    let end = load.stop();
    all_is_there(&node, &topic, &end);
    let live = format!(
        "SELECT live_rows AS n FROM system.tables WHERE name = '{}'",
        topic.name
    );
    let workers = "SELECT count(*) AS n FROM system.workers WHERE state = 'here'";
    assert_eq!(node.http().number(workers), 2);
    assert!(node.http().number(&live) >= 0);
}

#[test]
fn p20_a_worker_that_was_killed_is_told_as_away_until_it_is_back() {
    let lake = TestLake::local();
    let topic = Topic::create("killed", 1);
    topic.produce_values(&[r#"{"n": 1}"#]);
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "600000"),
    ];
    let start = Start::on(&lake)
        .connector(&topic.name, &settings)
        .toml(FLIGHT);
    let start = start.kafka("session.timeout.ms", "6000");
    let mut worker = start.ready();
    let node = query_node(&lake);
    let wait = json!({
        "sql": format!("SELECT count(*) AS n FROM {}", topic.name),
        "wait_for": {"0": 1},
    });
    wait_until(PATIENCE, "the record is seen", || {
        node.http()
            .ask(&wait)
            .is_ok_and(|rows| rows == [json!({"n": 1})])
    });
    worker.kill();
    let count = format!("SELECT count(*) AS n FROM {}", topic.name);
    assert_eq!(node.http().number(&count), 0, "the lake alone");
    let said = format!(
        "SELECT workers_away AS away, stale_ms >= 0 AS stale FROM system.queries \
         WHERE sql = '{count}' AND workers_away > 0"
    );
    assert_eq!(node.http().sql(&said), [json!({"away": 1, "stale": true})]);
    let states = "SELECT state FROM system.workers";
    assert_eq!(node.http().sql(states), [json!({"state": "away"})]);
    worker.restart();
    wait_until(PATIENCE, "the worker is back with the record", || {
        node.http()
            .ask(&wait)
            .is_ok_and(|rows| rows == [json!({"n": 1})])
    });
}
