//! Searches and other needles, on a real lake: exact with filters and without, and what they read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use eddy_engine::Header;
use serde_json::{Value as Json, json};

use crate::error::ErrorKind;
use crate::query::{Query, QueryOptions};
use crate::table::Reads;
use crate::testing::{TIME_MS, Topic, World};

mod any;
mod fields;
mod slices;
mod trace;

impl World {
    fn offsets(&self, filter: &str) -> Vec<i64> {
        let rows = self.rows(&format!(
            "SELECT _offset FROM t WHERE {filter} ORDER BY _offset"
        ));
        rows.iter()
            .map(|row| row["_offset"].as_i64().unwrap())
            .collect()
    }

    /// What the last query read.
    fn reads(&self) -> Reads {
        self.query
            .0
            .registry
            .list()
            .last()
            .unwrap()
            .done
            .reads
            .unwrap()
    }
}

/// Records whose text is in all the places that text can be.
fn odd(topic: &mut Topic) {
    let header = |name: &'static str, value: &'static str| Header {
        name,
        value: Some(value.as_bytes()),
    };
    let mut put = |key: &[u8], value: &str, headers: &[Header<'_>]| {
        topic.put_keyed(TIME_MS, key, value, headers);
    };
    put(b"Key-One", r#"{"note": "the Late order", "n": 42}"#, &[]);
    let nested = r#"{"caf\u00e9": {"inner": ["x\nlate"]}}"#;
    put(b"two", nested, &[header("trace", "Late-7")]);
    put(b"three", "no JSON but late", &[header("order", "x")]);
    put(&[0xFF, b'l'], r#"{"note": "latent orders"}"#, &[]);
    put(b"", r#"{"Late": null, "flag": true}"#, &[]);
}

#[test]
fn a_search_finds_the_rows_that_have_every_word_live_committed_and_compacted() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    odd(&mut topic);
    topic.publish();
    let check = |when: &str| {
        for (text, expected) in [
            ("late", vec![0, 1, 2, 4]),
            ("LATE", vec![0, 1, 2, 4]),
            ("late order", vec![0, 2]),
            ("order, late!", vec![0, 2]),
            ("latent", vec![3]),
            ("lat", vec![]),
            ("café late", vec![1]),
            ("CAFÉ", vec![1]),
            ("trace 7", vec![1]),
            ("key one", vec![0]),
            ("42", vec![0]),
            ("note", vec![0, 3]),
            ("true", vec![4]),
            ("late late", vec![0, 1, 2, 4]),
            ("\"late order\"", vec![0]),
            ("\"order late\"", vec![]),
            ("late-order", vec![0]),
            ("\"trace late\"", vec![]),
            ("\"late n 42\"", vec![]),
            ("\"order n 42\"", vec![0]),
            ("lat*", vec![0, 1, 2, 3, 4]),
            ("*ent orders", vec![3]),
            ("\"inner x\"", vec![1]),
            ("late -order", vec![1, 4]),
            ("latent OR (late order)", vec![0, 2, 3]),
            ("-late", vec![3]),
            ("*", vec![0, 1, 2, 3, 4]),
        ] {
            let found = world.offsets(&format!("search('{text}')"));
            assert_eq!(found, expected, "{text}, {when}");
            let others = world.offsets(&format!("NOT search('{text}')"));
            assert_eq!(others.len(), 5 - expected.len(), "{text}, {when}");
        }
    };
    check("live");
    topic.commit();
    check("committed");
    world.compact("t");
    check("with filters");
}

#[test]
fn a_search_says_what_is_wrong_with_it() {
    let world = World::new();
    for name in ["t", "other"] {
        let mut topic = world.writer(name, 1);
        topic.put(0, r#"{"word": "one"}"#);
        topic.commit();
    }
    for (sql, message) in [
        ("SELECT 1 FROM t WHERE search('--')", "has no word"),
        ("SELECT 1 FROM t WHERE search('one (two')", "character 5"),
        ("SELECT 1 FROM t WHERE search(word)", "constant text"),
        ("SELECT 1 FROM t WHERE search()", "takes a text"),
        ("SELECT 1 FROM t, other WHERE search('one')", "which table"),
        ("SELECT 1 FROM t WHERE search(u, 'one')", "which table"),
        (
            "SELECT 1 FROM (SELECT word FROM t) u WHERE search('one')",
            "record's columns",
        ),
        ("SELECT search('one')", "which table"),
    ] {
        let error = world.error(sql);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{sql}: {error}");
        assert!(error.to_string().contains(message), "{sql}: {error}");
    }
    for sql in [
        "SELECT count(*) FROM t a JOIN other b ON a.word = b.word WHERE search(a, 'one')",
        "SELECT count(*) FROM t WHERE Search('ONE')",
        "SELECT count(*) FROM t AS \"Tee\" WHERE search(tee, 'one') AND search('one')",
        "SELECT count(*) FROM other WHERE EXISTS (SELECT 1 FROM t WHERE search('one'))",
        "WITH c AS (SELECT _key, _value, _headers FROM t) \
         SELECT count(*) FROM c WHERE search('one')",
        "SELECT count(*) FROM (SELECT search('one') AS found FROM t) WHERE found",
    ] {
        assert_eq!(world.value(sql), json!(1), "{sql}");
    }
}

/// A table of `files` files with filters, a row group each, whose ids are anywhere.
fn haystack(world: &World, files: i64, rows: i64) {
    const DAY_MS: i64 = 86_400_000;
    let mut topic = world.writer("t", 1);
    for n in 0..files * rows {
        let id = n * 7_919 % (files * rows);
        let value = format!(
            r#"{{"id":"id-{id}","account":{id},"in":{{"id":"x{id}"}},"text":"word{n} often"}}"#
        );
        let time_ms = TIME_MS - n / rows * DAY_MS;
        topic.put_keyed(time_ms, format!("key-{id}").as_bytes(), &value, &[]);
        if (n + 1) % (rows / 3) == 0 {
            topic.commit();
        }
    }
    world.compact("t");
    let count = world.value("SELECT count(*) FROM system.files");
    assert_eq!(count, json!(files));
}

#[test]
fn a_needle_reads_one_of_many_row_groups_and_says_so() {
    // Each time from the files.
    let world = World::with(|options| options.cache.columns_bytes = 0);
    haystack(&world, 8, 60);
    for filter in [
        "id = 'id-77'",
        "'id-77' = id",
        "account = 77",
        "in.id = 'x77'",
        "_key = 'key-77'",
        "_key_text = 'key-77'",
        "id IN ('id-77', 'nothing')",
        "search('x77')",
        "search('often id 77 x77')",
        "(account = 77 OR id = 'id-77') AND _offset >= 0",
    ] {
        let rows = world.rows(&format!("SELECT id FROM t WHERE {filter}"));
        assert_eq!(rows, [json!({"id": "id-77"})], "{filter}");
        let reads = world.reads();
        assert!(
            reads.files <= 2 && reads.row_groups <= 2,
            "{filter}: {reads}"
        );
        assert!(
            reads.bytes > 0 && reads.files_total == 8,
            "{filter}: {reads}"
        );
    }
    for filter in [
        "id = 'none'",
        "search('none')",
        "_key_text = 'none'",
        "account = 1000000",
    ] {
        assert_eq!(
            world.rows(&format!("SELECT id FROM t WHERE {filter}")),
            Vec::<Json>::new()
        );
        assert_eq!(world.reads().row_groups, 0, "{filter}");
    }
    let often = world.value("SELECT count(*) FROM t WHERE search('often')");
    assert_eq!(often, json!(480));
    assert_eq!(world.reads().files, world.reads().files_total);

    let plan = world.rows("EXPLAIN ANALYZE SELECT * FROM t WHERE id = 'id-77'");
    let last = plan.last().unwrap();
    assert_eq!(last["plan_type"], json!("Reads"));
    let said = last["plan"].as_str().unwrap();
    assert!(
        said.contains("row_groups=") && said.contains("filter_bytes="),
        "{said}"
    );
    let listed = world.rows(
        "SELECT files, files_total, row_groups FROM system.queries \
         WHERE sql = 'SELECT id FROM t WHERE account = 77'",
    );
    assert_eq!(
        listed,
        [json!({"files": 1, "files_total": 8, "row_groups": 1})]
    );
}

#[test]
fn a_key_of_several_types_is_found_by_filters_too() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    for n in 0..240_i64 {
        let id = n * 7_919 % 240;
        let value = match n % 2 {
            0 => format!(r#"{{"id":{id}}}"#),
            _ => format!(r#"{{"id":"s{id}"}}"#),
        };
        let time_ms = TIME_MS - n / 60 * 86_400_000;
        topic.put_keyed(time_ms, b"k", &value, &[]);
        if (n + 1) % 20 == 0 {
            topic.commit();
        }
    }
    world.compact("t");
    let even = 7_919 * 100 % 240;
    for filter in [
        format!("id = {even}"),
        format!("id = '{even}'"),
        format!("id IN ('{even}', 'nobody')"),
        format!("search('{even}')"),
    ] {
        let found = world.offsets(&filter);
        assert_eq!(found, [100], "{filter}");
        assert!(world.reads().files <= 2, "{filter}: {}", world.reads());
    }
    let odd = 7_919 * 101 % 240;
    assert_eq!(world.offsets(&format!("id = 's{odd}'")), [101]);
    assert!(world.reads().files <= 2, "{}", world.reads());
}

#[test]
fn filters_that_are_gone_or_broken_cost_nothing_but_reading() {
    let mut world = World::new();
    haystack(&world, 4, 42);
    let needle = "SELECT _offset FROM t WHERE search('x77')";
    let expected = world.rows(needle);
    assert_eq!(expected.len(), 1);
    assert!(world.reads().files < 3);
    let packs = world.folder.path().join("_eddy/filters/topics/t");
    let change = |change: &dyn Fn(&std::path::Path)| {
        for file in std::fs::read_dir(&packs).unwrap() {
            change(&file.unwrap().path());
        }
    };
    let changes: [&dyn Fn(&std::path::Path); 2] = [
        &|file| std::fs::write(file, b"not a pack of filters at all").unwrap(),
        &|file| std::fs::remove_file(file).unwrap(),
    ];
    for break_it in changes {
        change(break_it);
        assert_eq!(world.rows(needle), expected, "with what is in memory");
        world.query = Query::new(world.lake.clone(), QueryOptions::default()).unwrap();
        assert_eq!(world.rows(needle), expected);
        assert_eq!(world.reads().files, 4);
    }
    // The upkeep makes them anew.
    world.compact("t");
    world.query = Query::new(world.lake.clone(), QueryOptions::default()).unwrap();
    assert_eq!(world.rows(needle), expected);
    assert!(world.reads().files < 3);
}
