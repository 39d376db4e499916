//! What was recorded goes to standard output: `SELECT * INTO` a destination of type `stdout`.

use serde_json::{Value, json};

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::replay::{wait_committed, wait_done};

#[test]
fn each_record_is_a_line_of_standard_output() {
    let lake = TestLake::local();
    let source = Topic::create("printed", 2);
    let values: Vec<String> = (0..300).map(|n| format!("{{\"n\":  {n}}}")).collect();
    source.produce_values(&values);
    let eddy = Start::on(&lake)
        .connector(&source.name, &[("topics", &source.name)])
        .destination("target", "stdout", &[])
        .ready();
    let http = eddy.http();
    wait_committed(&http, &source, values.len());
    http.sql(&format!(
        "SELECT * INTO target FROM {} WITH (name = 'printed')",
        source.name
    ));
    let replay = wait_done(&http, "printed");
    assert_eq!(replay["acknowledged"], json!(values.len()));
    assert_eq!(replay["target"], "standard output");
    // The log stands beside it in the same file, and its lines are no JSON.
    let output = eddy.log();
    let lines = output.lines().filter(|line| line.starts_with('{'));
    let mut seen: Vec<(i64, i64, &str)> = lines
        .map(|line| {
            let parsed: Value = serde_json::from_str(line).expect("JSON");
            let number = |name: &str| parsed[name].as_i64().expect("a number");
            let value = line.split_once(",\"value\":").expect("a value").1;
            let value = value.strip_suffix('}').expect("the end");
            (number("partition"), number("offset"), value)
        })
        .collect();
    seen.sort_unstable();
    let consumed = source.consume();
    let wanted = consumed.iter().map(|record| {
        let value = record.value.as_deref().expect("a value");
        let value = std::str::from_utf8(value).expect("text");
        (i64::from(record.partition), record.offset, value)
    });
    let mut wanted: Vec<(i64, i64, &str)> = wanted.collect();
    wanted.sort_unstable();
    assert_eq!(seen, wanted);
}
