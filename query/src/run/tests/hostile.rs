//! Statements that mean harm: each ends with a named error or a bounded answer, all at once, and
//! the process goes on.

use std::time::Duration;

use futures::TryStreamExt;
use serde_json::json;

use super::{limited, orders};
use crate::error::{Error, ErrorKind};
use crate::query::Query;
use crate::testing::World;

/// How long those may compute that have to be ended.
const ENDED_AFTER: Duration = Duration::from_secs(3);

/// How long the others may take on a slow machine, beside them.
const PATIENCE: Duration = Duration::from_secs(120);

/// A query's memory, in bytes.
const SHARE: usize = 64 << 20;

/// What becomes of a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// An answer of so many rows.
    Rows(usize),
    /// This error.
    Error(ErrorKind),
    /// One of its limits ends it: which one depends on the machine.
    Limit,
    /// It is refused for its form: too long, too deep.
    Malformed,
}

use End::{Error as Fails, Limit, Malformed, Rows};
use ErrorKind::{Invalid, NotSupported, Syntax, TooLarge, UnknownTable};

/// What would take all time, all memory or all disk.
const ENDLESS: [&str; 10] = [
    "SELECT sum(a.id + f.id) FROM orders a, orders b, orders c, orders d, orders e, orders f",
    "SELECT value FROM generate_series(1, 1000000000000) ORDER BY random()",
    "SELECT value, count(*) FROM generate_series(1, 1000000000000) GROUP BY value",
    "SELECT DISTINCT a.value, b.value FROM generate_series(1, 1000000) a \
     CROSS JOIN generate_series(1, 1000000) b",
    "SELECT count(*) OVER (ORDER BY value) FROM generate_series(1, 1000000000000)",
    "SELECT string_agg(repeat('x', 1000), ',') FROM generate_series(1, 100000000)",
    "SELECT count(*) FROM (SELECT unnest(range(1000000)) FROM generate_series(1, 1000000))",
    "SELECT array_agg(a.value) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b",
    "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r",
    "WITH RECURSIVE r AS (SELECT 'x' AS x UNION ALL SELECT x || x FROM r) \
     SELECT max(length(x)) FROM r",
];

/// What only looks so.
const BOUNDED: [(&str, usize); 2] = [
    ("SELECT * FROM orders ORDER BY random()", 100),
    (
        "SELECT count(*) FROM orders WHERE repeat('a', 60000) ~ '(a*)*(a*)*(a*)*$b'",
        1,
    ),
];

const REFUSED: [(&str, ErrorKind); 14] = [
    (
        "SELECT id FROM orders WHERE _value_text ~ '((a{1,999}){1,999}){1,999}'",
        Invalid,
    ),
    ("SELECT 1 UNION SELECT * INTO d FROM orders", NotSupported),
    ("SELECT * FROM (SELECT * INTO d FROM orders)", NotSupported),
    ("CREATE TABLE x AS SELECT * FROM orders", NotSupported),
    (
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        NotSupported,
    ),
    ("DROP TABLE orders", NotSupported),
    ("COPY orders TO '/tmp/x.csv'", NotSupported),
    ("INSERT INTO orders SELECT * FROM orders", NotSupported),
    (
        "SET datafusion.execution.target_partitions = 1000000",
        NotSupported,
    ),
    ("SELECT * FROM \"../../../etc/passwd\"", UnknownTable),
    ("SELECT * FROM \"orders/../orders\"", UnknownTable),
    ("SELECT * FROM '/etc/passwd'", UnknownTable),
    ("SELECT * FROM \"orders@../1\"", UnknownTable),
    ("SELECT 1; DROP TABLE orders", NotSupported),
];

fn statements() -> Vec<(String, End)> {
    let endless = ENDLESS.iter().map(|sql| ((*sql).to_owned(), Limit));
    let bounded = BOUNDED.iter();
    let bounded = bounded.map(|(sql, rows)| ((*sql).to_owned(), Rows(*rows)));
    let refused = REFUSED.iter();
    let refused = refused.map(|(sql, kind)| ((*sql).to_owned(), Fails(*kind)));
    let mut all: Vec<(String, End)> = endless.chain(bounded).chain(refused).collect();
    all.extend(huge());
    all
}

/// Statements that are long or deep.
fn huge() -> Vec<(String, End)> {
    let many = |count: usize, one: &dyn Fn(usize) -> String| -> String {
        (0..count).map(one).collect::<Vec<_>>().join(", ")
    };
    let columns = many(1_000, &|number| format!("id + {number} AS c{number}"));
    let list = many(40_000, &|number| number.to_string());
    let mut all = vec![
        (
            "SELECT 1 ".to_owned() + &" ".repeat(100 << 20),
            Fails(TooLarge),
        ),
        (format!("SELECT {columns} FROM orders LIMIT 1"), Rows(1)),
        (
            format!("SELECT id FROM orders WHERE id IN ({list})"),
            Rows(100),
        ),
    ];
    let nested = |open: &str, inside: &str, close: &str, depth: usize| {
        format!(
            "SELECT {}{inside}{}",
            open.repeat(depth),
            close.repeat(depth)
        )
    };
    for depth in [2_000, 20_000, 200_000] {
        all.extend([
            (nested("(", "1", ")", depth), Malformed),
            (nested("abs(", "1", ")", depth), Malformed),
            (nested("[", "1", "]", depth), Malformed),
            (nested("NOT ", "true", "", depth), Malformed),
            (nested("- ", "1", "", depth), Malformed),
            (nested("1 + ", "1", "", depth), Malformed),
            (
                nested("CASE WHEN true THEN ", "1", " END", depth),
                Malformed,
            ),
            (nested("1 UNION ALL SELECT ", "1", "", depth), Malformed),
            (nested("(SELECT ", "1", ")", depth), Malformed),
            (nested("* FROM (SELECT ", "1", ")", depth), Malformed),
        ]);
    }
    all
}

async fn end_of(query: Query, sql: String, within: Duration) -> Result<usize, Error> {
    let answer = query.execute(limited(&sql, within)).await?;
    let batches = answer.batches;
    let rows = batches.try_fold(0, async |rows, batch| Ok(rows + batch.num_rows()));
    rows.await
}

/// The errors of limits.
const LIMITS: [ErrorKind; 3] = [
    ErrorKind::Timeout,
    ErrorKind::OutOfMemory,
    ErrorKind::SpillFull,
];

#[test]
fn hostile_statements_end_with_a_named_error_or_a_bounded_answer_all_at_once() {
    let world = World::with(|options| {
        options.memory_bytes = 4 * SHARE;
        options.memory_bytes_per_query = SHARE;
        options.spill_bytes = 256 << 20;
        options.running_max = 100;
        options.timeout = PATIENCE;
    });
    orders(&world);
    let ends = statements().into_iter().map(|(sql, expected)| {
        let within = if expected == Limit {
            ENDED_AFTER
        } else {
            PATIENCE
        };
        let task = end_of(world.query.clone(), sql.clone(), within);
        (sql, expected, world.runtime.spawn(task))
    });
    for (sql, expected, task) in ends.collect::<Vec<_>>() {
        let start: String = sql.chars().take(100).collect();
        let end = world.runtime.block_on(task).unwrap();
        let kind = end.as_ref().map_err(Error::kind).copied();
        let is_limit = kind.is_err_and(|kind| LIMITS.contains(&kind));
        let is_right = match (expected, kind) {
            (Rows(expected), Ok(rows)) => rows == expected,
            (Limit, _) => is_limit,
            (Fails(expected), Err(kind)) => kind == expected,
            (Malformed, Err(Syntax | NotSupported | Invalid | TooLarge)) => true,
            (Rows(_), Err(_)) | (Fails(_) | Malformed, Ok(_)) => false,
            (Malformed, Err(_)) => false,
        };
        assert!(is_right, "{start}: {end:?}, not {expected:?}");
    }
    for listed in world.query.0.registry.list() {
        assert!(listed.done.memory_bytes_max <= SHARE as u64, "{listed:?}");
        assert!(listed.sql.len() <= 8_000);
    }
    assert_eq!(world.value("SELECT count(*) FROM orders"), json!(100));
}
