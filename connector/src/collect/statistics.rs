//! What this process took, by collection: for `system.collections`, `/metrics` and the API.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::TimestampMicrosecondArray;
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Schema, SchemaRef};

use super::snapshot::Snapshot;
use crate::connect::metrics::text::{Kind, Text};
use crate::error::{Error, ErrorKind, Result};

/// What was taken since the process started. Only collections that exist are counted one by one.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    collections: Mutex<BTreeMap<String, Arc<Counts>>>,
    unauthorized: AtomicU64,
}

/// What was taken for one collection.
#[derive(Debug, Default)]
pub(super) struct Counts {
    events: AtomicU64,
    bytes: AtomicU64,
    rejected: AtomicU64,
    last_seen_ms: AtomicI64,
}

/// The same at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Events that Kafka has acknowledged.
    pub(super) events: u64,
    /// Bytes of their keys and values.
    pub(super) bytes: u64,
    /// Requests that were answered with something else than 200.
    pub(super) rejected: u64,
    /// When the last event was acknowledged, in milliseconds since the Unix epoch.
    pub(super) last_seen_ms: Option<i64>,
}

impl Statistics {
    /// The counts of a collection.
    pub(super) fn of(&self, collection: &str) -> Arc<Counts> {
        let mut all = self
            .collections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match all.get(collection) {
            Some(counts) => Arc::clone(counts),
            None => Arc::clone(all.entry(collection.to_owned()).or_default()),
        }
    }

    /// Counts a request whose token opens nothing.
    pub(super) fn count_unauthorized(&self) {
        self.unauthorized.fetch_add(1, Ordering::Relaxed);
    }

    /// All of it in Prometheus' text format.
    pub(super) fn metrics(&self) -> String {
        let all = self
            .collections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let all: Vec<(String, Counted)> = all
            .iter()
            .map(|(name, counts)| (name.clone(), counts.now()))
            .collect();
        let samples = |value: fn(&Counted) -> Option<f64>| {
            all.iter().filter_map(move |(name, counted)| {
                Some((vec![("collection", name.clone())], value(counted)?))
            })
        };
        let mut text = Text::default();
        text.family(
            "eddy_collection_events_total",
            Kind::Counter,
            "Events that Kafka has acknowledged.",
            samples(|counted| Some(counted.events as f64)),
        );
        text.family(
            "eddy_collection_bytes_total",
            Kind::Counter,
            "Bytes of their keys and values.",
            samples(|counted| Some(counted.bytes as f64)),
        );
        text.family(
            "eddy_collection_rejected_requests_total",
            Kind::Counter,
            "Requests with a known token that were answered with something else than 200.",
            samples(|counted| Some(counted.rejected as f64)),
        );
        text.family(
            "eddy_collection_last_seen_seconds",
            Kind::Gauge,
            "When the last event was acknowledged, in seconds since the Unix epoch.",
            samples(|counted| Some(counted.last_seen_ms? as f64 / 1_000.0)),
        );
        let unauthorized = self.unauthorized.load(Ordering::Relaxed) as f64;
        text.family(
            "eddy_collector_unauthorized_requests_total",
            Kind::Counter,
            "Requests whose token opens no collection.",
            [(Vec::new(), unauthorized)],
        );
        text.done()
    }
}

impl Counts {
    /// Counts events that were acknowledged.
    pub(super) fn count(&self, events: usize, bytes: usize, now_ms: i64) {
        self.events.fetch_add(events as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if events > 0 {
            self.last_seen_ms.fetch_max(now_ms, Ordering::Relaxed);
        }
    }

    /// Counts a request that was refused.
    pub(super) fn count_rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(super) fn now(&self) -> Counted {
        let last_seen_ms = self.last_seen_ms.load(Ordering::Relaxed);
        Counted {
            events: self.events.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            last_seen_ms: (last_seen_ms > 0).then_some(last_seen_ms),
        }
    }
}

/// The columns of [`table`].
pub(super) fn schema() -> SchemaRef {
    let empty = table(&Snapshot::default(), &Statistics::default());
    empty.map_or_else(|_| Arc::new(Schema::empty()), |rows| rows.schema())
}

/// A row per collection.
///
/// # Errors
/// `Internal` when Arrow refuses the columns.
pub(super) fn table(snapshot: &Snapshot, statistics: &Statistics) -> Result<RecordBatch> {
    let rows: Vec<_> = snapshot
        .collections
        .values()
        .map(|one| (one, statistics.of(&one.name).now()))
        .collect();
    let text = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
    let number = |value: fn(&Counted) -> u64| {
        let values = rows
            .iter()
            .map(|(_, counted)| i64::try_from(value(counted)).ok());
        Arc::new(values.collect::<Int64Array>()) as ArrayRef
    };
    let declared: BooleanArray = rows.iter().map(|(one, _)| Some(one.declared)).collect();
    let tokens = rows.iter().map(|(one, _)| match one.declared {
        // Those of the file are not counted: they are the file's matter.
        true => None,
        false => i64::try_from(one.tokens.len()).ok(),
    });
    let seen = rows
        .iter()
        .map(|(_, counted)| counted.last_seen_ms.map(|ms| ms.saturating_mul(1_000)));
    let seen: TimestampMicrosecondArray = seen.collect();
    let columns = [
        (
            "name",
            text(rows.iter().map(|(one, _)| one.name.as_str()).collect()),
        ),
        (
            "topic",
            text(rows.iter().map(|(one, _)| one.topic.as_str()).collect()),
        ),
        (
            "state",
            text(rows.iter().map(|(one, _)| one.state.as_str()).collect()),
        ),
        ("declared", Arc::new(declared)),
        ("tokens", Arc::new(tokens.collect::<Int64Array>())),
        ("events", number(|counted| counted.events)),
        ("bytes", number(|counted| counted.bytes)),
        ("rejected", number(|counted| counted.rejected)),
        ("last_seen", Arc::new(seen.with_timezone("UTC"))),
    ];
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| {
        Error::new(ErrorKind::Internal, "a system table can't be made").with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_told_with_its_unit() {
        let statistics = Statistics::default();
        statistics.count_unauthorized();
        let counts = statistics.of("clicks");
        counts.count(2, 30, 1_500);
        counts.count(0, 0, 9_000);
        counts.count_rejected();
        let text = statistics.metrics();
        for line in [
            "eddy_collection_events_total{collection=\"clicks\"} 2",
            "eddy_collection_bytes_total{collection=\"clicks\"} 30",
            "eddy_collection_rejected_requests_total{collection=\"clicks\"} 1",
            "eddy_collection_last_seen_seconds{collection=\"clicks\"} 1.5",
            "eddy_collector_unauthorized_requests_total 1",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} in\n{text}");
        }
    }
}
