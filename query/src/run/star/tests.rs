//! `*` is planned as one column, and what comes is what `t.*` gives, which isn't.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use serde_json::{Value as Json, json};

use super::*;
use crate::query::Request;
use crate::testing::{Topic, World};

fn tree(sql: &str) -> QueryTree {
    let parsed = Parser::parse_sql(&GenericDialect {}, sql).unwrap();
    match parsed.into_iter().next() {
        Some(datafusion::sql::sqlparser::ast::Statement::Query(query)) => *query,
        other => panic!("{other:?}"),
    }
}

/// Rows of which one key drifted, the last of them live.
fn world() -> (World, Topic) {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    for n in 0..40 {
        let x = if n % 2 == 0 {
            json!(n)
        } else {
            json!(format!("{n}"))
        };
        let value = json!({"n": n, "x": x, "Ab": {"c": n % 3}, "l": [n]});
        topic.put(0, &value.to_string());
        if n == 30 {
            topic.put(0, "{no json");
            topic.commit();
        }
    }
    topic.publish();
    (world, topic)
}

#[test]
fn star_gives_what_the_columns_of_its_table_give() {
    let (world, _topic) = world();
    for rest in [
        "ORDER BY n",
        "WHERE n > 20 ORDER BY n DESC LIMIT 5 OFFSET 2",
        "WHERE x = 7 OR x = '8' ORDER BY x",
        "ORDER BY x DESC, n",
        "ORDER BY ab.c, n",
        "ORDER BY _value LIMIT 7",
        "ORDER BY upper(_value_text), _offset LIMIT 7",
        "ORDER BY row_number() OVER (ORDER BY n DESC) LIMIT 3",
        "ORDER BY 3",
        "WHERE n IN (SELECT max(n) FROM t)",
        "WHERE search('31') ORDER BY n",
        "WHERE false",
    ] {
        let star = format!("SELECT * FROM t {rest}");
        let columns = format!("SELECT t.* FROM t {rest}");
        let shown = |sql: &str| {
            world.runtime.block_on(async {
                let answer = world.query.execute(Request::new(sql)).await;
                let answer = answer.unwrap_or_else(|error| panic!("{sql}: {error}"));
                format!("{:?}", answer.schema)
            })
        };
        assert_eq!(shown(&star), shown(&columns), "{star}");
        assert_eq!(world.rows(&star), world.rows(&columns), "{star}");
    }
}

#[test]
fn star_of_a_subquery_leaves_out_what_it_left_out() {
    let (world, _topic) = world();
    let of = |sql: &str| world.rows(sql);
    let expected: Vec<Json> = (0..3).map(|n| json!({"n": n, "m": n + 1})).collect();
    let inner = "SELECT n, n + 1 AS m, n AS o FROM t";
    let sql = format!("SELECT * EXCLUDE (o) FROM ({inner}) AS u ORDER BY o LIMIT 3");
    assert_eq!(of(&sql), expected);
    let sql = format!("WITH u AS ({inner}) SELECT * EXCLUDE (o) FROM u ORDER BY u.n LIMIT 3");
    assert_eq!(of(&sql), expected);
}

#[test]
fn one_column_is_planned_only_where_all_are_meant() {
    for (sql, expected) in [
        ("SELECT * FROM t", true),
        (
            "SELECT * EXCLUDE (a, b) FROM t WHERE x > 1 ORDER BY y + 1 LIMIT 3",
            true,
        ),
        ("SELECT * FROM (SELECT * FROM t GROUP BY ALL) AS u", true),
        ("SELECT * FROM t ORDER BY 2", false),
        ("SELECT *, 1 FROM t", false),
        ("SELECT t.* FROM t", false),
        ("SELECT DISTINCT * FROM t", false),
        ("SELECT * FROM t, u", false),
        ("SELECT * FROM t JOIN u ON t.a = u.a", false),
        ("SELECT * FROM t GROUP BY a", false),
        ("SELECT * FROM t UNION ALL SELECT * FROM t", false),
    ] {
        assert_eq!(narrowed(&tree(sql)).is_some(), expected, "{sql}");
    }
}

#[test]
fn what_cannot_be_planned_is_told_of_the_query_as_it_was_asked() {
    let (world, _topic) = world();
    let error = world.error("SELECT * FROM t ORDER BY count(*)").to_string();
    assert!(!error.contains('\u{0}'), "{error}");
}
