//! What a drifted column is in a query, on a real lake: each claim holds for live rows and for
//! committed ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod nested;
mod pushdown;
mod random;
mod typed;

use serde_json::{Value as Json, json};

use crate::testing::{Topic, World};

/// One record of each type under `x`, in the order of their offsets; the first is committed before
/// the others come, so that its type is the first.
const TYPES: [&str; 9] = [
    r#"{"x": 7}"#,
    r#"{"x": "seven"}"#,
    r#"{"x": {"no": 7, "a b": [1, "two", {"c": null}]}}"#,
    r#"{"x": [1, 2]}"#,
    r#"{"x": [1, "two"]}"#,
    r#"{"x": true}"#,
    r#"{"x": 1.5}"#,
    r#"{"x": 99999999999999999999}"#,
    r#"{"x": null, "y": 1}"#,
];

fn put(topic: &mut Topic, values: &[&str]) {
    for value in values {
        topic.put(0, value);
    }
}

/// A world with `values` in table `t`, and what is true of it: of live rows (all but the first),
/// then of the same rows committed.
fn of_both(values: &[&str], claims: impl Fn(&World)) {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    let (first, others) = values.split_at(1);
    put(&mut topic, first);
    topic.commit();
    put(&mut topic, others);
    topic.publish();
    claims(&world);
    topic.commit();
    claims(&world);
}

/// The values of a query's first column.
fn list(world: &World, sql: &str) -> Vec<Json> {
    let rows = world.rows(sql).into_iter();
    rows.map(|row| {
        row.as_object()
            .unwrap()
            .values()
            .next()
            .cloned()
            .unwrap_or(Json::Null)
    })
    .collect()
}

#[test]
fn p21_a_key_of_several_types_is_one_column_of_text() {
    of_both(&TYPES, |world| {
        assert_eq!(
            list(world, "SELECT x FROM t ORDER BY _offset"),
            [
                json!("7"),
                json!("seven"),
                json!(r#"{"no":7,"a b":[1,"two",null]}"#),
                json!("[1,2]"),
                json!(r#"[1,"two"]"#),
                json!("true"),
                json!("1.5"),
                json!("99999999999999999999"),
                Json::Null,
            ]
        );
        let shown = world.columns("SELECT * FROM t");
        let of_x: Vec<&String> = shown.iter().filter(|name| name.starts_with('x')).collect();
        assert_eq!(of_x, ["x"]);
        assert_eq!(world.value("SELECT count(x) FROM t"), json!(8));
        assert_eq!(
            list(world, "SELECT _offset FROM t WHERE x IS NULL"),
            [json!(8)]
        );
        assert_eq!(
            world.value("SELECT upper(x) FROM t WHERE x = 'seven'"),
            json!("SEVEN")
        );
        assert_eq!(
            list(world, "SELECT _offset FROM t WHERE x LIKE '%seven%'"),
            [json!(1)]
        );
        assert_eq!(
            list(world, "SELECT _offset FROM t WHERE x = '7'"),
            [json!(0)]
        );
        assert_eq!(
            list(world, "SELECT _offset FROM t WHERE x IN ('7', 'true')").len(),
            2
        );
        assert_eq!(
            world.value("SELECT x || '!' FROM t WHERE x = 'true'"),
            json!("true!")
        );
    });
}

#[test]
fn p21_a_number_context_reads_the_numbers() {
    of_both(&TYPES, |world| {
        for (condition, offsets) in [
            ("x = 7", vec![0]),
            ("7 = x", vec![0]),
            ("x > 1", vec![0, 6, 7]),
            ("1 < x", vec![0, 6, 7]),
            ("x <= 1.5", vec![6]),
            ("NOT x > 5", vec![6]),
            ("x <> 7", vec![6, 7]),
            ("x BETWEEN 1 AND 7", vec![0, 6]),
            ("x NOT BETWEEN 1 AND 7", vec![7]),
            ("x IN (7, 1.5, 12)", vec![0, 6]),
            ("x NOT IN (7)", vec![6, 7]),
            ("x + 1 > 8", vec![7]),
            ("-x < -6", vec![0, 7]),
            ("abs(x) < 2", vec![6]),
            ("x > y - 1 OR x = 7", vec![0]),
            ("x = (SELECT max(y) + 6 FROM t)", vec![0]),
            ("x IN (SELECT y + 6 FROM t)", vec![0]),
            ("(x IS DISTINCT FROM 7) AND x > 0", vec![6, 7]),
            (
                "CASE x WHEN 7 THEN true WHEN 'seven' THEN true END",
                vec![0, 1],
            ),
            ("CASE WHEN x > 5 THEN x ELSE 0 END = 7", vec![0]),
            ("coalesce(x, 0) = 0 AND _offset < 3", vec![1, 2]),
            ("TRY_CAST(x AS BIGINT) = 1", vec![6]),
            ("x", vec![5]),
            ("x = true", vec![5]),
            ("x IS TRUE", vec![5]),
            ("NOT x", vec![]),
            ("x AND _offset > 1", vec![5]),
        ] {
            let sql = format!("SELECT _offset FROM t WHERE {condition} ORDER BY _offset");
            let offsets: Vec<Json> = offsets.into_iter().map(|offset| json!(offset)).collect();
            assert_eq!(list(world, &sql), offsets, "{condition}");
        }
        assert_eq!(world.value("SELECT sum(x) FROM t WHERE x < 10"), json!(8.5));
        assert_eq!(
            world.value("SELECT avg(x) FROM t WHERE x < 10"),
            json!(4.25)
        );
        assert_eq!(
            world.value("SELECT round(x) FROM t WHERE x = 1.5"),
            json!(2.0)
        );
    });
}

#[test]
fn p21_objects_and_lists_are_reached_through_the_column() {
    of_both(&TYPES, |world| {
        assert_eq!(
            list(world, "SELECT x.no FROM t WHERE x.no IS NOT NULL"),
            [json!(7)]
        );
        assert_eq!(
            list(world, "SELECT _offset FROM t WHERE x.no = 7"),
            [json!(2)]
        );
        assert_eq!(
            list(world, "SELECT t.x['no'] AS n FROM t WHERE t.x.no > 6"),
            [json!(7)]
        );
        // An element of a list of several types is a drifted column again.
        let first = "SELECT x[1] AS e FROM t WHERE x[1] IS NOT NULL ORDER BY _offset";
        assert_eq!(list(world, first), [json!("1"), json!("1")]);
        let second = "SELECT x[2] AS e FROM t WHERE x[2] IS NOT NULL ORDER BY _offset";
        assert_eq!(list(world, second), [json!("2"), json!("two")]);
        assert_eq!(
            list(world, "SELECT _offset FROM t WHERE x[2] = 2"),
            [json!(3)]
        );
        assert_eq!(
            list(world, "SELECT x.a_b[2].string AS e FROM t WHERE x.no = 7"),
            [json!("two")]
        );
        let missing = world.error("SELECT x.nothing FROM t");
        assert_eq!(missing.kind(), crate::ErrorKind::UnknownColumn, "{missing}");
    });
}

#[test]
fn each_alternate_is_there_by_its_name_with_its_type() {
    of_both(&TYPES, |world| {
        for (name, offset, value) in [
            ("x__long", 0, json!(7)),
            ("x__string", 1, json!("seven")),
            ("x__list", 3, json!([1, 2])),
            ("x__boolean", 5, json!(true)),
            ("x__double", 6, json!(1.5)),
        ] {
            let sql = format!("SELECT {name} AS v FROM t WHERE {name} IS NOT NULL");
            assert_eq!(list(world, &sql), [value], "{name}");
            let sql = format!("SELECT _offset FROM t WHERE t.{name} IS NOT NULL");
            assert_eq!(list(world, &sql), [json!(offset)], "{name}");
        }
        assert_eq!(
            list(world, "SELECT X__Object.NO AS n FROM t WHERE x.no = 7"),
            [json!(7)]
        );
        assert_eq!(
            world.rows(
                "SELECT \"column\", kind, stored FROM system.columns WHERE \"table\" = 't' \
                 AND key = 'x' AND kind IN ('drifted', 'long') ORDER BY position"
            ),
            [
                json!({"column": "x", "kind": "drifted"}),
                json!({"column": "x__long", "kind": "long", "stored": "x"}),
            ]
        );
    });
}

/// Neighbours of 2^53 as longs and doubles, beside decimals and text.
const EDGES: [&str; 8] = [
    r#"{"n": 9007199254740993}"#,
    r#"{"n": 9007199254740992.0}"#,
    r#"{"n": 9007199254740992}"#,
    r#"{"n": 9007199254740994.0}"#,
    r#"{"n": 9.5}"#,
    r#"{"n": 10}"#,
    r#"{"n": 99999999999999999999}"#,
    r#"{"n": 10.0}"#,
];

#[test]
fn p21_numbers_compare_group_and_sort_by_their_exact_value() {
    of_both(&EDGES, |world| {
        for (condition, offsets) in [
            ("n = 9007199254740993", vec![0]),
            ("n = 9007199254740992", vec![1, 2]),
            ("n > 9007199254740992", vec![0, 3, 6]),
            ("n < 9007199254740993 AND n > 10", vec![1, 2]),
            ("n >= 9007199254740993", vec![0, 3, 6]),
            ("n = 10", vec![5, 7]),
            ("n IN (10, 9007199254740993)", vec![0, 5, 7]),
            ("n > CAST(9007199254740992 AS BIGINT) + 0", vec![0, 3, 6]),
        ] {
            let sql = format!("SELECT _offset FROM t WHERE {condition} ORDER BY _offset");
            let offsets: Vec<Json> = offsets.into_iter().map(|offset| json!(offset)).collect();
            assert_eq!(list(world, &sql), offsets, "{condition}");
        }
        let sorted = [
            "9.5",
            "10",
            "9007199254740992",
            "9007199254740993",
            "9007199254740994",
        ];
        let mut expected: Vec<Json> = sorted.iter().map(|text| json!(text)).collect();
        expected.push(json!("99999999999999999999"));
        assert_eq!(
            list(world, "SELECT n FROM t GROUP BY n ORDER BY n"),
            expected
        );
        assert_eq!(list(world, "SELECT DISTINCT n FROM t ORDER BY 1"), expected);
        assert_eq!(
            list(world, "SELECT n AS m FROM t GROUP BY n ORDER BY m"),
            expected
        );
        expected.reverse();
        assert_eq!(
            list(world, "SELECT n FROM t GROUP BY n ORDER BY n DESC"),
            expected
        );
        assert_eq!(
            world.value("SELECT max(n) FROM t"),
            json!("99999999999999999999")
        );
        let below = "SELECT max(n) FROM t WHERE n < 9007199254740994";
        assert_eq!(world.value(below), json!("9007199254740993"));
        assert_eq!(world.value("SELECT min(n) FROM t"), json!("9.5"));
        let having = "SELECT count(*) FROM t GROUP BY n HAVING n > 9007199254740992";
        assert_eq!(list(world, having).len(), 3);
        let having =
            "SELECT _partition FROM t GROUP BY _partition HAVING max(n) > 100 AND min(n) < 10";
        assert_eq!(list(world, having), [json!(0)]);
        assert_eq!(
            list(
                world,
                "SELECT n + 0 AS s FROM t WHERE n < 100 GROUP BY n ORDER BY s"
            ),
            [json!(9.5), json!(10.0)]
        );
        let pairs = "SELECT count(*) FROM t a JOIN t b ON a.n = b.n";
        assert_eq!(world.value(pairs), json!(12));
        let pairs = "SELECT count(*) FROM t a JOIN t b ON a.n < b.n AND a._offset IN (0, 1, 2)";
        assert_eq!(world.value(pairs), json!(2 + 3 + 3));
        let window =
            "SELECT n FROM (SELECT n, row_number() OVER (ORDER BY n) AS r FROM t) WHERE r = 8";
        assert_eq!(list(world, window), [json!("99999999999999999999")]);
    });
}

#[test]
fn p21_a_set_of_queries_is_ordered_by_its_own_columns() {
    let values = [r#"{"n": 10}"#, r#"{"n": "b"}"#, r#"{"n": 9.5}"#];
    of_both(&values, |world| {
        let expected = [json!("9.5"), json!("10"), json!("b")];
        for order in ["1", "n", "m", "1 NULLS LAST"] {
            let first = if order == "m" { "n AS m" } else { "n" };
            let set = format!("SELECT {first} FROM t UNION SELECT t.n FROM t ORDER BY {order}");
            assert_eq!(list(world, &set), expected, "{set}");
        }
        let set = "SELECT _offset AS o FROM t UNION SELECT _offset + 5 FROM t ORDER BY 1 DESC";
        assert_eq!(list(world, set).len(), 6);
    });
}
