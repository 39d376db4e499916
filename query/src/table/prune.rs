//! Which files of a version can hold a row that a predicate wants.
//!
//! By the partition's value and by the statistics in the log; a column without statistics prunes
//! nothing (P22). DataFusion prunes row groups and pages within the files that are left.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use chrono::{DateTime, NaiveDate};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use eddy_engine::commit::DataFile;
use serde_json::Value as Json;

use super::known::{Known, Leaf, LeafCache};
use super::view::View;

/// The files that may hold wanted rows, in the version's order. A predicate that can't be used
/// for pruning keeps them all.
pub(super) fn prune<'a>(
    view: &'a View,
    predicate: Arc<dyn PhysicalExpr>,
    schema: &SchemaRef,
    cache: &LeafCache,
) -> Vec<&'a Arc<DataFile>> {
    let files: Vec<&Arc<DataFile>> = view.files.iter().collect();
    let Some(pruning) = Pruning::new(predicate, schema) else {
        return files;
    };
    let columns: Vec<&str> = pruning.columns.iter().map(String::as_str).collect();
    let known = cache.of(&files, &columns);
    let plain: Vec<&DataFile> = files.iter().map(|file| file.as_ref()).collect();
    match pruning.keep(&plain, known) {
        Some(keep) => {
            let files = files.into_iter().zip(keep);
            files
                .filter_map(|(file, keep)| keep.then_some(file))
                .collect()
        }
        None => files,
    }
}

/// A predicate made ready to leave files out.
pub(super) struct Pruning {
    predicate: PruningPredicate,
    schema: SchemaRef,
    /// The columns that it asks of.
    columns: Vec<String>,
}

impl Pruning {
    /// `None` for a predicate that can't leave any file out.
    pub(super) fn new(predicate: Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Option<Self> {
        let columns = collect_columns(&predicate);
        let predicate = PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(schema))
            .try_build(predicate)
            .ok()?;
        let names = columns.iter().map(|column| column.name().to_owned());
        (!predicate.always_true()).then(|| Self {
            predicate,
            schema: Arc::clone(schema),
            columns: names.collect(),
        })
    }

    /// Whether a file may hold a wanted row; `None` when it can't be told.
    pub(super) fn keeps(&self, file: &DataFile) -> Option<bool> {
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let known = Arc::new(Known::read(&file.stats_json, &columns));
        self.keep(&[file], vec![known])?.first().copied()
    }

    /// The same of each of `files`, of which that is known.
    fn keep(&self, files: &[&DataFile], known: Vec<Arc<Known>>) -> Option<Vec<bool>> {
        let statistics = FileStatistics {
            files,
            schema: &self.schema,
            known,
        };
        match self.predicate.prune(&statistics) {
            Ok(keep) => Some(keep),
            Err(error) => {
                tracing::debug!(%error, "files can't be pruned");
                None
            }
        }
    }
}

struct FileStatistics<'a> {
    files: &'a [&'a DataFile],
    schema: &'a SchemaRef,
    known: Vec<Arc<Known>>,
}

impl FileStatistics<'_> {
    fn bounds(&self, column: &Column, bound: Bound) -> Option<ArrayRef> {
        let field = self.schema.field_with_name(&column.name).ok()?;
        let data_type = field.data_type();
        let values = self.files.iter().zip(&self.known).map(|(file, known)| {
            if let Some(value) = file.partition_values.get(&column.name) {
                return ScalarValue::Utf8(value.clone());
            }
            known
                .leaf(&column.name)
                .and_then(|leaf| bound.of(leaf, data_type))
                .or_else(|| ScalarValue::try_from(data_type).ok())
                .unwrap_or(ScalarValue::Null)
        });
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for FileStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, Bound::Least)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, Bound::Most)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let field = self.schema.field_with_name(&column.name).ok()?;
        let counts: UInt64Array = self
            .files
            .iter()
            .zip(&self.known)
            .map(
                |(file, known)| match file.partition_values.get(&column.name) {
                    Some(Some(_)) => Some(0),
                    Some(None) => rows(file),
                    None => nulls(known, &column.name, field.data_type(), file.rows),
                },
            )
            .collect();
        Some(Arc::new(counts))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts: UInt64Array = self.files.iter().map(|file| rows(file)).collect();
        Some(Arc::new(counts))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// The rows of a file; `None`: unknown. None at all is what a file without statistics says, too.
fn rows(file: &DataFile) -> Option<u64> {
    (file.rows > 0).then_some(file.rows)
}

/// The rows of a file that have no value there; `None`: unknown.
pub(super) fn nulls(known: &Known, column: &str, data_type: &DataType, rows: u64) -> Option<u64> {
    match &known.leaf(column)?.nulls {
        Some(count) => count.as_u64(),
        // A column that the file doesn't have.
        None if known.complete && !data_type.is_nested() => Some(rows),
        None => None,
    }
}

/// One of a leaf's two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Least,
    Most,
}

impl Bound {
    /// The bound in the type of its column.
    pub(super) fn of(self, leaf: &Leaf, data_type: &DataType) -> Option<ScalarValue> {
        let value = match self {
            Self::Least => leaf.min.as_ref(),
            Self::Most => leaf.max.as_ref(),
        };
        scalar(value?, data_type, self == Self::Most)
    }
}

/// A bound as Delta writes it: numbers as numbers, the rest as text.
fn scalar(value: &Json, data_type: &DataType, up: bool) -> Option<ScalarValue> {
    match data_type {
        DataType::Int32 => i32::try_from(value.as_i64()?)
            .ok()
            .map(|value| ScalarValue::Int32(Some(value))),
        DataType::Int64 => Some(ScalarValue::Int64(Some(value.as_i64()?))),
        DataType::Float64 => Some(ScalarValue::Float64(Some(value.as_f64()?))),
        DataType::Boolean => Some(ScalarValue::Boolean(Some(value.as_bool()?))),
        DataType::Utf8 => Some(ScalarValue::Utf8(Some(value.as_str()?.to_owned()))),
        DataType::Date32 => {
            let day: NaiveDate = value.as_str()?.parse().ok()?;
            let days = day.signed_duration_since(NaiveDate::default()).num_days();
            Some(ScalarValue::Date32(Some(i32::try_from(days).ok()?)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let moment = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
            // Delta keeps milliseconds and cuts the rest off, so a maximum may be too low.
            let slack = if up { 1_000 } else { 0 };
            Some(ScalarValue::TimestampMicrosecond(
                Some(moment.timestamp_micros() + slack),
                zone.clone(),
            ))
        }
        _ => None,
    }
}
