//! Records in the platform's envelope: `batch.info` says when, `client.metadata` where from, and
//! `client.payload` is the event, JSON as it was written.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::failure::Failure;

/// A record in the envelope.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    batch: Value,
    client: Client,
}

/// What a client has sent.
#[derive(Debug, Serialize)]
struct Client {
    metadata: Map<String, Value>,
    payload: Box<RawValue>,
}

/// What is read of each record.
pub(super) const COLUMNS: &str = "_partition, _offset, _timestamp, _key, _value, _headers";

/// The records of these batches.
///
/// # Errors
/// When the columns aren't those of [`COLUMNS`].
pub(super) fn events(topic: &str, batches: &[RecordBatch]) -> Result<Vec<Event>, Failure> {
    let mut events = Vec::new();
    for batch in batches {
        let read = Read::new(batch).map_err(|error| {
            let text = format!("the events of a search can't be read: {error}");
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, text)
        })?;
        for row in 0..batch.num_rows() {
            events.push(read.event(topic, row));
        }
    }
    Ok(events)
}

/// The columns of a batch, of types that are known.
struct Read {
    partition: ArrayRef,
    offset: ArrayRef,
    /// Microseconds since the epoch.
    time: ArrayRef,
    key: ArrayRef,
    value: ArrayRef,
    headers: ArrayRef,
}

impl Read {
    fn new(batch: &RecordBatch) -> Result<Self, ArrowError> {
        let column = |name: &str, data_type: &DataType| {
            let found = batch.column_by_name(name);
            let found = found
                .ok_or_else(|| ArrowError::SchemaError(format!("there is no column `{name}`")))?;
            cast(found, data_type)
        };
        let headers = batch.column_by_name("_headers");
        let headers =
            headers.ok_or_else(|| ArrowError::SchemaError("there are no headers".to_owned()))?;
        Ok(Self {
            partition: column("_partition", &DataType::Int64)?,
            offset: column("_offset", &DataType::Int64)?,
            time: column("_timestamp", &DataType::Int64)?,
            key: column("_key", &DataType::Binary)?,
            value: column("_value", &DataType::Binary)?,
            headers: headers.clone(),
        })
    }

    fn event(&self, topic: &str, row: usize) -> Event {
        let number = |column: &ArrayRef| {
            let numbers = column.as_primitive_opt::<Int64Type>();
            numbers
                .filter(|one| one.is_valid(row))
                .map(|one| one.value(row))
        };
        let bytes = |column: &'_ ArrayRef| {
            let values = column.as_binary_opt::<i32>();
            let value = values.filter(|one| one.is_valid(row));
            value.map(|one| one.value(row).to_vec())
        };
        let (partition, offset, time) = (
            number(&self.partition).unwrap_or_default(),
            number(&self.offset).unwrap_or_default(),
            number(&self.time),
        );
        let mut metadata = self.headers(row);
        let mut say = |name: &str, value: String| {
            // A header of this name is the client's own word.
            metadata.entry(name).or_insert(Value::String(value));
        };
        say("topic", topic.to_owned());
        say("partition", partition.to_string());
        say("offset", offset.to_string());
        if let Some(key) = bytes(&self.key) {
            say("key", text(&key));
        }
        let payload = match bytes(&self.value) {
            Some(value) => payload(&value),
            None => RawValue::NULL.to_owned(),
        };
        Event {
            batch: json!({ "info": {
                "date_human": time.and_then(moment),
                "date_string": time.map(|us| i128::from(us).saturating_mul(1_000).to_string()),
                "request_id": format!("{topic}/{partition}/{offset}"),
                "source": "kafka",
            } }),
            client: Client { metadata, payload },
        }
    }

    /// The headers of a record, the last one of each name.
    fn headers(&self, row: usize) -> Map<String, Value> {
        let list = self.headers.as_list_opt::<i32>();
        let pairs = list
            .filter(|list| list.is_valid(row))
            .map(|list| list.value(row));
        let pairs = pairs.as_ref().and_then(|pairs| pairs.as_struct_opt());
        let Some([names, values]) = pairs.map(|pairs| pairs.columns()) else {
            return Map::new();
        };
        let cast = |column: &ArrayRef| cast(column, &DataType::Binary).ok();
        let (Some(names), Some(values)) = (cast(names), cast(values)) else {
            return Map::new();
        };
        let (Some(names), Some(values)) =
            (names.as_binary_opt::<i32>(), values.as_binary_opt::<i32>())
        else {
            return Map::new();
        };
        let pairs = names.iter().zip(values).map(|(name, value)| {
            let value = value.map_or(Value::Null, |value| Value::String(text(value)));
            (text(name.unwrap_or_default()), value)
        });
        pairs.collect()
    }
}

/// Bytes as text; what isn't UTF-8 is shown as such.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// JSON as it was written, else a text.
fn payload(value: &[u8]) -> Box<RawValue> {
    let as_text = || serde_json::value::to_raw_value(&text(value)).ok();
    serde_json::from_slice(value)
        .ok()
        .or_else(as_text)
        .unwrap_or_else(|| RawValue::NULL.to_owned())
}

/// A moment in microseconds since the epoch, as RFC 3339.
pub(super) fn moment(us: i64) -> Option<String> {
    let moment = TimestampMicrosecondArray::from(vec![us]).with_timezone("UTC");
    let text = cast(&moment, &DataType::Utf8).ok()?;
    let text = text.as_string_opt::<i32>()?;
    Some(text.value(0).to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::sync::Arc;

    use arrow::array::{BinaryArray, Int32Array, Int64Array, ListArray, StringArray, StructArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::Field;

    use super::*;

    fn batch() -> RecordBatch {
        let names: ArrayRef = Arc::new(StringArray::from(vec!["h", "h", "topic"]));
        let values = BinaryArray::from_opt_vec(vec![Some(b"1"), Some(b"2"), None]);
        let pairs = StructArray::from(vec![
            (Arc::new(Field::new("key", DataType::Utf8, true)), names),
            (
                Arc::new(Field::new("value", DataType::Binary, true)),
                Arc::new(values) as ArrayRef,
            ),
        ]);
        let element = Arc::new(Field::new("element", pairs.data_type().clone(), true));
        let lengths = OffsetBuffer::from_lengths([3, 0, 0]);
        let headers = ListArray::new(element, lengths, Arc::new(pairs), None);
        let time = TimestampMicrosecondArray::from(vec![Some(1_500_000), Some(0), None]);
        let keys = BinaryArray::from_opt_vec(vec![Some(b"k"), None, None]);
        let text: &[u8] = b"no {json \xff";
        let json: &[u8] = b"{\"a\": 1.10, \"b\": 12345678901234567890123}";
        let values = BinaryArray::from_opt_vec(vec![Some(json), Some(text), None]);
        RecordBatch::try_from_iter([
            (
                "_partition",
                Arc::new(Int32Array::from(vec![1, 0, 0])) as ArrayRef,
            ),
            ("_offset", Arc::new(Int64Array::from(vec![7, 8, 9]))),
            ("_timestamp", Arc::new(time.with_timezone("UTC"))),
            ("_key", Arc::new(keys)),
            ("_value", Arc::new(values)),
            ("_headers", Arc::new(headers)),
        ])
        .unwrap()
    }

    #[test]
    fn records_are_in_the_envelope_and_json_is_as_it_was_written() {
        let events = events("orders", &[batch()]).unwrap();
        let written = serde_json::to_string(&events).unwrap();
        assert!(
            written.contains("\"payload\":{\"a\": 1.10, \"b\": 12345678901234567890123}"),
            "{written}"
        );
        let read: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(
            read[0]["batch"]["info"],
            json!({
                "date_human": "1970-01-01T00:00:01.500Z",
                "date_string": "1500000000",
                "request_id": "orders/1/7",
                "source": "kafka",
            })
        );
        assert_eq!(
            read[0]["client"]["metadata"],
            json!({"h": "2", "topic": null, "partition": "1", "offset": "7", "key": "k"})
        );
        assert_eq!(read[1]["client"]["payload"], "no {json \u{fffd}");
        assert_eq!(read[2]["client"]["payload"], Value::Null);
        assert_eq!(read[2]["batch"]["info"]["date_human"], Value::Null);
    }
}
