//! What DataFusion is told of each file: rows, bounds and nulls of the columns that a scan reads.
//!
//! It leaves out files that can't hold one of the first rows of an `ORDER BY ... LIMIT`, reads the
//! most promising ones first, and answers `count(*)`, `min` and `max` without a look into files.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use eddy_engine::commit::DataFile;

use super::known::{Known, LeafCache};
use super::prune::{Bound, nulls};

/// With more columns than that, telling costs more than it saves.
const COLUMNS_MOST: usize = 128;

/// The statistics of each of `files` over `schema`; `None` for a schema that is too wide.
pub(super) fn bounds(
    files: &[&Arc<DataFile>],
    schema: &Schema,
    cache: &LeafCache,
) -> Option<Vec<Statistics>> {
    let fields = schema.fields();
    if fields.len() > COLUMNS_MOST {
        return None;
    }
    let flat = fields.iter().filter(|field| !field.data_type().is_nested());
    let columns: Vec<&str> = flat.map(|field| field.name().as_str()).collect();
    let known = cache.of(files, &columns);
    let all = files.iter().zip(known).map(|(file, known)| {
        let columns = fields
            .iter()
            .map(|field| of_column(&known, field.name(), field.data_type(), file.rows));
        Statistics {
            num_rows: rows(file, &known),
            total_byte_size: Precision::Absent,
            column_statistics: columns.collect(),
        }
    });
    Some(all.collect())
}

/// A file's rows: exact where our own writer counted them.
pub(super) fn rows(file: &DataFile, known: &Known) -> Precision<usize> {
    match (usize::try_from(file.rows), known.own) {
        (Ok(rows), true) => Precision::Exact(rows),
        (Ok(rows), false) => Precision::Inexact(rows),
        (Err(_), _) => Precision::Absent,
    }
}

fn of_column(known: &Known, name: &str, data_type: &DataType, rows: u64) -> ColumnStatistics {
    let mut statistics = ColumnStatistics::new_unknown();
    let Some(leaf) = known.leaf(name) else {
        return statistics;
    };
    let nulls = nulls(known, name, data_type, rows).and_then(|nulls| usize::try_from(nulls).ok());
    statistics.null_count = precision(nulls, known.own);
    // Texts are cut to a bound, moments to milliseconds.
    let is_exact = known.own
        && matches!(
            data_type,
            DataType::Int32 | DataType::Int64 | DataType::Boolean | DataType::Date32
        );
    let bound =
        |bound: Bound| -> Precision<ScalarValue> { precision(bound.of(leaf, data_type), is_exact) };
    statistics.min_value = bound(Bound::Least);
    statistics.max_value = bound(Bound::Most);
    statistics
}

fn precision<T>(value: Option<T>, is_exact: bool) -> Precision<T>
where
    T: std::fmt::Debug + Clone + PartialEq + Eq + PartialOrd,
{
    match (value, is_exact) {
        (Some(value), true) => Precision::Exact(value),
        (Some(value), false) => Precision::Inexact(value),
        (None, _) => Precision::Absent,
    }
}
