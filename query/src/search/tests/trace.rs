//! `trace('...')`: one timeline of all tables, and what it opens for that.

use serde_json::json;

use super::World;
use crate::error::ErrorKind;
use crate::testing::{TIME_MS, Topic};
use eddy_engine::Header;
use eddy_engine::Lake;
use eddy_engine::testing::disk_lake;

fn put(topic: &mut Topic, minutes: i64, key: &str, value: &str) {
    topic.put_keyed(TIME_MS + minutes * 60_000, key.as_bytes(), value, &[]);
}

/// Two orders and what became of them, in three topics; the last is committed, the second live.
fn shop(world: &World) -> Topic {
    let mut orders = world.writer("orders.v1", 1);
    let mut payments = world.writer("payments", 1);
    let mut mails = world.writer("mails", 1);
    put(&mut orders, 0, "order-42", r#"{"state": "new"}"#);
    put(&mut payments, 3, "p", r#"{"for": "Order-42", "amount": 5}"#);
    put(&mut orders, 1, "order-41", r#"{"state": "new"}"#);
    put(&mut payments, 4, "p", r#"{"for": "order-42", "broken": "#);
    let header = Header {
        name: "correlation",
        value: Some(b"order-42"),
    };
    let time_ms = TIME_MS + 5 * 60_000;
    mails.put_keyed(time_ms, b"", r#"{"to": "x"}"#, &[header]);
    put(&mut mails, 6, "m", r#"{"text": "42 is an order"}"#);
    put(&mut orders, 2, "x", r#"{"text": "order 42"}"#);
    orders.commit();
    payments.publish();
    mails.commit();
    payments
}

#[test]
fn a_trace_is_one_timeline_of_every_topic_dead_letters_included() {
    let world = World::new();
    let mut payments = shop(&world);
    let timeline = [
        ("orders.v1", 0, true),
        ("orders.v1", 2, true),
        ("payments", 0, true),
        ("payments", 1, false),
        ("mails", 0, true),
    ]
    .map(|(table, offset, good)| {
        json!({"_table": table, "_topic": table, "_offset": offset, "good": good})
    });
    let sql = "SELECT _table, _topic, _offset, _error IS NULL AS good FROM trace('order-42')";
    for _ in 0..2 {
        assert_eq!(world.rows(sql), timeline);
        payments.commit();
        world.compact("orders.v1");
        world.compact("payments");
    }
    let columns = "_timestamp _topic _partition _offset _key_text _value_text _error _table";
    let found = world.columns("SELECT * FROM trace('order-42')");
    assert_eq!(found.join(" "), columns);
    let first = world.rows("SELECT _key_text, _value_text FROM TRACE('order-42') t LIMIT 1");
    let order = json!({"_key_text": "order-42", "_value_text": "{\"state\": \"new\"}"});
    assert_eq!(first, [order]);
}

#[test]
fn a_trace_is_asked_like_a_table() {
    let world = World::new();
    let _payments = shop(&world);
    for (from, expected) in [
        ("trace('order-42')", 5),
        ("trace('nothing')", 0),
        ("trace('order-42 -new')", 4),
        ("trace('order-42') WHERE _table = 'mails'", 1),
        (
            "trace('order-42') WHERE _topic <> 'mails' AND _error IS NULL",
            3,
        ),
        ("trace('order-42') WHERE search('_error:*')", 1),
        (
            "orders.v1 o JOIN trace('order-42') t ON o._key_text = t._key_text",
            2,
        ),
        (
            "trace('order-42') a JOIN trace('order-41') b ON a._topic = b._topic",
            2,
        ),
    ] {
        let sql = format!("SELECT count(*) FROM {from}");
        assert_eq!(world.value(&sql), json!(expected), "{sql}");
    }
    let last = "SELECT _table FROM trace('order-42') ORDER BY trace._timestamp DESC LIMIT 1";
    assert_eq!(world.value(last), json!("mails"));
}

#[test]
fn a_trace_opens_only_files_that_may_have_its_words() {
    let world = World::new();
    for name in ["a", "b.c", "d"] {
        let mut topic = world.writer(name, 1);
        for day in 0..4 {
            for n in 0..20 {
                let value = format!(r#"{{"text": "{name} word{day}x{n} often"}}"#);
                topic.put_keyed(TIME_MS - day * 86_400_000, b"k", &value, &[]);
                if n % 10 == 9 {
                    topic.commit();
                }
            }
        }
        world.compact(name);
    }
    let found = world.rows("SELECT _table, _offset FROM trace('b c word2x7')");
    assert_eq!(found, [json!({"_table": "b.c", "_offset": 47})]);
    let reads = world.reads();
    assert_eq!((reads.files, reads.files_total), (1, 24), "{reads}");
    assert_eq!(
        world.value("SELECT count(*) FROM trace('often')"),
        json!(240)
    );
    assert_eq!(world.reads().files, 24);
    assert_eq!(
        world.value("SELECT count(*) FROM trace('nowhere')"),
        json!(0)
    );
    assert_eq!((world.reads().files, world.reads().row_groups), (0, 0));
}

#[test]
fn a_trace_reaches_the_lakes_that_connectors_have_for_themselves() {
    let mut world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let other: Lake = {
        let _guard = world.runtime.enter();
        disk_lake(folder.path(), eddy_engine::Clock::system())
    };
    world.query.add_lake(other.clone(), "topics");
    let mut here = world.writer("one", 1);
    put(&mut here, 1, "k", r#"{"id": "order-42"}"#);
    here.commit();
    let own = std::mem::replace(&mut world.lake, other);
    let mut there = world.writer("two", 1);
    put(&mut there, 0, "k", r#"{"id": "order-42"}"#);
    there.commit();
    world.lake = own;
    let found = world.rows("SELECT _table FROM trace('order-42')");
    assert_eq!(found, [json!({"_table": "two"}), json!({"_table": "one"})]);
}

#[test]
fn a_trace_says_what_is_wrong_with_it() {
    let world = World::new();
    for (sql, message) in [
        ("SELECT * FROM trace()", "constant text"),
        ("SELECT * FROM trace(1)", "constant text"),
        ("SELECT * FROM trace('--')", "no word"),
        ("SELECT * FROM trace('a (b')", "character 3"),
        ("SELECT * FROM trace('user:42')", "looks for words"),
    ] {
        let error = world.error(sql);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{sql}: {error}");
        assert!(error.to_string().contains(message), "{sql}: {error}");
        assert!(error.position().is_some(), "{sql}: {error}");
    }
}
