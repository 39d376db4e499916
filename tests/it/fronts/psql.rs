//! What `psql` prints.

use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::statements::Statement;

/// Between values and between rows: nothing that is asked for has them.
const FIELD: &str = "\u{1f}";
const ROW: &str = "\u{1e}";

/// Runs `psql` on a statement, or on one of its own commands.
pub fn run(url: &str, arguments: &[&str]) -> Output {
    Command::new("psql")
        .args(["--no-psqlrc", "--set", "ON_ERROR_STOP=1"])
        .args(arguments)
        .arg(url)
        .output()
        .expect("`psql` runs: tests/services/install installs it")
}

/// What it printed; panics with its errors.
#[track_caller]
pub fn text(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "psql: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Panics unless `psql` prints the statement's answer.
#[track_caller]
pub fn check(url: &str, sql: &str, statement: &Statement) {
    let arguments = ["-A", "-t", "-F", FIELD, "-R", ROW, "-c", sql];
    let text = text(&run(url, &arguments));
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let rows: Vec<&str> = text.split(ROW).collect();
    let expected = statement.rows.as_array().expect("rows");
    assert_eq!(rows.len(), expected.len(), "psql: {sql}: {text}");
    for (row, expected) in rows.iter().zip(expected) {
        let values: Vec<&str> = row.split(FIELD).collect();
        let expected = expected.as_array().expect("values");
        assert_eq!(values.len(), expected.len(), "psql: {sql}: {row}");
        for ((text, expected), column) in values.iter().zip(expected).zip(statement.columns) {
            match expected {
                // Its members come in no particular order.
                Value::Object(_) => {
                    let read: Value = serde_json::from_str(text).expect("JSON");
                    assert_eq!(read, *expected, "psql: {sql}");
                }
                plain => assert_eq!(*text, printed(plain, column), "psql: {sql}"),
            }
        }
    }
}

/// A value as `psql` prints it.
fn printed(value: &Value, column: &str) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => if *value { "t" } else { "f" }.to_owned(),
        Value::Number(number) => match number.as_f64() {
            Some(large) if number.is_f64() && large >= 1e15 => {
                format!("{large:e}").replace('e', "e+")
            }
            _ => number.to_string(),
        },
        Value::String(text) => match column {
            "_timestamp" => text.replace('T', " ").replace('Z', "+00"),
            "_key" => {
                let bytes = STANDARD.decode(text).expect("base64");
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("\\x{digits}")
            }
            _ => text.clone(),
        },
        Value::Array(elements) => {
            let element = |element: &Value| match element {
                Value::Null => "NULL".to_owned(),
                Value::String(text)
                    if text.chars().all(char::is_alphanumeric) && text != "NULL" =>
                {
                    text.clone()
                }
                Value::String(text) => {
                    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
                }
                other => other.to_string(),
            };
            let elements: Vec<String> = elements.iter().map(element).collect();
            format!("{{{}}}", elements.join(","))
        }
        Value::Object(_) => unreachable!("compared as JSON"),
    }
}
