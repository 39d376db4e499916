//! What is a statement of Eddy's, and what isn't.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::{Value as Json, json};

use super::{Params, Statement, freeze_time, parse, parse_select, placeholders, render};
use crate::error::{Error, ErrorKind};

fn parsed(sql: &str) -> Statement {
    parse(sql, &Params::None).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn given(params: &Json) -> Params {
    Params::of_json(&serde_json::value::to_raw_value(params).unwrap()).unwrap()
}

fn refused(sql: &str) -> Error {
    match parse(sql, &Params::None) {
        Err(error) => error,
        Ok(statement) => panic!("{sql} is {statement:?}"),
    }
}

#[test]
fn into_and_its_options_are_taken_off() {
    for (sql, destination, options) in [
        ("SELECT * INTO d FROM t", "d", vec![]),
        ("SELECT * INTO 'a-b' FROM t;", "a-b", vec![]),
        (
            "SELECT * INTO \"A b\" FROM t WITH (rate='500/s')",
            "A b",
            vec![("rate", "500/s")],
        ),
        (
            "WITH x AS (SELECT 1) SELECT * INTO d.e FROM t WHERE a IN (SELECT * FROM x)
             with ( Name = 'retry' , rate = 5, exactly_once = true ) ;",
            "d.e",
            vec![("exactly_once", "true"), ("name", "retry"), ("rate", "5")],
        ),
    ] {
        let Statement::Into(into) = parsed(sql) else {
            panic!("{sql}")
        };
        assert_eq!(into.destination, destination, "{sql}");
        let expected = options
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(into.options, expected, "{sql}");
        let text = into.query.to_string();
        assert!(!text.contains("INTO") && !text.contains("rate"), "{text}");
    }
}

/// Each with a part of what is said about it.
const REFUSED: &[(&str, &str)] = &[
    ("DELETE FROM t", "without `WHERE`"),
    ("DELETE FROM t WHERE a = 1 RETURNING a", "`RETURNING`"),
    ("DELETE FROM t WHERE a = 1 LIMIT 1", "`LIMIT`"),
    ("DELETE FROM t USING u WHERE t.a = u.a", "several tables"),
    ("DELETE FROM t, u WHERE a = 1", "several tables"),
    ("DELETE FROM t WHERE a = 1 WITH (id = 'x')", "no UUID"),
    ("DELETE FROM t WHERE a = 1 WITH (rate = '1')", "`rate`"),
    ("insert into t values (1)", "`INSERT`"),
    ("UPDATE t SET a = 1", "`UPDATE`"),
    ("CREATE TABLE x AS SELECT 1", "`CREATE`"),
    (
        "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '/etc'",
        "`CREATE`",
    ),
    ("DROP TABLE t", "`DROP`"),
    ("COPY t TO '/tmp/x'", "`COPY`"),
    ("SET a = 1", "`SET`"),
    ("BEGIN", "`BEGIN`"),
    ("SHOW ALL", "`SHOW`"),
    (
        "EXPLAIN SELECT * INTO d FROM t",
        "`EXPLAIN` of `SELECT ... INTO`",
    ),
    ("EXPLAIN DELETE FROM t", "without `WHERE`"),
    ("EXPLAIN ANALYZE DELETE FROM t WHERE a = 1", "`EXPLAIN`"),
    (
        "SELECT a INTO d FROM t UNION ALL SELECT a FROM t",
        "`INTO` in a subquery",
    ),
    (
        "SELECT a FROM t UNION ALL SELECT a INTO d FROM t",
        "`INTO` in a subquery",
    ),
    (
        "SELECT * FROM (SELECT a INTO d FROM t)",
        "`INTO` in a subquery",
    ),
    ("(SELECT a INTO d FROM t)", "`INTO` in a subquery"),
    (
        "WITH x AS (SELECT a INTO d FROM t) SELECT * FROM x",
        "`INTO` in a subquery",
    ),
    (
        "SELECT * FROM t WHERE a = (SELECT b INTO d FROM u)",
        "`INTO` in a subquery",
    ),
    ("SELECT * INTO TEMPORARY d FROM t", "`INTO` a table"),
    (
        "SELECT * FROM t WITH (rate = '5') WHERE a = 1",
        "`WITH (...)` after a table",
    ),
    ("SELECT * FROM t FOR UPDATE", "`FOR UPDATE`"),
    ("SELECT 1; SELECT 2", "one statement"),
    (
        "WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x",
        "`DELETE`",
    ),
    (
        "WITH x AS (INSERT INTO t VALUES (1)) SELECT * FROM x",
        "`INSERT`",
    ),
    (
        "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
        "`INSERT`",
    ),
    ("SELECT * FROM t TABLESAMPLE (10)", "`TABLESAMPLE`"),
];

#[test]
fn everything_else_is_refused_by_name() {
    for (sql, part) in REFUSED {
        let error = refused(sql);
        assert!(error.message().contains(part), "{sql}: {error}");
    }
    let error = refused("SELECT a FROM t WITH (rate = '5')");
    assert!(
        error.message().contains("only for `SELECT ... INTO`"),
        "{error}"
    );
    assert_eq!(error.position().unwrap().column, 17);
}

#[test]
fn a_delete_is_the_query_of_its_rows_with_an_id_and_a_reference() {
    let list = given(&json!(["it's"]));
    let id = "01a217ff-ece1-73cf-9359-8a2e13f07585";
    let sql = format!("DELETE FROM a-b.c WHERE k = $1 WITH (reference = 'T-1', id = '{id}')");
    let Ok(Statement::Delete(delete)) = parse(&sql, &list) else {
        panic!("{sql}")
    };
    let text = delete.query.to_string();
    assert_eq!(text, "SELECT 1 FROM \"a-b.c\" WHERE k = 'it''s'");
    assert_eq!(delete.reference, "T-1");
    assert_eq!(delete.id.map(|id| id.to_string()).as_deref(), Some(id));
    for sql in ["DELETE FROM t WHERE true", "delete from t where a > 1;"] {
        assert!(matches!(parsed(sql), Statement::Delete(_)), "{sql}");
    }
    let explained = parsed("EXPLAIN DELETE FROM t WHERE a = 1");
    assert!(matches!(explained, Statement::ExplainDelete(_)));
}

#[test]
fn mistakes_have_a_position() {
    for (sql, line, column) in [
        ("SELECT a FROM (1)", 1, 16),
        ("SELEKT 1", 1, 1),
        ("SELECT * INTO d FROM t WITH (rate 5 6)", 1, 37),
        ("SELECT 'open", 1, 8),
    ] {
        let error = refused(sql);
        let place = error.position().unwrap_or_else(|| panic!("{sql}: {error}"));
        assert_eq!(error.kind(), ErrorKind::Syntax, "{sql}: {error}");
        assert_eq!((place.line, place.column), (line, column), "{sql}: {error}");
    }
}

#[test]
fn destinations_are_made_and_dropped() {
    let sql = "CREATE DESTINATION IF NOT EXISTS b-1 TYPE Kafka \
               OPTIONS ('topic' 'x', 'bootstrap.servers' = '127.0.0.1:9092')";
    let Statement::CreateDestination(made) = parsed(sql) else {
        panic!("{sql}")
    };
    assert_eq!((made.name.as_str(), made.kind.as_str()), ("b-1", "kafka"));
    assert_eq!(made.options["bootstrap.servers"], "127.0.0.1:9092");
    assert!(made.if_not_exists);
    let Statement::DropDestination { name, if_exists } = parsed("DROP DESTINATION IF EXISTS 'x y'")
    else {
        panic!()
    };
    assert_eq!((name.as_str(), if_exists), ("x y", true));
    for sql in [
        "CREATE DESTINATION",
        "CREATE DESTINATION x",
        "DROP DESTINATION",
        "DROP DESTINATION a b",
    ] {
        assert_eq!(refused(sql).kind(), ErrorKind::Syntax, "{sql}");
    }
}

#[test]
fn parameters_become_literals() {
    let list = given(&json!(["it's", -2, null]));
    for sql in ["SELECT $1, $2, $3", "SELECT ?, ?, ?"] {
        let Ok(Statement::Select(query)) = parse(sql, &list) else {
            panic!("{sql}")
        };
        assert_eq!(query.to_string(), "SELECT 'it''s', -2, NULL");
    }
    let named = given(&json!({"name": "x' OR 1=1 --"}));
    let Ok(Statement::Select(query)) = parse("SELECT $name", &named) else {
        panic!()
    };
    assert_eq!(query.to_string(), "SELECT 'x'' OR 1=1 --'");
    assert!(refused("SELECT $1").message().contains("`$1`"));
}

#[test]
fn marks_are_numbered_as_they_stand_in_the_text() {
    let sql = "SELECT a FROM t WHERE b IN (?, ?) ORDER BY a OFFSET ? LIMIT ?";
    let params = given(&json!([1, 2, 3, 4]));
    let Ok(Statement::Select(query)) = parse(sql, &params) else {
        panic!("{params:?}")
    };
    let text = query.to_string();
    assert!(text.contains("IN (1, 2)"), "{text}");
    assert!(text.contains("LIMIT 4 OFFSET 3"), "{text}");
    let Ok(Statement::Select(mut query)) = parse(sql, &Params::Unbound) else {
        panic!("unbound")
    };
    assert!(query.to_string().contains("LIMIT $4 OFFSET $3"), "{query}");
    let names: Vec<String> = placeholders(&mut query).into_iter().collect();
    assert_eq!(names, ["$1", "$2", "$3", "$4"]);
}

#[test]
fn stored_text_means_the_same_query() {
    for sql in [
        r#"SELECT * FROM "orders.v1" WHERE "a ""b""" = 'it''s' AND c = 'x''''y' AND d LIKE '\''%'"#,
        "SELECT * FROM t WHERE a IN (SELECT b FROM u WHERE c > 1.50) AND d['k'] = ARRAY[1, 2][1]",
        "SELECT * FROM t WHERE CAST(a AS BIGINT) BETWEEN 1 AND 2 OR NOT (b IS NULL)",
    ] {
        let query = parse_select(sql).unwrap();
        let text = render(&query).unwrap();
        assert_eq!(parse_select(&text).unwrap(), query, "{sql} became {text}");
    }
}

#[test]
fn p23_now_is_frozen_to_the_moment_of_the_statement() {
    let mut query = parse_select(
        "SELECT * FROM t WHERE _timestamp > now() - interval '1 day' AND d = current_date",
    )
    .unwrap();
    freeze_time(&mut query, 1_795_428_000_000_001).unwrap();
    let text = render(&query).unwrap();
    assert!(text.contains("2026-11-23T10:00:00.000001Z"), "{text}");
    assert!(
        text.contains("'2026-11-23'") && !text.contains("now()"),
        "{text}"
    );
    let mut random = parse_select("SELECT * FROM t WHERE random() < 0.5").unwrap();
    assert!(freeze_time(&mut random, 0).is_err());
}

#[test]
fn hostile_sizes_are_answered_without_a_crash() {
    let deep = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(refused(&deep).kind(), ErrorKind::Syntax);
    let nested = format!(
        "{}SELECT 1{}",
        "SELECT * FROM (".repeat(2_000),
        ")".repeat(2_000)
    );
    assert_eq!(refused(&nested).kind(), ErrorKind::NotSupported);
    let huge = format!("SELECT '{}'", "x".repeat(2 << 20));
    assert_eq!(refused(&huge).kind(), ErrorKind::TooLarge);
    let wide = format!("SELECT {} FROM t", vec!["a"; 10_000].join(", "));
    assert!(matches!(parsed(&wide), Statement::Select(_)));
}
