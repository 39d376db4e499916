//! NDJSON lines into Kafka: every line acknowledged, and never faster than the sink where the
//! broker forgets.
//!
//! A line is sent as it is, without its line end; empty lines are skipped. With a key field the
//! record's key is that field's text. `tombstones` and binary values are for other producers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use eddy_engine::Clock;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use crate::error::{Error, Result};
use crate::kafka::{Delivered, Delivery, KafkaConfig, Outgoing, Producer, ProducerOptions};

/// Asks how far the sink is: the next offset per partition that the broker need not keep.
pub type Accounted = Arc<dyn Fn() -> BTreeMap<i32, i64> + Send + Sync>;

/// What to load, and how.
#[derive(Clone)]
pub struct LoadOptions {
    /// The topic.
    pub topic: String,
    /// The field whose text is the key; dots go into nested objects. `None`: no key.
    pub key_field: Option<String>,
    /// Holds back so that no partition has more than [`LoadOptions::outstanding_bytes`] that the
    /// sink has not accounted for: for a broker that forgets (the embedded one).
    pub accounted: Option<Accounted>,
    /// The bytes per partition that may be outstanding when holding back.
    pub outstanding_bytes: u64,
}

impl LoadOptions {
    /// Loads into `topic` without keys and without holding back.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            key_field: None,
            accounted: None,
            outstanding_bytes: 2 << 20,
        }
    }
}

/// What was loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// The records, each acknowledged by Kafka.
    pub records: u64,
    /// The bytes of their values.
    pub bytes: u64,
}

/// Loads every line of `input`.
///
/// # Errors
/// The first record that Kafka refuses, with its line number; what came before it is loaded.
pub async fn load(
    kafka: &KafkaConfig,
    input: impl AsyncBufRead + Unpin + Send,
    options: &LoadOptions,
    clock: &Clock,
) -> Result<LoadReport> {
    let producer = Producer::new(kafka, ProducerOptions::default(), clock.clone())?;
    let mut loader = Loader {
        producer,
        options,
        clock,
        waiting: VecDeque::new(),
        outstanding: BTreeMap::new(),
        unplaced_bytes: 0,
        report: LoadReport::default(),
    };
    let mut input = input;
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = input.read_until(b'\n', &mut line).await.map_err(|error| {
            Error::invalid(format!("line {number} can't be read")).with_source(error)
        })?;
        if read == 0 {
            break;
        }
        let value = trim_line_end(&line);
        if !value.iter().all(u8::is_ascii_whitespace) {
            loader.send(number, value).await?;
        }
    }
    loader.finish().await
}

struct Loader<'a> {
    producer: Producer,
    options: &'a LoadOptions,
    clock: &'a Clock,
    waiting: VecDeque<(u64, u64, Delivery)>,
    /// Per partition the records that the sink has not accounted for: offset and bytes.
    outstanding: BTreeMap<i32, VecDeque<(i64, u64)>>,
    unplaced_bytes: u64,
    report: LoadReport,
}

/// The records that may wait for their acknowledgement while reading goes on.
const WAITING: usize = 10_000;

impl Loader<'_> {
    async fn send(&mut self, number: u64, value: &[u8]) -> Result<()> {
        let bytes = value.len() as u64;
        self.hold_back(bytes).await?;
        let key = self
            .options
            .key_field
            .as_deref()
            .and_then(|field| key_of(value, field));
        let record = Outgoing {
            topic: &self.options.topic,
            partition: None,
            key: key.as_deref().map(str::as_bytes),
            value: Some(value),
            headers: &[],
            timestamp_ms: None,
        };
        let delivery = self
            .producer
            .send(&record)
            .await
            .map_err(|error| at_line(number, error))?;
        self.waiting.push_back((number, bytes, delivery));
        self.unplaced_bytes += bytes;
        while self.waiting.len() > WAITING {
            self.settle_one().await?;
        }
        Ok(())
    }

    async fn settle_one(&mut self) -> Result<()> {
        let Some((number, bytes, delivery)) = self.waiting.pop_front() else {
            return Ok(());
        };
        let Delivered { partition, offset } = delivery
            .wait()
            .await
            .map_err(|error| at_line(number, error))?;
        self.unplaced_bytes = self.unplaced_bytes.saturating_sub(bytes);
        self.report.records += 1;
        self.report.bytes += bytes;
        if self.options.accounted.is_some() {
            self.outstanding
                .entry(partition)
                .or_default()
                .push_back((offset, bytes));
        }
        Ok(())
    }

    /// Waits until `bytes` more fit into whichever partition they go to.
    async fn hold_back(&mut self, bytes: u64) -> Result<()> {
        let Some(accounted) = self.options.accounted.clone() else {
            return Ok(());
        };
        while self.unplaced_bytes > 0 && self.fullest() + bytes > self.options.outstanding_bytes {
            self.settle_one().await?;
        }
        while self.fullest() > 0 && self.fullest() + bytes > self.options.outstanding_bytes {
            for (partition, next) in accounted() {
                if let Some(records) = self.outstanding.get_mut(&partition) {
                    while records.front().is_some_and(|(offset, _)| *offset < next) {
                        records.pop_front();
                    }
                }
            }
            if self.fullest() + bytes > self.options.outstanding_bytes && self.fullest() > 0 {
                self.clock.sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// The outstanding bytes of the fullest partition, if everything unplaced went there.
    fn fullest(&self) -> u64 {
        let placed = self
            .outstanding
            .values()
            .map(|records| records.iter().map(|(_, bytes)| bytes).sum::<u64>());
        placed.max().unwrap_or(0) + self.unplaced_bytes
    }

    async fn finish(mut self) -> Result<LoadReport> {
        while !self.waiting.is_empty() {
            self.settle_one().await?;
        }
        Ok(self.report)
    }
}

fn at_line(number: u64, error: Error) -> Error {
    Error::new(error.kind(), format!("line {number} was not loaded")).with_source(error)
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The text of a field of a JSON object; strings as they are, others as JSON. Null and missing have
/// no key.
fn key_of(value: &[u8], field: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(value).ok()?;
    let exact = document.get(field);
    let found = exact.or_else(|| {
        field
            .split('.')
            .try_fold(&document, |inner, part| inner.get(part))
    })?;
    match found {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_fields_text() {
        let line = br#"{"id": 7, "user": {"name": "ann"}, "a.b": "flat", "none": null}"#;
        assert_eq!(key_of(line, "id").as_deref(), Some("7"));
        assert_eq!(key_of(line, "user.name").as_deref(), Some("ann"));
        assert_eq!(key_of(line, "a.b").as_deref(), Some("flat"));
        assert_eq!(key_of(line, "none"), None);
        assert_eq!(key_of(b"not json", "id"), None);
    }

    #[test]
    fn line_ends_are_not_part_of_the_value() {
        assert_eq!(trim_line_end(b"{}\r\n"), b"{}");
        assert_eq!(trim_line_end(b"{}"), b"{}");
    }
}
