//! Lake and live rows as one table, on a real lake.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod original;
mod partitions;
mod sealed;

use serde_json::json;

use crate::query::Request;
use crate::testing::{TIME_MS, World};

const DAY_MS: i64 = 86_400_000;

#[test]
fn e8_live_rows_are_seen_once_before_and_after_their_commit() {
    let world = World::new();
    let mut topic = world.writer("orders", 2);
    let count =
        "SELECT count(*) AS n, count(DISTINCT _partition * 1000 + _offset) AS d FROM orders";
    for n in 0..10 {
        topic.put(n % 2, &format!(r#"{{"n": {n}}}"#));
    }
    topic.publish();
    assert_eq!(world.rows(count), [json!({"n": 10, "d": 10})]);
    topic.commit();
    assert_eq!(world.rows(count), [json!({"n": 10, "d": 10})]);
    topic.put(0, r#"{"n": 10, "new": {"x": true}}"#);
    topic.publish();
    assert_eq!(world.rows(count), [json!({"n": 11, "d": 11})]);
    assert_eq!(world.value("SELECT sum(n) FROM orders"), json!(55));
    assert_eq!(
        world.rows("SELECT n, new FROM orders WHERE new.x"),
        [json!({"n": 10, "new": {"x": true}})]
    );
    assert_eq!(
        world.value("SELECT dt FROM orders WHERE n = 10"),
        json!("2026-11-23")
    );
    topic.commit();
    assert_eq!(world.rows(count), [json!({"n": 11, "d": 11})]);
}

#[test]
fn narrow_files_read_as_null_where_they_lack_columns_nested_too() {
    let world = World::new();
    let mut topic = world.writer("events", 1);
    topic.put(0, r#"{"a": {"x": 1}, "list": [{"p": 1}]}"#);
    topic.commit();
    topic.put(0, r#"{"a": {"y": "two"}, "b": 2.5, "list": [{"q": "r"}]}"#);
    topic.commit();
    assert_eq!(
        world.rows("SELECT a.x AS x, a.y AS y, b, list[1].q AS q FROM events ORDER BY _offset"),
        [json!({"x": 1}), json!({"y": "two", "b": 2.5, "q": "r"})]
    );
    assert_eq!(
        world.value("SELECT count(*) FROM events WHERE a.y IS NULL"),
        json!(1)
    );
    assert_eq!(
        world.value("SELECT _offset FROM events WHERE a.y = 'two'"),
        json!(1)
    );
    assert_eq!(world.rows("SELECT * FROM events").len(), 2);
}

#[test]
fn p18_dead_letters_are_apart_from_the_table() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    topic.put(0, r#"{"ok": 1}"#);
    topic.put(0, r#"{"broken": "#);
    topic.publish();
    for _ in 0..2 {
        assert_eq!(world.value("SELECT count(*) FROM t"), json!(1));
        let dead = "SELECT _topic, _offset, _value_text FROM system.dead_letters";
        let row = json!({"_topic": "t", "_offset": 1, "_value_text": r#"{"broken": "#});
        assert_eq!(world.rows(dead), [row]);
        topic.commit();
    }
}

#[test]
fn files_are_pruned_by_day_by_statistics_and_by_offset() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    for day in 0..4 {
        let value = format!(r#"{{"day": {day}, "name": "n{day}"}}"#);
        topic.put_at(0, TIME_MS - day * DAY_MS, Some(value.as_bytes()));
        topic.commit();
    }
    let files = |filter: &str| {
        let plan = world.rows(&format!("EXPLAIN SELECT name FROM t WHERE {filter}"));
        let text = plan.iter().map(ToString::to_string).collect::<String>();
        text.matches(".parquet").count()
    };
    assert_eq!(files("true"), 4);
    assert_eq!(files("dt = '2026-11-22'"), 1);
    assert_eq!(files("day >= 2"), 2);
    assert_eq!(files("name = 'n3'"), 1);
    assert_eq!(files("_offset < 2"), 2);
    assert_eq!(files("_timestamp >= '2026-11-22T00:00:00Z'"), 2);
    assert_eq!(
        world.value("SELECT count(*) FROM t WHERE name = 'n3'"),
        json!(1)
    );
    assert_eq!(files("day > 100"), 0);
    assert_eq!(
        world.value("SELECT count(*) FROM t WHERE day > 100"),
        json!(0)
    );
}

#[test]
fn rows_bounds_and_nothing_else_are_told_by_the_log_alone() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    for number in 0..30 {
        topic.put(0, &format!(r#"{{"n": {number}}}"#));
        if number % 10 == 9 {
            topic.commit();
        }
    }
    let told = |sql: &str, expected: serde_json::Value| {
        assert_eq!(world.value(sql), expected, "{sql}");
        let listed = world.query.0.registry.list();
        listed.last().unwrap().done.reads.unwrap().requests
    };
    for (sql, expected) in [
        ("SELECT count(*) FROM t", json!(30)),
        ("SELECT max(n) FROM t", json!(29)),
        ("SELECT min(_offset) FROM t", json!(0)),
    ] {
        assert_eq!(told(sql, expected), 0, "{sql}");
    }
    assert!(told("SELECT count(*) FROM t WHERE n > 4", json!(25)) > 0);
    // A file with a dead letter is looked into, and live rows count.
    topic.put_at(0, TIME_MS, Some(b"{"));
    topic.put(0, r#"{"n": 30}"#);
    topic.commit();
    assert!(told("SELECT count(*) FROM t", json!(31)) > 0);
    topic.put(0, r#"{"n": 31}"#);
    topic.publish();
    told("SELECT count(*) FROM t", json!(32));
    told("SELECT max(n) FROM t", json!(31));
}

#[test]
fn star_leaves_out_the_records_bytes_which_can_be_named() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    topic.put(0, r#"{"userId": 1}"#);
    topic.put_at(0, TIME_MS, Some(b"\xff\xfe"));
    topic.put_at(0, TIME_MS, None);
    topic.commit();
    let columns = world.columns("SELECT * FROM t");
    for hidden in super::HIDDEN {
        assert!(!columns.iter().any(|name| name == hidden), "{columns:?}");
    }
    for shown in ["userId", "_topic", "_offset", "_timestamp", "dt"] {
        assert!(columns.iter().any(|name| name == shown), "{columns:?}");
    }
    assert_eq!(
        world.columns("SELECT t.*, _value FROM t").last().unwrap(),
        "_value"
    );
    assert_eq!(
        world.rows("SELECT _key_text k, _value_text v FROM t ORDER BY _offset"),
        [
            json!({"k": "key", "v": r#"{"userId": 1}"#}),
            json!({"k": "key"}),
            json!({"k": "key"})
        ]
    );
    assert_eq!(
        world.value("SELECT count(*) FROM t WHERE _value_text LIKE '%userId%'"),
        json!(1)
    );
}

#[test]
fn an_answers_position_bounds_the_next_answer() {
    let world = World::new();
    let mut topic = world.writer("t", 2);
    topic.put(0, r#"{"n": 1}"#);
    topic.commit();
    topic.put(1, r#"{"n": 2}"#);
    topic.publish();
    let request = |sql: &str| Request::new(sql);
    let (position, rows) = world.ask(request("SELECT n FROM t")).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(position["offsets"], json!({"0": 1, "1": 1}));
    topic.put(0, r#"{"n": 3}"#);
    topic.commit();
    let then = world.ask(Request {
        as_of: Some(position),
        ..request("SELECT n FROM t ORDER BY n")
    });
    assert_eq!(then.unwrap().1, [json!({"n": 1}), json!({"n": 2})]);
    let count = |as_of| {
        let request = Request {
            as_of: Some(as_of),
            ..request("SELECT count(*) AS n FROM t")
        };
        world.ask(request).map(|(_, rows)| rows[0]["n"].clone())
    };
    assert_eq!(count(json!({"offsets": {"0": 1}})).unwrap(), json!(1));
    assert!(count(json!({"offsets": {"0": 99}})).is_err());
    let version = world.value("SELECT max(version) FROM system.tables");
    assert_eq!(count(json!({ "version": version })).unwrap(), json!(3));
    assert_eq!(
        count(json!({"version": 99})).unwrap_err().kind(),
        crate::ErrorKind::NotFound
    );
    let pinned = format!("SELECT t.n FROM \"t@{version}\" ORDER BY t.n DESC LIMIT 1");
    assert_eq!(world.value(&pinned), json!(3));
}

#[test]
fn wait_for_answers_once_the_offsets_are_visible_and_not_before() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    topic.put(0, r#"{"n": 1}"#);
    topic.publish();
    let request = |next: i64, ms: u64| Request {
        wait_for: Some(json!({ "0": next })),
        timeout: Some(std::time::Duration::from_millis(ms)),
        ..Request::new("SELECT count(*) AS n FROM t")
    };
    let late = world.ask(request(2, 50)).unwrap_err();
    assert_eq!(late.kind(), crate::ErrorKind::WaitForTimeout, "{late}");
    let waiting = world.runtime.spawn({
        let query = world.query.clone();
        async move {
            query
                .execute(request(2, 60_000))
                .await
                .map(|answer| answer.position)
        }
    });
    topic.put(0, r#"{"n": 2}"#);
    topic.publish();
    let position = world.runtime.block_on(waiting).unwrap().unwrap();
    assert_eq!(position["offsets"], json!({"0": 2}));
}

#[test]
fn hostile_queries_are_answered_without_a_crash() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    topic.put(0, r#"{"n": 1}"#);
    topic.commit();
    let sum = |terms: usize| format!("SELECT {} AS s FROM t", vec!["n"; terms].join(" + "));
    assert_eq!(world.value(&sum(200)), json!(200));
    let long = world.error(&sum(20_000));
    assert_eq!(
        long.kind(),
        crate::ErrorKind::NotSupported,
        "{}",
        long.message()
    );
    let unions = vec!["SELECT 1"; 20_000].join(" UNION ALL ");
    assert_eq!(world.error(&unions).kind(), crate::ErrorKind::NotSupported);
    let many = (0..2_000).map(|one| format!("n AS c{one}"));
    let wide = format!("SELECT {} FROM t", many.collect::<Vec<_>>().join(", "));
    assert_eq!(world.columns(&wide).len(), 2_000);
    for sql in [
        "SELECT * FROM \"../../etc/passwd\"",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"file:///etc/passwd\"",
        "SELECT * FROM \"t/../t\"",
        "SELECT * FROM information_schema.df_settings",
    ] {
        let kind = world.error(sql).kind();
        assert_eq!(kind, crate::ErrorKind::UnknownTable, "{sql}");
    }
}

#[test]
fn columns_say_since_when_they_are_there_and_when_they_last_grew() {
    let world = World::new();
    let mut topic = world.writer("orders", 1);
    topic.put(0, r#"{"a": 1, "o": {"x": 1}}"#);
    topic.commit();
    topic.put(0, r#"{"a": "s", "o": {"y": 1}}"#);
    topic.commit();
    topic.put(0, r#"{"live": 1}"#);
    topic.publish();
    let rows = world.rows(
        "SELECT \"column\", since_version, since < now() AS past, grown_version \
         FROM system.columns WHERE \"table\" = 'orders' AND kind IS NOT NULL ORDER BY \"column\"",
    );
    let column = |name, since: Option<u64>, grown: Option<u64>| {
        let mut row = json!({"column": name});
        if let Some(since) = since {
            row["since_version"] = json!(since);
            row["past"] = json!(true);
        }
        if let Some(grown) = grown {
            row["grown_version"] = json!(grown);
        }
        row
    };
    assert_eq!(
        rows,
        [
            column("a", None, None),
            column("a__long", Some(2), None),
            column("a__string", Some(4), None),
            column("live", None, None),
            column("o", Some(2), Some(4)),
        ]
    );
}

#[test]
fn now_is_the_time_of_the_query_not_of_the_servers_start() {
    let world = World::new();
    let first = world.value("SELECT now()");
    let second = world.value("SELECT now()");
    assert!(first.as_str() < second.as_str(), "{first} {second}");
}
