//! What was recorded goes to an HTTP server as it was: `SELECT * INTO` a destination of type
//! `http`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::harness::kafka::{Stored, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::scale;
use crate::harness::wait::{PATIENCE, wait_for};
use crate::harness::web::{Reply, Request, Web};
use crate::kills::{next, seed};
use crate::replay::{odd_records, wait_committed, wait_committed_into, wait_done};

/// A process that records `source` and can send to `web` under the name `target`.
fn start(lake: &TestLake, source: &Topic, web: &Web, options: &[(&str, &str)]) -> Eddy {
    let url = web.url("/in");
    let mut all = vec![("url", url.as_str())];
    all.extend_from_slice(options);
    Start::on(lake)
        .connector(&source.name, &[("topics", &source.name)])
        .destination("target", "http", &all)
        .toml("[replay]\nallow_internal = \"127.0.0.0/8\"")
        .ready()
}

/// A request as the record that it was.
fn record(request: &Request) -> Stored {
    let source = request.header("eddy-source").expect("a source");
    let mut parts = source.rsplit(':');
    let mut part = || {
        parts
            .next()
            .expect("a part")
            .parse::<i64>()
            .expect("a number")
    };
    let (offset, partition) = (part(), part());
    let is_tombstone = request.header("eddy-tombstone") == Some("true");
    assert!(!is_tombstone || request.body.is_empty());
    let headers = request.all("eddy-header").into_iter().map(|header| {
        let (name, value) = match header.split_once('=') {
            Some((name, value)) => (name, Some(decoded(value))),
            None => (header, None),
        };
        (String::from_utf8(decoded(name)).expect("text"), value)
    });
    let timestamp = request.header("eddy-source-timestamp");
    Stored {
        partition: partition.try_into().expect("a partition"),
        offset,
        key: request.header("eddy-key").map(decoded),
        value: (!is_tombstone).then(|| request.body.clone()),
        headers: headers.collect(),
        timestamp_ms: timestamp.map(|ms| ms.parse().expect("a number")),
    }
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(&after[..2]).expect("two digits");
            bytes.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    bytes
}

#[test]
fn e7_every_odd_record_arrives_as_a_request_that_says_all_of_it() {
    let lake = TestLake::local();
    let source = Topic::create("posted", 3);
    let records = odd_records(3);
    source.produce(&records);
    let web = Web::start(|_, _| Reply::Done);
    let eddy = start(&lake, &source, &web, &[]);
    let http = eddy.http();
    wait_committed(&http, &source, records.len());
    let answer = http.sql(&format!("SELECT * INTO target FROM {}", source.name));
    let id = answer[0]["replay_id"].as_str().expect("an id").to_owned();
    let replay = wait_done(&http, &id);
    assert_eq!(replay["acknowledged"], json!(records.len()));
    let requests = web.received();
    let mut arrived: Vec<Stored> = requests.iter().map(record).collect();
    // Partitions go out beside each other, each of them in its order.
    arrived.sort_by_key(|record| record.partition);
    assert_eq!(arrived, source.consume(), "E7");
    let keys: BTreeSet<&str> = requests
        .iter()
        .filter_map(|request| request.header("idempotency-key"))
        .collect();
    assert_eq!(keys.len(), records.len());
    assert!(keys.iter().all(|key| key.starts_with(&format!("{id}:"))));
}

#[test]
fn p23_a_worker_killed_at_random_moments_loses_nothing_and_doubles_under_the_same_key_only() {
    let lake = TestLake::local();
    let source = Topic::create("posted_killed", 2);
    let count = scale(900, 100_000);
    let values: Vec<String> = (0..count).map(|n| format!("{{\"n\": {n}}}")).collect();
    source.produce_values(&values);
    // It also misbehaves by itself now and then.
    let web = Web::start(|_, number| match number % 50 {
        20 => Reply::Lost,
        40 => Reply::status(503),
        _ => Reply::Done,
    });
    let mut eddy = start(&lake, &source, &web, &[]);
    wait_committed(&eddy.http(), &source, count);
    let rate = scale(300, 20_000);
    let statement = format!(
        "SELECT * INTO target FROM {} WITH (name = 'killed', rate = '{rate}/s', ordering = 'key')",
        source.name
    );
    eddy.http().sql(&statement);
    let kills = scale(3, 30);
    let mut random = seed();
    println!("seed {random}; EDDY_SEED repeats it");
    for kill in 0..kills {
        let share = count / kills;
        let moment = kill * share + next(&mut random) % share;
        wait_for(PATIENCE, "so many have arrived", || {
            (distinct(&web.done()).len() >= moment).then_some(())
        });
        eddy.restart();
    }
    let again = eddy.http().sql(&statement);
    assert_eq!(again[0]["replay_id"], "killed");
    let replay = wait_done(&eddy.http(), "killed");
    assert_eq!(replay["acknowledged"], json!(count));
    assert_eq!(
        (&replay["failed"], &replay["skipped"]),
        (&json!(0), &json!(0))
    );
    let done = distinct(&web.done());
    assert_eq!(done.len(), count);
    let bodies: BTreeSet<&[u8]> = done.values().map(Vec::as_slice).collect();
    let produced: BTreeSet<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
    assert_eq!(bodies, produced);
}

/// What was done by its key; under one key there is one body.
fn distinct(requests: &[Request]) -> BTreeMap<String, Vec<u8>> {
    let mut bodies = BTreeMap::new();
    for request in requests {
        let key = request.header("idempotency-key").expect("a key").to_owned();
        let body = bodies.entry(key).or_insert_with(|| request.body.clone());
        assert_eq!(*body, request.body);
    }
    bodies
}

/// A process with a variable that holds a secret, which may reach this machine by its address.
fn with_a_secret(lake: &TestLake, source: &Topic) -> Eddy {
    Start::on(lake)
        .connector(&source.name, &[("topics", &source.name)])
        .toml("[replay]\nallow_internal = \"127.0.0.1\"")
        .variable("EDDY_TEST_HOOK", "hunter2")
        .ready()
}

#[test]
fn a_destination_that_can_not_be_right_is_told_what_is_wrong() {
    let lake = TestLake::local();
    let source = Topic::create("posted_wrong", 1);
    let eddy = with_a_secret(&lake, &source);
    for (options, told) in [
        (
            "'method' 'POST'",
            "an HTTP destination needs the option `url`",
        ),
        (
            "'url' 'https://h/', 'retries' '3'",
            "has no option `retries`",
        ),
        (
            "'url' 'https://h/', 'timeout' '30'",
            "`timeout` has to be a time",
        ),
        (
            "'url' 'http://169.254.169.254/'",
            "`169.254.169.254` is at an internal address",
        ),
        (
            "'url' 'https://h/', 'header.Authorization' 'Bearer hunter2'",
            "option `header.Authorization` is a secret",
        ),
    ] {
        let statement = format!("CREATE DESTINATION hook TYPE http OPTIONS ({options})");
        let refused = eddy.http().try_sql(&statement).expect_err(told);
        assert!(refused.message().contains(told), "{refused:?}");
        assert!(!refused.body.to_string().contains("hunter2"), "{refused:?}");
    }
}

#[test]
fn a_destination_made_by_sql_sends_its_secret_and_shows_it_to_nobody_else() {
    let lake = TestLake::local();
    let source = Topic::create("posted_sql", 1);
    source.produce_values(&[r#"{"n": 1}"#, r#"{"n": 2}"#]);
    let web = Web::start(|_, _| Reply::Done);
    let eddy = with_a_secret(&lake, &source);
    let http = eddy.http();
    http.sql(&format!(
        "CREATE DESTINATION hook TYPE http OPTIONS ('url' '{}', 'method' 'put', \
         'header.Authorization' 'Bearer ${{env:EDDY_TEST_HOOK}}')",
        web.url("/{topic}/{offset}")
    ));
    let checked = http
        .get("/api/v1/destinations/hook/check")
        .expect("a check");
    assert_eq!(checked["status"], 200);
    wait_committed_into(&http, "hook", &source, 2);
    let answer = http.sql(&format!("SELECT * INTO hook FROM {}", source.name));
    wait_done(&http, answer[0]["replay_id"].as_str().expect("an id"));
    let received = web.received();
    let paths: Vec<&str> = received
        .iter()
        .map(|request| request.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [0, 1].map(|offset| format!("/{}/{offset}", source.name))
    );
    for request in &received {
        assert_eq!(request.method, "PUT");
        assert_eq!(request.header("authorization"), Some("Bearer hunter2"));
        assert_eq!(request.header("content-type"), Some("application/json"));
    }
    let shown = http
        .get("/api/v1/destinations")
        .expect("a list")
        .to_string();
    let replays = http.get("/api/v1/replays").expect("a list").to_string();
    assert!(!format!("{shown}{replays}{}", eddy.log()).contains("hunter2"));
}
