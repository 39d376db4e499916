//! Records whose files don't hold their text: SQL answers it as for any others.

use eddy_engine::elide::Raw;
use serde_json::json;

use crate::testing::{TIME_MS, World};

fn value(n: i64) -> String {
    match n % 4 {
        0 => format!(r#"{{"n": {n}, "name": "caf\u00e9 {n}", "none": null}}"#),
        1 => format!(r#"{{"n":{n},"list":[{{"x":{n}.50}},{{"x":1.25}}]}}"#),
        2 => format!(r#"{{"n":"no {n}"}}"#),
        _ => format!(r#"{{"n":{n},"deep":{{"er":[true,"{n}",null]}}}}"#),
    }
}

/// Files with and without the text, then live rows; two rows that are no JSON in each.
fn world() -> (World, crate::testing::Topic) {
    let world = World::new();
    let mut topic = world.writer_with("t", 1, Raw::Keep);
    let put = |topic: &mut crate::testing::Topic, numbers: std::ops::Range<i64>| {
        for n in numbers {
            topic.put(0, &value(n));
        }
        topic.put(0, "{broken");
        topic.put_at(0, TIME_MS, None);
    };
    put(&mut topic, 0..20);
    topic.commit();
    drop(topic);
    let mut topic = world.writer_with("t", 1, Raw::Elide);
    topic.next[0] = 22;
    put(&mut topic, 20..60);
    topic.commit();
    put(&mut topic, 60..64);
    topic.publish();
    (world, topic)
}

#[test]
fn e7_sql_answers_the_bytes_that_files_do_not_hold() {
    let (world, topic) = world();
    let shapes = "SELECT count(_value_shape) AS s, count(*) AS n FROM t";
    assert_eq!(world.rows(shapes), [json!({"s": 40, "n": 67})]);
    let texts = world.rows("SELECT _value_text AS v FROM t WHERE n IS NOT NULL ORDER BY _offset");
    let wanted: Vec<_> = (0..64).map(|n| json!({"v": value(n)})).collect();
    assert_eq!(texts, wanted);
    let bytes: usize = (0..64).map(|n| value(n).len()).sum();
    let length = "SELECT sum(byte_length(_value)) FROM t";
    assert_eq!(world.value(length), json!(bytes));
    drop(topic);
}

#[test]
fn conditions_on_the_bytes_hold_for_rows_that_do_not_store_them() {
    let (world, _topic) = world();
    let count = |condition: &str| world.value(&format!("SELECT count(*) FROM t WHERE {condition}"));
    assert_eq!(count("_value IS NULL"), json!(3));
    assert_eq!(count("_value IS NOT NULL"), json!(64));
    assert_eq!(count("_value_text LIKE '%e9 4%'"), json!(4));
    for n in [7, 33, 62] {
        let text = value(n).replace('\'', "''");
        assert_eq!(count(&format!("_value_text = '{text}'")), json!(1));
        assert_eq!(
            count(&format!("_value = CAST('{text}' AS BYTEA)")),
            json!(1)
        );
        assert_eq!(
            count(&format!("_value_text = '{text}' AND n = {n}")),
            json!(i64::from(n % 4 != 2))
        );
    }
    assert_eq!(count("_value_text = 'nothing'"), json!(0));
}

#[test]
fn shapes_and_dead_letters_stay_where_they_were() {
    let (world, _topic) = world();
    let columns = world.columns("SELECT * FROM t");
    assert!(
        !columns
            .iter()
            .any(|name| name.starts_with("_value_s") && name != "_value_schema_id")
    );
    let dead = "SELECT count(*) FROM system.dead_letters WHERE _value_text = '{broken'";
    assert_eq!(world.value(dead), json!(3));
    let known = r#"SELECT stored FROM system.columns WHERE "table" = 't' AND "column" = '_value'"#;
    assert_eq!(world.rows(known), [json!({"stored": "_value"})]);
}
