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
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use eddy_engine::commit::DataFile;
use eddy_engine::write::STATS_COMPLETE;
use serde_json::Value as Json;

use super::leaves;
use super::view::View;

/// The files that may hold wanted rows, in the version's order. A predicate that can't be used
/// for pruning keeps them all.
pub(super) fn prune<'a>(
    view: &'a View,
    predicate: Arc<dyn PhysicalExpr>,
    schema: &SchemaRef,
) -> Vec<&'a Arc<DataFile>> {
    let files: Vec<&DataFile> = view.files.iter().map(AsRef::as_ref).collect();
    match Pruning::new(predicate, schema).and_then(|pruning| pruning.keep(&files)) {
        Some(keep) => {
            let files = view.files.iter().zip(keep);
            files
                .filter_map(|(file, keep)| keep.then_some(file))
                .collect()
        }
        None => view.files.iter().collect(),
    }
}

/// A predicate made ready to leave files out.
pub(super) struct Pruning {
    predicate: PruningPredicate,
    schema: SchemaRef,
}

impl Pruning {
    /// `None` for a predicate that can't leave any file out.
    pub(super) fn new(predicate: Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Option<Self> {
        let predicate = PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(schema))
            .try_build(predicate)
            .ok()?;
        (!predicate.always_true()).then(|| Self {
            predicate,
            schema: Arc::clone(schema),
        })
    }

    /// Whether each of `files` may hold a wanted row; `None` when it can't be told.
    pub(super) fn keep(&self, files: &[&DataFile]) -> Option<Vec<bool>> {
        let statistics = FileStatistics::read(files, &self.schema);
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
    parsed: Vec<Json>,
}

impl<'a> FileStatistics<'a> {
    fn read(files: &'a [&'a DataFile], schema: &'a SchemaRef) -> Self {
        let parsed = files
            .iter()
            .map(|file| serde_json::from_str(&file.stats_json).unwrap_or(Json::Null))
            .collect();
        Self {
            files,
            schema,
            parsed,
        }
    }

    fn bounds(&self, column: &Column, which: &str, up: bool) -> Option<ArrayRef> {
        let field = self.schema.field_with_name(&column.name).ok()?;
        let data_type = field.data_type();
        let values = self.files.iter().zip(&self.parsed).map(|(file, stats)| {
            if let Some(value) = file.partition_values.get(&column.name) {
                return ScalarValue::Utf8(value.clone());
            }
            of_leaf(stats, which, &column.name)
                .and_then(|value| scalar(value, data_type, up))
                .or_else(|| ScalarValue::try_from(data_type).ok())
                .unwrap_or(ScalarValue::Null)
        });
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for FileStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, "minValues", false)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, "maxValues", true)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let field = self.schema.field_with_name(&column.name).ok()?;
        let counts: UInt64Array = self
            .files
            .iter()
            .zip(&self.parsed)
            .map(
                |(file, stats)| match file.partition_values.get(&column.name) {
                    Some(value) => Some(if value.is_some() { 0 } else { file.rows }),
                    None => match of_leaf(stats, "nullCount", &column.name) {
                        Some(count) => count.as_u64(),
                        // A column that the file doesn't have.
                        None if is_complete(stats) && !field.data_type().is_nested() => {
                            Some(file.rows)
                        }
                        None => None,
                    },
                },
            )
            .collect();
        Some(Arc::new(counts))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts: UInt64Array = self.files.iter().map(|file| Some(file.rows)).collect();
        Some(Arc::new(counts))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// A leaf's entry in one of the parts of a file's statistics.
fn of_leaf<'a>(stats: &'a Json, which: &str, column: &str) -> Option<&'a Json> {
    let mut steps = leaves::path(column);
    steps.try_fold(stats.get(which)?, |inside, name| inside.get(name))
}

/// Whether the statistics name every leaf that the file has, but for those in lists.
fn is_complete(stats: &Json) -> bool {
    stats.get(STATS_COMPLETE) == Some(&Json::Bool(true))
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
