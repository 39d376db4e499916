//! What was recorded goes to a RabbitMQ as it was: `SELECT * INTO` a destination of type
//! `rabbitmq`.

mod failing;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::kafka::{Stored, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::queues::{RabbitMessage, RabbitQueue};
use crate::harness::services::{rabbitmq, scale};
use crate::harness::tls::Tls;
use crate::harness::wait::{PATIENCE, wait_until};
use crate::kills::{next, seed};
use crate::replay::{odd_records, wait_committed, wait_done};

/// A process that records `source` and can send to `queue` under the name `target`, by the RabbitMQ
/// at `address`.
fn start(
    lake: &TestLake,
    source: &Topic,
    queue: &RabbitQueue,
    address: &str,
    options: &[(&str, &str)],
) -> Eddy {
    let url = format!("amqp://guest:guest@{address}/");
    let mut all = vec![("url", url.as_str()), ("exchange", &queue.exchange)];
    all.extend_from_slice(options);
    Start::on(lake)
        .connector(&source.name, &[("topics", &source.name)])
        .destination("target", "rabbitmq", &all)
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

/// Each message by its id, the first time that it came; under one id there is one body.
fn distinct(messages: &[RabbitMessage]) -> Vec<&RabbitMessage> {
    let mut bodies: BTreeMap<&str, &[u8]> = BTreeMap::new();
    let mut first = Vec::new();
    for message in messages {
        match bodies.insert(&message.id, &message.body) {
            Some(body) => assert_eq!(body, message.body, "another body under the same id"),
            None => first.push(message),
        }
    }
    first
}

/// Of each partition the offsets, in order of arrival.
fn offsets(messages: &[&RabbitMessage]) -> BTreeMap<i32, Vec<i64>> {
    let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for message in messages {
        let record = message.record();
        offsets
            .entry(record.partition)
            .or_default()
            .push(record.offset);
    }
    offsets
}

/// Every record of the source arrived, each partition in its order.
fn all_arrived(messages: &[RabbitMessage], source: &Topic) {
    let mut wanted: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for record in source.consume() {
        wanted
            .entry(record.partition)
            .or_default()
            .push(record.offset);
    }
    assert_eq!(offsets(&distinct(messages)), wanted);
}

fn counts(replay: &Value) -> [i64; 3] {
    ["acknowledged", "failed", "skipped"].map(|count| replay[count].as_i64().expect(count))
}

#[test]
fn e7_every_odd_record_arrives_as_a_message_that_says_all_of_it() {
    let lake = TestLake::local();
    let source = Topic::create("published", 3);
    let records = odd_records(3);
    source.produce(&records);
    let queue = RabbitQueue::create("published", &["#"], &json!({}));
    let key = ("routing.key", "{topic}.{partition}");
    let eddy = start(&lake, &source, &queue, rabbitmq(), &[key]);
    wait_committed(&eddy.http(), &source, records.len());
    replay(&eddy, &source, "");
    let replay = wait_done(&eddy.http(), "r");
    let count = i64::try_from(records.len()).expect("a count");
    assert_eq!(counts(&replay), [count, 0, 0]);
    let messages = queue.drain();
    let mut arrived: Vec<Stored> = messages.iter().map(RabbitMessage::record).collect();
    // Partitions go out beside each other, each of them in its order.
    arrived.sort_by_key(|record| record.partition);
    assert_eq!(arrived, source.consume(), "E7");
    let ids: BTreeSet<&str> = messages.iter().map(|message| message.id.as_str()).collect();
    assert_eq!(ids.len(), records.len());
    for message in &messages {
        let record = message.record();
        assert!(message.id.starts_with("r:"), "{}", message.id);
        assert_eq!(
            message.routing_key,
            format!("{}.{}", source.name, record.partition)
        );
        assert_eq!(message.delivery_mode, 2);
        let is_json = record
            .value
            .as_deref()
            .is_some_and(|value| value.starts_with(b"{"));
        let kind = ["application/octet-stream", "application/json"][usize::from(is_json)];
        assert_eq!(message.content_type, kind);
        let seconds = record.timestamp_ms.map(|ms| ms.div_euclid(1_000));
        assert_eq!(message.timestamp, seconds);
        assert_eq!(message.text("eddy-replay-id"), "r");
    }
}

#[test]
fn p23_a_worker_killed_at_random_moments_loses_nothing_and_doubles_under_the_same_id_only() {
    let lake = TestLake::local();
    let source = Topic::create("published_killed", 2);
    let count = scale(900, 100_000);
    source.produce_values(&numbered(count));
    let queue = RabbitQueue::create("published_killed", &["#"], &json!({}));
    let mut eddy = start(&lake, &source, &queue, rabbitmq(), &[("window", "50")]);
    wait_committed(&eddy.http(), &source, count);
    let rate = scale(300, 20_000);
    replay(&eddy, &source, &format!(", rate = '{rate}/s'"));
    let kills = scale(3, 30);
    let mut random = seed();
    println!("seed {random}; EDDY_SEED repeats it");
    for kill in 0..kills {
        let share = count / kills;
        let moment = kill * share + next(&mut random) % share;
        wait_until(PATIENCE, "so many have arrived", || queue.count() >= moment);
        eddy.restart();
    }
    let replay = wait_done(&eddy.http(), "r");
    let wanted = i64::try_from(count).expect("a count");
    assert_eq!(counts(&replay), [wanted, 0, 0]);
    all_arrived(&queue.drain(), &source);
}

/// A process with variables that hold secrets, which may reach this machine.
fn with_secrets(lake: &TestLake, source: &Topic, url: &str) -> Eddy {
    Start::on(lake)
        .connector(&source.name, &[("topics", &source.name)])
        .toml("[replay]\nallow_internal = \"127.0.0.1\"")
        .variable("EDDY_TEST_RABBIT", url)
        .variable("EDDY_TEST_PASSWORD", "hunter2")
        .ready()
}

#[test]
fn a_destination_that_can_not_be_right_is_told_what_is_wrong() {
    let lake = TestLake::local();
    let source = Topic::create("published_wrong", 1);
    let eddy = with_secrets(&lake, &source, "amqp://guest:guest@h/");
    for (options, told) in [
        (
            "'exchange' 'e'",
            "a RabbitMQ destination needs the option `url`",
        ),
        (
            "'url' 'amqps://h/'",
            "needs the option `exchange` or `routing.key`",
        ),
        (
            "'url' 'amqps://h/', 'exchange' 'e', 'confirm' 'no'",
            "has no option `confirm`",
        ),
        (
            "'url' 'amqp://127.0.0.2/', 'exchange' 'e'",
            "`127.0.0.2` is at an internal address",
        ),
        (
            "'url' 'amqp://u:hunter2@h/', 'exchange' 'e'",
            "option `url` is a secret",
        ),
        (
            "'url' 'amqps://h/', 'exchange' 'e', 'password' 'hunter2'",
            "option `password` is a secret",
        ),
    ] {
        let statement = format!("CREATE DESTINATION q TYPE rabbitmq OPTIONS ({options})");
        let refused = eddy.http().try_sql(&statement).expect_err(told);
        assert!(refused.message().contains(told), "{refused:?}");
        assert!(!refused.body.to_string().contains("hunter2"), "{refused:?}");
    }
}

#[test]
fn a_destination_made_by_sql_is_checked_and_shows_its_secrets_to_nobody() {
    let lake = TestLake::local();
    let source = Topic::create("published_sql", 1);
    source.produce_values(&numbered(3));
    let queue = RabbitQueue::create("published_sql", &["#"], &json!({}));
    let url = format!("amqp://guest:guest@{}/", rabbitmq());
    let eddy = with_secrets(&lake, &source, &url);
    let http = eddy.http();
    let made = |name: &str, options: &str| {
        let options = format!("'url' '${{env:EDDY_TEST_RABBIT}}', {options}");
        http.sql(&format!(
            "CREATE DESTINATION {name} TYPE rabbitmq OPTIONS ({options})"
        ));
        http.get(&format!("/api/v1/destinations/{name}/check"))
    };
    let wrong = "'exchange' 'e', 'password' '${env:EDDY_TEST_PASSWORD}'";
    let refused = made("wrong", wrong).expect_err("a wrong password");
    assert!(refused.message().contains("ACCESS_REFUSED"), "{refused:?}");
    let missing = made("missing", &format!("'exchange' '{}-not'", queue.exchange));
    let refused = missing.expect_err("no such exchange");
    assert_eq!(refused.status, 404, "{refused:?}");
    assert!(refused.message().contains("no exchange"), "{refused:?}");
    // Without an exchange it is the queue of that name that is asked for.
    let none = made("none", &format!("'routing.key' '{}-not'", queue.queue));
    let refused = none.expect_err("no such queue");
    assert!(refused.message().contains("no queue"), "{refused:?}");
    let checked = made("target", &format!("'routing.key' '{}'", queue.queue));
    let target = &checked.expect("a check")["target"];
    let wanted = format!(
        "rabbitmq queue `{}` at ${{env:EDDY_TEST_RABBIT}}",
        queue.queue
    );
    assert_eq!(*target, json!(wanted));
    wait_committed(&http, &source, 3);
    replay(&eddy, &source, ", headers = 'strip'");
    wait_done(&http, "r");
    let messages = queue.drain();
    assert_eq!(messages.len(), 3);
    assert!(
        messages.iter().all(|message| message.headers.is_empty()),
        "{messages:?}"
    );
    let shown = http.get("/api/v1/destinations").expect("a list");
    let replays = http.get("/api/v1/replays").expect("a list");
    let told = format!("{shown}{replays}{}", eddy.log());
    assert!(!told.contains("hunter2") && !told.contains("guest:guest"));
}

#[test]
fn over_tls_the_broker_is_known_by_its_certificate_and_we_by_ours() {
    let lake = TestLake::local();
    let source = Topic::create("published_tls", 1);
    source.produce_values(&numbered(300));
    let queue = RabbitQueue::create("published_tls", &["#"], &json!({}));
    let tls = Tls::before(rabbitmq());
    let eddy = with_secrets(&lake, &source, "");
    let http = eddy.http();
    let made = |name: &str, more: &str| {
        let url = format!("amqps://{}/", tls.address);
        let options = format!("'url' '{url}', 'exchange' '{}'{more}", queue.exchange);
        http.sql(&format!(
            "CREATE DESTINATION {name} TYPE rabbitmq OPTIONS ({options})"
        ));
        http.get(&format!("/api/v1/destinations/{name}/check"))
    };
    let authority = format!(", 'tls.ca' '${{file:{}}}'", tls.file("ca.pem"));
    let identity = format!(", 'tls.identity' '${{file:{}}}'", tls.file("client.pem"));
    let refused = made("unknown", &identity).expect_err("an authority that nobody knows");
    assert!(refused.message().contains("certificate"), "{refused:?}");
    assert!(
        made("nobody", &authority).is_err(),
        "no certificate of ours"
    );
    made("target", &format!("{authority}{identity}")).expect("a check");
    wait_committed(&http, &source, 300);
    replay(&eddy, &source, "");
    assert_eq!(counts(&wait_done(&http, "r")), [300, 0, 0]);
    all_arrived(&queue.drain(), &source);
}
