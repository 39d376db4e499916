//! Names of tables and columns, on a real lake.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::json;

use crate::ErrorKind;
use crate::testing::World;

#[test]
fn names_resolve_exactly_then_ignoring_case() {
    let world = World::new();
    let mut topic = world.writer("orders.v1", 1);
    topic.put(
        0,
        r#"{"userId": 7, "Total": 1.5, "commit": {"Record": {"subjectUri": "s"}}}"#,
    );
    topic.publish();
    for sql in [
        "SELECT userId AS x FROM orders.v1",
        "SELECT USERID AS x FROM Orders.V1 WHERE userid = 7",
        "SELECT o.userid AS x FROM \"orders.v1\" o ORDER BY o.UserId",
        "SELECT orders.v1.userid AS x FROM orders.v1",
        "WITH a AS (SELECT * FROM orders.v1) SELECT A.userid AS x FROM a WHERE TOTAL > 1",
        "SELECT x FROM (SELECT userid AS x FROM orders.v1) GROUP BY X",
        "SELECT userid AS x FROM orders.v1 WHERE userid IN (SELECT USERID FROM orders.v1)",
        "SELECT max(USERID) AS x FROM orders.v1 HAVING max(userid) > 1",
        "SELECT a.userid AS x FROM orders.v1 a JOIN orders.v1 b USING (USERID)",
    ] {
        assert_eq!(world.rows(sql), [json!({"x": 7})], "{sql}");
    }
    for sql in [
        "SELECT commit.record.subjecturi AS x FROM orders.v1",
        "SELECT o.Commit.Record.SubjectUri AS x FROM orders.v1 AS o",
        "SELECT commit['record']['subjectUri'] AS x FROM orders.v1",
    ] {
        assert_eq!(world.rows(sql), [json!({"x": "s"})], "{sql}");
    }
    assert_eq!(world.columns("SELECT USERID FROM orders.v1"), ["userId"]);
    let columns = world.columns("SELECT * FROM orders.v1 a JOIN orders.v1 b USING (userid)");
    let named = columns.iter().filter(|name| *name == "userId").count();
    assert_eq!(named, 1, "{columns:?}");
    assert!(!columns.iter().any(|name| name == "_value"), "{columns:?}");
}

#[test]
fn topics_with_dashes_and_numbers_need_no_quotes() {
    let world = World::new();
    for name in ["saas-audit-logs", "logs.2026", "a-1.b"] {
        let mut topic = world.writer(name, 1);
        topic.put(0, r#"{"n": 1}"#);
        topic.publish();
        for sql in [
            format!("SELECT n FROM {name}"),
            format!("SELECT n FROM {name} WHERE n = 1"),
            format!("SELECT x.n FROM \"{name}\" AS x JOIN {name} y ON x.n = y.n"),
        ] {
            assert_eq!(world.rows(&sql), [json!({"n": 1})], "{sql}");
        }
    }
    let names = world.rows("SHOW TABLES");
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(!world.rows("DESCRIBE saas-audit-logs").is_empty());
}

#[test]
fn names_may_say_what_every_table_is_in_unless_a_topic_is_called_so() {
    let world = World::new();
    let mut topics = ["orders", "public.orders", "a.b"].map(|name| world.writer(name, 1));
    for (topic, n) in topics.iter_mut().zip(1..) {
        topic.put(0, &format!(r#"{{"n": {n}}}"#));
        topic.publish();
    }
    for (name, n) in [
        ("orders", 1),
        ("public.orders", 2),
        ("lake.public.orders", 1),
        ("public.a.b", 3),
        ("\"lake\".\"Public\".\"A.B\"", 3),
    ] {
        let sql = format!("SELECT max(n) AS n FROM {name}");
        assert_eq!(world.rows(&sql), [json!({"n": n})], "{sql}");
    }
    let of_version = world.rows("SELECT count(*) AS n FROM public.a.b@0");
    assert_eq!(of_version, [json!({"n": 0})]);
    let listed = world.rows("SELECT name FROM lake.system.tables WHERE name = 'a.b'");
    assert_eq!(listed, [json!({"name": "a.b"})]);
    let error = world.error("SELECT 1 FROM public.a.bb");
    assert_eq!(error.hint(), Some("did you mean `a.b`?"), "{error}");
}

#[test]
fn unknown_names_say_where_and_what_was_meant() {
    let world = World::new();
    let mut topic = world.writer("orders", 1);
    topic.put(0, r#"{"status": "ok", "user": {"name": "x"}}"#);
    topic.publish();
    let cases = [
        (
            "SELECT 1 FROM\n  ordesr",
            ErrorKind::UnknownTable,
            (2, 3),
            "orders",
        ),
        (
            "SELECT statsu FROM orders",
            ErrorKind::UnknownColumn,
            (1, 8),
            "status",
        ),
        (
            "SELECT 1 FROM orders o\nWHERE o.stats = 1",
            ErrorKind::UnknownColumn,
            (2, 7),
            "status",
        ),
        (
            "SELECT user.nmae FROM orders",
            ErrorKind::UnknownColumn,
            (1, 13),
            "name",
        ),
        (
            "SELECT o.user.nmae FROM orders o",
            ErrorKind::UnknownColumn,
            (1, 15),
            "name",
        ),
        (
            "SELECT * FROM system.table",
            ErrorKind::UnknownTable,
            (1, 15),
            "system.tables",
        ),
    ];
    for (sql, kind, (line, column), meant) in cases {
        let error = world.error(sql);
        assert_eq!(error.kind(), kind, "{sql}: {error}");
        let place = error
            .position()
            .unwrap_or_else(|| panic!("{sql}: no position: {error}"));
        assert_eq!((place.line, place.column), (line, column), "{sql}: {error}");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains(&format!("`{meant}`")), "{sql}: {hint}");
    }
}
