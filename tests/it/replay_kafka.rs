//! A replay into a Kafka that fails: the connection breaks, acknowledgements get lost, the topic is
//! deleted, a message is too large. Nothing is dropped, and the counts add up.

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use serde_json::{Value, json};

use crate::harness::cable::Cable;
use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::services;
use crate::harness::wait::{PATIENCE, wait_for, wait_until};
use crate::harness::{block_on, unique};
use crate::kills::next;
use crate::replay::{start, wait_committed, wait_committed_into, wait_done, wait_ended};
use crate::replay_once::{contents, length, produce};

/// What a client through a cable is told, so that it soon sees that it gets no answer.
const IMPATIENT: [(&str, &str); 3] = [
    ("compression.type", "none"),
    ("request.timeout.ms", "2000"),
    ("socket.timeout.ms", "2000"),
];

/// A process that records `source` and reaches `target` through `cable` only.
fn through(lake: &TestLake, source: &Topic, target: &Topic, cable: &Cable) -> Eddy {
    let address = cable.address();
    let to = [
        ("bootstrap.servers", address.as_str()),
        ("topic", target.name.as_str()),
    ];
    let options: Vec<(&str, &str)> = to.into_iter().chain(IMPATIENT).collect();
    Start::on(lake)
        .connector(&source.name, &[("topics", &source.name)])
        .destination("target", "kafka", &options)
        .ready()
}

fn begin(eddy: &Eddy, source: &Topic, options: &str) {
    let from = &source.name;
    eddy.http().sql(&format!(
        "SELECT * INTO target FROM {from} WITH (name = 'r'{options})"
    ));
}

/// Everything is there once and in order.
fn check(replay: &Value, source: &Topic, target: &Topic, count: usize) {
    let (there, wanted) = (contents(target), contents(source));
    assert_eq!(replay["acknowledged"], json!(count), "{replay}");
    assert_eq!(there.len(), wanted.len());
    assert!(there == wanted, "each record once, in order");
}

#[test]
fn a_connection_that_breaks_amid_its_batches_costs_no_record_and_doubles_none() {
    let lake = TestLake::local();
    let source = Topic::create("broken_off", 2);
    let target = Topic::create("broken_off_again", 2);
    produce(&source, 5_000);
    let cable = Cable::to_broker(&services().kafka);
    let eddy = through(&lake, &source, &target, &cable);
    wait_committed(&eddy.http(), &source, 5_000);
    cable.cut_each(20_000, 4);
    begin(&eddy, &source, "");
    let replay = wait_done(&eddy.http(), "r");
    assert!(cable.has_happened(), "it was cut as often as was asked for");
    check(&replay, &source, &target, 5_000);
}

#[test]
fn acknowledgements_that_get_lost_cost_no_record_and_double_none() {
    let lake = TestLake::local();
    let source = Topic::create("unheard", 2);
    let target = Topic::create("unheard_again", 2);
    produce(&source, 5_000);
    let cable = Cable::to_broker(&services().kafka);
    let eddy = through(&lake, &source, &target, &cable);
    wait_committed(&eddy.http(), &source, 5_000);
    cable.deafen_after(30_000);
    begin(&eddy, &source, "");
    wait_until(PATIENCE, "the broker is no longer heard", || {
        cable.has_happened() && length(&target) > 0
    });
    cable.cut();
    cable.mend();
    let replay = wait_done(&eddy.http(), "r");
    check(&replay, &source, &target, 5_000);
}

#[test]
fn a_deleted_topic_fails_the_replay_which_goes_on_when_it_is_back() {
    let lake = TestLake::local();
    let source = Topic::create("deleted", 1);
    let target = Topic::create("deleted_again", 1);
    produce(&source, 2_000);
    let eddy = start(&lake, &source, &target);
    let http = eddy.http();
    wait_committed(&http, &source, 2_000);
    begin(&eddy, &source, ", rate = '1000/s'");
    wait_until(PATIENCE, "a part has arrived", || length(&target) > 200);
    target.delete();
    let replay = wait_ended(&http, "r");
    assert_eq!(replay["state"], "failed", "{replay}");
    let reason = replay["reason"].as_str().expect("a reason");
    assert!(reason.contains(&target.name), "{reason}");
    let before = replay["acknowledged"].as_u64().expect("a count");
    assert!(before < 2_000, "{before}");
    let target = Topic::named(&target.name, 1, &[]);
    let resumed = http.post("/api/v1/replays/r/resume", &json!({}));
    resumed.expect("an answer");
    let replay = wait_done(&http, "r");
    assert_eq!(replay["acknowledged"], json!(2_000));
    // What was acknowledged before went with the topic; all the others are in the new one.
    let (there, wanted) = (contents(&target), contents(&source));
    assert!(
        there.len() as u64 >= 2_000 - before,
        "{} there",
        there.len()
    );
    assert!(wanted.ends_with(&there), "the rest, in order");
}

/// So many records of a kilobyte that no codec makes smaller.
fn incompressible(records: usize) -> Vec<Produce> {
    let mut random = 7;
    let mut letters = || -> String {
        let letter = |_| char::from(b"abcdefghijklmnopqrstuvwxyz012345"[next(&mut random) % 32]);
        (0..1_000).map(letter).collect()
    };
    let record = |_| Produce {
        value: Some(format!("\"{}\"", letters()).into_bytes()),
        ..Produce::default()
    };
    (0..records).map(record).collect()
}

/// Sets what the topic takes from now on.
fn set_limit(topic: &Topic, bytes: &str) {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &services().kafka);
    let admin: AdminClient<DefaultClientContext> = client.create().expect("an admin client");
    let changed = AlterConfig::new(ResourceSpecifier::Topic(&topic.name));
    let changed = changed.set("max.message.bytes", bytes);
    let answers = block_on(admin.alter_configs([&changed], &AdminOptions::new()));
    answers.expect("an answer")[0].as_ref().expect("it is set");
}

#[test]
fn a_limit_that_is_lowered_amid_a_continuous_replay_refuses_no_record_that_fits() {
    let lake = TestLake::local();
    let source = Topic::create("lowered", 1);
    let target = Topic::create("lowered_again", 1);
    let records = incompressible(4_000);
    let (before, behind) = records.split_at(10);
    source.produce(before);
    let eddy = start(&lake, &source, &target);
    let http = eddy.http();
    wait_committed(&http, &source, 10);
    begin(&eddy, &source, ", continuous = true, on_error = 'skip'");
    wait_until(PATIENCE, "its client is at work", || length(&target) >= 10);
    set_limit(&target, "100000");
    source.produce(behind);
    let replay = wait_for(PATIENCE, "all are settled", || {
        let replay = http.get("/api/v1/replays/r").ok()?;
        (replay["settled"] == json!(4_000)).then_some(replay)
    });
    assert_eq!(replay["acknowledged"], json!(4_000), "{replay}");
    assert_eq!(replay["failed"], json!(0), "{replay}");
    // What went out beside the batch that was refused came twice.
    let sorted = |topic: &Topic| {
        let mut contents = contents(topic);
        contents.sort_unstable();
        contents.dedup();
        contents
    };
    assert!(sorted(&target) == sorted(&source), "all are there");
    http.post("/api/v1/replays/r/cancel", &json!({}))
        .expect("an answer");
}

#[test]
fn no_record_is_refused_for_the_size_of_its_batch() {
    const RECORDS: usize = 2_000;
    let source = Topic::create("batches", 1);
    source.produce(&incompressible(RECORDS));
    let wanted = contents(&source);
    let cases = [
        ("fit_stops", ""),
        ("fit_once", ", exactly_once = true"),
        ("fit_skips", ", on_error = 'skip'"),
    ];
    let lake = TestLake::local();
    let mut start = Start::on(&lake).connector(&source.name, &[("topics", &source.name)]);
    // A tenth of what the client would make of it.
    let limit = [("max.message.bytes", "100000")];
    let targets = cases.map(|(name, _)| (name, Topic::named(&unique(name), 1, &limit)));
    for (name, target) in &targets {
        let options = [
            ("bootstrap.servers", services().kafka.as_str()),
            ("topic", target.name.as_str()),
        ];
        start = start.destination(name, "kafka", &options);
    }
    let eddy = start.ready();
    let http = eddy.http();
    wait_committed_into(&http, "fit_stops", &source, RECORDS);
    for ((name, options), (_, target)) in cases.iter().zip(&targets) {
        let from = &source.name;
        http.sql(&format!(
            "SELECT * INTO {name} FROM {from} WITH (name = '{name}'{options})"
        ));
        let replay = wait_done(&http, name);
        assert_eq!(replay["acknowledged"], json!(RECORDS), "{replay}");
        assert_eq!(replay["failed"], json!(0), "{replay}");
        assert!(contents(target) == wanted, "{name}: each once, in order");
    }
}

#[test]
fn a_message_over_the_limit_is_the_one_that_is_refused() {
    let source = Topic::create("too_large", 1);
    let limit = [("max.message.bytes", "1100000")];
    let small = |n: i32| Produce {
        value: Some(n.to_string().into_bytes()),
        ..Produce::default()
    };
    // Letters that no codec makes small enough.
    let mut random = 7;
    let letters = (0..3_000_000)
        .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz012345"[next(&mut random) % 32]));
    let large = Produce {
        value: Some(format!("\"{}\"", letters.collect::<String>()).into_bytes()),
        ..Produce::default()
    };
    let records: Vec<Produce> = (0..10)
        .map(small)
        .chain([large])
        .chain((10..20).map(small))
        .collect();
    source.produce(&records);
    let wanted = contents(&source);
    let cases = [
        ("stops", "", "failed", 10, 0),
        ("once", ", exactly_once = true", "failed", 0, 0),
        ("skips", ", on_error = 'skip'", "done", 20, 1),
    ];
    let lake = TestLake::local();
    let mut start = Start::on(&lake).connector(&source.name, &[("topics", &source.name)]);
    let targets = cases.map(|(name, ..)| (name, Topic::named(&unique(name), 1, &limit)));
    for (name, target) in &targets {
        let options = [
            ("bootstrap.servers", services().kafka.as_str()),
            ("topic", target.name.as_str()),
        ];
        start = start.destination(name, "kafka", &options);
    }
    let eddy = start.ready();
    let http = eddy.http();
    wait_committed_into(&http, "stops", &source, 21);
    for ((name, options, state, acknowledged, failed), (_, target)) in cases.iter().zip(&targets) {
        let from = &source.name;
        http.sql(&format!(
            "SELECT * INTO {name} FROM {from} WITH (name = '{name}'{options})"
        ));
        let replay = wait_ended(&http, name);
        assert_eq!(replay["state"], *state, "{replay}");
        assert_eq!(replay["acknowledged"], json!(acknowledged), "{replay}");
        assert_eq!(replay["failed"], json!(failed), "{replay}");
        let there = contents(target);
        assert_eq!(target.stable_watermarks(), target.watermarks());
        match failed {
            0 => assert_eq!(there, wanted[..*acknowledged]),
            _ => {
                assert_eq!(there, [&wanted[..10], &wanted[11..]].concat());
                let told = format!(
                    "SELECT _offset FROM system.replay_failures WHERE replay_id = '{name}'"
                );
                assert_eq!(http.sql(&told), [json!({"_offset": 10})]);
            }
        }
    }
}
