//! The envelope: the columns that together are the original record, byte for byte (E7).

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};

/// The column that holds, in each object, what found no column of its own.
pub const RESCUED: &str = "_rescued";
/// The partition column of tables by day. Partition columns aren't in the files, and no payload
/// column takes the name of one.
pub const PARTITION_COLUMN: &str = "dt";
/// Metadata of a table's schema: the names of its partition columns, a JSON list.
const PARTITION_COLUMNS: &str = "eddy.partition_columns";

/// The record's bytes. Null where there are none, and where [`VALUE_SHAPE`] stands for them.
pub const VALUE: &str = "_value";
/// The record's key, decoded. Only tables with structured keys have it.
pub const KEY_FIELDS: &str = "_key_fields";
/// What makes `_value` again out of the columns, for rows that don't keep it (`crate::elide`). Only
/// tables that were written with raw elision have it.
pub const VALUE_SHAPE: &str = "_value_shape";

/// The envelope's names, in column order. `_key_fields` is only written for structured keys.
pub const ENVELOPE: [&str; 14] = [
    "_topic",
    "_partition",
    "_offset",
    "_timestamp",
    "_timestamp_type",
    "_topic_id",
    "_key_schema_id",
    "_value_schema_id",
    "_ingested_at",
    "_error",
    "_key",
    KEY_FIELDS,
    "_headers",
    "_value",
];

/// The envelope's columns. They stand behind the payload's, `_value` last.
pub fn envelope_schema() -> Schema {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields = [
        ("_topic", DataType::Utf8),
        ("_partition", DataType::Int32),
        ("_offset", DataType::Int64),
        ("_timestamp", time()),
        ("_timestamp_type", DataType::Utf8),
        ("_topic_id", DataType::Utf8),
        ("_key_schema_id", DataType::Int32),
        ("_value_schema_id", DataType::Int32),
        ("_ingested_at", time()),
        ("_error", DataType::Utf8),
        ("_key", DataType::Binary),
        ("_headers", headers_type()),
        ("_value", DataType::Binary),
    ];
    Schema::new(
        fields
            .into_iter()
            .map(|(name, data_type)| Field::new(name, data_type, true))
            .collect::<Vec<_>>(),
    )
}

/// The partition columns of the table with this schema; without the metadata that of tables by day.
pub fn partition_columns(schema: &Schema) -> Vec<String> {
    let names = schema.metadata().get(PARTITION_COLUMNS);
    let names = names.and_then(|names| serde_json::from_str(names).ok());
    names.unwrap_or_else(|| vec![PARTITION_COLUMN.to_owned()])
}

/// `schema` as that of a table with these partition columns.
pub(crate) fn with_partition_columns(schema: Schema, columns: &[String]) -> Schema {
    let Schema {
        fields,
        mut metadata,
    } = schema;
    let names = serde_json::Value::from(columns).to_string();
    metadata.insert(PARTITION_COLUMNS.to_owned(), names);
    Schema::new_with_metadata(fields, metadata)
}

fn headers_type() -> DataType {
    let header = DataType::Struct(header_fields());
    DataType::List(Arc::new(Field::new("element", header, true)))
}

/// The fields of one header.
pub(crate) fn header_fields() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("value", DataType::Binary, true),
    ])
}
