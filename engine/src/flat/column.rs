//! The keys or the headers of records as a column of Parquet, for files that have nothing else.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringBuilder, StructBuilder};
use arrow::array::{BinaryArray, StringArray};
use arrow::datatypes::{DataType, Field, Fields, Schema};

use super::record::Part;
use super::{json, rows};
use crate::error::Result;

/// The part of the rows of `batches`, in their order, under its own name: keys are text if all of
/// them are, else bytes; headers are lists of names and texts.
///
/// # Errors
/// `Internal` for batches without envelope.
pub(crate) fn column(batches: &[RecordBatch], part: Part) -> Result<RecordBatch> {
    let rows = rows::of(batches)?;
    let column: ArrayRef = match part {
        Part::Headers => headers(&rows),
        _ => {
            let keys = || rows.iter().map(|row| row.key);
            let texts = keys().map(|key| key.map(std::str::from_utf8).transpose());
            match texts.collect::<std::result::Result<StringArray, _>>() {
                Ok(texts) if part != Part::KeyBytes => Arc::new(texts),
                _ => Arc::new(keys().collect::<BinaryArray>()),
            }
        }
    };
    let is_list = part == Part::Headers;
    let field = Field::new(part.name(), column.data_type().clone(), !is_list);
    let schema = Schema::new(vec![field]);
    Ok(RecordBatch::try_new(Arc::new(schema), vec![column])?)
}

fn headers(rows: &[rows::Row<'_>]) -> ArrayRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let fields = Fields::from(vec![text("key", false), text("value", true)]);
    let pairs = StructBuilder::from_fields(fields.clone(), 0);
    let element = Field::new("element", DataType::Struct(fields), false);
    let mut lists = ListBuilder::new(pairs).with_field(element);
    for row in rows {
        for (name, value) in &row.headers {
            let pair = lists.values();
            if let Some(names) = pair.field_builder::<StringBuilder>(0) {
                names.append_value(name);
            }
            if let Some(values) = pair.field_builder::<StringBuilder>(1) {
                values.append_option(value.map(json::text));
            }
            pair.append(true);
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}
