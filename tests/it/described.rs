//! What the OpenAPI documents say is so: schemathesis asks for everything that stands there, right
//! and wrong, and every answer is one that they tell of, and none a failure of Eddy's.

use serde_json::{Value, json};

use crate::collect::sender::Sender;
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::harness::python;
use crate::harness::services::scale;

/// Requests of each operation: few unless somebody has the time.
fn examples() -> usize {
    scale(5, 200)
}

/// Tries the API at `url`; collections that it makes get their events from `topic`.
fn try_all(url: &str, topic: &Topic, headers: &Value, operations: u64) {
    let given = json!({
        "url": url, "topic": topic.name, "headers": headers, "examples": examples(),
    });
    let told = python::run("described.py", &given);
    let text = told["told"].as_str().expect("a text");
    assert_eq!(told["failed"], 0, "{text}");
    assert!(told["operations"].as_u64() >= Some(operations), "{told}");
    let tested = format!(
        "Operations:        {0} selected / {0} total",
        told["operations"]
    );
    let tested: Vec<&str> = tested.split_whitespace().collect();
    let lines = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<&str>>());
    assert!(lines.into_iter().any(|line| line == tested), "{text}");
}

#[test]
fn both_listeners_answer_as_their_documents_say() {
    let lake = TestLake::local();
    let topic = Topic::create("described", 1);
    let token = "a-token-of-the-file-0123456789";
    let (collector, sender) = Sender::configured("");
    let eddy = Start::on(&lake)
        .toml(&collector)
        .toml(&format!(
            "[collections.events]\ntopic = \"{}\"\ntoken = \"{token}\"\n",
            topic.name
        ))
        .ready();
    let events = format!("http://{}", sender.address);
    let token = json!({ "Batch-Token": token });
    try_all(&events, &topic, &token, 1);
    try_all(&eddy.url(), &topic, &json!({}), 28);
}
