//! Connect's schema from its own JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use super::{DEPTH_MOST, Reader};
use crate::data::{Field, Kind, Schema};

/// The schema that `text` is; `None` for `null`, which makes values schemaless.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<Option<Arc<Schema>>, String> {
    let json: Json =
        serde_json::from_str(text).map_err(|error| format!("the schema is no JSON: {error}"))?;
    match json {
        Json::Null => Ok(None),
        json => Ok(Some(schema(&json, 0)?)),
    }
}

fn schema(json: &Json, depth: usize) -> Result<Arc<Schema>, String> {
    if depth > DEPTH_MOST {
        return Err(format!(
            "the schema is nested deeper than {DEPTH_MOST} levels"
        ));
    }
    let object = json.as_object().ok_or("a schema is no object")?;
    let mut schema = Schema::of(kind(object, depth)?);
    let text = |key: &str| object.get(key).and_then(Json::as_str).map(str::to_owned);
    schema.optional = object
        .get("optional")
        .and_then(Json::as_bool)
        .unwrap_or(false);
    schema.name = text("name");
    schema.doc = text("doc");
    let version = object.get("version").and_then(Json::as_i64);
    schema.version = version.and_then(|version| i32::try_from(version).ok());
    schema.parameters = parameters(object)?;
    if let Some(default) = object.get("default").filter(|default| !default.is_null()) {
        let raw = RawValue::from_string(default.to_string()).map_err(|why| why.to_string())?;
        let by = Reader { replace_null: true };
        let value = by.value(Some(&raw), &Arc::new(schema.clone()), 0);
        schema.default = Some(value.map_err(|why| format!("a default: {why}"))?);
    }
    Ok(Arc::new(schema))
}

fn parameters(object: &Map<String, Json>) -> Result<BTreeMap<String, String>, String> {
    let Some(parameters) = object.get("parameters").and_then(Json::as_object) else {
        return Ok(BTreeMap::new());
    };
    let pair = |(key, value): (&String, &Json)| match value {
        Json::String(text) => Ok((key.clone(), text.clone())),
        _ => Err(format!("the parameter `{key}` is no text")),
    };
    parameters.iter().map(pair).collect()
}

fn kind(object: &Map<String, Json>, depth: usize) -> Result<Kind, String> {
    let inner = |key: &str| {
        let json = object.get(key);
        let json = json.ok_or_else(|| format!("a schema has no `{key}`"))?;
        schema(json, depth + 1)
    };
    let name = object.get("type").and_then(Json::as_str);
    Ok(match name.ok_or("a schema has no `type`")? {
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "float" => Kind::Float32,
        "double" => Kind::Float64,
        "boolean" => Kind::Boolean,
        "string" => Kind::String,
        "bytes" => Kind::Bytes,
        "array" => Kind::Array(inner("items")?),
        "map" => Kind::Map(inner("keys")?, inner("values")?),
        "struct" => {
            let fields = object.get("fields").and_then(Json::as_array);
            let fields = fields.ok_or("a struct has no `fields`")?.iter();
            let fields = fields.map(|json| {
                let name = json.get("field").and_then(Json::as_str);
                let name = name.ok_or("a field of a struct has no `field`")?;
                Ok::<_, String>(Field {
                    name: name.to_owned(),
                    schema: schema(json, depth + 1)?,
                })
            });
            Kind::Struct(fields.collect::<Result<_, _>>()?)
        }
        other => return Err(format!("`{other}` is no type of Connect's")),
    })
}
