//! The view that Eddy prints for DuckDB shows there what Eddy's own SQL shows.

use serde_json::{Value, json};

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::harness::python;
use crate::proof::every_record_is_there_once;

/// Drift at the root, in structs and in lists; keys that need quotes; rescued and broken values.
const VALUES: [&str; 9] = [
    r#"{"id": 7, "u": {"id": 1, "l": [{"k": 1}, null]}, "it's": true}"#,
    r#"{"id": "seven \"7\"", "u": {"id": "one", "l": [{"k": "one"}]}, "it's": "no"}"#,
    r#"{"id": {"a\"b\\'c": [1, "two", {"x": null}], "n": 1.5}, "u": {"l": [], "x": 1}}"#,
    r#"{"id": 2.5, "u": {"id": 3.0}}"#,
    r#"{"id": 3.0}"#,
    r#"{"id": [1, null, "x"]}"#,
    r#"{"id": 99999999999999999999}"#,
    r#"{"u": "nobody"}"#,
    r#"{"id": null}"#,
];

#[test]
fn the_view_for_duckdb_shows_what_sql_shows_on_local_disk() {
    shows_the_same(&TestLake::local(), "", &VALUES, &SAME);
}

#[test]
fn the_view_for_duckdb_shows_what_sql_shows_on_s3() {
    shows_the_same(&TestLake::s3(), "", &VALUES, &SAME);
}

#[test]
fn the_view_for_duckdb_shows_the_text_of_moments_and_decimals_that_drifted() {
    let both = "timestamps, decimals";
    shows_the_same(
        &TestLake::local(),
        both,
        &DETECTED,
        &[("\"at\"", "\"at\""), ("price", "price")],
    );
}

/// Moments and decimals in strings, then what is neither.
const DETECTED: [&str; 4] = [
    r#"{"at": "2026-11-23T08:15:30.5+01:00", "price": "12.50", "l": [{"at": "2026-11-23T08:15:30Z"}]}"#,
    r#"{"at": "2026-11-23T08:15:30.000001Z", "price": "-3.00"}"#,
    r#"{"at": "2026-11-23T08:15:30Z", "price": "0.05"}"#,
    r#"{"at": {"then": 1, "l": [1, "x"]}, "price": "free", "l": "none"}"#,
];

/// An expression in Eddy's SQL, and over the view: there a field of an object is reached through
/// the object's own column.
const SAME: [(&str, &str); 9] = [
    ("id", "id"),
    ("\"it's\"", "\"it's\""),
    ("u", "u"),
    ("u.id", "u__object.id"),
    ("u.l[1].k", "u__object.l[1].k"),
    ("id__long", "id__long"),
    ("id__string", "id__string"),
    ("u__object.id__long", "u__object.id__long"),
    ("id.n", "id__object.n"),
];

fn shows_the_same(lake: &TestLake, detect: &str, values: &[&str], same: &[(&str, &str)]) {
    let topic = Topic::create("views", 1);
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "200"),
        ("value.detect", detect),
    ];
    let eddy = Start::on(lake).connector(&topic.name, &settings).ready();
    // Commit by commit, so that each type comes when the ones before have their columns.
    for value in values {
        topic.produce_values(&[(*value).to_owned()]);
        let sent = usize::try_from(topic.watermarks()[&0].1).expect("a count");
        every_record_is_there_once(&eddy, lake, &topic, sent);
    }
    topic.produce_values(&["{broken".to_owned()]);
    crate::proof::wait_committed(lake, &topic);
    let config = eddy.config().display().to_string();
    let arguments = [
        "inspect",
        &topic.name,
        "--view",
        "duckdb",
        "--view-name",
        "shown",
    ];
    let printed = eddy.run(&[&arguments[..], &["--config", &config]].concat());
    assert!(printed.status.success(), "{printed:?}");
    let text = String::from_utf8(printed.stdout).expect("text");
    let mut input = lake.python(&topic.name);
    input["view"] = json!(text);
    let queries: Vec<String> = same
        .iter()
        .map(|(_, column)| format!("SELECT {column} FROM shown ORDER BY _offset"))
        .collect();
    input["queries"] = json!(queries);
    let seen = python::run("view.py", &input);
    for (at, (column, _)) in same.iter().enumerate() {
        let sql = format!(
            "SELECT {column} AS v FROM \"{}\" ORDER BY _offset",
            topic.name
        );
        let expected: Vec<Value> = eddy
            .http()
            .sql(&sql)
            .into_iter()
            .map(|row| json!([row.get("v").cloned().unwrap_or(Value::Null)]))
            .collect();
        assert_eq!(seen[at], json!(expected), "{column} of\n{text}");
    }
}
