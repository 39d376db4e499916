//! Keys of tables, in the columns that clients expect: there are none.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};

/// No primary keys.
pub(super) fn no_primary() -> RecordBatch {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let always = |name| Field::new(name, DataType::Utf8, false);
    RecordBatch::new_empty(Arc::new(Schema::new(vec![
        text("catalog_name"),
        text("db_schema_name"),
        always("table_name"),
        always("column_name"),
        text("key_name"),
        Field::new("key_sequence", DataType::Int32, false),
    ])))
}

/// No foreign keys, from either side.
pub(super) fn no_foreign() -> RecordBatch {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let always = |name| Field::new(name, DataType::Utf8, false);
    RecordBatch::new_empty(Arc::new(Schema::new(vec![
        text("pk_catalog_name"),
        text("pk_db_schema_name"),
        always("pk_table_name"),
        always("pk_column_name"),
        text("fk_catalog_name"),
        text("fk_db_schema_name"),
        always("fk_table_name"),
        always("fk_column_name"),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name"),
        text("pk_key_name"),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ])))
}
