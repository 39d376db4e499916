//! Which encoded partition each row of a batch belongs to, as the other sink encodes it.

use std::collections::HashMap;

use arrow::array::{AsArray, Int32Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};

use crate::error::{Error, Result};
use crate::layout::template::Template;
use crate::partition::{FieldPath, Pattern, Unit, Zone, date_time};
use crate::path::foreign_value;

/// What the records are divided by, beside their Kafka partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folders {
    /// Nothing more: `partition=3`.
    Partition,
    /// Fields of the payload: `region=eu/tier=null`.
    Fields {
        /// The fields with their names in the folder; none: the value alone.
        fields: Vec<(Option<String>, FieldPath)>,
        /// What stands between two.
        delim: String,
    },
    /// Stretches of time.
    Time(TimeFolders),
    /// What a template names.
    Template(Template),
}

/// Stretches of time, printed by a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFolders {
    /// How long a stretch is, counted in local time.
    pub unit: Unit,
    /// Whose local time counts.
    pub zone: Zone,
    /// How a folder is called.
    pub pattern: Pattern,
    /// What says the time.
    pub source: TimeSource,
}

/// What says a record's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeSource {
    /// Its timestamp.
    Record,
    /// Its arrival.
    Arrival,
    /// A field of its payload.
    Field(FieldPath),
}

/// The encoded partitions of a batch's rows: each once, and each row's by its number.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    pub(super) rows: Vec<u32>,
    pub(super) texts: Vec<String>,
    known: HashMap<String, u32>,
}

impl Encoded {
    pub(super) fn push(&mut self, text: String) {
        let next = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let number = match self.known.get(&text) {
            Some(number) => *number,
            None => {
                self.known.insert(text.clone(), next);
                self.texts.push(text);
                next
            }
        };
        self.rows.push(number);
    }
}

impl Folders {
    /// The encoded partitions of the rows of `batch`.
    pub(super) fn encode(&self, topic: &str, batch: &RecordBatch) -> Result<Encoded> {
        let mut encoded = Encoded::default();
        let partitions = partitions(batch)?;
        match self {
            Self::Partition => {
                for partition in partitions.values() {
                    encoded.push(format!("partition={partition}"));
                }
            }
            Self::Fields { fields, delim } => by_fields(fields, delim, batch, &mut encoded),
            Self::Time(time) => {
                let times = time.source.times(batch)?;
                times.iter().for_each(|at| encoded.push(time.folder(*at)));
            }
            Self::Template(template) => template.render(topic, batch, &mut encoded)?,
        }
        Ok(encoded)
    }

    /// What says the time by which files end.
    pub(super) fn time_source(&self) -> &TimeSource {
        match self {
            Self::Time(time) => &time.source,
            _ => &TimeSource::Record,
        }
    }
}

impl TimeFolders {
    /// The folder of a time in microseconds since the Unix epoch.
    pub fn folder(&self, time_us: i64) -> String {
        let utc_ms = time_us.div_euclid(1_000);
        let local_ms = utc_ms.saturating_add(self.zone.offset_ms(utc_ms));
        self.pattern.format(date_time(self.unit.floor(local_ms)))
    }
}

impl TimeSource {
    /// The times of the rows of `batch`, in microseconds since the Unix epoch. A record that says
    /// none counts by what is next best: its timestamp, its arrival.
    pub(super) fn times(&self, batch: &RecordBatch) -> Result<Vec<i64>> {
        let arrivals = column(batch, "_ingested_at")?;
        let records = column(batch, "_timestamp")?;
        let said = match self {
            Self::Field(field) => field.times(batch),
            Self::Record | Self::Arrival => Vec::new(),
        };
        let rows = records.iter().zip(arrivals).enumerate();
        let times = rows.map(|(row, (record, arrival))| {
            let record = record.filter(|_| *self != Self::Arrival);
            let said = said.get(row).copied().flatten();
            said.or(record).or(arrival).unwrap_or_default()
        });
        Ok(times.collect())
    }
}

fn by_fields(
    fields: &[(Option<String>, FieldPath)],
    delim: &str,
    batch: &RecordBatch,
    encoded: &mut Encoded,
) {
    let texts: Vec<_> = fields.iter().map(|(_, field)| field.texts(batch)).collect();
    for row in 0..batch.num_rows() {
        let mut folder = String::new();
        for ((name, _), (rows, texts)) in fields.iter().zip(&texts) {
            if !folder.is_empty() {
                folder.push_str(delim);
            }
            if let Some(name) = name {
                folder.push_str(name);
                folder.push('=');
            }
            let number = rows.get(row).map_or(usize::MAX, |number| *number as usize);
            match texts.get(number).and_then(Option::as_deref) {
                Some(text) => folder.push_str(&foreign_value(text)),
                None => folder.push_str("null"),
            }
        }
        encoded.push(folder);
    }
}

pub(super) fn partitions(batch: &RecordBatch) -> Result<&Int32Array> {
    let column = batch.column_by_name("_partition");
    column
        .and_then(|column| column.as_primitive_opt::<Int32Type>())
        .ok_or_else(|| missing("_partition"))
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a TimestampMicrosecondArray> {
    let column = batch.column_by_name(name);
    column
        .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>())
        .ok_or_else(|| missing(name))
}

pub(super) fn missing(name: &str) -> Error {
    Error::internal(format!("a batch has no column `{name}`"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use chrono::DateTime;

    #[test]
    fn a_time_has_the_folder_that_confluents_sink_gives_it() {
        let hourly = "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH";
        let hour = Duration::from_hours(1);
        for (span, zone, pattern, time, folder) in [
            (
                hour,
                "UTC",
                hourly,
                "2024-05-01T07:59:59.999Z",
                "year=2024/month=05/day=01/hour=07",
            ),
            (
                hour,
                "Asia/Seoul",
                hourly,
                "2024-05-01T15:30:00Z",
                "year=2024/month=05/day=02/hour=00",
            ),
            (
                hour,
                "Asia/Kathmandu",
                hourly,
                "2024-05-01T00:20:00Z",
                "year=2024/month=05/day=01/hour=06",
            ),
            (
                Duration::from_hours(24),
                "Asia/Seoul",
                "'year'=YYYY/'month'=MM/'day'=dd",
                "2024-05-01T15:00:00Z",
                "year=2024/month=05/day=02",
            ),
            (
                Duration::from_mins(5),
                "UTC",
                "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH/'minute'=mm",
                "2024-05-01T07:44:00Z",
                "year=2024/month=05/day=01/hour=07/minute=40",
            ),
            (
                hour,
                "UTC",
                "YYYY-MM-dd",
                "2024-05-01T07:44:00Z",
                "2024-05-01",
            ),
            // Also one that nobody can have meant.
            (
                hour,
                "UTC",
                hourly,
                "1970-01-01T00:00:00Z",
                "year=1970/month=01/day=01/hour=00",
            ),
        ] {
            let folders = TimeFolders {
                unit: Unit::Span(span),
                zone: Zone::parse(zone).unwrap(),
                pattern: Pattern::parse(pattern).unwrap(),
                source: TimeSource::Record,
            };
            let time = DateTime::parse_from_rfc3339(time).unwrap();
            assert_eq!(folders.folder(time.timestamp_micros()), folder);
        }
    }
}
