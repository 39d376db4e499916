//! The envelope's columns: the original record, byte for byte (E7).

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Array, Int64Array, ListArray, StringArray, StringBuilder,
    StructArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};

use crate::record::{Record, TimestampType, TopicId};
use crate::schema::{envelope_schema, header_fields};
use crate::{Error, Result};

/// Bytes of a row besides key, value and headers: numbers, times, offsets, repeated texts.
const ROW_BYTES: usize = 100;

/// The envelopes of the rows that are being collected.
#[derive(Debug)]
pub(super) struct Envelope {
    topic: String,
    topic_id: TopicId,
    fields: Vec<FieldRef>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    timestamps: Vec<Option<i64>>,
    timestamp_types: Vec<TimestampType>,
    ingested_at: Vec<i64>,
    errors: StringBuilder,
    keys: BinaryBuilder,
    header_ends: Vec<i32>,
    header_keys: StringBuilder,
    header_values: BinaryBuilder,
    values: BinaryBuilder,
    bytes: usize,
}

impl Envelope {
    pub(super) fn new(topic: &str, topic_id: TopicId) -> Self {
        Self {
            topic: topic.to_owned(),
            topic_id,
            fields: envelope_schema().fields().iter().cloned().collect(),
            partitions: Vec::new(),
            offsets: Vec::new(),
            timestamps: Vec::new(),
            timestamp_types: Vec::new(),
            ingested_at: Vec::new(),
            errors: StringBuilder::new(),
            keys: BinaryBuilder::new(),
            header_ends: vec![0],
            header_keys: StringBuilder::new(),
            header_values: BinaryBuilder::new(),
            values: BinaryBuilder::new(),
            bytes: 0,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.offsets.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn append(&mut self, record: &Record<'_>, ingested_at_us: i64, error: Option<&str>) {
        self.partitions.push(record.partition);
        self.offsets.push(record.offset);
        let timestamp_us = record.timestamp_ms.map(|ms| ms.saturating_mul(1_000));
        self.timestamps.push(timestamp_us);
        self.timestamp_types.push(record.timestamp_type);
        self.ingested_at.push(ingested_at_us);
        self.errors.append_option(error);
        self.keys.append_option(record.key);
        for header in record.headers {
            self.header_keys.append_value(header.name);
            self.header_values.append_option(header.value);
        }
        let last = self.header_ends.last().copied().unwrap_or(0);
        self.header_ends.push(last + record.headers.len() as i32);
        self.values.append_option(record.value);
        self.bytes += ROW_BYTES + payload_bytes(record) + error.map_or(0, str::len);
    }

    /// The columns, in the order of [`envelope_schema`]; empties the envelope.
    pub(super) fn finish(&mut self) -> Result<(Vec<FieldRef>, Vec<ArrayRef>)> {
        let rows = self.rows();
        self.bytes = 0;
        let take = std::mem::take::<Vec<i64>>;
        let columns: Vec<ArrayRef> = vec![
            repeated(&self.topic, rows),
            Arc::new(Int32Array::from(std::mem::take(&mut self.partitions))),
            Arc::new(Int64Array::from(take(&mut self.offsets))),
            timestamps(std::mem::take(&mut self.timestamps).into()),
            Arc::new(
                std::mem::take(&mut self.timestamp_types)
                    .into_iter()
                    .map(|by| Some(by.as_str()))
                    .collect::<StringArray>(),
            ),
            repeated(self.topic_id.as_str(), rows),
            new_null_array(&DataType::Int32, rows),
            new_null_array(&DataType::Int32, rows),
            timestamps(take(&mut self.ingested_at).into()),
            Arc::new(self.errors.finish()),
            Arc::new(self.keys.finish()),
            self.headers()?,
            Arc::new(self.values.finish()),
        ];
        if columns.len() != self.fields.len() {
            return Err(Error::internal("the envelope has columns without names"));
        }
        Ok((self.fields.clone(), columns))
    }

    fn headers(&mut self) -> Result<ArrayRef> {
        let ends = std::mem::replace(&mut self.header_ends, vec![0]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.header_keys.finish()),
            Arc::new(self.header_values.finish()),
        ];
        let headers = StructArray::try_new(header_fields(), columns, None)?;
        let element = Field::new("element", DataType::Struct(header_fields()), true);
        Ok(Arc::new(ListArray::try_new(
            Arc::new(element),
            OffsetBuffer::new(ScalarBuffer::from(ends)),
            Arc::new(headers),
            None,
        )?))
    }
}

/// Bytes of a record's key, value and headers.
pub(super) fn payload_bytes(record: &Record<'_>) -> usize {
    let headers: usize = record
        .headers
        .iter()
        .map(|header| header.name.len() + header.value.map_or(0, <[u8]>::len) + 8)
        .sum();
    record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + headers
}

fn repeated(text: &str, rows: usize) -> ArrayRef {
    Arc::new(std::iter::repeat_n(Some(text), rows).collect::<StringArray>())
}

fn timestamps(array: TimestampMicrosecondArray) -> ArrayRef {
    Arc::new(array.with_timezone("UTC"))
}
