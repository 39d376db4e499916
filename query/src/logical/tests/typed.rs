//! Types that JSON doesn't have, beside those that it has, under one key.

use eddy_engine::value::Value;
use eddy_engine::write::Payload;
use eddy_engine::{Record, TimestampType};
use serde_json::json;

use super::list;
use crate::testing::{TIME_MS, Topic, World};

fn put(topic: &mut Topic, value: Value) {
    let offset = topic.next[0];
    let record = Record {
        partition: 0,
        offset,
        timestamp_ms: Some(TIME_MS + offset),
        timestamp_type: TimestampType::Create,
        key: None,
        value: Some(b"\x00\x00\x00"),
        headers: &[],
        decoded: Default::default(),
    };
    let object = Value::Object(vec![("x".to_owned(), value)]);
    topic
        .writer
        .append_payload(&record, Payload::Value(&object))
        .unwrap();
    topic.next[0] += 1;
}

fn decimal(unscaled: i128, scale: u8) -> Value {
    Value::Decimal { unscaled, scale }
}

/// The claims hold for live rows and for committed ones; the first value is committed before.
fn of_both(values: &[Value], claims: impl Fn(&World)) {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    for (at, value) in values.iter().enumerate() {
        put(&mut topic, value.clone());
        if at == 0 {
            topic.commit();
        }
    }
    topic.publish();
    claims(&world);
    topic.commit();
    claims(&world);
}

#[test]
fn p21_moments_days_bytes_and_decimals_have_a_text_beside_strings() {
    let nested = Value::List(vec![
        Value::Timestamp(1),
        decimal(120, 2),
        Value::Double(f64::NAN),
    ]);
    let values = [
        Value::Timestamp(1_795_428_000_500_000),
        Value::Text("later".to_owned()),
        Value::Date(20_780),
        Value::Binary(b"hello".to_vec()),
        decimal(1_250, 2),
        nested,
    ];
    of_both(&values, |world| {
        assert_eq!(
            list(world, "SELECT x FROM t ORDER BY _offset"),
            [
                json!("2026-11-23T10:00:00.500Z"),
                json!("later"),
                json!("2026-11-23"),
                json!("aGVsbG8="),
                json!("12.5"),
                json!(r#"["1970-01-01T00:00:00.000001Z",1.20,"NaN"]"#),
            ]
        );
        let of = |condition: &str| {
            list(
                world,
                &format!("SELECT _offset FROM t WHERE {condition} ORDER BY _offset"),
            )
        };
        assert_eq!(of("x = '2026-11-23T10:00:00.500Z'"), [json!(0)]);
        assert_eq!(of("x__timestamp > '2026-01-01T00:00:00Z'"), [json!(0)]);
        assert_eq!(of("x__date = '2026-11-23'"), [json!(2)]);
        assert_eq!(of("x = 12.5"), [json!(4)]);
        assert_eq!(of("x LIKE 'aGV%'"), [json!(3)]);
    });
}

#[test]
fn p21_decimals_compare_with_longs_and_doubles_by_their_exact_value() {
    let values = [
        decimal(10, 2),
        Value::Double(0.1),
        decimal(1_000, 4),
        decimal(1_001, 4),
        Value::Integer(1),
        decimal(100, 2),
        decimal(900_719_925_474_099_301, 2),
        Value::Integer(9_007_199_254_740_993),
        Value::Double(f64::INFINITY),
    ];
    of_both(&values, |world| {
        let of = |condition: &str| {
            list(
                world,
                &format!("SELECT _offset FROM t WHERE {condition} ORDER BY _offset"),
            )
        };
        assert_eq!(of("x = 0.1"), [json!(0), json!(1), json!(2)]);
        assert_eq!(of("x > 0.1 AND x < 1"), [json!(3)]);
        assert_eq!(of("x = 1"), [json!(4), json!(5)]);
        assert_eq!(of("x = 9007199254740993"), [json!(7)]);
        assert_eq!(
            of("x > 9007199254740993 AND x < 9007199254740994"),
            [json!(6)]
        );
        assert_eq!(of("x > 1e300"), [json!(8)]);
        let groups = "SELECT count(*) AS n FROM t GROUP BY x ORDER BY n DESC";
        let counts = list(world, groups);
        assert_eq!(counts[..3], [json!(3), json!(2), json!(1)]);
        assert_eq!(
            list(world, "SELECT _offset FROM t ORDER BY x, _offset"),
            [0, 1, 2, 3, 4, 5, 7, 6, 8].map(|offset| json!(offset))
        );
    });
}

/// Puts all files together, with others without values: two of different sizes are left alone.
fn compact(world: &World, topic: &mut Topic) {
    for _ in 0..2 {
        put(topic, Value::Null);
        topic.commit();
    }
    world.compact("t");
    let count = world.value("SELECT count(*) FROM system.files");
    assert_eq!(count, json!(1));
}

#[test]
fn p21_nan_is_the_greatest_of_all_live_committed_and_compacted() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    let claims = || {
        let of = |condition: &str| {
            let sql = format!("SELECT _offset FROM t WHERE {condition} ORDER BY _offset");
            list(&world, &sql)
        };
        assert_eq!(of("x > 5"), [json!(1)]);
        assert_eq!(of("x >= 2.5"), [json!(1), json!(3)]);
        assert_eq!(of("x < 10"), [json!(0), json!(2), json!(3)]);
        assert_eq!(of("x <> 1.5 AND x <= 2"), [json!(2)]);
        assert_eq!(of("x = CAST('NaN' AS DOUBLE)"), [json!(1)]);
    };
    for values in [[1.5, f64::NAN], [2.0, 3.0]] {
        for value in values {
            put(&mut topic, Value::Double(value));
        }
        topic.publish();
        if topic.next[0] == 4 {
            claims();
        }
        topic.commit();
    }
    claims();
    compact(&world, &mut topic);
    claims();
}

#[test]
fn p21_a_double_is_found_by_its_digits_live_committed_and_compacted() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    let claims = || {
        let of = |condition: &str| {
            let sql = format!("SELECT _offset FROM t WHERE {condition} ORDER BY _offset");
            list(&world, &sql)
        };
        assert_eq!(of("x > 19.99"), [json!(1)]);
        assert_eq!(of("x = 19.990000000000002"), [json!(1)]);
        assert_eq!(of("x < -100.1"), [json!(2)]);
        assert_eq!(of("x = -100.10000000000001"), [json!(2)]);
    };
    for value in [19.99, 19.990000000000002, -100.10000000000001, -100.1] {
        put(&mut topic, Value::Double(value));
    }
    topic.publish();
    claims();
    topic.commit();
    claims();
    compact(&world, &mut topic);
    claims();
}
