//! Filters on drifted columns reach the files: which of them, which row groups, how many bytes.

use serde_json::json;

use super::put;
use crate::testing::World;

/// How many files a query reads.
fn files(world: &World, condition: &str) -> usize {
    let sql = format!("EXPLAIN SELECT _offset FROM t WHERE {condition}");
    let text: String = world.rows(&sql).iter().map(ToString::to_string).collect();
    text.matches(".parquet").count()
}

#[test]
fn p21_files_are_pruned_by_the_alternates_that_a_context_reads() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    for value in [
        r#"{"x": 1, "u": {"id": 1}}"#,
        r#"{"x": 1000, "u": {"id": 1000}}"#,
        r#"{"x": "abc", "u": {"id": "abc"}}"#,
        r#"{"x": "xyz", "u": {"id": "xyz"}}"#,
        r#"{"x": 2.5, "u": {"id": 2.5}}"#,
        r#"{"x": {"no": 5}, "u": {"id": {"no": 5}}}"#,
    ] {
        put(&mut topic, &[value]);
        topic.commit();
    }
    for x in ["x", "u.id"] {
        assert_eq!(files(&world, "true"), 6);
        for (condition, expected) in [
            (format!("{x} = 1"), 1),
            (format!("{x} > 500"), 1),
            (format!("{x} = 'abc'"), 1),
            (format!("{x} IN ('abc', '1000')"), 2),
            (format!("{x} BETWEEN 2 AND 3"), 1),
            (format!("{x} > 0 AND {x} < 3"), 2),
            (format!("{x} LIKE 'ab%'"), 1),
            (format!("{x} = 5"), 0),
            (format!("{x}.no = 5"), 1),
        ] {
            assert_eq!(files(&world, &condition), expected, "{condition}");
        }
    }
    assert_eq!(world.value("SELECT count(*) FROM t WHERE x = 1"), json!(1));
    assert_eq!(
        world.value("SELECT count(*) FROM t WHERE u.id = 'abc'"),
        json!(1)
    );
}

#[test]
fn p21_row_groups_are_pruned_where_the_log_has_no_statistics() {
    // Each time from the files.
    let world = World::with(|options| options.cache.columns_bytes = 0);
    let mut topic = world.writer("t", 1);
    // The log has statistics of the first leaves only, the footers of all.
    let others: String = (0..40).map(|key| format!(r#""a{key:02}": 1, "#)).collect();
    for x in ["1", "1000", "\"abc\"", "2.5"] {
        put(&mut topic, &[&format!(r#"{{{others} "x": {x}}}"#)]);
        topic.commit();
    }
    for (condition, matched) in [("x = 1", 1), ("x > 5", 1), ("x = 'abc'", 1), ("x < 0", 0)] {
        assert_eq!(files(&world, condition), 4, "{condition}");
        let sql = format!("EXPLAIN ANALYZE SELECT _offset FROM t WHERE {condition}");
        let text: String = world.rows(&sql).iter().map(ToString::to_string).collect();
        let expected = format!("row_groups_pruned_statistics=4 total → {matched} matched");
        assert!(text.contains(&expected), "{condition}: {text}");
    }
}
