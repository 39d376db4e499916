//! Offsets altered by REST: the rows beyond go, the records come again, and each is there once,
//! whatever dies meanwhile (P5).

use std::collections::BTreeMap;

use eddy_engine::commit::invariants;
use serde_json::{Value, json};

use crate::connect_rest::{ask, request, state};
use crate::foreign::Bucket;
use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_equal, wait_until};
use crate::proof::{every_record_is_there_once, orders, verified, wait_committed};
use crate::readers::agree;

/// A connector made by REST, and what is asked of it.
pub(crate) struct Connector<'a> {
    eddy: &'a Eddy,
    name: String,
}

impl<'a> Connector<'a> {
    pub(crate) fn make(eddy: &'a Eddy, config: &Value) -> Self {
        let name = unique("c");
        let request = json!({"name": name, "config": config});
        let (status, answer) = ask(eddy, "POST", "/connectors", Some(&request));
        assert_eq!(status, 201, "{answer}");
        Self { eddy, name }
    }

    pub(crate) fn ask(&self, method: &str, what: &str, body: Option<&Value>) -> (u16, Value) {
        let path = format!("/connectors/{}/{what}", self.name);
        ask(self.eddy, method, &path, body)
    }

    pub(crate) fn stop(&self) {
        assert_eq!(self.ask("PUT", "stop", None).0, 204);
        wait_until(PATIENCE, "it is stopped", || {
            state(self.eddy, &self.name) == "STOPPED"
        });
    }

    pub(crate) fn resume(&self) {
        assert_eq!(self.ask("PUT", "resume", None).0, 202);
    }

    pub(crate) fn patch(&self, topic: &Topic, to: &[(i32, Option<i64>)]) -> (u16, Value) {
        self.ask("PATCH", "offsets", Some(&altered(topic, to)))
    }

    #[track_caller]
    pub(crate) fn put(&self, topic: &Topic, to: &[(i32, Option<i64>)]) {
        let (status, answer) = self.patch(topic, to);
        assert_eq!(status, 200, "{answer}");
    }

    pub(crate) fn offsets(&self) -> BTreeMap<i64, i64> {
        let (status, answer) = self.ask("GET", "offsets", None);
        assert_eq!(status, 200, "{answer}");
        let all = answer["offsets"].as_array().expect("offsets").iter();
        let place = |place: &Value| {
            let partition = place["partition"]["kafka_partition"].as_i64();
            (
                partition.unwrap(),
                place["offset"]["kafka_offset"].as_i64().unwrap(),
            )
        };
        all.map(place).collect()
    }
}

fn altered(topic: &Topic, to: &[(i32, Option<i64>)]) -> Value {
    let entry = |(partition, offset): &(i32, Option<i64>)| {
        json!({
            "partition": {"kafka_topic": topic.name, "kafka_partition": partition},
            "offset": offset.map(|offset| json!({"kafka_offset": offset})),
        })
    };
    json!({"offsets": to.iter().map(entry).collect::<Vec<_>>()})
}

pub(crate) fn sink(topic: &Topic) -> Value {
    json!({
        "connector.class": "EddySink",
        "topics": topic.name,
        "tasks.max": "2",
        "flush.interval.ms": "100",
        "consumer.override.session.timeout.ms": "6000",
    })
}

pub(crate) fn count(eddy: &Eddy, topic: &Topic) -> i64 {
    eddy.http()
        .number(&format!("SELECT count(*) AS n FROM \"{}\"", topic.name))
}

#[test]
fn p5_records_come_again_from_inside_of_a_file_and_each_is_there_once_on_local_disk() {
    come_again(&TestLake::local());
}

#[test]
fn p5_records_come_again_from_inside_of_a_file_and_each_is_there_once_on_s3() {
    come_again(&TestLake::s3());
}

fn come_again(lake: &TestLake) {
    let topic = Topic::create("offsets", 2);
    let eddy = Start::on(lake).connect().ready();
    let connector = Connector::make(&eddy, &sink(&topic));
    for from in [0, 200, 400] {
        topic.produce_values(&orders(from..from + 200));
        every_record_is_there_once(&eddy, lake, &topic, from + 200);
    }
    let running = connector.patch(&topic, &[(0, Some(1))]);
    assert_eq!(running.0, 400, "{}", running.1);
    connector.stop();
    connector.put(&topic, &[(0, Some(137))]);
    assert_eq!(connector.offsets(), BTreeMap::from([(0, 137), (1, 300)]));
    assert_eq!(count(&eddy, &topic), 437);
    verified(&eddy, &topic);
    agree(&eddy, lake, &topic.name, &["order", "_offset"]);
    connector.resume();
    every_record_is_there_once(&eddy, lake, &topic, 600);
    agree(&eddy, lake, &topic.name, &["order", "_offset"]);

    // Everything again.
    connector.stop();
    let (status, answer) = connector.ask("DELETE", "offsets", None);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(connector.offsets(), BTreeMap::new());
    assert_eq!(count(&eddy, &topic), 0);
    connector.resume();
    every_record_is_there_once(&eddy, lake, &topic, 600);
    agree(&eddy, lake, &topic.name, &["order", "_offset"]);

    // Past what is not wanted, and back into it.
    connector.stop();
    topic.produce_values(&orders(600..800));
    connector.put(&topic, &[(0, Some(350)), (1, Some(400))]);
    connector.resume();
    wait_committed(lake, &topic);
    let report = verified(&eddy, &topic);
    assert_eq!(skipped(&report), [50, 100], "{report}");
    assert_eq!(count(&eddy, &topic), 650);
    connector.stop();
    connector.put(&topic, &[(0, Some(300)), (1, Some(10))]);
    connector.resume();
    every_record_is_there_once(&eddy, lake, &topic, 800);
    assert_eq!(skipped(&verified(&eddy, &topic)), [0, 0]);
}

pub(crate) fn skipped(report: &Value) -> Vec<i64> {
    let partitions = report["partitions"].as_array().expect("partitions").iter();
    partitions
        .map(|partition| partition["skipped"].as_i64().expect("a count"))
        .collect()
}

#[test]
fn a_kill_in_the_middle_of_a_rewind_leaves_all_of_it_or_nothing_and_the_same_request_ends_it() {
    for point in ["before_altered", "after_altered", "before_put", "after_put"] {
        for lake in [TestLake::local(), TestLake::s3()] {
            killed_at(point, &lake);
        }
    }
}

fn killed_at(point: &str, lake: &TestLake) {
    let topic = Topic::create("offsets", 2);
    let mut eddy = Start::on(lake).connect().ready();
    let name = {
        let connector = Connector::make(&eddy, &sink(&topic));
        topic.produce_values(&orders(0..300));
        every_record_is_there_once(&eddy, lake, &topic, 300);
        connector.stop();
        connector.name
    };
    // A stopped connector commits nothing else: the first pass is the alteration's.
    eddy.restart_with("EDDY_FAULT", &format!("{point}:1:kill"));
    let body = altered(&topic, &[(0, Some(70)), (1, Some(20))]);
    let path = format!("/connectors/{name}/offsets");
    wait_until(PATIENCE, "it is stopped again", || {
        state(&eddy, &name) == "STOPPED"
    });
    let headers = json!({"Content-Type": "application/json"});
    let text = body.to_string();
    let answer = request(&eddy.connect_url(), "PATCH", &path, Some(&text), &headers);
    assert_eq!(answer, None, "{point}: it dies of the request");
    eddy.restart();
    wait_until(PATIENCE, "it is stopped again", || {
        state(&eddy, &name) == "STOPPED"
    });
    let whole = [300, 90].contains(&count(&eddy, &topic));
    assert!(whole, "{point}: {}", count(&eddy, &topic));
    verified(&eddy, &topic);
    let (status, answer) = ask(&eddy, "PATCH", &path, Some(&body));
    assert_eq!(status, 200, "{point}: {answer}");
    assert_eq!(count(&eddy, &topic), 90, "{point}");
    let connector = Connector { eddy: &eddy, name };
    connector.resume();
    every_record_is_there_once(&eddy, lake, &topic, 300);
}

#[test]
fn offsets_that_can_not_be_are_refused_in_connects_words_and_nothing_changes() {
    let lake = TestLake::local();
    let topic = Topic::create("offsets", 2);
    topic.produce_values(&orders(0..100));
    let eddy = Start::on(&lake).connect().ready();
    let connector = Connector::make(&eddy, &sink(&topic));
    every_record_is_there_once(&eddy, &lake, &topic, 100);
    connector.stop();
    topic.delete_below(&[(0, 20)]);
    let missing = Topic {
        name: unique("missing"),
        partitions: 1,
    };
    let failed = "Failed to alter consumer group offsets";
    for (topic, to, status, text) in [
        (&topic, [(0, Some(19)), (1, Some(5))], 400, "`20`"),
        (&topic, [(1, Some(5)), (2, Some(5))], 500, failed),
        (
            &topic,
            [(1, Some(5)), (0, Some(-1))],
            500,
            "Failed to modify offsets",
        ),
        (&missing, [(0, Some(1)), (0, Some(2))], 500, failed),
        (&missing, [(0, None), (0, None)], 500, failed),
    ] {
        let (answered, answer) = connector.patch(topic, &to);
        assert_eq!(answered, status, "{to:?}: {answer}");
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(message.contains(text), "{to:?}: {message}");
        assert_eq!(connector.offsets(), BTreeMap::from([(0, 50), (1, 50)]));
    }
    // A reset goes no further back than the broker can.
    connector.put(&topic, &[(0, None)]);
    assert_eq!(connector.offsets(), BTreeMap::from([(1, 50)]));
    assert_eq!(count(&eddy, &topic), 70);
    connector.resume();
    every_record_is_there_once(&eddy, &lake, &topic, 100);
}

#[test]
fn offsets_put_before_the_first_start_are_where_it_begins() {
    let lake = TestLake::local();
    let topic = Topic::create("offsets", 2);
    topic.produce_values(&orders(0..100));
    let eddy = Start::on(&lake).connect().ready();
    let name = unique("c");
    let request = json!({"name": name, "config": sink(&topic), "initial_state": "STOPPED"});
    assert_eq!(ask(&eddy, "POST", "/connectors", Some(&request)).0, 201);
    wait_until(PATIENCE, "it is stopped", || {
        state(&eddy, &name) == "STOPPED"
    });
    let connector = Connector { eddy: &eddy, name };
    connector.put(&topic, &[(1, Some(30))]);
    assert_eq!(connector.offsets(), BTreeMap::from([(1, 30)]));
    connector.resume();
    wait_committed(&lake, &topic);
    assert_eq!(count(&eddy, &topic), 70);
    verified(&eddy, &topic);
}

#[test]
fn p19_a_rewind_takes_a_topics_records_out_of_all_tables_that_transforms_chose() {
    let lake = TestLake::s3();
    let topic = Topic::create("offsets", 1);
    let paid = unique("paid");
    let eddy = Start::on(&lake).connect().ready();
    let mut config = sink(&topic);
    let values: Vec<String> = (0..90)
        .map(|n| match n % 3 {
            0 => json!({"n": n}).to_string(),
            _ => json!({"n": n, "to": paid}).to_string(),
        })
        .collect();
    for (key, value) in [
        ("transforms", "pick"),
        (
            "transforms.pick.type",
            "io.confluent.connect.transforms.ExtractTopic$Value",
        ),
        ("transforms.pick.field", "to"),
        ("transforms.pick.skip.missing.or.null", "true"),
    ] {
        config[key] = json!(value);
    }
    let connector = Connector::make(&eddy, &config);
    topic.produce_values(&values);
    let rows = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) AS n FROM \"{table}\"");
        let seen = eddy.http().try_sql(&sql).ok();
        seen.and_then(|rows| rows.first()?["n"].as_i64())
            .unwrap_or(-1)
    };
    let both = || (rows(&topic.name), rows(&paid));
    wait_equal(PATIENCE, "the rows of both tables", Some((30, 60)), || {
        Some(both())
    });
    wait_committed(&lake, &topic);
    connector.stop();
    connector.put(&topic, &[(0, Some(45))]);
    assert_eq!(both(), (15, 30));
    verified(&eddy, &topic);
    connector.resume();
    wait_equal(PATIENCE, "the rows of both tables", Some((30, 60)), || {
        Some(both())
    });
    wait_committed(&lake, &topic);
    verified(&eddy, &topic);
    for table in [&topic.name, &paid] {
        let lake = lake.open();
        invariants::check(&lake, &lake.table("topics", table)).expect("the invariants hold");
    }
}

#[test]
fn p5_another_sinks_files_are_cut_where_offsets_are_put_and_their_records_come_again() {
    let bucket = Bucket::new();
    let lake = TestLake::local();
    let topic = Topic::create("offsets", 1);
    let eddy = Start::on(&lake).connect().ready();
    let config = json!(bucket.keys(&topic, &[]));
    let connector = Connector::make(&eddy, &config);
    let values: Vec<Produce> = orders(0..30)
        .into_iter()
        .map(|value| Produce {
            value: Some(value.into_bytes()),
            ..Produce::default()
        })
        .collect();
    topic.produce(&values);
    let rows = || {
        let table = format!(
            "SELECT count(DISTINCT _offset) AS n FROM \"{}\"",
            topic.name
        );
        let seen = eddy.http().try_sql(&table).ok();
        seen.and_then(|rows| rows.first()?["n"].as_i64())
            .unwrap_or(-1)
    };
    let end = |end: i64| {
        wait_equal(PATIENCE, "the offset", Some(end), || {
            connector.offsets().get(&0).copied()
        });
    };
    end(30);
    // Whole rotations of ten begin at the target; what is open stays live.
    for (target, committed) in [(14, 24), (20, 30), (0, 30)] {
        connector.stop();
        connector.put(&topic, &[(0, Some(target))]);
        assert_eq!((rows(), connector.offsets()[&0]), (target, target));
        connector.resume();
        end(committed);
        wait_equal(PATIENCE, "the rows", Some(30), || Some(rows()));
        assert_eq!(count(&eddy, &topic), 30);
        let lake = bucket.lake.open();
        let table = lake.table("topics", &topic.name);
        invariants::check(&lake, &table).expect("the invariants hold");
    }
}
