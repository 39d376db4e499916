//! The envelope's columns: the original record, byte for byte (E7).

use std::mem::take;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Int32Array, Int64Array,
    ListArray, StringArray, StringBuilder, StructArray, TimestampMicrosecondArray, UInt32Array,
    new_null_array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::take as take_rows;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};

use super::blobs::Blobs;
use super::key_fields::KeyFields;
use super::repeated::Repeated;
use super::sparse::Sparse;
use crate::record::{Record, TimestampType, TopicId};
use crate::schema::{KEY_FIELDS, Limits, envelope_schema, header_fields};
use crate::spare::{Spare, usual};
use crate::{Error, Result};

/// Bytes of a row besides key, value and headers: numbers, times, offsets, repeated texts.
const ROW_BYTES: usize = 100;

/// The envelopes of the rows that are being collected.
#[derive(Debug)]
pub(super) struct Envelope {
    topic: Repeated,
    topic_id: Repeated,
    timestamp_type: Repeated,
    fields: Vec<FieldRef>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    timestamps: Vec<Option<i64>>,
    timestamp_types: Vec<TimestampType>,
    ingested_at: Vec<i64>,
    /// The rows that could not be decoded, which are few, and why.
    errors: Vec<(usize, String)>,
    key_schema_ids: Sparse,
    value_schema_ids: Sparse,
    /// Made with the first decoded key: most tables have none.
    key_fields: Option<Box<KeyFields>>,
    limits: Limits,
    keys: Blobs,
    header_ends: Vec<i32>,
    header_keys: StringBuilder,
    header_values: BinaryBuilder,
    values: Blobs,
    bytes: usize,
    /// How many rows the next batch may have.
    expected: usize,
}

impl Envelope {
    pub(super) fn new(topic: &str, id: &TopicId, limits: Limits, reserved: &Schema) -> Self {
        let has_keys = reserved.field_with_name(KEY_FIELDS).is_ok();
        Self {
            key_schema_ids: Sparse::default(),
            value_schema_ids: Sparse::default(),
            key_fields: has_keys.then(|| Box::new(KeyFields::new(limits, reserved))),
            limits,
            topic: Repeated::new(topic),
            topic_id: Repeated::new(id.as_str()),
            timestamp_type: Repeated::new(TimestampType::Create.as_str()),
            fields: envelope_schema().fields().iter().cloned().collect(),
            partitions: Vec::new(),
            offsets: Vec::new(),
            timestamps: Vec::new(),
            timestamp_types: Vec::new(),
            ingested_at: Vec::new(),
            errors: Vec::new(),
            keys: Blobs::new(),
            header_ends: vec![0],
            header_keys: StringBuilder::with_capacity(0, 0),
            header_values: BinaryBuilder::with_capacity(0, 0),
            values: Blobs::new(),
            bytes: 0,
            expected: 0,
        }
    }

    /// Goes on with the columns that the table has now.
    pub(super) fn adopt(&mut self, reserved: &Schema) {
        if let Some(keys) = &mut self.key_fields {
            keys.adopt(reserved);
        } else if reserved.field_with_name(KEY_FIELDS).is_ok() {
            self.key_fields = Some(Box::new(KeyFields::new(self.limits, reserved)));
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.offsets.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.key_fields.as_ref().map_or(0, |keys| keys.bytes())
    }

    /// Takes what a converter knows of the next row; answers why its key can't be taken.
    fn decoded(&mut self, record: &Record<'_>) -> Option<String> {
        let row = self.rows();
        let decoded = &record.decoded;
        self.key_schema_ids.push(row, decoded.key_schema_id);
        self.value_schema_ids.push(row, decoded.value_schema_id);
        let key = decoded.key?;
        let limits = self.limits;
        let keys = self
            .key_fields
            .get_or_insert_with(|| Box::new(KeyFields::new(limits, &Schema::empty())));
        keys.append(key, row).err()
    }

    pub(super) fn append(&mut self, record: &Record<'_>, ingested_at_us: i64, error: Option<&str>) {
        if self.rows() == 0 {
            self.reserve();
        }
        let fault = self.decoded(record);
        let error = error.or(fault.as_deref());
        let untimely = record.untimely(error);
        let error = untimely.as_deref().or(error);
        self.partitions.push(record.partition);
        self.offsets.push(record.offset);
        self.timestamps.push(record.timestamp_us());
        self.timestamp_types.push(record.timestamp_type);
        self.ingested_at.push(ingested_at_us);
        if let Some(error) = error {
            self.errors.push((self.offsets.len() - 1, error.to_owned()));
        }
        self.keys.append(record.key);
        for header in record.headers {
            self.header_keys.append_value(header.name);
            self.header_values.append_option(header.value);
        }
        let last = self.header_ends.last().copied().unwrap_or(0);
        self.header_ends.push(last + record.headers.len() as i32);
        self.values.append(record.value);
        self.bytes += ROW_BYTES + payload_bytes(record) + error.map_or(0, str::len);
    }

    /// Room for as many rows as may come: growing step by step would cost more than filling it.
    #[cold]
    fn reserve(&mut self) {
        let rows = self.expected;
        self.partitions.reserve(rows);
        self.offsets.reserve(rows);
        self.timestamps.reserve(rows);
        self.timestamp_types.reserve(rows);
        self.ingested_at.reserve(rows);
        self.header_ends.reserve(rows);
    }

    /// The columns, in the order of [`envelope_schema`]; empties the envelope.
    pub(super) fn finish(&mut self, spare: &Spare) -> Result<Envelopes> {
        let mut envelopes = self.finish_others(spare)?;
        envelopes.columns.push(self.values.finish(spare)?);
        Ok(envelopes)
    }

    /// The same for rows that go to several batches; they come back by [`Envelope::reuse`].
    pub(super) fn finish_apart(&mut self, spare: &Spare) -> Result<Apart> {
        let others = self.finish_others(spare)?;
        let values = std::mem::replace(&mut self.values, Blobs::new());
        Ok(Apart { others, values })
    }

    /// Takes the memory of rows that have gone to their batches.
    pub(super) fn reuse(&mut self, mut apart: Apart) {
        apart.values.clear();
        self.values = apart.values;
    }

    /// The columns but `_value`, which is the last.
    fn finish_others(&mut self, spare: &Spare) -> Result<Envelopes> {
        let rows = self.rows();
        self.bytes = 0;
        let mut fields = self.fields.clone();
        self.expected = usual(self.expected, rows);
        let mut columns: Vec<ArrayRef> = vec![
            self.topic.rows(rows),
            Arc::new(Int32Array::from(take(&mut self.partitions))),
            Arc::new(Int64Array::from(take(&mut self.offsets))),
            timestamps(take(&mut self.timestamps).into()),
            self.timestamp_types(rows),
            self.topic_id.rows(rows),
            self.key_schema_ids.finish(rows),
            self.value_schema_ids.finish(rows),
            timestamps(take(&mut self.ingested_at).into()),
            self.errors(rows),
            self.keys.finish(spare)?,
            self.headers()?,
        ];
        if columns.len() + 1 != fields.len() {
            return Err(Error::internal("the envelope has columns without names"));
        }
        let keys = self.key_fields.as_mut().map(|keys| keys.finish(rows));
        if let Some((field, keys)) = keys.transpose()?.flatten() {
            fields.insert(columns.len(), field);
            columns.push(keys);
        }
        Ok(Envelopes { fields, columns })
    }

    /// Forgets rows that could not be finished: some of their columns are gone.
    pub(super) fn forget(&mut self) {
        self.partitions.clear();
        self.offsets.clear();
        self.timestamps.clear();
        self.timestamp_types.clear();
        self.ingested_at.clear();
        self.errors.clear();
        self.key_schema_ids = Sparse::default();
        self.value_schema_ids = Sparse::default();
        self.keys.clear();
        self.header_ends.truncate(1);
        self.header_keys = StringBuilder::with_capacity(0, 0);
        self.header_values = BinaryBuilder::with_capacity(0, 0);
        self.values.clear();
        self.bytes = 0;
        if let Some(keys) = &mut self.key_fields {
            keys.forget();
        }
    }

    /// Gives the empty buffers back.
    pub(super) fn shrink(&mut self) {
        self.partitions = Vec::new();
        self.offsets = Vec::new();
        self.timestamps = Vec::new();
        self.timestamp_types = Vec::new();
        self.ingested_at = Vec::new();
        self.keys = Blobs::new();
        self.values = Blobs::new();
        self.expected = 0;
    }

    fn timestamp_types(&mut self, rows: usize) -> ArrayRef {
        let types = take(&mut self.timestamp_types);
        match types.first() {
            Some(first) if types.iter().all(|by| by == first) => {
                if !self.timestamp_type.is(first.as_str()) {
                    self.timestamp_type = Repeated::new(first.as_str());
                }
                self.timestamp_type.rows(rows)
            }
            _ => Arc::new(StringArray::from_iter_values(
                types.into_iter().map(TimestampType::as_str),
            )),
        }
    }

    fn errors(&mut self, rows: usize) -> ArrayRef {
        if self.errors.is_empty() {
            return new_null_array(&DataType::Utf8, rows);
        }
        let mut errors = StringBuilder::new();
        for (row, error) in std::mem::take(&mut self.errors) {
            while errors.len() < row {
                errors.append_null();
            }
            errors.append_value(error);
        }
        while errors.len() < rows {
            errors.append_null();
        }
        Arc::new(errors.finish())
    }

    fn headers(&mut self) -> Result<ArrayRef> {
        let ends = take(&mut self.header_ends);
        self.header_ends.push(0);
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

/// The finished envelopes of some rows, in the order of [`envelope_schema`].
#[derive(Debug)]
pub(super) struct Envelopes {
    pub(super) fields: Vec<FieldRef>,
    pub(super) columns: Vec<ArrayRef>,
}

impl Envelopes {
    pub(super) fn len(&self) -> usize {
        self.columns.first().map_or(0, |column| column.len())
    }
}

/// Envelopes of rows that go to several batches.
#[derive(Debug)]
pub(super) struct Apart {
    others: Envelopes,
    values: Blobs,
}

impl Apart {
    /// All rows, in this order.
    pub(super) fn in_order(&self, order: Vec<u32>, spare: &Spare) -> Result<Ordered> {
        let values = self.values.rows(&order, spare)?;
        let order = UInt32Array::from(order);
        let columns = self.others.columns.iter().zip(&self.others.fields);
        let columns = columns.map(|(column, field)| match is_same(field.name(), column) {
            true => Ok(ArrayRef::clone(column)),
            false => take_rows(column, &order, None),
        });
        let columns = columns.collect::<std::result::Result<_, _>>()?;
        Ok(Ordered {
            others: Envelopes {
                fields: self.others.fields.clone(),
                columns,
            },
            values,
        })
    }
}

/// Envelopes in the order of their groups, which share their memory.
#[derive(Debug)]
pub(super) struct Ordered {
    others: Envelopes,
    values: BinaryArray,
}

impl Ordered {
    /// A row's original value.
    pub(super) fn value(&self, row: usize) -> Option<&[u8]> {
        let there = row < self.values.len() && self.values.is_valid(row);
        there.then(|| self.values.value(row))
    }

    /// Some of the rows; of these, the ones that turned out to be broken, and why.
    pub(super) fn rows(&self, rows: &Range<usize>, errors: &[(usize, String)]) -> Envelopes {
        let columns = self.others.columns.iter().zip(&self.others.fields);
        let columns = columns.map(|(column, field)| {
            let column = column.slice(rows.start, rows.len());
            match field.name() == "_error" && !errors.is_empty() {
                true => with_errors(&column, errors),
                false => column,
            }
        });
        let mut columns: Vec<ArrayRef> = columns.collect();
        columns.push(Arc::new(self.values.slice(rows.start, rows.len())));
        Envelopes {
            fields: self.others.fields.clone(),
            columns,
        }
    }
}

/// The errors of rows beside those that are known already.
fn with_errors(known: &ArrayRef, errors: &[(usize, String)]) -> ArrayRef {
    let known = known.as_string_opt::<i32>().into_iter().flatten();
    let mut all: Vec<Option<&str>> = known.collect();
    for (row, error) in errors {
        if let Some(slot) = all.get_mut(*row) {
            *slot = Some(error);
        }
    }
    Arc::new(StringArray::from(all))
}

/// The column has the same in every row.
fn is_same(name: &str, column: &ArrayRef) -> bool {
    let lists = column.as_list_opt::<i32>();
    column.null_count() == column.len()
        || lists.is_some_and(|lists| lists.null_count() == 0 && lists.values().is_empty())
        || name == "_topic"
        || name == "_topic_id"
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

fn timestamps(array: TimestampMicrosecondArray) -> ArrayRef {
    Arc::new(array.with_timezone("UTC"))
}

#[cfg(test)]
mod tests;
