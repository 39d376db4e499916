//! The columns as clients are told them, and batches brought to what was told.
//!
//! Types that only hold the same values in another way (views, dictionaries, runs) become those
//! that every client knows, and every column may be null: then what a ticket's answer has is what
//! was told of it, whatever the plan says of nulls. Between the two a table may grow, so columns
//! are found by their names.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use crate::error::Result;

/// These columns as clients are told them.
pub(super) fn told(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new(fields(schema.fields())))
}

fn fields(given: &Fields) -> Fields {
    given.iter().map(field).collect()
}

fn field(given: &FieldRef) -> FieldRef {
    Arc::new(Field::new(given.name(), plain(given.data_type()), true))
}

fn plain(given: &DataType) -> DataType {
    match given {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => plain(values),
        DataType::RunEndEncoded(_, values) => plain(values.data_type()),
        DataType::List(element) | DataType::ListView(element) => DataType::List(field(element)),
        DataType::LargeList(element) | DataType::LargeListView(element) => {
            DataType::LargeList(field(element))
        }
        DataType::FixedSizeList(element, size) => DataType::FixedSizeList(field(element), *size),
        DataType::Struct(inner) => DataType::Struct(fields(inner)),
        other => other.clone(),
    }
}

/// Which column of an answer is which that was told: the same name, and the same one of several
/// that are called so. `None` where the answer has none.
pub(super) fn places(told: &Schema, answered: &Schema) -> Vec<Option<usize>> {
    let mut found: HashMap<(&str, usize), usize> = HashMap::new();
    for (at, name) in numbered(answered).enumerate() {
        found.insert(name, at);
    }
    numbered(told)
        .map(|name| found.get(&name).copied())
        .collect()
}

/// The names, each with how many before it are called so.
fn numbered(schema: &Schema) -> impl Iterator<Item = (&str, usize)> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    schema.fields().iter().map(move |field| {
        let count = seen.entry(field.name()).or_default();
        *count += 1;
        (field.name().as_str(), *count)
    })
}

/// The rows of `batch` in the columns that were `told`, which are at these `places`.
///
/// # Errors
/// `Execution` when a value isn't one of the type that was told.
pub(super) fn fit(
    batch: &RecordBatch,
    told: &SchemaRef,
    places: &[Option<usize>],
) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let columns = told.fields().iter().zip(places).map(|(field, place)| {
        let column = place.and_then(|at| batch.columns().get(at));
        match column {
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows)),
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let fitted = RecordBatch::try_new_with_options(Arc::clone(told), columns, &options)?;
    Ok(fitted)
}

fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if column.data_type() == to {
        return Ok(Arc::clone(column));
    }
    // A value that doesn't fit is an error and never a null.
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    Ok(cast_with_options(column, to, &options)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use arrow::array::{
        Array, AsArray, BinaryViewArray, DictionaryArray, Int64Array, ListArray, StringArray,
        StringViewArray, StructArray,
    };
    use arrow::datatypes::{Int32Type, Int64Type};

    use super::*;

    fn views() -> RecordBatch {
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None]));
        let inner = Fields::from(vec![
            Field::new("v", DataType::Utf8View, true)
                .with_metadata(HashMap::from([("kind".to_owned(), "text".to_owned())])),
        ]);
        let parts = StructArray::new(inner, vec![Arc::clone(&texts)], None);
        let element = Arc::new(Field::new("item", parts.data_type().clone(), true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([2, 0]);
        let list = ListArray::new(element, offsets, Arc::new(parts), None);
        let bytes = BinaryViewArray::from(vec![Some(b"b".as_slice()), None]);
        let words: DictionaryArray<Int32Type> = vec![Some("w"), Some("w")].into_iter().collect();
        let numbers = Int64Array::from(vec![1, 2]);
        RecordBatch::try_from_iter_with_nullable([
            ("text", texts, true),
            ("list", Arc::new(list) as ArrayRef, true),
            ("bytes", Arc::new(bytes), true),
            ("words", Arc::new(words), true),
            ("n", Arc::new(numbers), false),
        ])
        .unwrap()
    }

    #[test]
    fn rows_come_in_types_that_every_client_knows() {
        let batch = views();
        let told = told(&batch.schema());
        let types: Vec<String> = told
            .fields()
            .iter()
            .map(|field| {
                assert!(field.is_nullable());
                format!("{}", field.data_type())
            })
            .collect();
        for (given, part) in types
            .iter()
            .zip(["Utf8", "List", "Binary", "Utf8", "Int64"])
        {
            assert!(given.starts_with(part), "{given}");
            assert!(!given.contains("View"), "{given}");
        }
        let fitted = fit(&batch, &told, &places(&told, &batch.schema())).unwrap();
        assert_eq!(fitted.column(0).as_string::<i32>().value(0), "a");
        assert!(fitted.column(0).is_null(1));
        let elements = fitted.column(1).as_list::<i32>().value(0);
        let texts = elements.as_struct().column(0).as_string::<i32>();
        assert_eq!((texts.value(0), texts.is_null(1)), ("a", true));
        assert_eq!(fitted.column(2).as_binary::<i32>().value(0), b"b");
        assert_eq!(fitted.column(3).as_string::<i32>().value(1), "w");
        assert_eq!(fitted.column(4).as_primitive::<Int64Type>().value(1), 2);
    }

    #[test]
    fn columns_that_come_meanwhile_change_nothing_of_what_was_told() {
        let column = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let told = told(&Schema::new(vec![
            Field::new("b", DataType::Utf8, true),
            Field::new("a", DataType::Utf8, true),
            Field::new("b", DataType::Utf8, true),
            Field::new("gone", DataType::Int64, true),
        ]));
        let batch = RecordBatch::try_from_iter([
            ("new", column("new")),
            ("b", column("first b")),
            ("b", column("second b")),
            ("a", column("a")),
        ]);
        let batch = batch.unwrap();
        let fitted = fit(&batch, &told, &places(&told, &batch.schema())).unwrap();
        let text = |at: usize| fitted.column(at).as_string::<i32>().value(0).to_owned();
        assert_eq!([text(0), text(1), text(2)], ["first b", "a", "second b"]);
        assert!(fitted.column(3).is_null(0));
    }

    #[test]
    fn a_value_that_is_none_of_the_type_that_was_told_is_an_error() {
        let told = told(&Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["7", "x"]));
        let batch = RecordBatch::try_from_iter([("n", texts)]).unwrap();
        assert!(fit(&batch, &told, &places(&told, &batch.schema())).is_err());
        let first = batch.slice(0, 1);
        let fitted = fit(&first, &told, &places(&told, &batch.schema())).unwrap();
        assert_eq!(fitted.column(0).as_primitive::<Int64Type>().value(0), 7);
    }
}
