//! A table's columns as Delta's schema text, and back.
//!
//! Our own translation, because the columns' identities live in field metadata at every level,
//! must come back unchanged, and a table may have thousands of them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde_json::{Map, Value, json};

use crate::commit::since;
use crate::error::{Error, Result};
use crate::schema::{partition_columns, with_partition_columns};

/// The schema of a table with `columns` and its partition columns, which are texts.
///
/// # Errors
/// `Internal` for a type or name that Delta can't hold.
pub(crate) fn to_delta(columns: &Schema) -> Result<Value> {
    let partitions = partition_columns(columns);
    let text = |name: &String| Field::new(name, DataType::Utf8, true);
    let partitions: Fields = partitions.iter().map(text).collect();
    let all = columns.fields().iter().chain(&partitions).cloned();
    let all: Fields = all.collect();
    check_names(&all)?;
    let fields = write_fields(&all)?;
    Ok(json!({"type": "struct", "fields": fields}))
}

/// The table's columns without its partition columns.
///
/// # Errors
/// `Data` for a schema that Eddy can't read.
pub(crate) fn from_delta(schema: &str, partition_columns: &[String]) -> Result<SchemaRef> {
    let value: Value = serde_json::from_str(schema)
        .map_err(|error| Error::data("the table's schema is not JSON").with_source(error))?;
    let fields = read_fields(&value)?;
    let kept: Vec<_> = fields
        .iter()
        .filter(|field| !partition_columns.contains(field.name()))
        .cloned()
        .collect();
    let schema = Schema::new(kept);
    Ok(Arc::new(with_partition_columns(schema, partition_columns)))
}

/// Delta compares names without case, and Parquet's readers stumble over some characters; a
/// schema that breaks this would be refused by every reader, so it is never written (P11).
fn check_names(fields: &Fields) -> Result<()> {
    let mut seen = HashMap::new();
    for field in fields {
        let name = field.name();
        if name.is_empty() || name.chars().any(|c| " ,;{}()\n\t=".contains(c)) {
            return Err(Error::internal(format!(
                "`{name}` can't be a column's name"
            )));
        }
        if let Some(other) = seen.insert(name.to_lowercase(), name) {
            return Err(Error::internal(format!(
                "the columns `{other}` and `{name}` differ only in case"
            )));
        }
        if !field.is_nullable() {
            return Err(Error::internal(format!(
                "the column `{name}` must be nullable"
            )));
        }
        if let Some(children) = children(field.data_type()) {
            check_names(children)?;
        }
    }
    Ok(())
}

fn children(data_type: &DataType) -> Option<&Fields> {
    match data_type {
        DataType::Struct(fields) => Some(fields),
        DataType::List(element) => children(element.data_type()),
        _ => None,
    }
}

fn write_fields(fields: &Fields) -> Result<Vec<Value>> {
    fields
        .iter()
        .map(|field| {
            let metadata: Map<String, Value> = field
                .metadata()
                .iter()
                .map(|(key, value)| (key.clone(), Value::String(value.clone())))
                .collect();
            Ok(json!({
                "name": field.name(),
                "type": write_type(field.data_type())?,
                "nullable": field.is_nullable(),
                "metadata": metadata,
            }))
        })
        .collect()
}

fn write_type(data_type: &DataType) -> Result<Value> {
    Ok(match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int32 => "integer".into(),
        DataType::Int64 => "long".into(),
        DataType::Float64 => "double".into(),
        DataType::Utf8 => "string".into(),
        DataType::Binary => "binary".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})").into(),
        DataType::Struct(fields) => json!({"type": "struct", "fields": write_fields(fields)?}),
        DataType::List(element) => json!({
            "type": "array",
            "elementType": write_type(element.data_type())?,
            "containsNull": true,
        }),
        other => {
            return Err(Error::internal(format!(
                "a column can't have the type `{other}`"
            )));
        }
    })
}

fn read_fields(value: &Value) -> Result<Fields> {
    let fields = value.get("fields").and_then(Value::as_array);
    fields
        .ok_or_else(|| broken(value))?
        .iter()
        .map(read_field)
        .collect()
}

fn read_field(value: &Value) -> Result<Field> {
    let name = value.get("name").and_then(Value::as_str);
    let data_type = read_type(value.get("type").ok_or_else(|| broken(value))?)?;
    let nullable = value
        .get("nullable")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    let metadata = value
        .get("metadata")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(key, _)| !since::is_since(key))
        .map(|(key, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (key.clone(), text)
        })
        .collect();
    let name = name.ok_or_else(|| broken(value))?;
    Ok(Field::new(name, data_type, nullable).with_metadata(metadata))
}

fn read_type(value: &Value) -> Result<DataType> {
    if let Some(name) = value.as_str() {
        return read_primitive(name).ok_or_else(|| broken(value));
    }
    match value.get("type").and_then(Value::as_str) {
        Some("struct") => Ok(DataType::Struct(read_fields(value)?)),
        Some("array") => {
            let element = read_type(value.get("elementType").ok_or_else(|| broken(value))?)?;
            Ok(DataType::List(Arc::new(Field::new(
                "element", element, true,
            ))))
        }
        _ => Err(broken(value)),
    }
}

fn read_primitive(name: &str) -> Option<DataType> {
    Some(match name {
        "boolean" => DataType::Boolean,
        "byte" => DataType::Int8,
        "short" => DataType::Int16,
        "integer" => DataType::Int32,
        "long" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "string" => DataType::Utf8,
        "binary" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => {
            let digits = name.strip_prefix("decimal(")?.strip_suffix(')')?;
            let (precision, scale) = digits.split_once(',')?;
            DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
        }
    })
}

fn broken(value: &Value) -> Error {
    let text: String = value.to_string().chars().take(200).collect();
    Error::data(format!(
        "the table's schema holds what Eddy can't read: `{text}`"
    ))
}
