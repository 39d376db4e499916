//! SQL answers as DuckDB does over the same Parquet files, types normalised: to queries that people
//! wrote over real events, and to generated ones; with rows that no file holds yet, with drift,
//! while files are compacted underneath, and whether or not a filter reaches the files.

mod compare;
mod events;
mod generate;
mod random;

use serde_json::Value;

use self::compare::{of_duckdb, of_eddy, of_rows, same};
use self::generate::Generator;
use self::random::Random;
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::scale;
use crate::harness::wait::{PATIENCE, wait_equal, wait_until};
use crate::proof::wait_committed;

/// Statements over the real events, one a line.
const WRITTEN: &str = include_str!("answers/written.sql");

const REAL: [(&str, &str); 3] = [
    (
        "slack_events",
        include_str!("../fixtures/slack-events.ndjson"),
    ),
    (
        "stripe_objects",
        include_str!("../fixtures/stripe-objects.ndjson"),
    ),
    (
        "saas_audit_logs",
        include_str!("../fixtures/saas-audit-logs.ndjson"),
    ),
];

#[test]
fn written_queries_over_real_events_are_answered_as_duckdb_does() {
    let lake = TestLake::local();
    let topics = REAL.map(|(name, lines)| {
        let topic = Topic::create(name, 4);
        topic.produce_values(&real_events(lines));
        topic
    });
    let eddy = worker(
        &lake,
        &topics.each_ref(),
        &[("limits.keys", "2000"), ("limits.leaves", "10000")],
    );
    for topic in &topics {
        wait_committed(&lake, topic);
    }
    let queries = WRITTEN.lines().step_by(scale(3, 1));
    let mut queries: Vec<String> = queries.map(str::to_owned).collect();
    for ((name, _), topic) in REAL.iter().zip(&topics) {
        for query in &mut queries {
            *query = query.replace(name, &topic.name);
        }
    }
    let tables = topics.each_ref().map(|topic| topic.name.as_str());
    let expected = of_duckdb(&eddy, &lake, &tables, &queries);
    for (sql, expected) in queries.iter().zip(&expected) {
        let found = of_eddy(&eddy.http(), sql, &expected.columns);
        same(sql, "written", &found, expected);
    }
}

fn real_events(lines: &str) -> Vec<String> {
    let event = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["event"].to_string()
    };
    lines.lines().map(event).collect()
}

/// How queries were answered before their rows were in files.
struct Asked {
    /// With `{events}` and `{users}` in them.
    generated: Vec<String>,
    live: Vec<Vec<Value>>,
}

#[test]
fn generated_queries_are_answered_as_duckdb_does_live_committed_and_while_files_are_compacted() {
    let lake = TestLake::local();
    let events = Topic::create("asked", 3);
    let users = Topic::create("askers", 1);
    let mut random = Random::new(1);
    let people = (0..events::USERS).map(|number| events::user_of(&mut random, number));
    users.produce_values(&people.collect::<Vec<_>>());
    let count = scale(1_500, 20_000);
    let values: Vec<String> = (0..count)
        .map(|number| events::event(&mut random, number))
        .collect();
    let (early, late) = values.split_at(count * 3 / 4);
    many_small_files(&lake, &events, &users, early);
    let asked = ask_while_rows_are_live(&lake, &events, &users, late, count, random);

    let eddy = worker(&lake, &[&events, &users], &COMPACTS);
    wait_committed(&lake, &events);
    let sql = |query: &String| named(query, &events, &users);
    let queries: Vec<String> = asked.generated.iter().map(sql).collect();
    let tables = [events.name.as_str(), users.name.as_str()];
    let expected = of_duckdb(&eddy, &lake, &tables, &queries);
    for (at, expected) in expected.iter().enumerate() {
        let sql = &queries[at];
        let found = of_rows(&asked.live[at], &expected.columns);
        same(sql, "with live rows", &found, expected);
        let found = of_eddy(&eddy.http(), sql, &expected.columns);
        same(sql, "committed", &found, expected);
        let apart = named(&apart(&asked.generated[at]), &events, &users);
        let found = of_eddy(&eddy.http(), &apart, &expected.columns);
        same(sql, "without pushdown", &found, expected);
    }
}

const COMPACTS: [(&str, &str); 3] = [
    ("compact.min.files", "2"),
    ("compact.after.ms", "0"),
    ("upkeep.interval.ms", "100"),
];

fn many_small_files(lake: &TestLake, events: &Topic, users: &Topic, values: &[String]) {
    let mut eddy = worker(lake, &[events, users], &[("compact", "false")]);
    for part in values.chunks(values.len() / 10) {
        events.produce_values(part);
        wait_committed(lake, events);
    }
    wait_committed(lake, users);
    eddy.terminate();
}

/// Asks while `late` is in no file yet and the other files are compacted; commits at the end.
fn ask_while_rows_are_live(
    lake: &TestLake,
    events: &Topic,
    users: &Topic,
    late: &[String],
    count: usize,
    random: Random,
) -> Asked {
    let hold = ("flush.interval.ms", "600000");
    let mut eddy = worker(lake, &[events, users], &[&COMPACTS[..], &[hold]].concat());
    events.produce_values(late);
    let counted = format!("SELECT count(*) AS n FROM \"{}\"", events.name);
    let all = i64::try_from(count).expect("a count");
    wait_equal(PATIENCE, "the live rows", Some(all), || {
        eddy.http().try_sql(&counted).ok()?.first()?["n"].as_i64()
    });
    let mut generator = Generator(random);
    let generated: Vec<String> = (0..scale(60, 1_000)).map(|_| generator.query()).collect();
    let ask = |query: &String| {
        let sql = named(query, events, users);
        match eddy.http().try_sql(&sql) {
            Ok(rows) => rows,
            Err(refused) => panic!("{sql}\nis refused: {}", refused.body),
        }
    };
    let live = generated.iter().map(ask).collect();
    let rewrites = format!(
        "SELECT count(*) AS n FROM system.commits \
         WHERE \"table\" LIKE '%{}' AND operation = 'OPTIMIZE'",
        events.name
    );
    wait_until(PATIENCE, "a compaction", || {
        eddy.http().number(&rewrites) > 0
    });
    eddy.terminate();
    Asked { generated, live }
}

fn named(query: &str, events: &Topic, users: &Topic) -> String {
    query
        .replace("{events}", &events.name)
        .replace("{users}", &users.name)
}

/// The same question, asked so that no filter of it can reach the files.
fn apart(query: &str) -> String {
    query.replace(
        "{events} AS e",
        "(SELECT * FROM {events} LIMIT 1000000000) AS e",
    )
}

fn worker(lake: &TestLake, topics: &[&Topic], settings: &[(&str, &str)]) -> Eddy {
    let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    let names = names.join(",");
    let mut all = vec![("topics", names.as_str())];
    if !settings.iter().any(|(key, _)| *key == "flush.interval.ms") {
        all.push(("flush.interval.ms", "200"));
    }
    all.extend(settings);
    Start::on(lake).connector(&topics[0].name, &all).ready()
}
