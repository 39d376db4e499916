//! Queries that mean harm, all at once and beside ingest: each ends with a named error or a bounded
//! answer, no record is lost, memory stays bounded; and clients that go away, over a real socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use serde_json::{Value, json};

use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::wait::{PATIENCE, wait_until};
use crate::proof::every_record_is_there_once;

const RECORDS: usize = 4_000;

/// What queries may use, small enough that each limit is reached in seconds.
const LIMITS: &str = "[query]\nmemory = \"128MiB\"\nmemory_per_query = \"64MiB\"\n\
                      spill = \"256MiB\"\ntimeout_seconds = 3\nrunning_max = 4\n";

/// Far more than the process needs with these limits, and far less than one of these queries
/// would take without.
const MEMORY_MAX: u64 = 1_500 << 20;

/// The errors of limits.
const ENDS: [&str; 4] = ["timeout", "out_of_memory", "spill_full", "busy"];

#[test]
fn hostile_queries_end_by_name_beside_ingest_and_no_record_is_lost() {
    let lake = TestLake::local();
    let topic = Topic::create("hostile", 2);
    let eddy = worker(&lake, &topic);
    topic.produce(&records(0, RECORDS / 4));
    seen(&eddy, &topic, RECORDS / 4);
    thread::scope(|scope| {
        for (sql, codes) in statements(&topic.name) {
            let http = eddy.http();
            scope.spawn(move || {
                let start: String = sql.chars().take(100).collect();
                match http.try_sql(&sql) {
                    Ok(rows) => assert!(codes.is_empty() && rows.len() <= RECORDS, "{start}"),
                    Err(refused) => {
                        let code = refused.code();
                        let is_limit = ENDS.contains(&code);
                        assert!(is_limit || codes.contains(&code), "{start}: {refused:?}");
                    }
                }
            });
        }
        for part in 1..4 {
            topic.produce(&records(part * RECORDS / 4, RECORDS / 4));
            assert_eq!(eddy.http().status("/livez"), Some(200));
        }
    });
    flood_is_refused(&eddy);
    seen(&eddy, &topic, RECORDS);
    every_record_is_there_once(&eddy, &lake, &topic, RECORDS);
    let memory = eddy.peak_memory_bytes();
    assert!(memory < MEMORY_MAX, "{memory} bytes");
}

#[test]
fn a_client_that_goes_away_ends_its_query_and_one_that_stays_is_told_what_it_did() {
    let lake = TestLake::local();
    let topic = Topic::create("hostile_gone", 1);
    let eddy = worker(&lake, &topic);
    let endless = "SELECT value FROM generate_series(1, 1000000000000)";
    let mut socket = ask(&eddy, endless, "");
    let mut some = [0; 4_096];
    socket.read_exact(&mut some).expect("the first rows");
    let states = || states(&eddy, endless);
    assert_eq!(states(), ["running"]);
    drop(socket);
    wait_until(PATIENCE, "the query has ended", || {
        states() == ["cancelled"]
    });

    let mut text = String::new();
    let mut socket = ask(
        &eddy,
        "SELECT 1 AS x",
        "te: trailers\r\nconnection: close\r\n",
    );
    socket.read_to_string(&mut text).expect("an answer");
    assert!(text.contains("{\"x\":1}"), "{text}");
    let trailer = text
        .lines()
        .find_map(|line| line.strip_prefix("eddy-done: "));
    let done: Value = serde_json::from_str(trailer.expect("a trailer")).expect("JSON");
    assert_eq!(done["rows"], json!(1), "{done}");
}

/// What is asked, and the codes besides those of limits that are right; none: rows are.
fn statements(topic: &str) -> Vec<(String, &'static [&'static str])> {
    let t = format!("\"{topic}\"");
    let columns: Vec<String> = (0..10_000).map(|n| format!("n + {n} AS c{n}")).collect();
    let deep = format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    vec![
        (
            format!("SELECT count(*) FROM {t} a, {t} b, {t} c, {t} d"),
            &[],
        ),
        (format!("SELECT * FROM {t} ORDER BY random()"), &[]),
        (
            "SELECT value FROM generate_series(1, 1000000000000) ORDER BY random()".to_owned(),
            &[],
        ),
        (
            format!("SELECT n FROM {t} WHERE _value_text ~ '((a{{1,999}}){{1,999}}){{1,999}}'"),
            &["invalid"],
        ),
        (
            format!("SELECT {} FROM {t} LIMIT 1", columns.join(", ")),
            &[],
        ),
        (
            format!("SELECT 1 UNION SELECT * INTO d FROM {t}"),
            &["not_supported"],
        ),
        (format!("DROP TABLE {t}"), &["not_supported"]),
        (
            "SELECT * FROM \"../../etc/passwd\"".to_owned(),
            &["unknown_table"],
        ),
        (deep, &["invalid"]),
        (
            "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) \
             SELECT max(x) FROM r"
                .to_owned(),
            &[],
        ),
        ("SELECT repeat('x', 1000000000000)".to_owned(), &[]),
    ]
}

/// A hundred megabytes of SQL: refused by what the request says of itself.
fn flood_is_refused(eddy: &Eddy) {
    let mut socket = connect(eddy);
    let head = "POST /api/v1/sql HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                content-type: application/sql\r\ncontent-length: 104857600\r\n\r\nSELECT 1";
    socket.write_all(head.as_bytes()).expect("a request");
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
}

fn connect(eddy: &Eddy) -> TcpStream {
    TcpStream::connect(eddy.url().trim_start_matches("http://")).expect("the listener")
}

fn ask(eddy: &Eddy, sql: &str, headers: &str) -> TcpStream {
    let mut socket = connect(eddy);
    let length = sql.len();
    let request = format!(
        "POST /api/v1/sql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/sql\r\n\
         content-length: {length}\r\n{headers}\r\n{sql}"
    );
    socket.write_all(request.as_bytes()).expect("a request");
    socket
}

/// The states of the queries of this text.
fn states(eddy: &Eddy, sql: &str) -> Vec<String> {
    let listed = eddy.http().get("/api/v1/queries").expect("the queries");
    let listed = listed["queries"].as_array().expect("a list").iter();
    let of_it = listed.filter(|query| query["sql"] == json!(sql));
    of_it
        .map(|query| query["state"].as_str().expect("a state").to_owned())
        .collect()
}

/// Waits until SQL shows so many records, while it is as busy as it may be.
fn seen(eddy: &Eddy, topic: &Topic, records: usize) {
    let sql = format!("SELECT count(*) AS n FROM \"{}\"", topic.name);
    wait_until(PATIENCE, "the records are seen", || {
        let rows = eddy.http().try_sql(&sql);
        rows.is_ok_and(|rows| rows == [json!({"n": records})])
    });
}

fn records(from: usize, count: usize) -> Vec<Produce> {
    let records = (from..from + count).map(|n| Produce {
        partition: i32::try_from(n % 2).expect("a partition"),
        value: Some(
            json!({"n": n, "text": "some words"})
                .to_string()
                .into_bytes(),
        ),
        ..Produce::default()
    });
    records.collect()
}

fn worker(lake: &TestLake, topic: &Topic) -> Eddy {
    let keys = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "500"),
    ];
    Start::on(lake)
        .kafka("session.timeout.ms", "6000")
        .connector(&topic.name, &keys)
        .toml(LIMITS)
        .ready()
}
