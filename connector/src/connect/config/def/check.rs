//! One value against one key: what it is by the key's type, and what is wrong with it.
//!
//! The texts are Connect's, since tools show them and people search for them.

use super::key::{Key, Rule, Type};
use crate::transform::whole_pattern;

/// What is shown of a secret.
pub(crate) const HIDDEN: &str = "[hidden]";

/// What a configuration says about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given<'a> {
    /// Nothing.
    Missing,
    /// JSON's null.
    Null,
    /// A value.
    Text(&'a str),
}

/// A value and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// The value as Connect shows it: by its type, or the default, or null.
    pub value: Option<String>,
    /// What is wrong, for people.
    pub errors: Vec<String>,
}

/// Checks `given` against `key`. `name` stands in messages about the type, `ruled` in those of the
/// rule: Connect tells the latter without the prefix of a transform.
pub fn check(key: &Key, name: &str, ruled: &str, given: Given<'_>) -> Checked {
    let mut errors = Vec::new();
    let value = match given {
        Given::Null => None,
        Given::Text(text) => match parse(key.kind, text) {
            Ok(value) => Some(value),
            Err(why) => {
                errors.push(invalid(text, name, &why));
                None
            }
        },
        Given::Missing if key.required => {
            let why = "which has no default value.";
            errors.push(format!("Missing required configuration \"{name}\" {why}"));
            None
        }
        // A default is always right by its type; an empty list isn't one empty text.
        Given::Missing => key
            .default
            .and_then(|default| parse(key.kind, default).ok()),
    };
    if let Some(why) = value.as_ref().map_or_else(
        || without_value(key, ruled),
        |value| broken(key, ruled, value),
    ) {
        errors.push(why);
    }
    Checked {
        value: value.map(|value| value.shown(key.kind)),
        errors,
    }
}

/// A value by its type.
enum Value {
    Text(String),
    Number(i64),
    List(Vec<String>),
}

impl Value {
    fn shown(self, kind: Type) -> String {
        match self {
            _ if kind == Type::Password => HIDDEN.to_owned(),
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
            Self::List(items) => items.join(","),
        }
    }
}

fn parse(kind: Type, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    let number = |least: i64, most: i64| {
        let parsed = trimmed.parse::<i64>().ok();
        let fits = parsed.filter(|number| (least..=most).contains(number));
        fits.map(Value::Number)
            .ok_or_else(|| format!("Not a number of type {}", kind.as_str()))
    };
    match kind {
        Type::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Text("true".to_owned())),
        Type::Boolean if trimmed.eq_ignore_ascii_case("false") => {
            Ok(Value::Text("false".to_owned()))
        }
        Type::Boolean => Err("Expected value to be either true or false".to_owned()),
        Type::Short => number(i64::from(i16::MIN), i64::from(i16::MAX)),
        Type::Int => number(i64::from(i32::MIN), i64::from(i32::MAX)),
        Type::Long => number(i64::MIN, i64::MAX),
        Type::Double => match trimmed.parse::<f64>() {
            Ok(_) => Ok(Value::Text(trimmed.to_owned())),
            Err(_) => Err("Not a number of type DOUBLE".to_owned()),
        },
        Type::List if trimmed.is_empty() => Ok(Value::List(Vec::new())),
        Type::List => Ok(Value::List(items(trimmed))),
        Type::String | Type::Class | Type::Password => Ok(Value::Text(trimmed.to_owned())),
    }
}

/// The items of a list, without blanks around.
pub(crate) fn items(list: &str) -> Vec<String> {
    list.split(',').map(|item| item.trim().to_owned()).collect()
}

fn without_value(key: &Key, ruled: &str) -> Option<String> {
    let why = match &key.rule {
        Rule::AtLeast(_) | Rule::Between(..) if key.default.is_some() => {
            "Value must be non-null".to_owned()
        }
        Rule::Regex if key.required => "Invalid regex: null".to_owned(),
        Rule::In(words) if key.default.is_some() => one_of(words),
        _ => return None,
    };
    Some(invalid("null", ruled, &why))
}

fn broken(key: &Key, ruled: &str, value: &Value) -> Option<String> {
    match (&key.rule, value) {
        (Rule::AtLeast(least) | Rule::Between(least, _), Value::Number(number))
            if number < least =>
        {
            let why = format!("Value must be at least {least}");
            Some(invalid(&number.to_string(), ruled, &why))
        }
        (Rule::Between(_, most), Value::Number(number)) if number > most => {
            let why = format!("Value must be no more than {most}");
            Some(invalid(&number.to_string(), ruled, &why))
        }
        (Rule::In(words), Value::Text(text)) if !words.contains(&text.as_str()) => {
            Some(invalid(text, ruled, &one_of(words)))
        }
        (Rule::InAnyCase(words), Value::Text(text))
            if !words.iter().any(|word| word.eq_ignore_ascii_case(text)) =>
        {
            let why = format!(
                "String must be one of (case insensitive): {}",
                words.join(", ")
            );
            Some(invalid(text, ruled, &why))
        }
        (Rule::Class(classes), Value::Text(text))
            if !classes.iter().any(|class| is(class, text)) =>
        {
            let why = format!("Class {text} could not be found.");
            Some(invalid(text, ruled, &why))
        }
        (Rule::Regex, Value::Text(text)) => {
            let error = whole_pattern(text).err()?;
            Some(invalid(text, ruled, &format!("Invalid regex: {error}")))
        }
        (Rule::Name, Value::Text(text)) => Some(invalid(text, ruled, &wrong_name(text)?)),
        (Rule::Aliases, Value::List(items)) if has_twice(items) => {
            let shown = format!("[{}]", items.join(", "));
            Some(invalid(&shown, ruled, "Duplicate alias provided."))
        }
        (Rule::Topics, Value::List(items)) if items.iter().any(String::is_empty) => {
            Some(format!("Configuration '{ruled}' values must not be empty."))
        }
        (Rule::Topics, Value::List(items)) if has_twice(items) => Some(format!(
            "Configuration '{ruled}' values must not be duplicated."
        )),
        _ => None,
    }
}

/// Whether `name` is the class's full or simple name.
fn is(class: &str, name: &str) -> bool {
    class == name || class.rsplit('.').next() == Some(name)
}

fn invalid(value: &str, name: &str, why: &str) -> String {
    format!("Invalid value {value} for configuration {name}: {why}")
}

fn one_of(words: &[&str]) -> String {
    format!("String must be one of: {}", words.join(", "))
}

fn has_twice(items: &[String]) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    items.iter().any(|item| !seen.insert(item))
}

fn wrong_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("String may not be empty".to_owned());
    }
    let controls: Vec<String> = name
        .chars()
        .filter(|c| c.is_control())
        .map(|c| u32::from(c).to_string())
        .collect();
    (!controls.is_empty()).then(|| {
        format!(
            "String may not contain control sequences but had the following ASCII chars: {}",
            controls.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::sink_keys;
    use super::*;

    fn sink_key(name: &str) -> &'static Key {
        sink_keys().iter().find(|key| key.name == name).unwrap()
    }

    fn checked(name: &str, given: Given<'_>) -> Checked {
        check(sink_key(name), name, name, given)
    }

    #[test]
    fn values_are_shown_by_their_type() {
        for (name, text, shown) in [
            ("tasks.max", " 2 ", "2"),
            ("errors.log.enable", " TRUE ", "true"),
            ("topics", " a , b ", "a,b"),
            ("topics", " ", ""),
            ("errors.deadletterqueue.topic.name", " d ", "d"),
        ] {
            let checked = checked(name, Given::Text(text));
            assert_eq!(checked.errors, Vec::<String>::new());
            assert_eq!(checked.value.as_deref(), Some(shown));
        }
        assert_eq!(
            checked("tasks.max", Given::Missing).value.as_deref(),
            Some("1")
        );
    }

    #[test]
    fn patterns_are_judged_as_java_reads_them() {
        let errors = |pattern| checked("topics.regex", Given::Text(pattern)).errors;
        for pattern in [r"\Qorders.\E.*", r"\p{Alnum}+\.x", "a|b"] {
            assert_eq!(errors(pattern), Vec::<String>::new(), "{pattern}");
        }
        let wrong = errors("(");
        let told = "Invalid value ( for configuration topics.regex: Invalid regex: ";
        assert!(
            wrong.iter().all(|error| error.starts_with(told)),
            "{wrong:?}"
        );
        assert_eq!(wrong.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_told_in_connects_words() {
        for (name, given, errors) in [
            (
                "tasks.max",
                Given::Text("two"),
                &[
                    "Invalid value two for configuration tasks.max: Not a number of type INT",
                    "Invalid value null for configuration tasks.max: Value must be non-null",
                ][..],
            ),
            (
                "tasks.max",
                Given::Text("0"),
                &["Invalid value 0 for configuration tasks.max: Value must be at least 1"],
            ),
            (
                "errors.retry.timeout",
                Given::Text("1.5"),
                &[
                    "Invalid value 1.5 for configuration errors.retry.timeout: Not a number of \
                     type LONG",
                ],
            ),
            (
                "errors.tolerance",
                Given::Text("ALL"),
                &[
                    "Invalid value ALL for configuration errors.tolerance: String must be one \
                     of: none, all",
                ],
            ),
            (
                "name",
                Given::Missing,
                &["Missing required configuration \"name\" which has no default value."],
            ),
            (
                "name",
                Given::Text(" "),
                &["Invalid value  for configuration name: String may not be empty"],
            ),
            ("name", Given::Null, &[]),
            (
                "topics",
                Given::Text("a,,b"),
                &["Configuration 'topics' values must not be empty."],
            ),
            (
                "topics",
                Given::Text("a,a"),
                &["Configuration 'topics' values must not be duplicated."],
            ),
            (
                "transforms",
                Given::Text("t,t"),
                &["Invalid value [t, t] for configuration transforms: Duplicate alias provided."],
            ),
        ] {
            assert_eq!(checked(name, given).errors, errors, "{name} {given:?}");
        }
    }
}
