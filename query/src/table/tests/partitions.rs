//! Tables that are partitioned otherwise than by day: live rows and files say the same, and files
//! are left out by their values.

use std::sync::Arc;

use eddy_engine::partition::{FieldPath, Part, Partitioning, TimePart, Unit, Zone};
use eddy_engine::read::Snapshot;
use serde_json::{Value, json};

use crate::testing::{TIME_MS, Topic, World};
use crate::views::{Dialect, create_view};

const HOUR_MS: i64 = 3_600_000;

fn writer(world: &World, topic: &str) -> Topic {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let hour = TimePart::new(Some(Unit::Hour), zone, None, None).unwrap();
    let region = FieldPath::parse("at.region").unwrap();
    let parts = vec![Part::Field(region), Part::Time(hour)];
    let partitioning = Arc::new(Partitioning::new(parts).unwrap());
    world.writer_as(topic, 1, |options| options.partitioning = partitioning)
}

fn put(topic: &mut Topic) {
    for (n, region) in [
        (0, json!("eu")),
        (1, json!("a/b")),
        (2, json!(7)),
        (3, json!("eu")),
    ] {
        let value = json!({"n": n, "at": {"region": region}}).to_string();
        topic.put_at(0, TIME_MS + n * HOUR_MS, Some(value.as_bytes()));
    }
    topic.put(0, r#"{"n": 4}"#);
    topic.put(0, r#"{"n": "#);
}

#[test]
fn live_rows_have_the_partitions_that_their_files_will_have() {
    let world = World::new();
    let mut topic = writer(&world, "t");
    put(&mut topic);
    topic.publish();
    let all = "SELECT n, at_region, dt, hour FROM t ORDER BY n";
    let live = world.rows(all);
    let row = |n: i64, region: Option<&str>, hour: &str| {
        let mut row = json!({"n": n, "dt": "2026-11-23", "hour": hour});
        if let Some(region) = region {
            row["at_region"] = json!(region);
        }
        row
    };
    assert_eq!(
        live,
        [
            row(0, Some("eu"), "11"),
            row(1, Some("a/b"), "12"),
            row(2, Some("7"), "13"),
            row(3, Some("eu"), "14"),
            row(4, None, "11"),
        ]
    );
    let dead = "SELECT _offset, dt FROM system.dead_letters";
    let broken = json!({"_offset": 5, "dt": "2026-11-23"});
    let broken = [broken];
    assert_eq!(world.rows(dead), broken);
    topic.commit();
    assert_eq!(world.rows(all), live);
    assert_eq!(world.rows(dead), broken);
    let columns = world.columns("SELECT * FROM t");
    let partitions = ["at_region", "dt", "hour"].map(str::to_owned);
    assert!(columns.ends_with(&partitions), "{columns:?}");
    let files = world.rows("SELECT partition FROM system.files ORDER BY partition DESC LIMIT 1");
    assert_eq!(
        files,
        [json!({"partition": "at_region=eu/dt=2026-11-23/hour=14"})]
    );
}

#[test]
fn files_are_left_out_by_the_values_of_their_partition() {
    let world = World::new();
    let mut topic = writer(&world, "t");
    put(&mut topic);
    topic.commit();
    let files = |filter: &str| {
        let plan = world.rows(&format!("EXPLAIN SELECT n FROM t WHERE {filter}"));
        let text = plan.iter().map(Value::to_string).collect::<String>();
        text.matches(".parquet").count()
    };
    let count = |filter: &str| world.value(&format!("SELECT count(*) FROM t WHERE {filter}"));
    // The broken record and the one without a region share a file.
    for (filter, rows, read) in [
        ("true", 5, 5),
        ("at_region = 'eu'", 2, 2),
        ("at_region = 'a/b'", 1, 1),
        ("at_region IN ('7', 'eu') AND hour > '12'", 2, 2),
        ("at_region IS NULL", 1, 1),
        ("at_region IS NOT NULL AND hour = '11'", 1, 1),
        ("hour < '11'", 0, 0),
        ("at.region = 'eu'", 2, 2),
    ] {
        assert_eq!(count(filter), json!(rows), "{filter}");
        assert_eq!(files(filter), read, "{filter}");
    }
    let table = world.lake.table("topics", "t");
    let snapshot = Snapshot::load(&world.lake, &table, None).unwrap().unwrap();
    let view = create_view(Dialect::DuckDb, "v", "t", &snapshot.schema);
    for column in ["at_region", "dt", "hour"] {
        assert!(
            view.contains(&format!("  \"t\".\"{column}\" AS \"{column}\"")),
            "{view}"
        );
    }
}
