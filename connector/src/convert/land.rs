//! The last step of a value before the table: what Connect's types mean as a column.
//!
//! Nearly all of a datum lands as it is. A time of day is a number of milliseconds for transforms,
//! but no column has that type, and a bare number would not say what it is: it lands as text, as
//! ISO 8601 writes it.

use std::sync::Arc;

use eddy_engine::Value;

use super::time::time_of_day;
use crate::data::{Datum, Kind, Schema, TIME};

/// Levels of schemas that are looked through.
const DEPTH_MOST: usize = 256;

/// Lands one value after the other; remembers of the last schema whether there is anything to do.
#[derive(Debug, Default)]
pub(crate) struct Landing {
    last: Option<(Arc<Schema>, bool)>,
}

impl Landing {
    /// The value as it lands.
    pub(crate) fn land(&mut self, datum: Datum) -> Value {
        let Some(schema) = datum.schema else {
            return datum.value;
        };
        let known = self
            .last
            .as_ref()
            .filter(|(last, _)| Arc::ptr_eq(last, &schema));
        let has_times = match known {
            Some((_, has_times)) => *has_times,
            None => {
                let has_times = has_times(&schema, 0);
                self.last = Some((Arc::clone(&schema), has_times));
                has_times
            }
        };
        match has_times {
            true => with_times(datum.value, &schema),
            false => datum.value,
        }
    }
}

fn has_times(schema: &Schema, depth: usize) -> bool {
    if depth > DEPTH_MOST {
        return false;
    }
    match &schema.kind {
        Kind::Array(items) => has_times(items, depth + 1),
        Kind::Map(keys, values) => has_times(keys, depth + 1) || has_times(values, depth + 1),
        Kind::Struct(fields) => fields
            .iter()
            .any(|field| has_times(&field.schema, depth + 1)),
        _ => schema.name.as_deref() == Some(TIME),
    }
}

fn with_times(value: Value, schema: &Schema) -> Value {
    match (value, &schema.kind) {
        (Value::List(elements), Kind::Array(items)) => {
            let elements = elements.into_iter();
            Value::List(elements.map(|element| with_times(element, items)).collect())
        }
        (Value::Object(members), Kind::Map(_, values)) => {
            let members = members.into_iter();
            Value::Object(
                members
                    .map(|(key, value)| (key, with_times(value, values)))
                    .collect(),
            )
        }
        (Value::List(pairs), Kind::Map(keys, values)) => {
            let pairs = pairs.into_iter().map(|pair| match pair {
                Value::Object(members) => {
                    let members = members.into_iter().map(|(name, value)| {
                        let schema = if name == "key" { keys } else { values };
                        (name, with_times(value, schema))
                    });
                    Value::Object(members.collect())
                }
                other => other,
            });
            Value::List(pairs.collect())
        }
        (Value::Object(members), Kind::Struct(fields)) => {
            let members = members.into_iter().enumerate().map(|(at, (name, value))| {
                // Members nearly always stand in their schema's order.
                let field = fields.get(at).filter(|field| field.name == name);
                let field = field.or_else(|| fields.iter().find(|field| field.name == name));
                let value = match field {
                    Some(field) => with_times(value, &field.schema),
                    None => value,
                };
                (name, value)
            });
            Value::Object(members.collect())
        }
        (Value::Integer(ms), _) if schema.name.as_deref() == Some(TIME) => {
            let text = i64::try_from(ms).ok().and_then(|ms| time_of_day(ms, 1_000));
            text.unwrap_or(Value::Integer(ms))
        }
        (value, _) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Field;

    #[test]
    fn a_time_of_day_lands_as_text_wherever_it_stands() {
        let time = Arc::new(Schema::of(Kind::Int32).named(TIME));
        let schema = Arc::new(Schema::of(Kind::Struct(vec![
            Field {
                name: "n".to_owned(),
                schema: Arc::new(Schema::of(Kind::Int32)),
            },
            Field {
                name: "at".to_owned(),
                schema: Arc::new(Schema::of(Kind::Array(time))),
            },
        ])));
        let value = |at: Value| {
            let at = ("at".to_owned(), Value::List(vec![at, Value::Null]));
            Value::Object(vec![("n".to_owned(), Value::Integer(7)), at])
        };
        let mut landing = Landing::default();
        for _ in 0..2 {
            let datum = Datum {
                schema: Some(Arc::clone(&schema)),
                value: value(Value::Integer(3_661_001)),
            };
            let text = Value::Text("01:01:01.001".to_owned());
            assert_eq!(landing.land(datum), value(text));
        }
        let plain = Datum::schemaless(Value::Integer(3_661_001));
        assert_eq!(landing.land(plain), Value::Integer(3_661_001));
    }
}
