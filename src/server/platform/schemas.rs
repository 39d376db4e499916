//! Schemas: one for each collection, which is that of its table. JSON's is found out as events
//! come, and columns only ever join it, so the newest version is all that one needs.

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use axum::extract::{Path, State};
use axum::response::Json;
use eddy_connector::collect::{Collection, State as Stands};
use eddy_query::{ErrorKind, Request};
use serde_json::{Value, json};

use super::query::identifier;
use super::{Answer, Platform};

/// `GET /v1/schema`.
pub(super) async fn list(State(platform): State<Platform>) -> Answer {
    let all = platform.0.collector.collections().await?;
    Ok(Json(all.iter().map(shown).collect()))
}

/// `GET /v1/schema/{id}`.
pub(super) async fn show(State(platform): State<Platform>, Path(id): Path<String>) -> Answer {
    let found = platform.0.collector.collection(&id).await?;
    Ok(Json(shown(&found)))
}

/// `GET /v1/schema/{id}/versions`: the columns of the table as they are now; no version where no
/// event has come yet.
pub(super) async fn versions(State(platform): State<Platform>, Path(id): Path<String>) -> Answer {
    let found = platform.0.collector.collection(&id).await?;
    let table = identifier(&found.topic);
    let request = Request::new(format!("SELECT * FROM {table}"));
    let schema = match platform.0.query.describe(request).await {
        Err(error) if error.kind() == ErrorKind::UnknownTable => return Ok(Json(json!([]))),
        described => described?.schema,
    };
    let columns = schema.fields().iter();
    let columns: Vec<String> = columns
        .map(|field| format!("{} {}", field.name(), field.data_type()))
        .collect();
    Ok(Json(json!([{
        "id": format!("{id}/1"),
        "schema_id": id,
        "version": 1,
        "definition": {
            "Tag": "name=parquet_go_root, repetitiontype=REQUIRED",
            "Fields": definitions(schema.fields()),
        },
        "display": columns.join("\n"),
    }])))
}

/// A collection's schema as it is shown.
pub(super) fn shown(collection: &Collection) -> Value {
    json!({
        "id": collection.name,
        "name": collection.name,
        "type": "json",
        "root_type": "",
        "shared": false,
        "archived": collection.state == Stands::Archived,
    })
}

/// Fields as parquet-go has them.
fn definitions(fields: &Fields) -> Vec<Value> {
    let fields = fields.iter();
    fields
        .map(|field| definition(field.name(), field))
        .collect()
}

fn definition(name: &str, field: &Field) -> Value {
    let (kind, inside) = match field.data_type() {
        DataType::Boolean => ("BOOLEAN", None),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => ("INT32", None),
        DataType::Int64 | DataType::UInt64 => ("INT64", None),
        DataType::Float32 => ("FLOAT", None),
        DataType::Float64 => ("DOUBLE", None),
        DataType::Date32 => ("INT32, convertedtype=DATE", None),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            ("INT64, convertedtype=TIMESTAMP_MILLIS", None)
        }
        DataType::Timestamp(_, _) => ("INT64, convertedtype=TIMESTAMP_MICROS", None),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            ("BYTE_ARRAY, convertedtype=UTF8", None)
        }
        DataType::Decimal128(precision, scale) => {
            let kind = format!(
                "FIXED_LEN_BYTE_ARRAY, convertedtype=DECIMAL, precision={precision}, scale={scale}"
            );
            return tagged(name, Some(&kind), None);
        }
        DataType::List(element) => ("LIST", Some(vec![definition("element", element)])),
        DataType::Struct(fields) => return tagged(name, None, Some(definitions(fields))),
        _ => ("BYTE_ARRAY", None),
    };
    tagged(name, Some(kind), inside)
}

fn tagged(name: &str, kind: Option<&str>, inside: Option<Vec<Value>>) -> Value {
    let kind = kind.map_or_else(String::new, |kind| format!(", type={kind}"));
    let tag = format!("name={name}{kind}, repetitiontype=OPTIONAL");
    match inside {
        Some(fields) => json!({ "Tag": tag, "Fields": fields }),
        None => json!({ "Tag": tag }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_in_parquet_gos_words() {
        let text = Field::new("element", DataType::Utf8, true);
        let inside = Fields::from(vec![Field::new("age", DataType::Float64, true)]);
        let fields = Fields::from(vec![
            Field::new("age", DataType::Int64, true),
            Field::new("tags", DataType::List(text.into()), true),
            Field::new("user", DataType::Struct(inside), true),
        ]);
        assert_eq!(
            Value::Array(definitions(&fields)),
            json!([
                {"Tag": "name=age, type=INT64, repetitiontype=OPTIONAL"},
                {"Tag": "name=tags, type=LIST, repetitiontype=OPTIONAL", "Fields": [
                    {"Tag": "name=element, type=BYTE_ARRAY, convertedtype=UTF8, \
                             repetitiontype=OPTIONAL"},
                ]},
                {"Tag": "name=user, repetitiontype=OPTIONAL", "Fields": [
                    {"Tag": "name=age, type=DOUBLE, repetitiontype=OPTIONAL"},
                ]},
            ])
        );
    }
}
