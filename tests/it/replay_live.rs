//! Replays that look at more than their records: they follow what is committed later, wait for what
//! the first records do, and carry consumer groups over to where they sent the rest.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::services;
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_for};
use crate::replay::{start, wait_committed, wait_done};

fn numbers(range: std::ops::Range<i32>) -> Vec<String> {
    range.map(|n| format!("{{\"n\": {n}}}")).collect()
}

/// Waits until the target has so many records.
fn wait_arrived(target: &Topic, count: i64) {
    wait_for(PATIENCE, "so many have arrived", || {
        let ends = target.watermarks();
        let arrived: i64 = ends.values().map(|(_, end)| end).sum();
        (arrived >= count).then_some(())
    });
}

#[test]
fn a_continuous_replay_follows_through_a_kill_until_it_is_cancelled() {
    let lake = TestLake::local();
    let source = Topic::create("followed", 2);
    let target = Topic::create("following", 2);
    source.produce_values(&numbers(0..20));
    let mut eddy = start(&lake, &source, &target);
    wait_committed(&eddy.http(), &source, 20);
    let statement = format!(
        "SELECT * INTO target FROM {} WHERE n % 10 <> 3 WITH (continuous = true, name = 'tail')",
        source.name
    );
    eddy.http().sql(&statement);
    wait_arrived(&target, 18);
    source.produce_values(&numbers(20..30));
    wait_arrived(&target, 27);
    eddy.restart();
    source.produce_values(&numbers(30..40));
    wait_arrived(&target, 36);
    let shown = eddy.http().get("/api/v1/replays/tail").expect("the replay");
    assert_eq!(shown["state"], "running");
    let cancelled = eddy.http().post("/api/v1/replays/tail/cancel", &json!({}));
    assert_eq!(cancelled.expect("an answer")["state"], "cancelled");
    let mut arrived: Vec<_> = target
        .consume()
        .into_iter()
        .map(|record| record.value)
        .collect();
    arrived.sort_unstable();
    // The kill may have made some come twice.
    arrived.dedup();
    let wanted = source.consume().into_iter().map(|record| record.value);
    let mut wanted: Vec<_> = wanted
        .filter(|value| !value.as_deref().is_some_and(|value| value.ends_with(b"3}")))
        .collect();
    wanted.sort_unstable();
    assert_eq!(arrived, wanted);
    let marked = |record: &crate::harness::kafka::Stored| {
        record
            .headers
            .iter()
            .any(|(name, _)| name == "eddy-replay-id")
    };
    assert!(target.consume().iter().all(marked));
}

#[test]
fn a_continuous_replay_into_its_own_topic_sends_nothing_round() {
    let lake = TestLake::local();
    let source = Topic::create("round", 1);
    source.produce_values(&numbers(0..10));
    let eddy = start(&lake, &source, &source);
    let http = eddy.http();
    wait_committed(&http, &source, 10);
    let statement = format!(
        "SELECT * INTO target FROM {} WITH (continuous = true, name = 'round')",
        source.name
    );
    http.sql(&statement);
    wait_arrived(&source, 20);
    // It has read its own records once what came after them has been sent.
    source.produce_values(&numbers(10..11));
    let settled = wait_for(PATIENCE, "all are settled", || {
        let shown = http.get("/api/v1/replays/round").ok()?;
        (shown["settled"].as_i64()? >= 21).then_some(shown)
    });
    assert_eq!(
        (&settled["acknowledged"], &settled["skipped"]),
        (&json!(11), &json!(10))
    );
    http.post("/api/v1/replays/round/cancel", &json!({}))
        .expect("an answer");
}

/// A process that records the source and the target, since a canary looks at the latter.
fn recording_both(lake: &TestLake, source: &Topic, target: &Topic) -> Eddy {
    let topics = format!("{},{}", source.name, target.name);
    let to = [
        ("bootstrap.servers", services().kafka.as_str()),
        ("topic", target.name.as_str()),
    ];
    Start::on(lake)
        .connector("both", &[("topics", &topics)])
        .destination("target", "kafka", &to)
        .ready()
}

#[test]
fn a_canary_lets_the_rest_go_once_its_query_is_true_and_else_says_what_it_saw() {
    let lake = TestLake::local();
    let source = Topic::create("canary", 1);
    let target = Topic::create("canary_effect", 1);
    source.produce_values(&numbers(0..100));
    target.produce_values(&[r#"{"n": -1}"#]);
    let eddy = recording_both(&lake, &source, &target);
    let http = eddy.http();
    wait_committed(&http, &source, 100);
    let seen = format!("SELECT count(*) - 1 FROM {} WHERE n < 10", target.name);
    wait_for(PATIENCE, "the target is a table", || {
        http.try_sql(&seen).ok()
    });
    let replay = |name: &str, expect: String, within: &str| {
        json!({
            "sql": format!("SELECT * FROM {}", source.name),
            "destination": "target",
            "options": {"name": name, "canary": 10, "expect": expect, "within": within},
        })
    };
    let good = format!("SELECT count(*) = 11 FROM {} WHERE n < 10", target.name);
    let asked = replay("good", good, "60s");
    http.post("/api/v1/replays", &asked).expect("a replay");
    let done = wait_done(&http, "good");
    assert_eq!(
        (&done["acknowledged"], &done["canary_passed"]),
        (&json!(100), &json!(true))
    );
    wait_arrived(&target, 101);
    let bad = format!("SELECT max(n) > 1000 FROM {}", target.name);
    let asked = replay("bad", bad, "10ms");
    http.post("/api/v1/replays", &asked).expect("a replay");
    let failed = wait_for(PATIENCE, "it has failed", || {
        let shown = http.get("/api/v1/replays/bad").ok()?;
        (shown["state"] == "failed").then_some(shown)
    });
    assert_eq!(failed["acknowledged"], json!(10));
    let reason = failed["reason"].as_str().expect("a reason");
    assert!(reason.contains("says: false"), "{reason}");
    assert_eq!(target.consume().len(), 111);
    let nonsense = replay("none", "SELECT x FROM nobody".to_owned(), "1s");
    let refused = http
        .post("/api/v1/replays", &nonsense)
        .expect_err("no such table");
    assert!(refused.message().contains("nobody"), "{refused:?}");
}

#[test]
fn a_group_goes_on_in_the_target_where_it_stood_in_the_source() {
    let lake = TestLake::local();
    let source = Topic::create("grouped", 2);
    let target = Topic::create("grouped_again", 2);
    // What is there before gives other offsets than the source's.
    target.produce_values(&["{\"n\": -1}", "{\"n\": -2}", "{\"n\": -3}"]);
    let before: BTreeMap<i32, i64> = target
        .watermarks()
        .into_iter()
        .map(|(partition, (_, end))| (partition, end))
        .collect();
    let records = (0..20).map(|n| Produce {
        partition: n % 2,
        value: Some(format!("{{\"n\": {n}}}").into_bytes()),
        ..Produce::default()
    });
    source.produce(&records.collect::<Vec<_>>());
    let eddy = start(&lake, &source, &target);
    let http = eddy.http();
    wait_committed(&http, &source, 20);
    http.sql(&format!(
        "SELECT * INTO target FROM {} WITH (name = 'moved')",
        source.name
    ));
    wait_done(&http, "moved");
    let runs = http.sql(
        "SELECT _partition, first_offset, last_offset, records, target_partition, \
         target_first_offset FROM system.replay_offsets WHERE replay_id = 'moved' \
         ORDER BY _partition, first_offset",
    );
    let sum: i64 = runs.iter().filter_map(|run| run["records"].as_i64()).sum();
    assert_eq!(sum, 20, "{runs:?}");
    let group = unique("consumers");
    source.commit_group(&group, &[(0, 4), (1, 10)]);
    let expected = BTreeMap::from([(0, before[&0] + 4), (1, before[&1] + 10)]);
    let arguments = ["replay", "offsets", "moved", "--group", group.as_str()];
    let shown = eddy.run(&arguments);
    assert!(shown.status.success(), "{shown:?}");
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!(shown["offsets"], json!(expected));
    assert_eq!(
        target.group_offsets(&group),
        BTreeMap::new(),
        "nothing was applied"
    );
    let applied = eddy.run(&[&arguments[..], &["--apply"]].concat());
    assert!(applied.status.success(), "{applied:?}");
    assert_eq!(target.group_offsets(&group), expected);
    // The next record of each partition is the one that the group had not read.
    let next = target.consume();
    let at = |partition: i32| {
        let place = (partition, expected[&partition]);
        next.iter().find(|one| (one.partition, one.offset) == place)
    };
    assert_eq!(
        at(0).expect("a record").value.as_deref(),
        Some(&b"{\"n\": 8}"[..])
    );
    assert_eq!(at(1), None, "partition 1 was read to its end");
    let by_hand = eddy.run(&[&arguments[..], &["--committed", "0=1,1=0"]].concat());
    let by_hand: serde_json::Value = serde_json::from_slice(&by_hand.stdout).expect("JSON");
    let expected = BTreeMap::from([(0, before[&0] + 1), (1, before[&1])]);
    assert_eq!(by_hand["offsets"], json!(expected));
}
