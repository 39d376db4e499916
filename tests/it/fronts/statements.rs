//! What every front is asked, and what it has to answer: the same values, whatever the wire.
//!
//! Values are given as HTTP's JSON has them: decimals, moments, days and bytes as text (bytes in
//! base64). A client of another front brings its own types back to these before it compares.
//! `{orders}` stands for the table's name.

use serde_json::{Value, json};

/// The values of the topic that is asked for, in the order of their offsets in its one partition;
/// their keys are `k0`, `k1`, ... and their timestamps [`TIME_MS`] and a millisecond more each.
pub const RECORDS: [&str; 5] = [
    r#"{"id": 1, "item": "cup", "price": 2.5, "big": 9007199254740993, "paid": true, "tags": ["a", "b c"], "who": {"name": "Ada", "age": 36}, "code": 7}"#,
    r#"{"id": 2, "item": "jar \"x\", y", "price": 10.25, "big": -1, "paid": false, "tags": [], "who": {"name": "Bob"}, "code": "x7"}"#,
    r#"{"id": 3, "item": "h\u00e9llo\nworld", "price": 1e300, "tags": [null, "NULL", "{\"\\"]}"#,
    r#"{"id": 4, "item": "cup", "paid": true, "who": {"age": 1}, "code": 7}"#,
    r#"{"id": 5}"#,
];

/// 2026-11-23T10:00:00Z, the timestamp of the first record.
pub const TIME_MS: i64 = 1_795_428_000_000;

/// A statement and its answer.
pub struct Statement {
    pub sql: &'static str,
    pub columns: &'static [&'static str],
    /// The rows, a list of values each.
    pub rows: Value,
}

/// The ten.
pub fn statements() -> Vec<Statement> {
    let mut all = plain();
    all.extend(of_types());
    all.extend(of_queries());
    all
}

fn plain() -> Vec<Statement> {
    vec![
        Statement {
            sql: "SELECT 1 AS one, 'a''b' AS text, true AS yes, 1.5 AS near, NULL AS nothing",
            columns: &["one", "text", "yes", "near", "nothing"],
            rows: json!([[1, "a'b", true, 1.5, null]]),
        },
        Statement {
            sql: "SELECT count(*) AS n, min(_offset) AS first, max(big) AS big FROM {orders}",
            columns: &["n", "first", "big"],
            rows: json!([[5, 0, 9007199254740993_i64]]),
        },
        Statement {
            sql: "SELECT id, item, price, big, paid FROM {orders} ORDER BY id",
            columns: &["id", "item", "price", "big", "paid"],
            rows: json!([
                [1, "cup", 2.5, 9007199254740993_i64, true],
                [2, "jar \"x\", y", 10.25, -1, false],
                [3, "h\u{e9}llo\nworld", 1e300, null, null],
                [4, "cup", null, null, true],
                [5, null, null, null, null],
            ]),
        },
    ]
}

/// What the wires have types for, and what they haven't.
fn of_types() -> Vec<Statement> {
    vec![
        Statement {
            sql: "SELECT id, tags, who FROM {orders} WHERE id <= 4 ORDER BY id",
            columns: &["id", "tags", "who"],
            rows: json!([
                [1, ["a", "b c"], {"name": "Ada", "age": 36}],
                [2, [], {"name": "Bob"}],
                [3, [null, "NULL", "{\"\\"], null],
                [4, null, {"age": 1}],
            ]),
        },
        Statement {
            sql: "SELECT _key, _partition, _offset, _timestamp FROM {orders} WHERE _offset < 2 \
                  ORDER BY _offset",
            columns: &["_key", "_partition", "_offset", "_timestamp"],
            rows: json!([
                ["azA=", 0, 0, "2026-11-23T10:00:00Z"],
                ["azE=", 0, 1, "2026-11-23T10:00:00.001Z"],
            ]),
        },
        Statement {
            sql: "SELECT CAST('-12345678901234567890.10' AS DECIMAL(38, 2)) AS exact, \
                  CAST('0.000100' AS DECIMAL(9, 6)) AS small, DATE '2026-11-23' AS day",
            columns: &["exact", "small", "day"],
            rows: json!([["-12345678901234567890.10", "0.000100", "2026-11-23"]]),
        },
    ]
}

fn of_queries() -> Vec<Statement> {
    vec![
        Statement {
            sql: "SELECT id, code FROM {orders} WHERE code = '7' OR code = 'x7' ORDER BY id",
            columns: &["id", "code"],
            rows: json!([[1, "7"], [2, "x7"], [4, "7"]]),
        },
        Statement {
            sql: "SELECT item, count(*) AS n FROM {orders} GROUP BY item HAVING count(*) > 1",
            columns: &["item", "n"],
            rows: json!([["cup", 2]]),
        },
        Statement {
            sql: "WITH paid AS (SELECT id, who.name AS name FROM {orders} WHERE paid) \
                  SELECT a.id, b.id AS other, a.name, row_number() OVER (ORDER BY a.id, b.id) AS r \
                  FROM paid a JOIN paid b ON a.id <= b.id ORDER BY r",
            columns: &["id", "other", "name", "r"],
            rows: json!([[1, 1, "Ada", 1], [1, 4, "Ada", 2], [4, 4, null, 3]]),
        },
        Statement {
            sql: "SELECT id FROM {orders} WHERE search('h\u{e9}llo') OR id IN (5) ORDER BY id DESC",
            columns: &["id"],
            rows: json!([[5], [3]]),
        },
    ]
}

/// A statement with `$1`, `$2` and `$3` (a number, a text, a truth), and its rows for these values.
pub const WITH_PARAMETERS: &str =
    "SELECT id FROM {orders} WHERE id > $1 AND item = $2 AND paid = $3 ORDER BY id";
/// The values.
pub fn parameters() -> Value {
    json!([1, "cup", true])
}
/// The rows.
pub fn rows_with_parameters() -> Value {
    json!([[4]])
}

/// A statement that is refused, on every front by the same code and with the same words.
pub struct Refusal {
    pub sql: &'static str,
    /// The `code` of HTTP's error.
    pub code: &'static str,
    /// The SQLSTATE of the Postgres wire.
    pub sqlstate: &'static str,
    /// A part of the message.
    pub says: &'static str,
    /// The hint, where the test wants one.
    pub hint: Option<&'static str>,
}

/// Those that every front refuses.
pub fn refusals() -> Vec<Refusal> {
    let refusal = |sql, code, sqlstate, says| Refusal {
        sql,
        code,
        sqlstate,
        says,
        hint: None,
    };
    vec![
        Refusal {
            hint: Some("did you mean `price`?"),
            ..refusal(
                "SELECT pricee FROM {orders}",
                "unknown_column",
                "42703",
                "`pricee`",
            )
        },
        refusal(
            "SELECT 1 FROM no_such_topic",
            "unknown_table",
            "42P01",
            "`no_such_topic`",
        ),
        refusal("SELEC 1", "syntax", "42601", "SELEC"),
        refusal("DROP TABLE {orders}", "not_supported", "0A000", "`DROP`"),
        refusal(
            "CREATE TABLE t AS SELECT 1",
            "not_supported",
            "0A000",
            "`CREATE`",
        ),
        refusal(
            "INSERT INTO {orders} VALUES (1)",
            "not_supported",
            "0A000",
            "`INSERT`",
        ),
        refusal(
            "SELECT * FROM (SELECT * INTO d FROM {orders}) x",
            "not_supported",
            "0A000",
            "INTO",
        ),
        refusal("SELECT 1 / 0", "execution", "22000", "ivide by zero"),
    ]
}

/// Refused by the fronts whose clients may send a statement twice; there HTTP starts a replay.
pub const INTO_WITHOUT_A_NAME: &str = "SELECT * INTO nowhere FROM {orders}";
