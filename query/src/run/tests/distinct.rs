//! Counts beside distinct counts: by value first, and the same numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::testing::{Topic, World};

/// Of each `g`: rows, rows with `u`, values of `u`, the sum, the least and the greatest of `n`.
type Truth = BTreeMap<Option<i64>, (i64, i64, BTreeSet<i64>, i64, i64, i64)>;

/// Rows with nulls in what is grouped and in what is counted, and one group that has nothing else.
fn rows() -> Vec<(Option<i64>, Option<i64>, i64)> {
    let row = |n: i64| {
        let group = (n % 7 != 0).then_some(n % 7);
        let user = (n % 3 != 0 && n % 7 != 4).then_some(n * n % 13);
        (group, user, n)
    };
    (0..500).map(row).collect()
}

fn truth() -> Truth {
    let mut truth = Truth::new();
    for (group, user, n) in rows() {
        let empty = (0, 0, BTreeSet::new(), 0, i64::MAX, i64::MIN);
        let of = truth.entry(group).or_insert(empty);
        of.0 += 1;
        of.1 += i64::from(user.is_some());
        of.2.extend(user);
        of.3 += n;
        of.4 = of.4.min(n);
        of.5 = of.5.max(n);
    }
    truth
}

/// The rows, the last hundred live: they are there as long as their writer is.
fn world() -> (World, Topic) {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    for (at, (group, user, n)) in rows().into_iter().enumerate() {
        topic.put(0, &json!({"g": group, "u": user, "n": n}).to_string());
        if at % 200 == 199 {
            topic.commit();
        }
    }
    topic.publish();
    (world, topic)
}

fn plan(world: &World, sql: &str) -> String {
    let rows = world.rows(&format!("EXPLAIN {sql}"));
    rows.iter().map(Json::to_string).collect()
}

#[test]
fn counts_beside_distinct_counts_are_those_of_the_rows() {
    let (world, _topic) = world();
    let all = "count(*) AS a, count(u) AS b, count(DISTINCT u) AS c, sum(n) AS d, min(n) AS e, \
               max(n) AS f";
    let sql = format!("SELECT g, {all} FROM t GROUP BY g ORDER BY g NULLS LAST");
    let answer: Vec<Json> = world.rows(&sql);
    let mut expected: Vec<Json> = Vec::new();
    for (group, (rows, with, users, sum, least, most)) in truth() {
        let mut row = json!({"a": rows, "b": with, "c": users.len(), "d": sum, "e": least,
                             "f": most});
        if let Some(group) = group {
            row["g"] = json!(group);
        }
        expected.push(row);
    }
    // No group comes last.
    expected.rotate_left(1);
    assert_eq!(answer, expected);
    assert!(plan(&world, &sql).contains("__distinct_value"), "the rule");
}

#[test]
fn expressions_names_and_what_comes_after_stay_as_they_are() {
    let (world, _topic) = world();
    let groups = truth();
    let more = groups.values().filter(|of| of.2.len() > 5).count();
    assert!(0 < more && more < groups.len());
    for (sql, expected) in [
        (
            "SELECT count(*) FROM (SELECT g % 7 AS h, count(*), count(DISTINCT u) FROM t \
             GROUP BY h HAVING count(DISTINCT u) > 5 AND count(*) > 0)",
            json!(more),
        ),
        (
            "SELECT CAST(sum(CAST(n AS DECIMAL(9, 2))) AS BIGINT) + 0 * count(*) \
             + 0 * count(DISTINCT u) FROM t",
            json!((0..500).sum::<i64>()),
        ),
        (
            "SELECT arrow_typeof(x) FROM (SELECT sum(CAST(n AS DECIMAL(9, 2))) AS x, count(*), \
             count(DISTINCT u) FROM t)",
            json!("Decimal128(19, 2)"),
        ),
        (
            "SELECT count(DISTINCT u) + 0 * count(*) FROM t",
            json!(
                rows()
                    .iter()
                    .filter_map(|row| row.1)
                    .collect::<BTreeSet<_>>()
                    .len()
            ),
        ),
        (
            "SELECT count(*) FROM t AS x JOIN (SELECT g, count(*), count(DISTINCT u) AS d FROM t \
             GROUP BY g) AS y ON x.g = y.g WHERE y.d > 0",
            json!(
                rows()
                    .iter()
                    .filter(|row| row.0.is_some_and(|group| group != 4))
                    .count()
            ),
        ),
    ] {
        assert_eq!(world.value(sql), expected, "{sql}");
    }
    let row = &world.rows("SELECT count(*), count(DISTINCT u), count(DISTINCT u) * 2 AS x FROM t");
    let names: BTreeSet<&String> = row[0].as_object().unwrap().keys().collect();
    let expected = ["count(*)", "count(DISTINCT t.u)", "x"].map(str::to_owned);
    assert_eq!(names, expected.iter().collect());
}

#[test]
fn no_rows_are_counted_as_zero_and_as_no_group() {
    let (world, _topic) = world();
    let nothing = "FROM t WHERE n < 0";
    let sql = format!("SELECT count(*) AS a, count(DISTINCT u) AS b, sum(n) AS c {nothing}");
    assert_eq!(world.rows(&sql), vec![json!({"a": 0, "b": 0})]);
    let sql = format!("SELECT g, count(*), count(DISTINCT u) {nothing} GROUP BY g");
    assert_eq!(world.rows(&sql), Vec::<Json>::new());
}

#[test]
fn what_is_no_count_of_one_value_is_left_as_it_is() {
    let (world, _topic) = world();
    for sql in [
        "SELECT count(*), count(DISTINCT u), count(DISTINCT n) FROM t",
        "SELECT count(*) FILTER (WHERE n > 3), count(DISTINCT u) FROM t",
        "SELECT count(*), avg(n), count(DISTINCT u) FROM t",
        "SELECT g, count(*), count(DISTINCT u) FROM t GROUP BY ROLLUP (g)",
        "SELECT count(*) FROM t",
    ] {
        assert!(!plan(&world, sql).contains("__distinct_value"), "{sql}");
        assert!(!world.rows(sql).is_empty(), "{sql}");
    }
}
