//! `DELETE FROM` over HTTP and `eddy sql`: rows that nobody committed yet are committed first, then
//! they are gone for SQL and for everybody's readers, `eddy verify` explains them, and the receipt
//! can be read again.

use eddy_engine::commit::invariants;
use serde_json::{Value, json};

use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::python;
use crate::harness::wait::{PATIENCE, wait_equal};
use crate::proof::verified;
use crate::readers::READERS;

const RECORDS: i64 = 60;

#[test]
fn erased_rows_are_gone_for_everybody_on_local_disk() {
    erases(&TestLake::local());
}

#[test]
fn erased_rows_are_gone_for_everybody_on_s3() {
    erases(&TestLake::s3());
}

/// Orders of four people: one has a number for a name, and one of each ten records is broken.
fn records() -> Vec<Produce> {
    let name = |n: i64| match n % 4 {
        3 => "17".to_owned(),
        other => format!("\"person-{other}\""),
    };
    let record = |n: i64| {
        let value = match n % 10 {
            9 => format!(r#"{{"order": {n}, "who": {}"#, name(n)),
            _ => format!(r#"{{"order": {n}, "who": {}}}"#, name(n)),
        };
        Produce {
            partition: i32::try_from(n % 2).expect("a partition"),
            key: Some(format!("key-{}", n % 4).into_bytes()),
            value: Some(value.into_bytes()),
            headers: Vec::new(),
            timestamp_ms: Some(1_795_428_000_000 + n),
        }
    };
    (0..RECORDS).map(record).collect()
}

fn erases(lake: &TestLake) {
    let topic = Topic::create("erased", 2);
    let mut eddy = Start::on(lake)
        .kafka("session.timeout.ms", "6000")
        // Nothing is committed by itself.
        .connector(
            &topic.name,
            &[("topics", &topic.name), ("flush.interval.ms", "3600000")],
        )
        .ready();
    topic.produce(&records());
    let table = format!("\"{}\"", topic.name);
    let count = |condition: &str| format!("SELECT count(*) AS n FROM {table} WHERE {condition}");
    let good = RECORDS - RECORDS / 10;
    wait_equal(PATIENCE, "live rows", Some(good), || {
        let rows = eddy.http().try_sql(&count("true")).ok()?;
        rows.first()?["n"].as_i64()
    });
    let meant = "who = 17 OR _key_text = 'key-2'";
    let gone = (0..RECORDS).filter(|n| n % 4 >= 2).count();
    let plan = eddy
        .http()
        .sql(&format!("EXPLAIN DELETE FROM {table} WHERE {meant}"))
        .remove(0);
    assert_eq!(
        (&plan["files"], &plan["live_rows"]),
        (&json!(0), &plan["rows"]),
        "{plan}"
    );

    let sql = format!("DELETE FROM {table} WHERE {meant} WITH (reference = 'T-1')");
    let printed = eddy.run(&["sql", &sql, "--format", "ndjson", "--url", &eddy.url()]);
    assert!(printed.status.success(), "{printed:?}");
    let receipt: Value = serde_json::from_slice(&printed.stdout).expect("one row");
    // Of who is a number, the broken ones have no `who`; keys are there in all.
    let broken = (0..RECORDS).filter(|n| n % 4 == 3 && n % 10 == 9).count();
    assert_eq!(receipt["rows"], json!(gone - broken), "{receipt}");
    assert!(
        !receipt["files"].as_array().expect("files").is_empty(),
        "{receipt}"
    );
    assert!(
        receipt["beyond"][0]
            .as_str()
            .expect("text")
            .contains("Kafka"),
        "{receipt}"
    );

    gone_for_everybody(&eddy, lake, &topic, meant, &receipt);
    // Killed and started again, it knows the same; nothing of it is read from Kafka again.
    eddy.restart();
    let left = eddy.http().number(&count("true"));
    assert!(left > 0 && left < good, "{left}");
    gone_for_everybody(&eddy, lake, &topic, meant, &receipt);
}

/// SQL, every reader, `eddy verify` and the protocol's invariants agree with the receipt.
fn gone_for_everybody(eddy: &Eddy, lake: &TestLake, topic: &Topic, meant: &str, receipt: &Value) {
    let name = &topic.name;
    let left = format!("SELECT count(*) AS n FROM \"{name}\" WHERE {meant}");
    assert_eq!(eddy.http().number(&left), 0);
    let dead = "SELECT count(*) AS n FROM system.dead_letters WHERE _key_text = 'key-2'";
    let dead = format!("{dead} AND _topic = '{name}'");
    assert_eq!(eddy.http().number(&dead), 0);
    // Others see the rows with `_error`, too.
    let mut input = lake.python(name);
    input["sum"] = json!(["order"]);
    let seen = python::run("readers.py", &input);
    let rows = eddy
        .http()
        .number(&format!("SELECT count(*) AS n FROM \"{name}\""));
    let dead = format!("SELECT count(*) AS n FROM system.dead_letters WHERE _topic = '{name}'");
    let rows = rows + eddy.http().number(&dead);
    let sum = eddy
        .http()
        .number(&format!("SELECT sum(\"order\") AS n FROM \"{name}\""));
    for reader in READERS {
        assert_eq!(seen[reader]["rows"], json!(rows), "{reader}: {seen}");
        assert_eq!(
            seen[reader]["sum"]["order"].as_f64(),
            Some(sum as f64),
            "{reader}: {seen}"
        );
        let numbers = &seen[reader]["values"]["who__long"];
        assert!(
            numbers.is_null() || *numbers == json!(0),
            "{reader}: {seen}"
        );
    }
    let report = verified(eddy, topic);
    let parts = report["partitions"].as_array().expect("partitions").iter();
    let retired: i64 = parts.filter_map(|part| part["retired"].as_i64()).sum();
    assert_eq!(Some(retired), receipt["rows"].as_i64(), "{report}");
    let told = format!("SELECT * FROM system.erasures WHERE \"table\" = '{name}'");
    assert_eq!(eddy.http().sql(&told), std::slice::from_ref(receipt));
    let opened = lake.open();
    if let Err(error) = invariants::check(&opened, &opened.table("topics", name)) {
        panic!("an invariant of the protocol does not hold: {error}");
    }
}

#[test]
fn a_process_that_does_not_keep_the_table_refuses_to_erase() {
    let lake = TestLake::local();
    let topic = Topic::create("kept", 1);
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "100"),
    ];
    let keeper = Start::on(&lake).connector(&topic.name, &settings).ready();
    topic.produce_values(&[r#"{"who": "x"}"#.to_owned()]);
    crate::proof::every_record_is_there_once(&keeper, &lake, &topic, 1);
    let delete = format!("DELETE FROM \"{}\" WHERE who = 'x'", topic.name);
    let asked = Start::on(&lake)
        .argument("--roles")
        .argument("query")
        .ready();
    let other = Start::on(&lake)
        .connector("other", &[("topics", "nothing-of-this-name")])
        .ready();
    for eddy in [&asked, &other] {
        let refused = eddy.http().try_sql(&delete).expect_err("refused");
        assert_eq!(refused.code(), "not_supported", "{}", refused.message());
        assert!(refused.message().contains("keep"), "{}", refused.message());
    }
    assert_eq!(keeper.http().sql(&delete)[0]["rows"], json!(1));
}
