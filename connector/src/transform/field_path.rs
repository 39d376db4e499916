//! A field's name, or since `field.syntax.version` V2 the path to a field within others.

use eddy_engine::Value;

use super::failure::Failure;
use super::members::{field, get, or_default, require_nested};
use super::settings::Settings;
use crate::data::{Kind, Schema};
use crate::error::Result;
use std::sync::Arc;

/// The names on the way to a field; there is always a last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldPath {
    text: String,
    steps: Vec<String>,
}

impl FieldPath {
    /// The path that `key` has, in the syntax that `field.syntax.version` says.
    ///
    /// # Errors
    /// `Invalid` for a missing path, an unknown version and a backtick without its other.
    pub(super) fn read(settings: &Settings<'_>, key: &str) -> Result<Self> {
        let text = settings.required(key)?;
        let versions = [("V1", false), ("V2", true)];
        if settings.choice("field.syntax.version", &versions, false)? {
            let steps = parse(text).map_err(|why| settings.wrong(key, text, &why))?;
            return Ok(Self {
                text: text.to_owned(),
                steps,
            });
        }
        Ok(Self {
            text: text.to_owned(),
            steps: vec![text.to_owned()],
        })
    }

    /// As it was configured.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The schema of the field, where the schema has it.
    pub(super) fn schema<'a>(&self, schema: &'a Schema) -> Option<&'a Arc<Schema>> {
        let (last, way) = self.steps.split_last()?;
        let mut current = schema;
        for step in way {
            current = &field(current, step)?.schema;
        }
        field(current, last).map(|field| &field.schema)
    }

    /// The field's value; null where it, or one on the way, is missing. With a schema defaults
    /// stand for what is missing: on the way always, at its end where `replace` says so.
    pub(super) fn value(
        &self,
        members: &[(String, Value)],
        schema: Option<&Schema>,
        replace: bool,
    ) -> Result<Value, Failure> {
        let Some((last, way)) = self.steps.split_last() else {
            return Ok(Value::Null);
        };
        let mut current = members;
        let mut known = schema;
        for step in way {
            let below = known
                .and_then(|schema| field(schema, step))
                .map(|field| &*field.schema);
            if below.is_some_and(|schema| !matches!(schema.kind, Kind::Struct(_))) {
                return Err(Failure::data(format!(
                    "`{step}` of `{}` is no struct",
                    self.text
                )));
            }
            let value = get(current, step).unwrap_or(&Value::Null);
            let value = match (value, below.and_then(|schema| schema.default.as_ref())) {
                (Value::Null, Some(default)) => default,
                _ => value,
            };
            match require_nested(value, &format!("the field `{}`", self.text))? {
                None => return Ok(Value::Null),
                Some(members) => current = members,
            }
            known = below;
        }
        let value = get(current, last).cloned().unwrap_or(Value::Null);
        let schema = known.and_then(|schema| field(schema, last));
        Ok(match schema {
            Some(field) => or_default(value, &field.schema, replace),
            None => value,
        })
    }
}

/// The steps of a path of syntax V2: names parted by dots, one with dots in backticks, a backtick
/// before a dot behind a backslash.
fn parse(text: &str) -> Result<Vec<String>, String> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('`') {
            None => match rest.split_once('.') {
                Some((step, after)) => (step.to_owned(), after),
                None => (rest.to_owned(), ""),
            },
            Some(quoted) => within_backticks(quoted)?,
        };
        steps.push(step);
        rest = after;
    }
    if text.ends_with('.') || text.is_empty() {
        steps.push(String::new());
    }
    Ok(steps)
}

/// What is between backticks, and what comes after: the closing one ends the text or is followed by
/// a dot, and has no backslash before it.
fn within_backticks(quoted: &str) -> Result<(String, &str), String> {
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let Some((before, after)) = rest.split_once('`') else {
            return Err(
                "a path whose backticks come in pairs; write \\` for one in a name \
                        before a dot"
                    .to_owned(),
            );
        };
        name.push_str(before);
        let escaped = name.ends_with('\\');
        match after.strip_prefix('.') {
            Some(after) if !escaped => return Ok((name, after)),
            None if after.is_empty() && !escaped => return Ok((name, "")),
            Some(_) => {
                name.pop();
            }
            None => {}
        }
        name.push('`');
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_second_syntax_parts_at_dots_outside_backticks() {
        for (text, steps) in [
            ("foo", &["foo"][..]),
            ("foo.bar.baz", &["foo", "bar", "baz"]),
            ("`foo.bar`.baz", &["foo.bar", "baz"]),
            ("foo.`bar.baz`", &["foo", "bar.baz"]),
            ("foo.`bar`.baz", &["foo", "bar", "baz"]),
            ("`foo`bar`.baz", &["foo`bar", "baz"]),
            (r"`foo\`.bar`.baz", &["foo`.bar", "baz"]),
            ("foo`bar", &["foo`bar"]),
            ("foo.", &["foo", ""]),
            ("", &[""]),
        ] {
            assert_eq!(
                parse(text),
                Ok(steps.iter().map(|&s| s.to_owned()).collect()),
                "{text}"
            );
        }
        for text in ["`foo", r"`foo\`", "a.`b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
