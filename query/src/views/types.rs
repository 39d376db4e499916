//! Types in Trino's words: it makes a struct with names by a cast.

use arrow::datatypes::{DataType, Fields};

use super::{Dialect, MadeOf, shown};

/// The type of what is shown of a value of this type.
pub(super) fn shown_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Struct(fields) => shown_fields(fields),
        DataType::List(element) => format!("ARRAY({})", shown_type(element.data_type())),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float32 => "REAL".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Binary => "VARBINARY".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP(6) WITH TIME ZONE".to_owned(),
        DataType::Timestamp(_, None) => "TIMESTAMP(6)".to_owned(),
        _ => "VARCHAR".to_owned(),
    }
}

fn shown_fields(fields: &Fields) -> String {
    let fields = shown(fields).into_iter().map(|field| {
        let data_type = match &field.made_of {
            MadeOf::Text(_) => "VARCHAR".to_owned(),
            MadeOf::Field(stored) => shown_type(stored.data_type()),
        };
        format!("{} {data_type}", Dialect::Trino.name(&field.name))
    });
    format!("ROW({})", fields.collect::<Vec<_>>().join(", "))
}
