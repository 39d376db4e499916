//! Which columns of a file have a filter: the record's key, and columns that look like ids.
//!
//! A column is like an id when the rows at hand hold many different values of it. Numbers that only
//! rise (sequence numbers, times) are left to the statistics, which bound them well in files that
//! are in order of time.

use std::collections::HashSet;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type};

use crate::filter::hash;
use crate::schema::ENVELOPE;

/// Columns with a filter besides the key, those of the most different values.
const COLUMNS: usize = 8;

/// Rows that are looked at.
pub(crate) const SAMPLE: usize = 8_192;

/// Fewer different values say nothing.
const DISTINCT_LEAST: usize = 16;

/// At least one in so many values is a new one. A column of a thousand values costs a filter of
/// two kilobytes, so little is lost where the rows at hand say more than the others will.
const ROWS_EACH: usize = 10;

/// The record's key.
pub(crate) const KEY: &str = "_key";

/// A column that has a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Its names from the root.
    pub(crate) path: Vec<String>,
    /// Hardly a value of it comes twice, so that a dictionary is of no use: it only has to be read,
    /// whole, by whoever wants one page.
    pub(crate) unique: bool,
}

/// The columns that have a filter in a file that begins with `rows`.
pub(crate) fn choose(rows: &[RecordBatch]) -> Vec<Chosen> {
    let Some(first) = rows.first() else {
        return Vec::new();
    };
    let mut leaves = Vec::new();
    for field in first.schema_ref().fields() {
        if !ENVELOPE.contains(&field.name().as_str()) {
            visit(field, &[], &mut leaves);
        }
    }
    let counted = leaves.into_iter().filter_map(|path| {
        let columns: Vec<&ArrayRef> = rows.iter().filter_map(|rows| column(rows, &path)).collect();
        let (distinct, unique) = distinct_ids(&columns)?;
        Some((distinct, Chosen { path, unique }))
    });
    let mut found: Vec<(usize, Chosen)> = counted.collect();
    // The most different values first, then in the order of the columns.
    found.sort_by_key(|(distinct, _)| std::cmp::Reverse(*distinct));
    let key = first.column_by_name(KEY).map(|_| Chosen {
        path: vec![KEY.to_owned()],
        unique: false,
    });
    key.into_iter()
        .chain(found.into_iter().take(COLUMNS).map(|(_, chosen)| chosen))
        .collect()
}

/// The texts and whole numbers below a field, those in lists left out.
fn visit(field: &Field, above: &[String], leaves: &mut Vec<Vec<String>>) {
    let path: Vec<String> = above.iter().chain([field.name()]).cloned().collect();
    match field.data_type() {
        DataType::Struct(fields) => fields.iter().for_each(|one| visit(one, &path, leaves)),
        DataType::Utf8 | DataType::Int64 => leaves.push(path),
        _ => {}
    }
}

/// How many different values a column has that looks like one of ids, and whether nearly all are.
fn distinct_ids(columns: &[&ArrayRef]) -> Option<(usize, bool)> {
    let mut seen = HashSet::new();
    let mut values = 0;
    let texts = columns
        .iter()
        .filter_map(|column| column.as_string_opt::<i32>());
    for text in texts.flatten().take(SAMPLE).flatten() {
        seen.insert(hash::of_bytes(text.as_bytes()));
        values += 1;
    }
    let numbers = || {
        let columns = columns.iter();
        let columns = columns.filter_map(|column| column.as_primitive_opt::<Int64Type>());
        columns.flatten().take(SAMPLE).flatten()
    };
    for number in numbers() {
        seen.insert(hash::of_long(number));
        values += 1;
    }
    if numbers().next().is_some() && numbers().is_sorted() {
        return None;
    }
    let many = seen.len() >= DISTINCT_LEAST && seen.len() * ROWS_EACH >= values;
    many.then_some((seen.len(), seen.len() * 10 >= values * 9))
}

/// The values of the column `path` of a batch; those inside of a null struct may be any.
pub(crate) fn column<'a>(rows: &'a RecordBatch, path: &[String]) -> Option<&'a ArrayRef> {
    let (root, inside) = path.split_first()?;
    inside
        .iter()
        .try_fold(rows.column_by_name(root)?, |column, name| {
            column.as_struct_opt()?.column_by_name(name)
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{BinaryArray, Float64Array, Int64Array, StringArray, StructArray};
    use arrow::datatypes::Field;

    use super::*;

    fn texts(distinct: usize) -> ArrayRef {
        let texts = (0..1_000).map(|at| format!("v{}", at * 7_919 % distinct));
        Arc::new(texts.map(Some).collect::<StringArray>())
    }

    fn numbers(number: impl Fn(i64) -> i64) -> ArrayRef {
        Arc::new((0..1_000).map(number).map(Some).collect::<Int64Array>())
    }

    #[test]
    fn the_key_and_columns_of_many_different_values_have_filters() {
        let inner = [("uuid", texts(997)), ("kind", texts(7))]
            .map(|(name, array)| (Arc::new(Field::new(name, DataType::Utf8, true)), array));
        let inner: ArrayRef = Arc::new(StructArray::from(inner.to_vec()));
        let keys: ArrayRef = Arc::new(BinaryArray::from_iter_values(vec![b"k"; 1_000]));
        let doubles = (0..1_000).map(|n| Some(f64::from(n) * 0.7));
        let batch = RecordBatch::try_from_iter([
            ("id", texts(1_000)),
            ("status", texts(5)),
            ("customer", inner),
            ("account", numbers(|n| n * 7_919 % 500)),
            ("sequence", numbers(|n| n * 3)),
            (
                "price",
                Arc::new(doubles.collect::<Float64Array>()) as ArrayRef,
            ),
            ("_topic_id", texts(1_000)),
            ("_offset", numbers(|n| n * 7_919 % 1_000)),
            (KEY, keys),
        ]);
        let batch = batch.unwrap();
        // However few rows each batch has.
        let batches: Vec<RecordBatch> = (0..100).map(|at| batch.slice(at * 10, 10)).collect();
        let chosen = choose(&batches);
        assert_eq!(chosen, choose(&[batch]));
        let paths: Vec<&[String]> = chosen.iter().map(|one| one.path.as_slice()).collect();
        let expected: [&[&str]; 4] = [&[KEY], &["id"], &["customer", "uuid"], &["account"]];
        assert_eq!(paths, expected);
        let unique: Vec<bool> = chosen.iter().map(|one| one.unique).collect();
        assert_eq!(unique, [false, true, true, false]);
    }

    #[test]
    fn of_very_many_such_columns_those_of_the_most_values_are_taken() {
        let columns = (0..50).map(|at| (format!("c{at}"), texts(200 + at)));
        let chosen = choose(&[RecordBatch::try_from_iter(columns).unwrap()]);
        let paths: Vec<Vec<String>> = chosen.into_iter().map(|one| one.path).collect();
        let expected: Vec<Vec<String>> = (42..50).rev().map(|at| vec![format!("c{at}")]).collect();
        assert_eq!(paths, expected);
    }
}
