//! Every front answers the same statements with the same values and refuses the same ones with the
//! same words: HTTP, the Postgres wire as `psql` and psycopg speak it, and Flight SQL as ADBC does.

mod adbc;
mod command;
mod psql;
pub mod statements;

use serde_json::{Value, json};

use crate::harness::http::Http;
use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::python;
use crate::harness::wait::{PATIENCE, wait_until};
use statements::{
    INTO_WITHOUT_A_NAME, RECORDS, TIME_MS, WITH_PARAMETERS, parameters, refusals,
    rows_with_parameters, statements,
};

/// A process with the topic that is asked for; half of it is committed, the rest may be live.
pub fn orders() -> (Eddy, Topic, TestLake) {
    let lake = TestLake::local();
    let topic = Topic::create("fronts", 1);
    let settings = [("topics", topic.name.as_str())];
    let start = Start::on(&lake)
        .connector(&topic.name, &settings)
        .postgres()
        .flight();
    let eddy = start.ready();
    let records = RECORDS.iter().zip(0..).map(|(value, at)| Produce {
        partition: 0,
        key: Some(format!("k{at}").into_bytes()),
        value: Some(value.as_bytes().to_vec()),
        headers: Vec::new(),
        timestamp_ms: Some(TIME_MS + at),
    });
    topic.produce(&records.collect::<Vec<_>>());
    let wait = json!({
        "sql": named("SELECT count(*) FROM {orders}", &topic),
        "wait_for": {"0": RECORDS.len()},
    });
    // The table comes with its first record.
    wait_until(PATIENCE, "all records are seen", || {
        eddy.http().ask(&wait).is_ok()
    });
    (eddy, topic, lake)
}

/// A statement with the table's name.
pub fn named(sql: &str, topic: &Topic) -> String {
    sql.replace("{orders}", &topic.name)
}

#[test]
fn the_same_statements_have_the_same_answers_on_every_front() {
    let (eddy, topic, _lake) = orders();
    let all = statements();
    let texts: Vec<String> = all.iter().map(|one| named(one.sql, &topic)).collect();
    let input = json!({
        "url": eddy.postgres_url(),
        "statements": texts,
        "with_parameters": named(WITH_PARAMETERS, &topic),
        "parameters": parameters(),
    });
    let seen = python::run("fronts.py", &input);
    for (at, statement) in all.iter().enumerate() {
        let sql = &texts[at];
        let rows = over_http(&eddy.http(), sql, statement.columns);
        assert_eq!(rows, statement.rows, "HTTP: {sql}");
        psql::check(&eddy.postgres_url(), sql, statement);
        for form in ["text", "binary"] {
            let answer = &seen["answers"][at][form];
            assert_eq!(answer["columns"], json!(statement.columns), "{form}: {sql}");
            assert_eq!(answer["rows"], statement.rows, "{form}: {sql}");
        }
    }
    let with = json!({"sql": named(WITH_PARAMETERS, &topic), "params": parameters()});
    let rows = eddy.http().ask(&with).expect("an answer");
    assert_eq!(table(&rows, &["id"]), rows_with_parameters());
    for how in ["typed", "untyped", "prepared", "in_binary"] {
        assert_eq!(seen["parameters"][how], rows_with_parameters(), "{how}");
    }
}

#[test]
fn the_same_statements_are_refused_with_the_same_words_on_every_front() {
    let (eddy, topic, _lake) = orders();
    let all = refusals();
    let mut texts: Vec<String> = all.iter().map(|one| named(one.sql, &topic)).collect();
    texts.push(named(INTO_WITHOUT_A_NAME, &topic));
    let input = json!({"url": eddy.postgres_url(), "refusals": texts});
    let seen = python::run("fronts.py", &input);
    for (at, refusal) in all.iter().enumerate() {
        let sql = &texts[at];
        let refused = eddy.http().try_sql(sql).expect_err(sql);
        assert_eq!(refused.code(), refusal.code, "{sql}");
        let error = &refused.body["error"];
        assert!(refused.message().contains(refusal.says), "{sql}: {error}");
        let told = &seen["refusals"][at];
        assert_eq!(told["sqlstate"], refusal.sqlstate, "{sql}");
        assert_eq!(told["message"], refused.message(), "{sql}");
        assert_eq!(told["hint"], error["hint"], "{sql}");
        if let Some(hint) = refusal.hint {
            assert_eq!(told["hint"], hint, "{sql}");
        }
        let column = &error["position"]["column"];
        assert_eq!(told["position"], *column, "{sql}: one line");
    }
    let told = &seen["refusals"][all.len()];
    assert_eq!(told["sqlstate"], "42000", "{told}");
    let hint = told["hint"].as_str().expect("a hint");
    assert!(hint.contains("WITH (name = "), "{hint}");
}

#[test]
fn a_query_ends_when_its_client_cancels_it_or_goes() {
    let (eddy, _topic, _lake) = orders();
    let input = json!({"url": eddy.postgres_url(), "cancel": ENDLESS});
    let seen = python::run("fronts.py", &input);
    assert_eq!(seen["cancelled"]["sqlstate"], "57014", "{seen}");
    assert_eq!(seen["after_cancel"], json!([[1]]), "the connection goes on");
    let went = python::run(
        "fronts.py",
        &json!({"url": eddy.postgres_url(), "leave": ENDLESS}),
    );
    assert_eq!(went["left"], true);
    wait_until(PATIENCE, "no query of a client runs that has gone", || {
        let running = "SELECT count(*) AS n FROM system.queries WHERE ended_at IS NULL \
                       AND sql LIKE '%generate_series%' AND sql NOT LIKE '%system.queries%'";
        eddy.http().number(running) == 0
    });
    let sql = format!("SELECT state FROM system.queries WHERE sql = '{ENDLESS}'");
    let states = eddy.http().sql(&sql);
    assert_eq!(states, vec![json!({"state": "cancelled"}); 2]);
}

#[test]
fn psql_lists_the_tables_and_describes_one() {
    let (eddy, topic, _lake) = orders();
    let listed = psql::run(&eddy.postgres_url(), &["-A", "-t", "-c", "\\dt"]);
    let listed = psql::text(&listed);
    assert!(
        listed.contains(&format!("public|{}|table|eddy", topic.name)),
        "{listed}"
    );
    let command = format!("\\d {}", topic.name);
    let described = psql::run(&eddy.postgres_url(), &["-A", "-t", "-c", &command]);
    let described = psql::text(&described);
    for column in [
        "id|bigint|||",
        "tags|text[]|||",
        "who|json|||",
        "_key|bytea|||",
    ] {
        assert!(described.contains(column), "{column}: {described}");
    }
}

/// It reads nothing and ends for nobody.
const ENDLESS: &str =
    "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000000) b";

/// The rows of a statement over HTTP, as lists of values.
fn over_http(http: &Http, sql: &str, columns: &[&str]) -> Value {
    table(&http.sql(sql), columns)
}

/// Rows of ndjson, which leaves out nulls, as lists.
fn table(rows: &[Value], columns: &[&str]) -> Value {
    let row = |row: &Value| -> Vec<Value> {
        let value = |name: &&str| row.get(*name).cloned().unwrap_or(Value::Null);
        columns.iter().map(value).collect()
    };
    json!(rows.iter().map(row).collect::<Vec<_>>())
}
