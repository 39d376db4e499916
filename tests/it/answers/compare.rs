//! Answers of two engines to the same queries, with types normalised.

use serde_json::{Value, json};

use crate::harness::http::Http;
use crate::harness::lake::TestLake;
use crate::harness::process::Eddy;
use crate::harness::python;

/// What an engine answered to a query.
pub struct Answer {
    pub columns: Vec<String>,
    /// Numbers with a fraction have nine digits, null members of objects are left out.
    pub rows: Vec<Vec<Value>>,
}

/// DuckDB's answers over the tables' files, through the views that `eddy inspect` prints, which
/// have the tables' names.
#[track_caller]
pub fn of_duckdb(eddy: &Eddy, lake: &TestLake, tables: &[&str], queries: &[String]) -> Vec<Answer> {
    let config = eddy.config().display().to_string();
    let view = |table: &&str| {
        let arguments = ["inspect", table, "--view", "duckdb", "--view-name", table];
        let printed = eddy.run(&[&arguments[..], &["--config", &config]].concat());
        assert!(printed.status.success(), "{printed:?}");
        String::from_utf8(printed.stdout).expect("text")
    };
    let views: Vec<String> = tables.iter().map(view).collect();
    let input = json!({"options": lake.options, "views": views, "queries": queries});
    let answers = python::run("answers.py", &input);
    let answers = answers.as_array().expect("a list").iter();
    let read = |answer: &Value| Answer {
        columns: texts(&answer["columns"]),
        rows: answer["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row.as_array().expect("a row").iter().map(normal).collect())
            .collect(),
    };
    answers.map(read).collect()
}

/// Eddy's answer, in the order of `columns`.
pub fn of_eddy(http: &Http, sql: &str, columns: &[String]) -> Answer {
    let rows = match http.try_sql(sql) {
        Ok(rows) => rows,
        Err(refused) => panic!("{sql}\nis refused: {}", refused.body),
    };
    of_rows(&rows, columns)
}

/// Rows as Eddy sends them, in the order of `columns`.
pub fn of_rows(rows: &[Value], columns: &[String]) -> Answer {
    let row = |row: &Value| {
        let cell = |column: &String| normal(row.get(column).unwrap_or(&Value::Null));
        columns.iter().map(cell).collect()
    };
    Answer {
        columns: columns.to_vec(),
        rows: rows.iter().map(row).collect(),
    }
}

/// Fails where the two differ, with the first row that does. Their order counts where it decides
/// which rows there are.
#[track_caller]
pub fn same(sql: &str, what: &str, found: &Answer, expected: &Answer) {
    let ordered = sql.contains(" LIMIT ") && !sql.contains("LIMIT 1000000000");
    let rows = |answer: &Answer| {
        let mut rows = answer.rows.clone();
        if !ordered {
            rows.sort_by_cached_key(|row| Value::from(row.clone()).to_string());
        }
        rows
    };
    let (found, expected) = (rows(found), rows(expected));
    if found == expected {
        return;
    }
    let pairs = found.iter().zip(&expected);
    let at = pairs.take_while(|(one, other)| one == other).count();
    panic!(
        "{what}: {sql}\nEddy has {} rows, DuckDB {}; row {at} is {:?}, of DuckDB {:?}",
        found.len(),
        expected.len(),
        found.get(at),
        expected.get(at)
    );
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list").iter();
    list.map(|text| text.as_str().expect("text").to_owned())
        .collect()
}

fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().expect("a double");
            let short: f64 = format!("{number:.8e}").parse().expect("a number");
            // Whole numbers are the same whatever their type.
            match short.fract() == 0.0 && short.abs() < 9e15 {
                true => json!(short as i64),
                false => json!(short),
            }
        }
        Value::Array(values) => values.iter().map(normal).collect(),
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            members
                .map(|(key, value)| (key.clone(), normal(value)))
                .collect()
        }
        other => other.clone(),
    }
}
