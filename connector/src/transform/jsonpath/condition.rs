//! What stands between `?(` and `)`: comparisons, and what joins them.

use std::cmp::Ordering;

use eddy_engine::Value;
use fancy_regex::Regex;

use super::Step;
use super::find::find;
use crate::transform::java::number;
use crate::transform::members::get;

/// A condition.
#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// Something is there.
    There(Operand),
    Compared(Operand, Comparison, Operand),
    Matches(Operand, Regex),
}

/// One side of a comparison.
#[derive(Debug)]
pub(super) enum Operand {
    /// From the value that is asked, or from the root.
    Path {
        from_root: bool,
        steps: Vec<Step>,
    },
    Literal(Value),
}

/// How two sides are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    /// Of the same type as well.
    Same,
    NotSame,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Contains,
    Size,
    Empty,
}

impl Condition {
    /// Whether it holds for `value`.
    pub(super) fn holds(&self, value: &Value, root: &Value) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|one| one.holds(value, root)),
            Self::Any(conditions) => conditions.iter().any(|one| one.holds(value, root)),
            Self::Not(condition) => !condition.holds(value, root),
            Self::There(operand) => operand.value(value, root).is_some(),
            Self::Compared(left, comparison, right) => {
                // What isn't there meets no comparison.
                match (left.value(value, root), right.value(value, root)) {
                    (Some(left), Some(right)) => comparison.holds(left, right),
                    _ => false,
                }
            }
            Self::Matches(operand, regex) => match operand.value(value, root) {
                Some(Value::Text(text)) => regex.is_match(text).unwrap_or(false),
                _ => false,
            },
        }
    }
}

impl Operand {
    fn value<'v>(&'v self, value: &'v Value, root: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Literal(literal) => Some(literal),
            Self::Path { from_root, steps } => {
                let start = if *from_root { root } else { value };
                match steps.split_last() {
                    None => Some(start),
                    // A member that is null is there, other than for a whole path.
                    Some((Step::Names(names), way)) if names.len() == 1 => {
                        let found = find(way, start, root)?;
                        let found = found.first().copied()?;
                        match (found, names.first()) {
                            (Value::Object(members), Some(name)) => get(members, name),
                            _ => None,
                        }
                    }
                    Some(_) => find(steps, start, root)?.first().copied(),
                }
            }
        }
    }
}

impl Comparison {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let compared = |wanted: &[Ordering]| {
            compare(left, right).is_some_and(|ordering| wanted.contains(&ordering))
        };
        match self {
            Self::Equal => equal(left, right),
            Self::Unequal => !equal(left, right),
            Self::Same => same(left, right),
            Self::NotSame => !same(left, right),
            Self::Less => compared(&[Ordering::Less]),
            Self::LessOrEqual => compared(&[Ordering::Less, Ordering::Equal]),
            Self::Greater => compared(&[Ordering::Greater]),
            Self::GreaterOrEqual => compared(&[Ordering::Greater, Ordering::Equal]),
            Self::In | Self::NotIn => match right {
                Value::List(values) => {
                    values.iter().any(|value| equal(left, value)) == (self == Self::In)
                }
                _ => false,
            },
            Self::Contains => match (left, right) {
                (Value::List(values), right) => values.iter().any(|value| equal(value, right)),
                (Value::Text(text), Value::Text(part)) => text.contains(part.as_str()),
                _ => false,
            },
            Self::Size => length(left).is_some_and(|length| {
                i128::try_from(length).is_ok_and(|length| equal(&Value::Integer(length), right))
            }),
            Self::Empty => match right {
                Value::Boolean(wanted) => length(left).is_some_and(|len| (len == 0) == *wanted),
                _ => false,
            },
        }
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::List(values) => Some(values.len()),
        Value::Text(text) => Some(text.chars().count()),
        _ => None,
    }
}

/// Equal, where a number and the text of it are equal too.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Text(text), other) | (other, Value::Text(text)) if is_number(other) => {
            number::double(text).is_some_and(|number| {
                compare(&Value::Double(number), other) == Some(Ordering::Equal)
            })
        }
        _ => same(left, right),
    }
}

fn same(left: &Value, right: &Value) -> bool {
    match is_number(left) && is_number(right) {
        true => compare(left, right) == Some(Ordering::Equal),
        false => left == right,
    }
}

fn is_number(value: &Value) -> bool {
    matches!(
        value,
        Value::Integer(_) | Value::Double(_) | Value::Decimal { .. }
    )
}

/// The order of two numbers or two texts.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Timestamp(left), Value::Timestamp(right)) => Some(left.cmp(right)),
        (Value::Date(left), Value::Date(right)) => Some(left.cmp(right)),
        _ => double(left)?.partial_cmp(&double(right)?),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "integers compare exactly among themselves"
)]
fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        Value::Decimal { unscaled, scale } => {
            Some(*unscaled as f64 / 10_f64.powi(i32::from(*scale)))
        }
        _ => None,
    }
}
