//! `DELETE` on a real lake, with a keeper that commits what the test's writer holds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use crate::ErrorKind;
use crate::error::Result;
use crate::hooks::TableKeeper;
use crate::query::Request;
use crate::testing::{Topic, World};
use eddy_engine::Lake;

/// Keeps every table; notes what it was asked to settle.
#[derive(Default)]
struct Keeps(Mutex<Vec<(String, String)>>);

#[async_trait]
impl TableKeeper for Keeps {
    async fn settle(&self, _: &Lake, topics_dir: &str, topic: &str) -> Result<()> {
        let asked = (topics_dir.to_owned(), topic.to_owned());
        self.0.lock().unwrap().push(asked);
        Ok(())
    }
}

/// Twelve records in three commits and one that isn't committed; `x` drifts.
fn people() -> (World, Topic, Arc<Keeps>) {
    let world = World::new();
    let keeper = Arc::new(Keeps::default());
    world.query.set_table_keeper(Arc::clone(&keeper) as _);
    let mut topic = world.writer("people", 1);
    for n in 0..12 {
        let id = if n % 2 == 0 {
            format!("{n}")
        } else {
            format!("\"{n}\"")
        };
        topic.put(
            0,
            &format!(r#"{{"name": "n{}", "x": {{"id": {id}}}}}"#, n % 3),
        );
        if n % 4 == 3 {
            topic.commit();
        }
    }
    (world, topic, keeper)
}

fn count(world: &World, condition: &str) -> Json {
    world.value(&format!("SELECT count(*) FROM people WHERE {condition}"))
}

#[test]
fn a_plan_says_how_many_rows_and_files_match() {
    let (world, mut topic, _keeper) = people();
    topic.put(0, r#"{"name": "n1"}"#);
    topic.put(0, r#"{"name": "n1""#);
    topic.publish();
    let plan = |condition: &str| {
        let mut rows = world.rows(&format!("EXPLAIN DELETE FROM people WHERE {condition}"));
        assert_eq!(rows.len(), 1);
        let mut row = rows.remove(0);
        row.as_object_mut().unwrap().remove("version");
        row
    };
    let counted = |rows, dead, live, files| {
        json!({"table": "people", "rows": rows, "dead_letters": dead, "live_rows": live,
               "files": files, "files_total": 3})
    };
    assert_eq!(plan("name = 'n1'"), counted(5, 0, 1, 3));
    assert_eq!(plan("_offset < 2"), counted(2, 0, 0, 1));
    assert_eq!(plan("x.id = 4"), counted(1, 0, 0, 1));
    assert_eq!(plan("_error IS NOT NULL"), counted(1, 1, 1, 0));
    assert_eq!(plan("true"), counted(14, 1, 2, 3));
    assert_eq!(count(&world, "true"), json!(13), "a plan erases nothing");
}

#[test]
fn p16_rows_are_gone_and_the_receipt_says_so_and_can_be_read_again() {
    let (world, mut topic, keeper) = people();
    topic.put(0, r#"{"name": "n1", "broken"#);
    topic.commit();
    let before = world.value("SELECT max(version) FROM system.tables");
    let sql = "DELETE FROM People WHERE NAME = 'n1' OR x.id = 4 OR _value_text LIKE '%\"n1\"%' \
               WITH (reference = 'ticket 7')";
    let mut receipt = world.rows(sql);
    assert_eq!(receipt.len(), 1);
    let receipt = receipt.remove(0);
    assert_eq!(
        receipt["rows"],
        json!(5),
        "one of them with `_error`: {receipt}"
    );
    assert_eq!(receipt["reference"], json!("ticket 7"));
    assert_eq!(receipt["requested_at_version"], before);
    assert_eq!(receipt["files"].as_array().unwrap().len(), 4);
    assert!(
        receipt["versions"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one.as_u64() > before.as_u64())
    );
    assert!(
        receipt["beyond"][0].as_str().unwrap().contains("Kafka"),
        "{receipt}"
    );
    assert_eq!(
        receipt.get("removed_at"),
        None,
        "the store keeps the objects for a grace time"
    );
    assert_eq!(
        *keeper.0.lock().unwrap(),
        [("topics".to_owned(), "people".to_owned())]
    );
    assert_eq!(count(&world, "true"), json!(8));
    assert_eq!(count(&world, "name = 'n1' OR x.id = 4"), json!(0));
    assert_eq!(
        world.rows("SELECT * FROM system.dead_letters"),
        Vec::<Json>::new()
    );
    assert_eq!(
        world.rows("SELECT * FROM system.erasures"),
        std::slice::from_ref(&receipt)
    );
    // The same request again is the same: nothing more goes, and no second receipt comes.
    let id = receipt["erasure_id"].as_str().unwrap();
    let again = world.rows(&format!(
        "DELETE FROM people WHERE name = 'n1' WITH (id = '{id}')"
    ));
    assert_eq!(again[0]["rows"], json!(5));
    assert_eq!(world.rows("SELECT * FROM system.erasures").len(), 1);
    let none = world.rows("DELETE FROM people WHERE name = 'nobody'");
    assert_eq!(
        (&none[0]["rows"], &none[0]["versions"]),
        (&json!(0), &json!([]))
    );
}

#[test]
fn what_is_no_erasure_is_refused_before_anything_is_done() {
    let (world, _topic, keeper) = people();
    let before = world.value("SELECT max(version) FROM system.tables");
    for (sql, kind, part) in [
        ("DELETE FROM people", ErrorKind::Invalid, "without `WHERE`"),
        (
            "DELETE FROM people WHERE nmae = 'n1'",
            ErrorKind::UnknownColumn,
            "`nmae`",
        ),
        (
            "DELETE FROM peple WHERE name = 'n1'",
            ErrorKind::UnknownTable,
            "`peple`",
        ),
        (
            "DELETE FROM system.files WHERE true",
            ErrorKind::NotSupported,
            "topic's table",
        ),
        (
            "DELETE FROM \"people@2\" WHERE true",
            ErrorKind::NotSupported,
            "one version",
        ),
        (
            "DELETE FROM people WHERE name IN (SELECT name FROM people)",
            ErrorKind::NotSupported,
            "subqueries",
        ),
        (
            "DELETE FROM people AS p (_offset, _partition) WHERE p._offset = 0",
            ErrorKind::NotSupported,
            "new names",
        ),
        (
            "DELETE FROM people TABLESAMPLE (10) WHERE true",
            ErrorKind::NotSupported,
            "`TABLESAMPLE`",
        ),
        ("DELETE FROM people WHERE name", ErrorKind::Invalid, ""),
        (
            "DELETE FROM people WHERE random() < 0.5",
            ErrorKind::NotSupported,
            "`random()`",
        ),
    ] {
        let error = world.error(sql);
        assert_eq!(error.kind(), kind, "{sql}: {error}");
        assert!(error.message().contains(part), "{sql}: {error}");
    }
    assert_eq!(
        world.value("SELECT max(version) FROM system.tables"),
        before
    );
    assert!(keeper.0.lock().unwrap().is_empty());
}

#[test]
fn a_request_that_asks_for_more_or_less_than_a_delete_does_is_refused() {
    let (world, _topic, keeper) = people();
    let all = || Request::new("DELETE FROM people WHERE true");
    for request in [
        Request {
            read_only: true,
            ..all()
        },
        Request {
            limit: Some(1),
            ..all()
        },
        Request {
            as_of: Some(json!({"version": 1})),
            ..all()
        },
    ] {
        let error = world.ask(request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSupported, "{error}");
    }
    let plan = |limit| Request {
        read_only: true,
        limit,
        ..Request::new("EXPLAIN DELETE FROM people WHERE true")
    };
    assert!(world.ask(plan(None)).is_ok());
    let error = world.ask(plan(Some(1))).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotSupported, "{error}");
    assert_eq!(count(&world, "true"), json!(12));
    assert!(keeper.0.lock().unwrap().is_empty());
}

#[test]
fn only_a_process_that_keeps_tables_erases() {
    let world = World::new();
    let mut topic = world.writer("people", 1);
    topic.put(0, r#"{"name": "n1"}"#);
    topic.commit();
    let error = world.error("DELETE FROM people WHERE name = 'n1'");
    assert_eq!(error.kind(), ErrorKind::NotSupported);
    assert!(error.hint().unwrap().contains("partition 0"), "{error}");
    assert_eq!(
        world.rows("EXPLAIN DELETE FROM people WHERE name = 'n1'")[0]["rows"],
        json!(1)
    );
}

#[test]
fn what_is_not_known_to_match_stays_and_where_true_takes_all() {
    let (world, mut topic, _keeper) = people();
    topic.put(0, r#"{"x": {"id": 3}}"#);
    topic.put(0, r#"{"name": "n2""#);
    topic.commit();
    // No row is left out by a condition that is null for it.
    let gone = world.rows("DELETE FROM people WHERE name <> 'n0'");
    assert_eq!(gone[0]["rows"], json!(8), "{gone:?}");
    assert_eq!(count(&world, "true"), json!(5));
    assert_eq!(count(&world, "name IS NULL"), json!(1));
    let gone = world.rows("DELETE FROM people AS p WHERE p.dt < '1970-01-01'");
    assert_eq!(gone[0]["rows"], json!(0), "{gone:?}");
    let all = world.rows("DELETE FROM people WHERE true");
    assert_eq!(all[0]["rows"], json!(6), "one with `_error`: {all:?}");
    assert_eq!(count(&world, "true"), json!(0));
    let plan = world.rows("EXPLAIN DELETE FROM people WHERE true");
    assert_eq!(plan[0]["files_total"], json!(0));
    // What comes later is nobody's request.
    topic.put(0, r#"{"name": "n1"}"#);
    topic.commit();
    assert_eq!(count(&world, "true"), json!(1));
}

#[test]
fn a_drifted_column_means_in_a_delete_what_it_means_in_a_query() {
    for (condition, rows) in [
        // Half of the ids are numbers, the others text.
        ("x.id >= 6", 3),
        ("x.id = '5'", 1),
        ("x.id = '4'", 1),
        ("x.id IN ('1', '2', '3')", 3),
        ("x.id__string IS NOT NULL", 6),
        ("x.id IS NOT NULL AND name = 'n2'", 4),
    ] {
        let (world, _topic, _keeper) = people();
        assert_eq!(count(&world, condition), json!(rows), "{condition}");
        let receipt = world.rows(&format!("DELETE FROM people WHERE {condition}"));
        assert_eq!(receipt[0]["rows"], json!(rows), "{condition}");
        assert_eq!(count(&world, condition), json!(0), "{condition}");
        assert_eq!(count(&world, "true"), json!(12 - rows), "{condition}");
    }
}

#[test]
fn a_request_that_is_late_says_how_to_go_on() {
    let (world, _topic, _keeper) = people();
    let request = Request {
        timeout: Some(std::time::Duration::ZERO),
        ..Request::new("DELETE FROM people WHERE name = 'n1'")
    };
    let error = world.ask(request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.hint().unwrap().contains("WITH (id = '"), "{error:?}");
}
