//! The one proof that every test about loss ends with: the broker, the table and SQL agree on every
//! offset (E1, E8), and the lake keeps the protocol's invariants at each of its versions.

use std::collections::BTreeMap;

use eddy_engine::commit::invariants;
use eddy_engine::read::Snapshot;
use serde_json::{Value, json};

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Eddy;
use crate::harness::wait::{PATIENCE, wait_equal};

/// Waits until SQL shows `produced` records, then holds broker, table and answer against each
/// other.
#[track_caller]
pub fn every_record_is_there_once(eddy: &Eddy, lake: &TestLake, topic: &Topic, produced: usize) {
    let produced = i64::try_from(produced).expect("a count");
    let name = &topic.name;
    let count = format!("SELECT count(*) AS n FROM \"{name}\"");
    wait_equal(
        PATIENCE,
        "the number of records in SQL",
        Some(produced),
        || first_number(&eddy.http().try_sql(&count).ok()?),
    );
    let distinct = format!(
        "SELECT count(*) AS n FROM (SELECT DISTINCT _topic_id, _partition, _offset FROM \"{name}\")"
    );
    assert_eq!(
        eddy.http().number(&distinct),
        produced,
        "SQL shows a record twice"
    );
    wait_committed(lake, topic);
    verified(eddy, topic);
    let lake = lake.open();
    let table = lake.table("topics", name);
    if let Err(error) = invariants::check(&lake, &table) {
        panic!("an invariant of the protocol does not hold: {error}");
    }
}

/// Waits until the table's newest version has accounted for every partition to its end.
#[track_caller]
pub fn wait_committed(lake: &TestLake, topic: &Topic) {
    let ends: BTreeMap<i32, i64> = topic
        .watermarks()
        .into_iter()
        .map(|(partition, (_, end))| (partition, end))
        .collect();
    let lake = lake.open();
    let table = lake.table("topics", &topic.name);
    wait_equal(PATIENCE, "the table's positions", Some(ends), || {
        let snapshot = Snapshot::load(&lake, &table, None).ok()??;
        let positions = snapshot.positions.iter();
        Some(
            positions
                .map(|((_, partition), position)| (*partition, position.offset))
                .collect(),
        )
    });
}

/// `eddy verify TOPIC` finds nothing missing and nothing doubled.
#[track_caller]
pub fn verified(eddy: &Eddy, topic: &Topic) -> Value {
    let config = eddy.config().display().to_string();
    let output = eddy.run(&["verify", &topic.name, "--json", "--config", &config]);
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "`eddy verify` isn't clean: {report}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&report).expect("the report is JSON")
}

fn first_number(rows: &[Value]) -> Option<i64> {
    rows.first()?.as_object()?.values().next()?.as_i64()
}

/// Numbered orders, as a producer would send them: `{"order": 7, "status": "failed"}`.
pub fn orders(range: std::ops::Range<usize>) -> Vec<String> {
    const STATUS: [&str; 3] = ["paid", "failed", "sent"];
    range
        .map(|order| json!({"order": order, "status": STATUS[order % 3]}).to_string())
        .collect()
}
