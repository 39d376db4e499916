//! The columns that a client was told when it prepared a statement, in what the statement answers
//! later: tables grow meanwhile, and the client goes on reading what it was told.

use std::collections::{HashMap, VecDeque};

use arrow::datatypes::Schema;

use crate::error::{Error, Result};

/// Where in an answer the columns are that were told, in their order; `None` where they are all of
/// it as it is.
///
/// # Errors
/// `NotSupported` when the answer has others and lacks one that was told.
pub(super) fn places(told: &Schema, answered: &Schema) -> Result<Option<Vec<usize>>> {
    let count = answered.fields().len();
    let mut named: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (at, field) in answered.fields().iter().enumerate() {
        named
            .entry(field.name().as_str())
            .or_default()
            .push_back(at);
    }
    let mut places = Vec::with_capacity(told.fields().len());
    for field in told.fields() {
        let name = field.name().as_str();
        let Some(place) = named.get_mut(name).and_then(VecDeque::pop_front) else {
            // An expression without a name of its own is called by what its parameters are.
            return match told.fields().len() == count {
                true => Ok(None),
                false => Err(changed(name)),
            };
        };
        places.push(place);
    }
    let is_all = places.iter().copied().eq(0..count);
    Ok((!is_all).then_some(places))
}

fn changed(name: &str) -> Error {
    let text = format!("the statement has other columns by now, and none is called `{name}`");
    Error::not_supported(text).with_hint("prepare it again")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field};

    use super::*;

    fn schema(names: &[&str]) -> Schema {
        let fields = names.iter();
        let fields = fields.map(|name| Field::new(*name, DataType::Utf8, true));
        Schema::new(fields.collect::<Vec<_>>())
    }

    #[test]
    fn what_was_told_is_found_by_its_names_wherever_it_is_by_now() {
        let found =
            |told: &[&str], answered: &[&str]| places(&schema(told), &schema(answered)).unwrap();
        assert_eq!(found(&["a", "b"], &["a", "b"]), None);
        assert_eq!(found(&["a", "b"], &["a", "b", "new"]), Some(vec![0, 1]));
        assert_eq!(found(&["a", "b"], &["b", "a"]), Some(vec![1, 0]));
        assert_eq!(found(&["a", "a"], &["new", "a", "a"]), Some(vec![1, 2]));
        assert_eq!(found(&["a + $1"], &["a + Int64(1)"]), None);
        let gone = places(&schema(&["a", "gone"]), &schema(&["a", "b", "c"]));
        assert!(gone.unwrap_err().message().contains("`gone`"));
    }
}
