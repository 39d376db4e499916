//! From text to a condition.

use eddy_engine::Value;
use fancy_regex::Regex;

use super::condition::{Comparison, Condition, Operand};
use super::parse::Rest;
use crate::transform::java::pattern;

/// As deep as parentheses may go, so that no text uses the stack up.
const DEPTH_MAX: usize = 32;

/// Longer ones first: `==` is not `===`.
const COMPARISONS: [(&str, Comparison); 13] = [
    ("===", Comparison::Same),
    ("!==", Comparison::NotSame),
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("in ", Comparison::In),
    ("nin ", Comparison::NotIn),
    ("contains ", Comparison::Contains),
    ("size ", Comparison::Size),
    ("empty ", Comparison::Empty),
];

/// A whole condition.
pub(super) fn condition(rest: &mut Rest<'_>) -> Result<Condition, String> {
    any(rest, 0)
}

fn any(rest: &mut Rest<'_>, depth: usize) -> Result<Condition, String> {
    let mut conditions = vec![all(rest, depth)?];
    while joined(rest, "||") {
        conditions.push(all(rest, depth)?);
    }
    Ok(Condition::Any(conditions))
}

fn all(rest: &mut Rest<'_>, depth: usize) -> Result<Condition, String> {
    let mut conditions = vec![one(rest, depth)?];
    while joined(rest, "&&") {
        conditions.push(one(rest, depth)?);
    }
    Ok(Condition::All(conditions))
}

fn joined(rest: &mut Rest<'_>, by: &str) -> bool {
    rest.blanks();
    rest.take(by)
}

fn one(rest: &mut Rest<'_>, depth: usize) -> Result<Condition, String> {
    if depth > DEPTH_MAX {
        return Err(format!(
            "a JSON path with at most {DEPTH_MAX} parentheses in each other"
        ));
    }
    rest.blanks();
    if rest.take("!") {
        return Ok(Condition::Not(Box::new(one(rest, depth + 1)?)));
    }
    if rest.take("(") {
        let condition = any(rest, depth + 1)?;
        rest.expect(")")?;
        return Ok(condition);
    }
    let left = operand(rest)?;
    rest.blanks();
    if rest.take("=~") {
        return Ok(Condition::Matches(left, regex(rest)?));
    }
    for (token, comparison) in COMPARISONS {
        if rest.take(token) {
            return Ok(Condition::Compared(left, comparison, operand(rest)?));
        }
    }
    match left {
        Operand::Path { .. } => Ok(Condition::There(left)),
        Operand::Literal(_) => Err("a condition that compares; a value alone is none".to_owned()),
    }
}

fn operand(rest: &mut Rest<'_>) -> Result<Operand, String> {
    rest.blanks();
    for (start, from_root) in [("@", false), ("$", true)] {
        if rest.take(start) {
            let steps = rest.steps()?;
            return Ok(Operand::Path { from_root, steps });
        }
    }
    literal(rest).map(Operand::Literal)
}

fn literal(rest: &mut Rest<'_>) -> Result<Value, String> {
    rest.blanks();
    if rest.0.starts_with(['\'', '"']) {
        return rest.quoted().map(Value::Text);
    }
    if rest.take("[") {
        let mut values = Vec::new();
        rest.blanks();
        while !rest.take("]") {
            values.push(literal(rest)?);
            if !rest.comma() {
                rest.expect("]")?;
                break;
            }
        }
        return Ok(Value::List(values));
    }
    let end = rest
        .0
        .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    let (word, after) = rest.0.split_at(end.unwrap_or(rest.0.len()));
    let value = match Value::parse(word.as_bytes()) {
        Some(value @ (Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Double(_))) => {
            value
        }
        _ => {
            return Err(format!(
                "a condition with paths, numbers, `true`, `false`, `null`, lists or text in \
                 quotes; `{}` is none of them",
                rest.0
            ));
        }
    };
    rest.0 = after;
    Ok(value)
}

/// `/pattern/flags`, which the whole text has to match.
fn regex(rest: &mut Rest<'_>) -> Result<Regex, String> {
    rest.expect("/")?;
    let mut pattern = String::new();
    let mut characters = rest.0.chars();
    loop {
        match characters.next() {
            Some('/') => break,
            Some('\\') => {
                pattern.push('\\');
                pattern.extend(characters.next());
            }
            Some(other) => pattern.push(other),
            None => return Err("a pattern between two `/`".to_owned()),
        }
    }
    rest.0 = characters.as_str();
    let end = rest
        .0
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.0.len());
    let (flags, after) = rest.0.split_at(end);
    rest.0 = after;
    let known: String = flags
        .chars()
        .filter(|flag| "imsx".contains(*flag))
        .collect();
    let flags = match known.as_str() {
        "" => String::new(),
        flags => format!("(?{flags})"),
    };
    Regex::new(&format!(r"\A{flags}(?:{})\z", pattern::translate(&pattern)))
        .map_err(|error| format!("a regular expression; `{pattern}` is none ({error})"))
}
