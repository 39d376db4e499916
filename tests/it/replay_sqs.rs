//! What was recorded goes to a queue of SQS as it was: `SELECT * INTO` a destination of type `sqs`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::http::Http;
use crate::harness::kafka::{Produce, Stored, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::proxy::Proxy;
use crate::harness::queues::{SqsMessage, SqsQueue};
use crate::harness::services::{scale, sqs};
use crate::harness::wait::{PATIENCE, wait_until};
use crate::kills::{next, seed};
use crate::replay::{odd_records, wait_committed, wait_done, wait_ended};

/// A process that records `source` and can send to the queue at `url` under the name `target`.
fn start(lake: &TestLake, source: &Topic, url: &str, options: &[(&str, &str)]) -> Eddy {
    let mut all = vec![
        ("queue.url", url),
        ("region", "elasticmq"),
        ("access.key.id", "x"),
        ("secret.access.key", "hunter2"),
    ];
    all.extend_from_slice(options);
    Start::on(lake)
        .connector(&source.name, &[("topics", &source.name)])
        .destination("target", "sqs", &all)
        .toml("[replay]\nallow_internal = \"127.0.0.0/8\"")
        .ready()
}

/// Starts a replay of everything, under the name `r`.
fn replay(eddy: &Eddy, source: &Topic, options: &str) {
    let into = format!("SELECT * INTO target FROM {}", source.name);
    eddy.http()
        .sql(&format!("{into} WITH (name = 'r'{options})"));
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{{\"n\": {n}}}")).collect()
}

fn counts(replay: &Value) -> [i64; 3] {
    ["acknowledged", "failed", "skipped"].map(|count| replay[count].as_i64().expect(count))
}

fn failed(http: &Http) -> ([i64; 3], String) {
    let replay = wait_ended(http, "r");
    assert_eq!(replay["state"], "failed", "{replay}");
    let reason = replay["reason"].as_str().expect("a reason").to_owned();
    (counts(&replay), reason)
}

/// The records that arrived, each id once, in order of partition and offset; under one id there is
/// one record.
fn records(messages: &[SqsMessage]) -> Vec<Stored> {
    let mut records: BTreeMap<&str, Stored> = BTreeMap::new();
    for message in messages {
        let record = message.record();
        if let Some(known) = records.insert(message.id(), record.clone()) {
            assert_eq!(known, record, "another record under the same id");
        }
    }
    let mut records: Vec<Stored> = records.into_values().collect();
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

#[test]
fn e7_every_odd_record_arrives_as_a_message_that_says_all_of_it() {
    let lake = TestLake::local();
    let source = Topic::create("queued", 3);
    let odd = odd_records(3);
    source.produce(&odd);
    let queue = SqsQueue::standard("queued");
    let eddy = start(&lake, &source, &queue.url, &[("attribute.team", "a")]);
    wait_committed(&eddy.http(), &source, odd.len());
    replay(&eddy, &source, "");
    let count = i64::try_from(odd.len()).expect("a count");
    assert_eq!(counts(&wait_done(&eddy.http(), "r")), [count, 0, 0]);
    let messages = queue.drain();
    assert_eq!(messages.len(), odd.len());
    assert_eq!(records(&messages), source.consume(), "E7");
    for message in &messages {
        assert!(message.id().starts_with("r:") && message.attributes.len() <= 10);
        assert_eq!(message.attributes["team"], "a");
        assert_eq!(message.deduplication, None);
    }
}

#[test]
fn a_fifo_queue_gets_each_group_in_its_order_and_once() {
    let lake = TestLake::local();
    let source = Topic::create("queued_fifo", 2);
    let record = |n: i32| Produce {
        partition: n % 2,
        key: (n % 5 != 0).then(|| format!("k{}", n % 7).into_bytes()),
        value: Some(n.to_string().into_bytes()),
        ..Produce::default()
    };
    source.produce(&(0..300).map(record).collect::<Vec<_>>());
    let queue = SqsQueue::fifo("queued");
    let proxy = Proxy::before(sqs());
    let url = queue.url.replace(sqs(), &proxy.endpoint());
    let eddy = start(&lake, &source, &url, &[]);
    wait_committed(&eddy.http(), &source, 300);
    replay(&eddy, &source, ", rate = '100/s'");
    proxy.lose_answers("POST /*SendMessageBatch", 3);
    wait_until(PATIENCE, "answers were lost", || proxy.lost() == 3);
    assert_eq!(counts(&wait_done(&eddy.http(), "r")), [300, 0, 0]);
    let messages = queue.drain();
    assert_eq!(messages.len(), 300, "what came again the queue has dropped");
    assert_eq!(records(&messages), source.consume());
    let mut groups: BTreeMap<(String, i32), Vec<i64>> = BTreeMap::new();
    for message in &messages {
        let record = message.record();
        let group = message.group.clone().expect("a group");
        let wanted = match record.key {
            Some(key) => format!("key:{}", String::from_utf8(key).expect("text")),
            None => format!("partition:{}:{}", source.name, record.partition),
        };
        assert_eq!(group, wanted);
        assert_eq!(message.deduplication.as_deref(), Some(message.id()));
        let of = (group, record.partition);
        groups.entry(of).or_default().push(record.offset);
    }
    assert!(
        groups.values().all(|offsets| offsets.is_sorted()),
        "{groups:?}"
    );
}

#[test]
fn answers_that_get_lost_cost_no_record() {
    let lake = TestLake::local();
    let source = Topic::create("queued_lost", 2);
    source.produce_values(&numbered(500));
    let queue = SqsQueue::standard("queued_lost");
    let proxy = Proxy::before(sqs());
    let url = queue.url.replace(sqs(), &proxy.endpoint());
    let eddy = start(&lake, &source, &url, &[]);
    wait_committed(&eddy.http(), &source, 500);
    replay(&eddy, &source, ", rate = '100/s'");
    proxy.lose_answers("POST /*SendMessageBatch", 6);
    wait_until(PATIENCE, "answers were lost", || proxy.lost() == 6);
    assert_eq!(counts(&wait_done(&eddy.http(), "r")), [500, 0, 0]);
    let messages = queue.drain();
    assert!(
        messages.len() > 500,
        "what was taken unheard was sent again"
    );
    assert_eq!(records(&messages), source.consume());
}

#[test]
fn a_deleted_queue_fails_the_replay_which_goes_on_when_it_is_back() {
    let lake = TestLake::local();
    let source = Topic::create("queued_deleted", 1);
    source.produce_values(&numbered(300));
    let queue = SqsQueue::standard("queued_deleted");
    let eddy = start(&lake, &source, &queue.url, &[]);
    let http = eddy.http();
    wait_committed(&http, &source, 300);
    replay(&eddy, &source, ", rate = '50/s'");
    wait_until(PATIENCE, "some have arrived", || queue.count() > 20);
    queue.delete();
    let ([acknowledged, failures, skipped], reason) = failed(&http);
    assert!(acknowledged < 300 && failures == 0 && skipped == 0);
    assert!(reason.contains("QueueDoesNotExist"), "{reason}");
    queue.create_again();
    let resumed = http.post("/api/v1/replays/r/resume", &json!({}));
    resumed.expect("a resumed replay");
    assert_eq!(counts(&wait_done(&http, "r")), [300, 0, 0]);
    // What it had acknowledged went with the queue that is no more.
    let arrived: Vec<i64> = records(&queue.drain())
        .iter()
        .map(|record| record.offset)
        .collect();
    assert!(arrived.len() as i64 >= 300 - acknowledged);
    assert_eq!(arrived.last(), Some(&299));
}

#[test]
fn a_message_over_the_limit_is_refused_and_the_others_are_not() {
    let lake = TestLake::local();
    let source = Topic::create("queued_over", 1);
    let record = |n: usize| Produce {
        value: Some(vec![b'x'; if n == 17 { 1_048_576 } else { 100_000 }]),
        ..Produce::default()
    };
    source.produce(&(0..40).map(record).collect::<Vec<_>>());
    let queue = SqsQueue::standard("queued_over");
    let eddy = start(&lake, &source, &queue.url, &[]);
    let http = eddy.http();
    wait_committed(&http, &source, 40);
    replay(&eddy, &source, "");
    let ([acknowledged, failures, _], reason) = failed(&http);
    assert_eq!((acknowledged, failures), (17, 0));
    let place = format!("record {}:0:17: it is a message of", source.name);
    assert!(reason.starts_with(&place), "{reason}");
    queue.drain();
    let into = format!("SELECT * INTO target FROM {}", source.name);
    http.sql(&format!("{into} WITH (name = 's', on_error = 'skip')"));
    assert_eq!(counts(&wait_done(&http, "s")), [39, 1, 0]);
    let offsets: BTreeSet<i64> = records(&queue.drain()).iter().map(|r| r.offset).collect();
    assert_eq!(offsets, (0..40).filter(|n| *n != 17).collect());
}

#[test]
fn p23_a_worker_killed_at_random_moments_loses_nothing_and_doubles_under_the_same_id_only() {
    let lake = TestLake::local();
    let source = Topic::create("queued_killed", 2);
    let count = scale(900, 20_000);
    source.produce_values(&numbered(count));
    let queue = SqsQueue::standard("queued_killed");
    let mut eddy = start(&lake, &source, &queue.url, &[]);
    wait_committed(&eddy.http(), &source, count);
    let rate = scale(300, 2_000);
    replay(
        &eddy,
        &source,
        &format!(", rate = '{rate}/s', ordering = 'none'"),
    );
    let kills = scale(3, 30);
    let mut random = seed();
    println!("seed {random}; EDDY_SEED repeats it");
    for kill in 0..kills {
        let share = count / kills;
        let moment = kill * share + next(&mut random) % share;
        wait_until(PATIENCE, "so many have arrived", || queue.count() >= moment);
        eddy.restart();
    }
    let wanted = i64::try_from(count).expect("a count");
    assert_eq!(counts(&wait_done(&eddy.http(), "r")), [wanted, 0, 0]);
    assert_eq!(records(&queue.drain()), source.consume());
}

#[test]
fn a_destination_is_made_by_sql_checked_or_told_what_is_wrong() {
    let lake = TestLake::local();
    let queue = SqsQueue::standard("queued_sql");
    let eddy = Start::on(&lake)
        .toml("[replay]\nallow_internal = \"127.0.0.1\"")
        .variable("EDDY_TEST_SECRET", "hunter2")
        .ready();
    let http = eddy.http();
    let url = "'queue.url' 'https://sqs.eu-central-1.amazonaws.com/1/q'";
    let keys = "'access.key.id' 'x', 'secret.access.key' '${env:EDDY_TEST_SECRET}'";
    for (options, told) in [
        (
            keys.to_owned(),
            "an SQS destination needs the option `queue.url`",
        ),
        (
            url.to_owned(),
            "an SQS destination needs the option `access.key.id`",
        ),
        (
            format!("{url}, {keys}, 'group' '{{key}}'"),
            "`group` is for FIFO queues",
        ),
        (
            format!("{url}, {keys}, 'queue' 'q'"),
            "has no option `queue`",
        ),
        (
            format!("'queue.url' 'http://10.0.0.1/1/q', 'region' 'r', {keys}"),
            "`10.0.0.1` is at an internal address",
        ),
        (
            format!("{url}, 'access.key.id' 'x', 'secret.access.key' 'hunter2'"),
            "option `secret.access.key` is a secret",
        ),
    ] {
        let statement = format!("CREATE DESTINATION q TYPE sqs OPTIONS ({options})");
        let refused = http.try_sql(&statement).expect_err(told);
        assert!(refused.message().contains(told), "{refused:?}");
        assert!(!refused.body.to_string().contains("hunter2"), "{refused:?}");
    }
    let made = |name: &str, url: &str| {
        let options = format!("'queue.url' '{url}', 'region' 'r', {keys}");
        http.sql(&format!(
            "CREATE DESTINATION {name} TYPE sqs OPTIONS ({options})"
        ));
        http.get(&format!("/api/v1/destinations/{name}/check"))
    };
    let checked = made("there", &queue.url).expect("a check");
    assert_eq!(checked["target"], json!(format!("sqs queue {}", queue.url)));
    assert!(
        checked["record_bytes_max"].as_u64() > Some(1_000),
        "{checked}"
    );
    let refused = made("missing", &format!("{}-not", queue.url)).expect_err("no such queue");
    assert_eq!(refused.status, 404, "{refused:?}");
    assert!(
        refused.message().contains("QueueDoesNotExist"),
        "{refused:?}"
    );
    assert!(!eddy.log().contains("hunter2"));
}
