//! The views' text against golden files. DuckDB runs its own in `tests/it/views.rs`; Spark and
//! Trino aren't there to be asked.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use super::{Dialect, create_view};
use crate::testing::World;

/// Drift at the root, in structs and lists, and names and keys that need quotes.
const VALUES: [&str; 4] = [
    r#"{"id": 7, "u": {"id": 1, "l": [{"k": 1}]}, "plain": "p", "it's": true}"#,
    r#"{"id": "seven", "u": {"id": "one", "l": [{"k": "one"}]}, "it's": "no"}"#,
    r#"{"id": {"a\"b\\": [1, "two"], "n": 1.5}, "u": {"l": [{"k": 2.5}], "x": 1}}"#,
    r#"{"id": 1.5}"#,
];

#[test]
fn the_views_of_each_engine_are_as_they_were_read() {
    let world = World::new();
    let mut topic = world.writer("orders.v1", 1);
    for value in VALUES {
        topic.put(0, value);
        topic.commit();
    }
    let table = world.lake.table("topics", "orders.v1");
    let snapshot = eddy_engine::read::Snapshot::load(&world.lake, &table, None);
    let schema = snapshot.unwrap().unwrap().schema;
    for (dialect, file) in [
        (Dialect::DuckDb, "duckdb.sql"),
        (Dialect::Spark, "spark.sql"),
        (Dialect::Trino, "trino.sql"),
    ] {
        let source = dialect.source("orders.v1", "s3://bucket/lake/topics/orders");
        let text = create_view(dialect, "orders_view", &source, &schema);
        let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/views/golden")
            .join(file);
        let expected = std::fs::read_to_string(&golden)
            .unwrap_or_else(|error| panic!("{}: {error}\n{text}", golden.display()));
        assert_eq!(text, expected, "{file}");
    }
}
