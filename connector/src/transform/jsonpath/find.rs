//! What a path finds in a value.

use eddy_engine::Value;

use super::Step;
use crate::transform::members::get;

/// What `steps` find, from `value`; conditions may go back to `root`. `None` when steps that can
/// only lead to one value lead to none.
pub(super) fn find<'v>(
    steps: &[Step],
    value: &'v Value,
    root: &'v Value,
) -> Option<Vec<&'v Value>> {
    let mut found = vec![value];
    let mut definite = true;
    for step in steps {
        let mut next = Vec::new();
        for value in &found {
            let before = next.len();
            one(step, value, root, &mut next);
            let asked = matches!(step, Step::If(_)) && is_asked(value);
            if definite && next.len() == before && !asked {
                return None;
            }
        }
        definite &= step.is_definite();
        found = next;
    }
    match (definite, found.as_slice()) {
        (true, [Value::Null]) => None,
        _ => Some(found),
    }
}

impl Step {
    /// It leads to one value or none.
    fn is_definite(&self) -> bool {
        match self {
            Self::Names(names) => names.len() == 1,
            Self::Indexes(indexes) => indexes.len() == 1,
            _ => false,
        }
    }
}

/// A condition can be asked of it.
fn is_asked(value: &Value) -> bool {
    matches!(value, Value::Object(_) | Value::List(_))
}

fn one<'v>(step: &Step, value: &'v Value, root: &'v Value, next: &mut Vec<&'v Value>) {
    match (step, value) {
        (Step::Names(names), Value::Object(members)) => {
            next.extend(names.iter().filter_map(|name| get(members, name)));
        }
        (Step::Indexes(indexes), Value::List(elements)) => {
            let places = indexes
                .iter()
                .filter_map(|index| place(*index, elements.len()));
            next.extend(places.filter_map(|place| elements.get(place)));
        }
        (Step::Slice(from, to), Value::List(elements)) => {
            let edge = |edge: i64| {
                let length = i64::try_from(elements.len()).unwrap_or(i64::MAX);
                let edge = if edge < 0 {
                    edge.saturating_add(length)
                } else {
                    edge
                };
                usize::try_from(edge.clamp(0, length)).unwrap_or(0)
            };
            let from = from.map_or(0, edge);
            let to = to.map_or(elements.len(), edge);
            next.extend(elements.get(from..to).unwrap_or_default());
        }
        (Step::All, Value::Object(members)) => next.extend(members.iter().map(|(_, value)| value)),
        (Step::All, Value::List(elements)) => next.extend(elements),
        (Step::Descend, value) => descend(value, next),
        (Step::If(condition), Value::Object(_)) if condition.holds(value, root) => next.push(value),
        (Step::If(condition), Value::List(elements)) => {
            next.extend(
                elements
                    .iter()
                    .filter(|element| condition.holds(element, root)),
            );
        }
        _ => {}
    }
}

/// A value and all within it, outer ones first.
fn descend<'v>(value: &'v Value, next: &mut Vec<&'v Value>) {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        next.push(value);
        match value {
            Value::Object(members) => waiting.extend(members.iter().rev().map(|(_, value)| value)),
            Value::List(elements) => waiting.extend(elements.iter().rev()),
            _ => {}
        }
    }
}

fn place(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let place = if index < 0 {
        index.checked_add(length)?
    } else {
        index
    };
    usize::try_from(place).ok()
}
