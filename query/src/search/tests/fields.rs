//! Searches that name fields: what they find, what they read, and where they may stand.

use serde_json::{Value as Json, json};

use super::{World, haystack};
use crate::error::ErrorKind;
use crate::query::Request;
use crate::testing::TIME_MS;

/// Records of all kinds of values.
fn kinds(world: &World) -> crate::testing::Topic {
    let mut topic = world.writer("t", 1);
    let hour = 3_600_000;
    for (hours, value) in [
        (
            0,
            r#"{"status":"Failed","user":{"id":7,"name":"John"},"tags":["red","blue"]}"#,
        ),
        (
            1,
            r#"{"status":"failed hard","user":{"id":"seven"},"ok":true,"at":"2026-11-23T10:00:00Z"}"#,
        ),
        (
            2,
            r#"{"user":{"id":7.5,"name":"joan"},"items":[{"sku":"A-1","q":2},{"sku":"b"}]}"#,
        ),
        (
            30,
            r#"{"status":null,"user":{"id":{"no":7}},"tags":[],"price":"12.5","odd.key":"y"}"#,
        ),
        (
            60,
            r#"{"status":"FAILED","items":[{"q":"many"},{"q":[3,"four"]}],"ok":false}"#,
        ),
    ] {
        topic.put_keyed(TIME_MS + hours * hour, b"Key-1", value, &[]);
    }
    topic.publish();
    topic
}

#[test]
fn a_field_is_found_by_its_values_of_any_type_live_and_committed() {
    let world = World::new();
    let mut topic = kinds(&world);
    let check = || {
        for (text, expected) in [
            ("status:failed", vec![0, 4]),
            ("status:=failed", vec![]),
            ("status:=FAILED", vec![4]),
            ("status:fail*", vec![0, 1, 4]),
            ("status:\"Failed hard\"", vec![1]),
            ("-status:failed", vec![1, 2, 3]),
            ("_exists_:status", vec![0, 1, 4]),
            ("status:*", vec![0, 1, 4]),
            ("-status:*", vec![2, 3]),
            ("STATUS:failed", vec![0, 4]),
            ("user.id:7", vec![0]),
            ("user.id:7.0", vec![0]),
            ("user.id:seven", vec![1]),
            ("user.id:>=7", vec![0, 2]),
            ("user.id:{7 TO 8]", vec![2]),
            ("user.id.no:7", vec![3]),
            ("_exists_:user.id", vec![0, 1, 2, 3]),
            ("user.name:jo?n*", vec![0, 2]),
            ("user.name:[joan TO john]", vec![0, 2]),
            ("tags:red", vec![0]),
            ("tags:(red AND blue)", vec![0]),
            ("_exists_:tags", vec![0]),
            ("items.sku:a-1", vec![2]),
            ("items.q:2", vec![2]),
            ("items.q:many", vec![4]),
            ("items.q:>2", vec![4]),
            ("items.q:four", vec![4]),
            ("ok:true", vec![1]),
            ("ok:(true OR false)", vec![1, 4]),
            ("price:[10 TO 20]", vec![3]),
            ("price:>9", vec![3]),
            ("at:2026-11-23", vec![]),
            ("at:[2026-11-23 TO 2026-11-23]", vec![1]),
            ("odd.key:y", vec![3]),
            ("odd\\.key:y", vec![3]),
            ("\"odd.key\":y", vec![3]),
            ("_key:key-1", vec![0, 1, 2, 3, 4]),
            ("_key_text:=Key-1", vec![0, 1, 2, 3, 4]),
            ("_value:*joan*", vec![2]),
            ("_offset:3", vec![3]),
            ("_partition:(0 OR 1) _offset:<2", vec![0, 1]),
            ("_timestamp:2026-11-23", vec![0, 1, 2]),
            ("_timestamp:[2026-11-24 TO *]", vec![3, 4]),
            ("_timestamp:[* TO 2026-11-24]", vec![0, 1, 2, 3]),
            ("_timestamp:{2026-11-23 TO 2026-11-25}", vec![3]),
            ("_timestamp:2026-11-23T11", vec![1]),
            ("_timestamp:<2026-11-23T11:30:00+01:00", vec![0]),
            ("dt:2026-11-2*", vec![0, 1, 2, 3, 4]),
            ("dt:>2026-11-23", vec![3, 4]),
            ("failed -user.id:7", vec![1, 4]),
            ("joan OR status:failed", vec![0, 2, 4]),
            ("(joan OR john) user.id:>7", vec![2]),
        ] {
            let found = world.offsets(&format!("search('{text}')"));
            assert_eq!(found, expected, "{text}");
            let others = world.offsets(&format!("NOT search('{text}')"));
            assert_eq!(others.len(), 5 - expected.len(), "{text}");
        }
    };
    check();
    topic.commit();
    check();
    world.compact("t");
    check();
}

#[test]
fn a_search_for_a_field_reads_one_of_many_row_groups() {
    let world = World::new();
    haystack(&world, 8, 60);
    for text in [
        "account:77",
        "id:id-77",
        "id:ID-77",
        "id:=id-77",
        "in.id:x77",
        "_key:=key-77",
        "id:(id-77 OR z)",
        "often account:77",
        "account:77 OR in.id:x77",
    ] {
        let rows = world.rows(&format!("SELECT id FROM t WHERE search('{text}')"));
        assert_eq!(rows, [json!({"id": "id-77"})], "{text}");
        let reads = world.reads();
        assert!(reads.files <= 2 && reads.row_groups <= 2, "{text}: {reads}");
    }
    for (text, rows) in [
        ("_timestamp:2026-11-23", 60),
        ("_timestamp:[2026-11-23 TO *] often", 60),
        ("dt:2026-11-23", 60),
        ("account:>100000", 0),
        ("id:a*", 0),
    ] {
        let sql = format!("SELECT count(*) FROM t WHERE search('{text}')");
        assert_eq!(world.value(&sql), json!(rows), "{text}");
        assert!(world.reads().files <= 1, "{text}: {}", world.reads());
    }
}

#[test]
fn a_search_may_stand_wherever_a_condition_may() {
    let world = World::new();
    let mut topic = kinds(&world);
    topic.commit();
    for (sql, expected) in [
        (
            "SELECT count(*) FROM t a JOIN t b ON a._offset = b._offset \
             WHERE search(a, 'user.id:7') AND search(b, 'status:failed john')",
            1,
        ),
        (
            "SELECT count(*) FROM (SELECT status AS s FROM t) q WHERE search('s:failed')",
            2,
        ),
        (
            "WITH q AS (SELECT user.id AS x FROM t) SELECT count(*) FROM q WHERE search('x:>=7')",
            2,
        ),
        (
            "SELECT count(*) FROM t WHERE search('status:failed') OR _offset = 2",
            3,
        ),
        (
            "SELECT count(*) FILTER (WHERE search('status:failed')) FROM t",
            2,
        ),
        (
            "SELECT count(*) FROM t a LEFT JOIN t b \
             ON a._offset = b._offset AND search(b, 'status:failed') WHERE b._offset IS NULL",
            3,
        ),
        (
            "SELECT count(*) FROM t \
             WHERE _offset IN (SELECT _offset FROM t WHERE search('tags:red'))",
            1,
        ),
        (
            "SELECT count(*) FROM system.tables WHERE search('name:T')",
            1,
        ),
        (
            "SELECT sum(CASE WHEN search('ok:*') THEN 1 ELSE 0 END) FROM t",
            2,
        ),
    ] {
        assert_eq!(world.value(sql), json!(expected), "{sql}");
    }
}

#[test]
fn an_erasure_by_search_takes_what_it_finds_and_nothing_else() {
    let world = World::new();
    let mut topic = kinds(&world);
    topic.commit();
    world.compact("t");
    let explained = world.rows("EXPLAIN DELETE FROM t WHERE search('status:failed -john')");
    assert_eq!(explained[0]["rows"], json!(1), "{explained:?}");
    assert_eq!(world.offsets("search('status:failed -john')"), [4]);
}

#[test]
fn a_search_says_what_is_wrong_with_a_field() {
    let world = World::new();
    let mut topic = kinds(&world);
    topic.commit();
    for (text, kind, message, hint) in [
        (
            "late statsu:x",
            ErrorKind::UnknownColumn,
            "character 6",
            "`status`",
        ),
        ("user.nmae:x", ErrorKind::UnknownColumn, "`nmae`", "`name`"),
        (
            "items.quantity_of:x",
            ErrorKind::UnknownColumn,
            "`quantity_of`",
            "quote it",
        ),
        ("http://x/y", ErrorKind::UnknownColumn, "`http`", "quote it"),
        ("status.x:y", ErrorKind::UnknownColumn, "`x`", "quote it"),
        (
            "_timestamp:[yesterday TO *]",
            ErrorKind::Invalid,
            "no time",
            "2026-11-23",
        ),
    ] {
        let error = world.error(&format!("SELECT 1 FROM t WHERE search('{text}')"));
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(error.message().contains(message), "{text}: {error}");
        assert!(
            error.hint().unwrap_or_default().contains(hint),
            "{text}: {error}"
        );
        assert!(error.position().is_some(), "{text}");
    }
    let error = world.error("SELECT 1 FROM t WHERE search('user:x')");
    assert!(error.to_string().contains("`user.id:...`"), "{error}");
    let limited = Request {
        limit: Some(1),
        ..Request::new("SELECT _offset FROM t WHERE search('status:failed')")
    };
    let (_, rows): (_, Vec<Json>) = world.ask(limited).unwrap();
    assert_eq!(rows.len(), 1);
}

#[test]
fn a_lenient_search_takes_a_field_that_is_not_there_for_one_without_values() {
    let world = World::new();
    let mut topic = kinds(&world);
    let all: Vec<i64> = (0..5).collect();
    let check = || {
        for (text, expected) in [
            ("no_such:1", vec![]),
            ("user.no_such:1", vec![]),
            ("_exists_:no_such", vec![]),
            ("no_such:1 OR status:failed", vec![0, 4]),
            ("no_such:1 AND status:failed", vec![]),
            ("-no_such:1", all.clone()),
            ("joan -no_such:[1 TO 2]", vec![2]),
            ("*", all.clone()),
        ] {
            let found = world.offsets(&format!("search_lenient('{text}')"));
            assert_eq!(found, expected, "{text}");
        }
    };
    check();
    topic.commit();
    check();
    for wrong in [
        "search_lenient('a AND')",
        "search_lenient('_timestamp:[yesterday TO *]')",
        "search_lenient('user:x')",
        "search_lenient('late', _key, _value, _headers)",
    ] {
        let error = world.error(&format!("SELECT 1 FROM t WHERE {wrong}"));
        assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}: {error}");
    }
}
