//! A replay in shards over several processes: they share it, and go on with what a dead one had.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::http::Http;
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::services;
use crate::harness::wait::{PATIENCE, wait_equal, wait_for};
use crate::replay::{wait_committed, wait_done};
use crate::replay_once::{check, length, produce};

/// A process that sends two shards at once, so that four need two of it, on a lake that it records
/// `source` into, if there is one.
fn process(lake: &TestLake, source: Option<&Topic>, target: &Topic) -> Eddy {
    let options = [
        ("bootstrap.servers", services().kafka.as_str()),
        ("topic", target.name.as_str()),
    ];
    let mut start = Start::on(lake)
        .destination("target", "kafka", &options)
        .toml("[replay]\nshards = 2");
    if let Some(source) = source {
        start = start.connector(&source.name, &[("topics", &source.name)]);
    }
    start.ready()
}

/// How many shards each worker has, by the workers' ids.
fn workers(http: &Http) -> Option<BTreeMap<String, u32>> {
    let shown = http.get("/api/v1/replays/sharded").ok()?;
    let mut workers = BTreeMap::new();
    for part in shown["parts"].as_array()? {
        if let Some(worker) = part["worker"].as_str() {
            *workers.entry(worker.to_owned()).or_default() += 1;
        }
    }
    Some(workers)
}

#[test]
fn p23_a_killed_process_leaves_its_shards_to_the_other_and_each_record_arrives_once() {
    let lake = TestLake::local();
    let source = Topic::create("sharded", 4);
    let target = Topic::create("sharded_again", 4);
    let count = 2_000;
    produce(&source, count);
    let mut first = process(&lake, Some(&source), &target);
    let second = process(&lake, None, &target);
    wait_committed(&first.http(), &source, count);
    let statement = format!(
        "SELECT * INTO target FROM {} \
         WITH (name = 'sharded', shards = 4, exactly_once = true, rate = '20/s')",
        source.name
    );
    let begun = first.http().sql(&statement);
    assert_eq!(begun[0]["records"], json!(count));
    let shared = wait_for(PATIENCE, "both have two shards", || {
        workers(&second.http()).filter(|workers| workers.values().eq(&[2, 2]))
    });
    wait_for(PATIENCE, "some have arrived", || {
        (length(&target) > 20).then_some(())
    });
    let rows = second
        .http()
        .sql("SELECT replay_id, shards FROM system.replays");
    assert_eq!(rows, [json!({"replay_id": "sharded", "shards": 4})]);
    first.kill();
    // The same statement is the same replay, whoever is asked.
    let again = second.http().sql(&statement);
    assert_eq!(again[0]["replay_id"], "sharded");
    let max = json!({"rate": "max"});
    let changed = second.http().post("/api/v1/replays/sharded/rate", &max);
    assert_eq!(changed.expect("an answer")["rate"], "max");
    let replay = wait_done(&second.http(), "sharded");
    check(&replay, &source, &target, count);
    let left = workers(&second.http()).expect("the replay");
    assert_eq!(left.values().collect::<Vec<_>>(), [&4], "{left:?}");
    assert!(shared.contains_key(left.keys().next().expect("a worker")));
    let shown = second.run(&["replay", "show", "sharded"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let parts = shown["parts"].as_array().expect("parts");
    assert!(parts.iter().all(|part| part["state"] == "done"), "{shown}");
}

#[test]
fn shards_are_planned_and_what_they_can_not_keep_is_refused() {
    let lake = TestLake::local();
    let source = Topic::create("planned_shards", 3);
    let target = Topic::create("planned_shards_again", 3);
    produce(&source, 30);
    let eddy = process(&lake, Some(&source), &target);
    let http = eddy.http();
    wait_committed(&http, &source, 30);
    let plan = |options: Value| {
        let asked = json!({
            "sql": format!("SELECT * FROM {}", source.name),
            "destination": "target",
            "options": options,
            "plan": true,
        });
        http.post("/api/v1/replays", &asked)
    };
    let shards = |options: Value| plan(options).expect("a plan")["shards"].clone();
    assert_eq!(shards(json!({})), 1);
    assert_eq!(shards(json!({"shards": 2, "ordering": "key"})), 2);
    assert_eq!(shards(json!({"shards": 64})), 3, "no more than partitions");
    for refused in [
        json!({"shards": 2, "ordering": "time"}),
        json!({"shards": 2, "continuous": true}),
        json!({"shards": 65}),
    ] {
        let told = plan(refused.clone()).expect_err("it is refused");
        assert!(!told.message().is_empty(), "{refused}");
    }
    let one = format!(
        "SELECT * INTO target FROM {} WHERE _partition = 1 WITH (name = 'one', shards = 8)",
        source.name
    );
    http.sql(&one);
    assert_eq!(wait_done(&http, "one")["shards"], 1);
    wait_equal(PATIENCE, "its partition arrives", 10, || length(&target));
}
