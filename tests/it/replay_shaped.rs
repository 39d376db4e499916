//! A replay sends what its select list makes of records: JSON of columns, other keys, one edited
//! record. What the target refuses is told, goes where refused records go, and can be sent again.

use serde_json::{Value, json};

use crate::harness::kafka::{Produce, Stored, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::services;
use crate::replay::{start, wait_committed, wait_done};

/// Records of odd values in two partitions.
fn shaped(topic: &Topic) -> usize {
    let record = |partition: i32, key: &str, value: &str| Produce {
        partition,
        key: Some(key.as_bytes().to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: vec![("h".to_owned(), Some(vec![0xff]))],
        timestamp_ms: Some(1_750_000_000_123),
    };
    let records = [
        record(
            0,
            "a",
            r#"{"id": 1, "price": 12345678901234567890, "deep": {"x": [1, null]}}"#,
        ),
        record(0, "b", r#"{"id": "two", "price": 7, "extra": true}"#),
        record(1, "c", r#"{"id": {"no": 3}, "price": null}"#),
        record(1, "d", r#"{"id": 9007199254740993}"#),
    ];
    topic.produce(&records);
    records.len()
}

fn replayed(eddy: &Eddy, statement: &str) -> Value {
    let http = eddy.http();
    let answer = http.sql(statement);
    wait_done(&http, answer[0]["replay_id"].as_str().expect("an id"))
}

fn value(record: &Stored) -> &str {
    let value = record.value.as_deref().expect("a value");
    std::str::from_utf8(value).expect("text")
}

fn columns_become_json_and_the_rest_stays(lake: &TestLake) {
    let source = Topic::create("shaped", 2);
    let target = Topic::create("shaped_again", 2);
    let count = shaped(&source);
    let eddy = start(lake, &source, &target);
    wait_committed(&eddy.http(), &source, count);
    let statement = format!(
        "SELECT id, price, deep, id AS _key INTO target FROM {}",
        source.name
    );
    let replay = replayed(&eddy, &statement);
    assert_eq!(replay["plan"]["payload"], "columns");
    assert_eq!(replay["plan"]["sets"], json!(["_key"]));
    let arrived = target.consume();
    let values: Vec<&str> = arrived.iter().map(value).collect();
    assert_eq!(
        values,
        [
            r#"{"id":1,"price":12345678901234567890,"deep":{"x":[1,null]}}"#,
            r#"{"id":"two","price":7,"deep":null}"#,
            r#"{"id":{"no":3},"price":null,"deep":null}"#,
            r#"{"id":9007199254740993,"price":null,"deep":null}"#,
        ]
    );
    let keys = [r"1", "two", r#"{"no":3}"#, "9007199254740993"];
    for ((new, old), key) in arrived.iter().zip(source.consume()).zip(keys) {
        assert_eq!(new.key.as_deref(), Some(key.as_bytes()));
        assert_eq!(
            (&new.headers, new.timestamp_ms),
            (&old.headers, old.timestamp_ms)
        );
        assert_eq!((new.partition, new.offset), (old.partition, old.offset));
    }
    // The payload's columns of what came in any format.
    let statement = format!(
        "SELECT * INTO target FROM {} WHERE _partition = 0 WITH (payload = 'columns')",
        source.name
    );
    replayed(&eddy, &statement);
    let arrived = target.consume();
    for (new, old) in arrived[2..4].iter().zip(source.consume()) {
        let parsed = |record| serde_json::from_str::<Value>(value(record)).expect("JSON");
        assert_eq!(parsed(new), parsed(&old));
    }
}

#[test]
fn columns_become_json_and_the_rest_stays_on_local_disk() {
    columns_become_json_and_the_rest_stays(&TestLake::local());
}

#[test]
fn columns_become_json_and_the_rest_stays_on_s3() {
    columns_become_json_and_the_rest_stays(&TestLake::s3());
}

#[test]
fn one_record_is_edited_and_says_where_it_is_from() {
    let lake = TestLake::local();
    let source = Topic::create("edited", 2);
    let target = Topic::create("edited_again", 2);
    let count = shaped(&source);
    let eddy = start(&lake, &source, &target);
    wait_committed(&eddy.http(), &source, count);
    let statement = format!(
        "SELECT '{{\"id\": 2}}' AS _value, 0 AS _partition INTO target FROM {} \
         WHERE _partition = 1 AND _offset = 0 WITH (name = 'fix')",
        source.name
    );
    let replay = replayed(&eddy, &statement);
    assert_eq!(replay["plan"]["headers"], "mark");
    let [edited] = target.consume().try_into().expect("one record");
    let original = &source.consume()[2];
    assert_eq!(value(&edited), "{\"id\": 2}");
    assert_eq!((edited.partition, &edited.key), (0, &original.key));
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let mut headers = original.headers.clone();
    headers.extend([
        ("eddy-replay-id".to_owned(), text("fix")),
        (
            "eddy-source".to_owned(),
            text(&format!("{}:1:0", source.name)),
        ),
        ("eddy-source-timestamp".to_owned(), text("1750000000123")),
    ]);
    assert_eq!(edited.headers, headers);
}

/// A process that records `source` and can send to `target` and to `letters`.
fn with_letters(lake: &TestLake, source: &Topic, target: &Topic, letters: &Topic) -> Eddy {
    let mut process = Start::on(lake).connector(&source.name, &[("topics", &source.name)]);
    for (name, topic) in [("target", target), ("letters", letters)] {
        let options = [
            ("bootstrap.servers", services().kafka.as_str()),
            ("topic", topic.name.as_str()),
        ];
        process = process.destination(name, "kafka", &options);
    }
    process.ready()
}

#[test]
fn what_the_target_refuses_is_told_set_aside_and_sent_again() {
    let lake = TestLake::local();
    let source = Topic::create("refuses", 2);
    let target = Topic::create("refuses_again", 2);
    let letters = Topic::create("refuses_letters", 1);
    let count = shaped(&source);
    let eddy = with_letters(&lake, &source, &target, &letters);
    let http = eddy.http();
    wait_committed(&http, &source, count);
    // One record goes to a partition that the target doesn't have.
    let statement = format!(
        "SELECT CASE WHEN _key_text = 'b' THEN 7 ELSE _partition END AS _partition \
         INTO target FROM {} \
         WITH (on_error = 'dead_letter', dead_letter = 'letters', name = 'first')",
        source.name
    );
    let replay = replayed(&eddy, &statement);
    assert_eq!(
        (&replay["acknowledged"], &replay["failed"]),
        (&json!(3), &json!(1))
    );
    let refused = &source.consume()[1];
    let [letter] = letters.consume().try_into().expect("one letter");
    assert_eq!((&letter.key, &letter.value), (&refused.key, &refused.value));
    let (name, why) = letter.headers.last().expect("a reason");
    assert_eq!(name, "eddy-error");
    let why = String::from_utf8(why.clone().expect("a text")).expect("text");
    assert!(why.contains("no partition 7"), "{why}");
    let told = http.sql(
        "SELECT _topic, _partition, _offset, error, dead_letter \
                         FROM system.replay_failures WHERE replay_id = 'first'",
    );
    let expected = json!({
        "_topic": source.name,
        "_partition": 0,
        "_offset": 1,
        "error": why,
        "dead_letter": "letters",
    });
    assert_eq!(told, [expected]);
    let again = format!(
        "SELECT * INTO target FROM {0} WHERE EXISTS (\
           SELECT 1 FROM system.replay_failures AS f WHERE f.replay_id = 'first' \
           AND f._topic_id = {0}._topic_id AND f._partition = {0}._partition \
           AND f._offset = {0}._offset)",
        source.name
    );
    let replay = replayed(&eddy, &again);
    assert_eq!(replay["records"], json!(1));
    let mut keys: Vec<_> = target
        .consume()
        .into_iter()
        .map(|record| record.key)
        .collect();
    keys.sort_unstable();
    let all: Vec<_> = source
        .consume()
        .into_iter()
        .map(|record| record.key)
        .collect();
    assert_eq!(keys, all);
}
