//! A file's statistics as Delta's `stats` text, taken from the Parquet footer that has them
//! already.
//!
//! Bounds must never exclude a value that is there: strings come truncated from the footer with
//! their maximum rounded up, a timestamp's maximum is rounded up to the millisecond that the text
//! can hold, and what can't be bounded (floats with only NaN, binary, decimals beyond JSON's
//! numbers, values inside lists) has no bounds.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, SecondsFormat};
use parquet::basic::{LogicalType, TimeUnit, Type};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;
use serde_json::{Map, Value, json};

use crate::moment;
use crate::schema::{ENVELOPE, VALUE_SHAPE};

/// Payload leaves with statistics, in the file's order; Delta's own default. More make the log
/// larger and every reader's planning slower.
const PAYLOAD_LEAVES: usize = 32;

/// Ours, beside Delta's: `nullCount` has every leaf outside of lists, so that a column that isn't
/// in it isn't in the file. What others write says nothing of the kind.
pub const COMPLETE: &str = "eddyComplete";

/// What an error says may quote a value.
const ERROR: &str = "_error";

/// The columns of a sealed file with statistics.
const SEALED: [&str; 4] = ["_partition", "_offset", "_timestamp", ERROR];

/// `numRecords`, `minValues`, `maxValues` and `nullCount` of the file with this footer.
///
/// Of a sealed file only what pruning by position and time needs, and how many rows have an error:
/// bounds are values.
pub(crate) fn delta_stats(metadata: &ParquetMetaData, sealed: bool) -> String {
    let mut min_values = Map::new();
    let mut max_values = Map::new();
    let mut null_count = Map::new();
    let schema = metadata.file_metadata().schema_descr();
    let mut payload_leaves = BTreeSet::new();
    let mut complete = true;
    for (index, column) in schema.columns().iter().enumerate() {
        let path = column.path().parts();
        // Envelope columns always have statistics: positions and times are what pruning lives on.
        let root = path.concat();
        let shapes = path.len() == 1 && root == VALUE_SHAPE;
        if sealed && (path.len() > 1 || !SEALED.contains(&root.as_str())) {
            complete = false;
            continue;
        }
        let envelope = shapes || (path.len() == 1 && ENVELOPE.contains(&root.as_str()));
        if column.max_rep_level() > 0 || path.first().is_some_and(|root| root == "_headers") {
            continue;
        }
        if !envelope {
            if payload_leaves.len() >= PAYLOAD_LEAVES {
                complete = false;
                continue;
            }
            payload_leaves.insert(index);
        }
        let Some(leaf) = Leaf::of(metadata, index, column) else {
            complete = false;
            continue;
        };
        insert(&mut null_count, path, json!(leaf.nulls));
        // Nobody looks for a shape.
        let bounds = leaf.bounds.filter(|_| !shapes);
        if let Some((min, max)) = bounds.filter(|_| !sealed || root != ERROR) {
            insert(&mut min_values, path, min);
            insert(&mut max_values, path, max);
        }
    }
    json!({
        "numRecords": metadata.file_metadata().num_rows(),
        "minValues": min_values,
        "maxValues": max_values,
        "nullCount": null_count,
        COMPLETE: complete,
    })
    .to_string()
}

/// Puts `value` at `path` of nested objects.
fn insert(into: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        into.insert(name.clone(), value);
    } else if let Value::Object(inner) = into
        .entry(name.clone())
        .or_insert_with(|| Value::Object(Map::new()))
    {
        insert(inner, rest, value);
    }
}

/// One leaf column over all row groups.
struct Leaf {
    nulls: u64,
    bounds: Option<(Value, Value)>,
}

impl Leaf {
    /// `None` when some row group has no statistics of the column.
    fn of(metadata: &ParquetMetaData, index: usize, column: &ColumnDescriptor) -> Option<Self> {
        let mut nulls = 0;
        let mut merged: Option<Bound> = None;
        let mut bounded = true;
        for group in metadata.row_groups() {
            let chunk = group.columns().get(index)?;
            let statistics = chunk.statistics()?;
            let group_nulls = statistics.null_count_opt()?;
            nulls += group_nulls;
            if u64::try_from(chunk.num_values()).ok()? == group_nulls {
                continue;
            }
            match Bound::of(statistics, column) {
                Some(bound) => {
                    merged = Some(match merged.take() {
                        Some(before) => before.and(bound),
                        None => bound,
                    });
                }
                None => bounded = false,
            }
        }
        let bounds = merged.filter(|_| bounded).and_then(Bound::into_json);
        Some(Self { nulls, bounds })
    }
}

/// The lowest and the highest value of a column.
enum Bound {
    Integer(i64, i64),
    Timestamp(i64, i64),
    Date(i32, i32),
    Double(f64, f64),
    Text(String, String),
}

impl Bound {
    fn of(statistics: &Statistics, column: &ColumnDescriptor) -> Option<Self> {
        let logical = column.logical_type_ref();
        match statistics {
            Statistics::Int32(values) => {
                let (min, max) = (*values.min_opt()?, *values.max_opt()?);
                match logical {
                    Some(LogicalType::Date) => Some(Self::Date(min, max)),
                    Some(LogicalType::Decimal(_)) => None,
                    _ => Some(Self::Integer(min.into(), max.into())),
                }
            }
            Statistics::Int64(values) => {
                let (min, max) = (*values.min_opt()?, *values.max_opt()?);
                match logical {
                    None => Some(Self::Integer(min, max)),
                    Some(LogicalType::Timestamp(timestamp))
                        if timestamp.unit == TimeUnit::MICROS =>
                    {
                        Some(Self::Timestamp(min, max))
                    }
                    Some(_) => None,
                }
            }
            Statistics::Double(values) => {
                let (min, max) = (*values.min_opt()?, *values.max_opt()?);
                (min.is_finite() && max.is_finite()).then_some(Self::Double(min, max))
            }
            Statistics::ByteArray(values)
                if column.physical_type() == Type::BYTE_ARRAY
                    && matches!(logical, Some(LogicalType::String)) =>
            {
                let min = std::str::from_utf8(values.min_opt()?.data()).ok()?;
                let max = std::str::from_utf8(values.max_opt()?.data()).ok()?;
                Some(Self::Text(min.to_owned(), max.to_owned()))
            }
            _ => None,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Integer(a, b), Self::Integer(c, d)) => Self::Integer(a.min(c), b.max(d)),
            (Self::Timestamp(a, b), Self::Timestamp(c, d)) => Self::Timestamp(a.min(c), b.max(d)),
            (Self::Date(a, b), Self::Date(c, d)) => Self::Date(a.min(c), b.max(d)),
            (Self::Double(a, b), Self::Double(c, d)) => Self::Double(a.min(c), b.max(d)),
            (Self::Text(a, b), Self::Text(c, d)) => Self::Text(a.min(c), b.max(d)),
            // A column has one type in all row groups.
            (before, _) => before,
        }
    }

    fn into_json(self) -> Option<(Value, Value)> {
        match self {
            Self::Integer(min, max) => Some((json!(min), json!(max))),
            Self::Double(min, max) => Some((json!(min), json!(max))),
            Self::Text(min, max) => Some((json!(min), json!(max))),
            Self::Date(min, max) => Some((day(min)?, day(max)?)),
            Self::Timestamp(min, max) => {
                let up = max.checked_add(999)?;
                Some((timestamp(min)?, timestamp(up)?))
            }
        }
    }
}

/// `None` for years that four digits can't say.
fn day(days: i32) -> Option<Value> {
    let text = moment::date(days);
    text.starts_with(|first: char| first.is_ascii_digit())
        .then(|| json!(text))
}

/// ISO-8601 with milliseconds, rounded down; `None` for years that four digits can't say.
fn timestamp(us: i64) -> Option<Value> {
    let time = DateTime::from_timestamp_micros(us)?;
    (1..=9999)
        .contains(&time.year())
        .then(|| json!(time.to_rfc3339_opts(SecondsFormat::Millis, true)))
}
