//! What drivers and tools say of themselves: transactions, settings, their own statements and
//! cursors. There is nothing to undo here, so all of it is answered and little of it does anything.

use std::collections::BTreeMap;
use std::time::Duration;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use serde_json::Value as Json;

use crate::error::{Error, ErrorKind, Result};
use crate::query::{Front, Request};

/// A statement about the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// A transaction begins.
    Begin(&'static str),
    /// It ends; so do its cursors.
    End(&'static str),
    /// It goes back to a savepoint, and is no longer a failed one.
    Back(&'static str),
    /// Nothing but its answer.
    Nothing(&'static str),
    /// A setting gets a value, or its default again.
    Set(String, Option<String>),
    ResetAll,
    DiscardAll,
    /// The value of a setting, or of all.
    Show(Option<String>),
    /// A prepared statement is forgotten, or all.
    Deallocate(Option<String>),
    /// A cursor is closed, or all.
    Close(Option<String>),
}

/// Reads a statement; `None` for one that isn't about the session.
pub(super) fn read(sql: &str) -> Option<Said> {
    const FIRST: [&str; 17] = [
        "begin",
        "start",
        "commit",
        "end",
        "rollback",
        "abort",
        "savepoint",
        "release",
        "set",
        "reset",
        "discard",
        "show",
        "deallocate",
        "close",
        "unlisten",
        "prepare",
        "lock",
    ];
    let trimmed = sql.trim_start();
    // Most statements are found out here. A comment may come first.
    let first = trimmed
        .split(|letter: char| !letter.is_ascii_alphabetic())
        .next()?;
    let is_comment = trimmed.starts_with("--") || trimmed.starts_with("/*");
    if !is_comment && !FIRST.contains(&first.to_ascii_lowercase().as_str()) {
        return None;
    }
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize().ok()?;
    let words: Vec<String> = tokens
        .iter()
        .filter(|token| !matches!(token, Token::Whitespace(_) | Token::SemiColon | Token::EOF))
        .map(word)
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    said(&words)
}

/// Names in lower case, values as they are.
fn word(token: &Token) -> String {
    match token {
        Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_lowercase(),
        Token::Word(word) => word.value.clone(),
        Token::SingleQuotedString(text) => text.clone(),
        other => other.to_string(),
    }
}

fn said(words: &[&str]) -> Option<Said> {
    Some(match words {
        ["begin", ..] => Said::Begin("BEGIN"),
        ["start", "transaction", ..] => Said::Begin("START TRANSACTION"),
        ["commit" | "end", ..] => Said::End("COMMIT"),
        ["rollback", "to", ..] | ["rollback", _, "to", ..] => Said::Back("ROLLBACK"),
        ["rollback" | "abort", ..] => Said::End("ROLLBACK"),
        ["savepoint", _] => Said::Nothing("SAVEPOINT"),
        ["release", ..] => Said::Nothing("RELEASE"),
        ["unlisten", ..] => Said::Nothing("UNLISTEN"),
        ["set", "session", "characteristics", ..] | ["set", "transaction", ..] => {
            Said::Nothing("SET")
        }
        ["set", "session" | "local", rest @ ..] | ["set", rest @ ..] => setting(rest)?,
        ["reset", "all"] => Said::ResetAll,
        ["reset", rest @ ..] => Said::Set(name(rest), None),
        ["discard", "all"] => Said::DiscardAll,
        ["discard", ..] => Said::Nothing("DISCARD"),
        // These are questions about the lake.
        ["show", "tables" | "columns", ..] => return None,
        ["show", "all"] => Said::Show(None),
        ["show", "time", "zone"] => Said::Show(Some("timezone".to_owned())),
        ["show", "transaction", "isolation", "level"] => {
            Said::Show(Some("transaction_isolation".to_owned()))
        }
        ["show", rest @ ..] if !rest.is_empty() => Said::Show(Some(name(rest))),
        ["deallocate", "prepare", name] | ["deallocate", name] => Said::Deallocate(one(name)),
        ["close", name] => Said::Close(one(name)),
        _ => return None,
    })
}

/// `name = value`, `name TO value`.
fn setting(words: &[&str]) -> Option<Said> {
    if let ["time", "zone", value @ ..] = words {
        return Some(Said::Set("timezone".to_owned(), Some(value.join(" "))));
    }
    let at = words.iter().position(|word| matches!(*word, "=" | "to"))?;
    let (names, value) = words.split_at_checked(at)?;
    let value = value.get(1..)?.join(" ");
    let value = (value != "default").then_some(value);
    Some(Said::Set(name(names), value))
}

fn name(words: &[&str]) -> String {
    words.concat().to_ascii_lowercase()
}

fn one(name: &str) -> Option<String> {
    (name != "all").then(|| name.to_owned())
}

/// The settings of a connection.
#[derive(Debug, Default)]
pub(super) struct Settings {
    values: BTreeMap<String, String>,
    timeout: Option<Duration>,
    as_of: Option<Json>,
    wait_for: Option<Json>,
}

/// Settings that a connection may have of its own, and the longest value in bytes.
const SETTINGS_MAX: usize = 200;
const VALUE_BYTES_MAX: usize = 64 << 10;

/// What is told of a server that has been asked for nothing, as far as clients look at it. The
/// version is one that clients know to have little: what newer ones have, they ask for.
pub(crate) const DEFAULTS: [(&str, &str); 22] = [
    ("application_name", ""),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("eddy.as_of", ""),
    ("eddy.wait_for", ""),
    ("extra_float_digits", "3"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("lc_collate", "C"),
    ("max_index_keys", "32"),
    ("search_path", "\"$user\", public"),
    ("server_encoding", "UTF8"),
    ("server_version", SERVER_VERSION),
    ("server_version_num", "90426"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("timezone", "UTC"),
    ("transaction_isolation", "read committed"),
];

/// The version of Postgres that clients are told.
pub(super) const SERVER_VERSION: &str = "9.4.26";

impl Settings {
    /// Sets a value, or the default again.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let wrong = |text: String| Err(Error::invalid(text));
        match (name, value) {
            ("statement_timeout", value) => self.timeout = timeout(value.unwrap_or("0"))?,
            ("eddy.as_of", value) => self.as_of = json(name, value)?,
            ("eddy.wait_for", value) => self.wait_for = json(name, value)?,
            ("client_encoding", Some(value)) if !is_utf8(value) => {
                return wrong(format!(
                    "the encoding `{value}` isn't spoken here, only UTF8"
                ));
            }
            _ => {}
        }
        let Some(value) = value else {
            self.values.remove(name);
            return Ok(());
        };
        if value.len() > VALUE_BYTES_MAX {
            return wrong(format!(
                "the value of `{name}` is longer than {VALUE_BYTES_MAX} bytes"
            ));
        }
        if self.values.len() >= SETTINGS_MAX && !self.values.contains_key(name) {
            return wrong(format!("a connection has at most {SETTINGS_MAX} settings"));
        }
        self.values.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Everything at its default.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// A setting's value.
    pub(super) fn get(&self, name: &str) -> Result<&str> {
        let set = self.values.get(name).map(String::as_str);
        let default = || DEFAULTS.iter().find(|(known, _)| *known == name);
        set.or_else(|| default().map(|(_, value)| *value))
            .ok_or_else(|| {
                let text = format!("there is no setting `{name}`");
                Error::new(ErrorKind::NotFound, text).with_hint("`SHOW ALL` lists them")
            })
    }

    /// All settings.
    pub(super) fn all(&self) -> BTreeMap<&str, &str> {
        let mut all: BTreeMap<&str, &str> = DEFAULTS.into_iter().collect();
        let set = self.values.iter();
        all.extend(set.map(|(name, value)| (name.as_str(), value.as_str())));
        all
    }

    /// The request for a statement.
    pub(super) fn request(&self, sql: &str) -> Request {
        Request {
            as_of: self.as_of.clone(),
            wait_for: self.wait_for.clone(),
            timeout: self.timeout,
            front: Front::Postgres,
            ..Request::new(sql)
        }
    }
}

fn is_utf8(value: &str) -> bool {
    matches!(
        value.to_ascii_lowercase().as_str(),
        "utf8" | "utf-8" | "unicode" | "sql_ascii"
    )
}

fn json(name: &str, value: Option<&str>) -> Result<Option<Json>> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let read = serde_json::from_str(value);
    read.map(Some)
        .map_err(|error| Error::invalid(format!("`{name}` must be JSON: {error}")))
}

/// Milliseconds, or a number with a unit; zero is none.
fn timeout(value: &str) -> Result<Option<Duration>> {
    let value = value.trim();
    let end = value.find(|letter: char| !letter.is_ascii_digit());
    let (number, unit) = value.split_at(end.unwrap_or(value.len()));
    let unit_ms = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    match number.parse::<u64>() {
        Ok(0) => Ok(None),
        Ok(number) if unit_ms > 0 => {
            Ok(Some(Duration::from_millis(number.saturating_mul(unit_ms))))
        }
        _ => Err(
            Error::invalid(format!("the timeout `{value}` is not understood"))
                .with_hint("write `SET statement_timeout = '30s'`, or milliseconds"),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_drivers_send_of_themselves_is_understood_and_questions_are_not_taken_for_it() {
        let set = |name: &str, value: &str| Said::Set(name.to_owned(), Some(value.to_owned()));
        for (sql, said) in [
            ("BEGIN", Said::Begin("BEGIN")),
            ("begin read only", Said::Begin("BEGIN")),
            ("/* x */ COMMIT;", Said::End("COMMIT")),
            ("ROLLBACK TO SAVEPOINT a", Said::Back("ROLLBACK")),
            ("SET extra_float_digits = 3", set("extra_float_digits", "3")),
            (
                "SET SESSION search_path TO a, b",
                set("search_path", "a , b"),
            ),
            (
                "SET TIME ZONE 'Europe/Rome'",
                set("timezone", "Europe/Rome"),
            ),
            (
                "set eddy.wait_for = '{\"0\": 5}'",
                set("eddy.wait_for", "{\"0\": 5}"),
            ),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
                Said::Nothing("SET"),
            ),
            ("RESET ALL", Said::ResetAll),
            (
                "SHOW TRANSACTION ISOLATION LEVEL",
                Said::Show(Some("transaction_isolation".into())),
            ),
            ("DEALLOCATE ALL", Said::Deallocate(None)),
            ("CLOSE ALL", Said::Close(None)),
            ("DISCARD ALL", Said::DiscardAll),
        ] {
            assert_eq!(read(sql), Some(said), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "SHOW TABLES",
            "show columns from t",
            "EXPLAIN SELECT 1",
            "",
        ] {
            assert_eq!(read(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_request_has_what_was_set() {
        let mut settings = Settings::default();
        settings.set("statement_timeout", Some("5s")).unwrap();
        settings.set("eddy.wait_for", Some("{\"0\": 5}")).unwrap();
        let request = settings.request("SELECT 1");
        assert_eq!(request.timeout, Some(Duration::from_secs(5)));
        assert_eq!(request.wait_for, Some(serde_json::json!({"0": 5})));
        assert_eq!(request.front, Front::Postgres);
        settings.set("statement_timeout", Some("0")).unwrap();
        settings.set("eddy.wait_for", None).unwrap();
        assert_eq!(settings.request("SELECT 1").timeout, None);
        assert_eq!(settings.request("SELECT 1").wait_for, None);
        assert_eq!(settings.get("statement_timeout").unwrap(), "0");
        assert!(settings.set("statement_timeout", Some("soon")).is_err());
        assert!(settings.set("client_encoding", Some("LATIN1")).is_err());
        assert!(settings.get("nothing").is_err());
    }
}
