//! Transforms that choose a record's topic: it is a row of that topic's table, exactly once,
//! whatever dies between the commits of the tables (P19).

use serde_json::json;

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_equal, wait_for};
use crate::proof::{verified, wait_committed};

const BATCH: i64 = 70;

#[test]
fn p19_records_land_in_the_table_that_transforms_choose_once_through_kills() {
    let lake = TestLake::s3();
    let topic = Topic::create("routed", 2);
    let (paid, open) = (unique("paid"), unique("open"));
    let replace = format!("{paid}$1");
    let keys = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "50"),
        ("transforms", "pick, rename"),
        (
            "transforms.pick.type",
            "io.confluent.connect.transforms.ExtractTopic$Value",
        ),
        ("transforms.pick.field", "to"),
        ("transforms.pick.skip.missing.or.null", "true"),
        (
            "transforms.rename.type",
            "org.apache.kafka.connect.transforms.RegexRouter",
        ),
        ("transforms.rename.regex", "paid(.*)"),
        ("transforms.rename.replacement", &replace),
    ];
    let start = || {
        Start::on(&lake)
            .kafka("session.timeout.ms", "6000")
            .connector(&topic.name, &keys)
    };
    let mut eddy = start().variable("EDDY_FAULT", "after_put:7:kill").spawn();
    let mut produced = 0;
    let produce = |from: i64| {
        let values: Vec<String> = (from..from + BATCH)
            .map(|n| match n % 3 {
                0 => json!({"n": n}).to_string(),
                1 => json!({"n": n, "to": "paid"}).to_string(),
                _ => json!({"n": n, "to": open}).to_string(),
            })
            .collect();
        topic.produce_values(&values);
        from + BATCH
    };
    wait_for(
        PATIENCE,
        "`eddy` dies after the put of one of the tables",
        || {
            produced = produce(produced);
            eddy.exited()
        },
    );
    eddy.restart();
    produced = produce(produced);
    eddy.kill();
    produced = produce(produced);
    eddy.restart();
    for (rest, table) in [(0, &topic.name), (1, &paid), (2, &open)] {
        routed(&eddy, &topic, table, rest, produced);
    }
    wait_committed(&lake, &topic);
    let report = verified(&eddy, &topic);
    let parts = report["partitions"].as_array().expect("partitions").iter();
    let rows: i64 = parts.filter_map(|part| part["rows"].as_i64()).sum();
    assert_eq!(rows, produced, "{report}");
}

/// The table has every record whose number leaves this rest, once.
fn routed(eddy: &Eddy, topic: &Topic, table: &str, rest: i64, produced: i64) {
    let wanted = (0..produced).filter(|n| n % 3 == rest).count();
    let wanted = i64::try_from(wanted).expect("a count");
    let count = format!("SELECT count(DISTINCT n) AS n FROM \"{table}\" WHERE n % 3 = {rest}");
    wait_equal(PATIENCE, "the records of a table", Some(wanted), || {
        eddy.http().try_sql(&count).ok()?.first()?["n"].as_i64()
    });
    let rows = format!("SELECT count(*) AS n FROM \"{table}\"");
    assert_eq!(eddy.http().number(&rows), wanted, "{table}");
    let from = format!(
        "SELECT count(*) AS n FROM \"{table}\" WHERE _topic = '{}'",
        topic.name
    );
    assert_eq!(
        eddy.http().number(&from),
        wanted,
        "the envelope is the original record's"
    );
}
