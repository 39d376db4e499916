//! Structs and maps: their members by name, with what a schema says of those that are missing.

use eddy_engine::Value;

use super::failure::Failure;
use crate::data::{Datum, Field, Kind, Schema};

/// The members of an object, in order.
pub(super) type Members = Vec<(String, Value)>;

/// The members of a value that must be a struct, or a map where it has no schema. `purpose` is what
/// they are wanted for.
pub(super) fn require(datum: Datum, purpose: &str) -> Result<Members, Failure> {
    look(&datum, purpose)?;
    match datum.value {
        Value::Object(members) => Ok(members),
        _ => Ok(Members::new()),
    }
}

/// As [`require`], where the value stays.
pub(super) fn look<'a>(datum: &'a Datum, purpose: &str) -> Result<&'a [(String, Value)], Failure> {
    let wanted = match datum.schema.as_deref().map(|schema| &schema.kind) {
        None => "a map",
        Some(Kind::Struct(_)) => "a struct",
        Some(kind) => {
            return Err(Failure::data(format!(
                "{purpose} needs a struct but the schema says {}",
                kind_of_schema(kind)
            )));
        }
    };
    match &datum.value {
        Value::Object(members) => Ok(members),
        other => Err(Failure::data(format!(
            "{purpose} needs {wanted} but found {}",
            kind_of(other)
        ))),
    }
}

/// As [`require`], for a part of a value that may be null.
pub(super) fn require_nested<'a>(
    value: &'a Value,
    purpose: &str,
) -> Result<Option<&'a [(String, Value)]>, Failure> {
    match value {
        Value::Null => Ok(None),
        Value::Object(members) => Ok(Some(members)),
        other => Err(Failure::data(format!(
            "{purpose} needs an object on the way but found {}",
            kind_of(other)
        ))),
    }
}

/// The fields of a struct's schema; none of any other.
pub(super) fn fields_of(schema: &Schema) -> &[Field] {
    match &schema.kind {
        Kind::Struct(fields) => fields,
        _ => &[],
    }
}

/// The field `name` of a struct's schema.
pub(super) fn field<'a>(schema: &'a Schema, name: &str) -> Option<&'a Field> {
    fields_of(schema).iter().find(|field| field.name == name)
}

/// The member `name`; of a key that comes twice the last value counts.
pub(super) fn get<'a>(members: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    let found = members.iter().rev().find(|(key, _)| key == name);
    found.map(|(_, value)| value)
}

/// Sets the member `name`, in its place where there is one, else at the end. Of a key that comes
/// twice the others go: what a transform changes must not stay as it was beside itself.
pub(super) fn put(members: &mut Members, name: &str, value: Value) {
    let mut value = Some(value);
    members.retain_mut(|(key, place)| {
        if key.as_str() != name {
            return true;
        }
        let Some(value) = value.take() else {
            return false;
        };
        *place = value;
        true
    });
    if let Some(value) = value {
        members.push((name.to_owned(), value));
    }
}

/// The value of a struct's field, by its schema: what stands for a missing value, where `replace`
/// says so.
pub(super) fn value_of(members: &[(String, Value)], field: &Field, replace: bool) -> Value {
    let value = get(members, &field.name).cloned().unwrap_or(Value::Null);
    or_default(value, &field.schema, replace)
}

/// What stands for null by its schema, where `replace` says so.
pub(super) fn or_default(value: Value, schema: &Schema, replace: bool) -> Value {
    match (&value, &schema.default) {
        (Value::Null, Some(default)) if replace => default.clone(),
        _ => value,
    }
}

/// A struct's members as its schema has its fields, with defaults where `replace` says so.
pub(super) fn in_order(members: &[(String, Value)], schema: &Schema, replace: bool) -> Members {
    fields_of(schema)
        .iter()
        .map(|field| (field.name.clone(), value_of(members, field, replace)))
        .collect()
}

/// A word for what a value is.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) => "an integer",
        Value::Double(_) => "a double",
        Value::Decimal { .. } => "a decimal",
        Value::Text(_) => "text",
        Value::Binary(_) => "bytes",
        Value::Timestamp(_) => "a moment",
        Value::Date(_) => "a day",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
        Value::Raw(_) => "JSON that no value can hold",
    }
}

fn kind_of_schema(kind: &Kind) -> &'static str {
    match kind {
        Kind::Int8 => "int8",
        Kind::Int16 => "int16",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Float32 => "float32",
        Kind::Float64 => "float64",
        Kind::Boolean => "boolean",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Array(_) => "array",
        Kind::Map(..) => "map",
        Kind::Struct(_) => "struct",
    }
}
