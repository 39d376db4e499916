//! The JSON value of one row, put together again from a batch's columns by their identities: what
//! tests compare with the value that was recorded.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Fields, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};

use super::kind::{Kind, Step, step};

/// A JSON value with numbers as they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true`, `false`.
    Boolean(bool),
    /// An integer of at most 38 digits.
    Integer(i128),
    /// Another number.
    Double(f64),
    /// A number with so many digits behind the point.
    Decimal(i128, u8),
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// A moment in microseconds.
    Timestamp(i64),
    /// A day since the Unix epoch.
    Date(i32),
    /// What no type holds: the raw JSON text of an extreme number or of broken surrogates.
    Raw(String),
    /// An array.
    List(Vec<Json>),
    /// An object; of a key that comes twice the last value.
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Parses one JSON text; `None` if it isn't one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        crate::shred::to_json(text)
    }

    /// The value without what decides nothing: nulls, and objects and lists with nothing else in
    /// them, are null, and null members of objects are left out. Whole doubles are integers,
    /// because a column of doubles holds integers that are exact in it.
    #[must_use]
    pub fn normal(self) -> Self {
        match self {
            Self::Double(value) if value.fract() == 0.0 && value.abs() < 1e38 => {
                Self::Integer(value as i128)
            }
            Self::List(elements) => {
                let elements: Vec<Self> = elements.into_iter().map(Self::normal).collect();
                if elements.iter().all(|element| *element == Self::Null) {
                    return Self::Null;
                }
                Self::List(elements)
            }
            Self::Object(members) => {
                let members: BTreeMap<String, Self> = members
                    .into_iter()
                    .map(|(key, value)| (key, value.normal()))
                    .filter(|(_, value)| *value != Self::Null)
                    .collect();
                if members.is_empty() {
                    return Self::Null;
                }
                Self::Object(members)
            }
            other => other,
        }
    }
}

/// The payload of `row`: an object, empty when the row has no payload column.
pub fn rebuild(batch: &RecordBatch, row: usize) -> Json {
    Json::Object(object(batch.schema_ref().fields(), batch.columns(), row))
}

fn object(fields: &Fields, columns: &[ArrayRef], row: usize) -> BTreeMap<String, Json> {
    let mut members = BTreeMap::new();
    let mut rescued = None;
    for (field, column) in fields.iter().zip(columns) {
        if column.is_null(row) {
            continue;
        }
        match step(field) {
            Step::Field { key, .. } => {
                let value = value(column, row);
                let before = members.insert(key.to_owned(), value);
                assert_eq!(before, None, "two columns of key `{key}` have a value");
            }
            Step::Rescued => rescued = Json::parse(column.as_string::<i32>().value(row).as_bytes()),
            Step::Member(_) | Step::Named(_) => {}
        }
    }
    if let Some(Json::Object(rescued)) = rescued {
        for (key, value) in rescued {
            members.entry(key).or_insert(value);
        }
    }
    members
}

fn value(column: &ArrayRef, row: usize) -> Json {
    if column.is_null(row) {
        return Json::Null;
    }
    match column.data_type() {
        DataType::Boolean => Json::Boolean(column.as_boolean().value(row)),
        DataType::Int64 => Json::Integer(column.as_primitive::<Int64Type>().value(row).into()),
        DataType::Float64 => Json::Double(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            let unscaled = column.as_primitive::<Decimal128Type>().value(row);
            match u8::try_from(*scale) {
                Ok(scale) if scale > 0 => Json::Decimal(unscaled, scale),
                _ => Json::Integer(unscaled),
            }
        }
        DataType::Binary => Json::Binary(column.as_binary::<i32>().value(row).to_vec()),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            Json::Timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Date32 => Json::Date(column.as_primitive::<Date32Type>().value(row)),
        DataType::Utf8 => Json::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::Utf8View => Json::Text(column.as_string_view().value(row).to_owned()),
        DataType::List(_) => {
            let elements = column.as_list::<i32>().value(row);
            Json::List((0..elements.len()).map(|at| value(&elements, at)).collect())
        }
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns();
            if super::is_members(fields) {
                return columns
                    .iter()
                    .find(|member| member.is_valid(row))
                    .map_or(Json::Null, |member| value(member, row));
            }
            Json::Object(object(fields, columns, row))
        }
        other => Json::Raw(format!("a column of type `{other}`")),
    }
}

/// The kinds that the columns of a key have at the root; for tests that say which.
pub fn kinds(batch: &RecordBatch, key: &str) -> Vec<(String, Kind)> {
    batch
        .schema_ref()
        .fields()
        .iter()
        .filter_map(|field| match step(field) {
            Step::Field { key: found, shape } if found == key => {
                Some((field.name().clone(), shape.kind()))
            }
            _ => None,
        })
        .collect()
}
