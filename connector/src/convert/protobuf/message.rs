//! A decoded message as a value.

use eddy_engine::Value;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, OneofDescriptor, ReflectMessage as _,
    Value as Proto,
};

use super::{ProtobufOptions, known};

/// Reads messages by the converter's options.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    pub(super) options: ProtobufOptions,
}

impl Reader {
    /// The value of a record's whole message.
    ///
    /// # Errors
    /// What it can't be.
    pub(super) fn root(self, message: &DynamicMessage) -> Result<Value, String> {
        let descriptor = message.descriptor();
        if self.options.wrapper_for_raw && known::is_wrapper(descriptor.full_name()) {
            return self.wrapped(message);
        }
        self.message(message)
    }

    fn message(self, message: &DynamicMessage) -> Result<Value, String> {
        if let Some(value) = known::value(message) {
            return Ok(value);
        }
        let descriptor = message.descriptor();
        let mut members = Vec::new();
        let mut unions: Vec<(OneofDescriptor, usize)> = Vec::new();
        for field in descriptor.fields() {
            let union = union_of(&field).filter(|_| !self.options.flatten_unions);
            let Some(union) = union else {
                members.push((field.name().to_owned(), self.field(message, &field)?));
                continue;
            };
            let at = match unions.iter().find(|(known, _)| *known == union) {
                Some((_, at)) => *at,
                None => {
                    members.push((union_name(&union, self.options), Value::Null));
                    unions.push((union, members.len() - 1));
                    members.len() - 1
                }
            };
            if message.has_field(&field)
                && let Some((_, slot)) = members.get_mut(at)
            {
                let value = self.field(message, &field)?;
                *slot = Value::Object(vec![(field.name().to_owned(), value)]);
            }
        }
        Ok(Value::Object(members))
    }

    fn field(self, message: &DynamicMessage, field: &FieldDescriptor) -> Result<Value, String> {
        if field.supports_presence() && !message.has_field(field) {
            return Ok(Value::Null);
        }
        let value = message.get_field(field);
        self.value(&value, &field.kind(), field)
    }

    fn value(self, value: &Proto, kind: &Kind, field: &FieldDescriptor) -> Result<Value, String> {
        Ok(match value {
            Proto::Bool(value) => Value::Boolean(*value),
            Proto::I32(value) => Value::Integer((*value).into()),
            Proto::I64(value) => Value::Integer((*value).into()),
            Proto::U32(value) => Value::Integer((*value).into()),
            Proto::U64(value) => Value::Integer((*value).into()),
            Proto::F32(value) => Value::Double((*value).into()),
            Proto::F64(value) => Value::Double(*value),
            Proto::String(text) => Value::Text(text.clone()),
            Proto::Bytes(bytes) => Value::Binary(bytes.to_vec()),
            Proto::EnumNumber(number) => self.symbol(*number, kind),
            Proto::Message(message) => {
                let wraps = known::is_wrapper(message.descriptor().full_name());
                match self.options.wrapper_for_nullables && wraps {
                    true => self.wrapped(message)?,
                    false => self.message(message)?,
                }
            }
            Proto::List(elements) => {
                let elements = elements.iter();
                let elements = elements.map(|element| self.value(element, kind, field));
                Value::List(elements.collect::<Result<_, _>>()?)
            }
            Proto::Map(entries) => {
                let kind = match kind {
                    Kind::Message(entry) => entry.map_entry_value_field().kind(),
                    _ => return Err(format!("field `{}` is no map", field.name())),
                };
                let mut sorted: Vec<(&MapKey, &Proto)> = entries.iter().collect();
                sorted.sort_by_key(|(key, _)| *key);
                let texts = sorted
                    .iter()
                    .all(|(key, _)| matches!(key, MapKey::String(_)));
                let mut members = Vec::with_capacity(sorted.len());
                let mut pairs = Vec::new();
                for (key, value) in sorted {
                    let value = self.value(value, &kind, field)?;
                    match key {
                        MapKey::String(key) if texts => members.push((key.clone(), value)),
                        key => pairs.push(Value::Object(vec![
                            ("key".to_owned(), of_key(key)),
                            ("value".to_owned(), value),
                        ])),
                    }
                }
                match is_text_map(field) {
                    true => Value::Object(members),
                    false => Value::List(pairs),
                }
            }
        })
    }

    /// The value that a wrapper wraps.
    fn wrapped(self, message: &DynamicMessage) -> Result<Value, String> {
        let field = message.descriptor().get_field(1);
        let field = field.ok_or("a wrapper wraps nothing")?;
        self.value(&message.get_field(&field), &field.kind(), &field)
    }

    fn symbol(self, number: i32, kind: &Kind) -> Value {
        let Kind::Enum(descriptor) = kind else {
            return Value::Integer(number.into());
        };
        if self.options.int_for_enums {
            return Value::Integer(number.into());
        }
        match descriptor.get_value(number) {
            Some(symbol) => Value::Text(symbol.name().to_owned()),
            // What Java's library calls a number that the schema doesn't have.
            None => {
                let name = descriptor.name();
                Value::Text(format!("UNKNOWN_ENUM_VALUE_{name}_{number}"))
            }
        }
    }
}

/// The oneof of a field, if somebody wrote one.
pub(super) fn union_of(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    let optional = field.field_descriptor_proto().proto3_optional();
    field.containing_oneof().filter(|_| !optional)
}

/// What Connect calls a oneof.
pub(super) fn union_name(union: &OneofDescriptor, options: ProtobufOptions) -> String {
    match options.index_for_unions {
        true => {
            let message = union.parent_message().clone();
            let index = message.oneofs().position(|one| one == *union);
            format!("{}_{}", union.name(), index.unwrap_or(0))
        }
        false => union.name().to_owned(),
    }
}

/// Whether a map's keys are text.
pub(super) fn is_text_map(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            entry.map_entry_key_field().kind() == Kind::String
        }
        _ => false,
    }
}

fn of_key(key: &MapKey) -> Value {
    match key {
        MapKey::Bool(key) => Value::Boolean(*key),
        MapKey::I32(key) => Value::Integer((*key).into()),
        MapKey::I64(key) => Value::Integer((*key).into()),
        MapKey::U32(key) => Value::Integer((*key).into()),
        MapKey::U64(key) => Value::Integer((*key).into()),
        MapKey::String(key) => Value::Text(key.clone()),
    }
}
