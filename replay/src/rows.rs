//! The source's Arrow batches as records, byte for byte (E7), or as the select list sets them.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Int64Type, TimeUnit};
use eddy_engine::Header;

use crate::error::{Error, Result};

/// The rows of one batch.
pub(crate) struct Rows {
    topic: StringArray,
    topic_id: StringArray,
    partition: Int32Array,
    offset: Int64Array,
    timestamp: TimestampMicrosecondArray,
    key: BinaryArray,
    value: BinaryArray,
    headers: ListArray,
    header_names: StringArray,
    header_values: BinaryArray,
    /// Those that were recorded, where others go out.
    recorded_headers: Option<ListArray>,
    set_partition: Option<Int32Array>,
    set_timestamp: Option<TimestampMicrosecondArray>,
    len: usize,
}

/// One row, without its headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) topic: &'a str,
    pub(crate) topic_id: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// When it was recorded.
    pub(crate) timestamp_ms: Option<i64>,
    /// The partition that the select list sets, or none to go by the key.
    pub(crate) set_partition: Option<Option<i32>>,
    /// The timestamp that the select list sets.
    pub(crate) set_timestamp_ms: Option<Option<i64>>,
    /// What goes out.
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
}

impl Row<'_> {
    /// Bytes of key and value, as rates count them.
    pub(crate) fn bytes(&self) -> u64 {
        (self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len)) as u64
    }
}

impl Rows {
    /// Finds the columns.
    ///
    /// # Errors
    /// `Internal` when one is missing or can't be what it should.
    pub(crate) fn new(batch: &RecordBatch) -> Result<Self> {
        let text = column(batch, "_topic", &DataType::Utf8)?;
        let topic_id = column(batch, "_topic_id", &DataType::Utf8)?;
        let partition = column(batch, "_partition", &DataType::Int32)?;
        let offset = column(batch, "_offset", &DataType::Int64)?;
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        let timestamp = column(batch, "_timestamp", &time)?;
        let key = set(batch, "_key", &DataType::Binary)?;
        let value = set(batch, "_value", &DataType::Binary)?;
        let headers = set(batch, "_headers", &headers_type())?;
        let recorded_headers = match batch.column_by_name("_set_headers") {
            Some(_) => optional(batch, "_headers", &headers_type())?,
            None => None,
        };
        let set_partition = optional(batch, "_set_partition", &DataType::Int32)?;
        let set_timestamp = optional(batch, "_set_timestamp", &time)?;
        let headers = headers.as_list::<i32>().clone();
        let pairs = headers.values().as_struct();
        let [names, values] = pairs.columns() else {
            return Err(Error::internal(
                "the headers of a row have no name and value",
            ));
        };
        Ok(Self {
            topic: text.as_string::<i32>().clone(),
            topic_id: topic_id.as_string::<i32>().clone(),
            partition: partition.as_primitive::<Int32Type>().clone(),
            offset: offset.as_primitive::<Int64Type>().clone(),
            timestamp: timestamp.as_primitive::<TimestampMicrosecondType>().clone(),
            key: key.as_binary::<i32>().clone(),
            value: value.as_binary::<i32>().clone(),
            header_names: names.as_string::<i32>().clone(),
            header_values: values.as_binary::<i32>().clone(),
            headers,
            recorded_headers: recorded_headers.map(|column| column.as_list::<i32>().clone()),
            set_partition: set_partition.map(|column| column.as_primitive().clone()),
            set_timestamp: set_timestamp.map(|column| column.as_primitive().clone()),
            len: batch.num_rows(),
        })
    }

    /// The row `at`; `None` beyond the last.
    pub(crate) fn get(&self, at: usize) -> Option<Row<'_>> {
        (at < self.len).then(|| Row {
            topic: self.topic.value(at),
            topic_id: self.topic_id.value(at),
            partition: self.partition.value(at),
            offset: self.offset.value(at),
            timestamp_ms: milliseconds(&self.timestamp, at),
            set_partition: self
                .set_partition
                .as_ref()
                .map(|set| set.is_valid(at).then(|| set.value(at))),
            set_timestamp_ms: self.set_timestamp.as_ref().map(|set| milliseconds(set, at)),
            key: self.key.is_valid(at).then(|| self.key.value(at)),
            value: self.value.is_valid(at).then(|| self.value.value(at)),
        })
    }

    /// Whether row `at` was recorded with a header of this name, whatever goes out.
    pub(crate) fn was_recorded_with(&self, at: usize, name: &str) -> bool {
        let headers = self.recorded_headers.as_ref().unwrap_or(&self.headers);
        if at >= self.len || headers.is_null(at) {
            return false;
        }
        let pairs = headers.value(at);
        let names = pairs.as_struct().columns().first();
        let names = names.and_then(|names| names.as_string_opt::<i32>());
        names.is_some_and(|names| names.iter().flatten().any(|one| one == name))
    }

    /// Puts the headers of row `at` behind those in `into`.
    pub(crate) fn headers<'a>(&'a self, at: usize, into: &mut Vec<Header<'a>>) {
        if at >= self.len || self.headers.is_null(at) {
            return;
        }
        let offsets = self.headers.value_offsets();
        let (Some(from), Some(to)) = (offsets.get(at), offsets.get(at + 1)) else {
            return;
        };
        #[expect(clippy::cast_sign_loss, reason = "list offsets are never negative")]
        for entry in *from as usize..*to as usize {
            into.push(Header {
                name: self.header_names.value(entry),
                value: self
                    .header_values
                    .is_valid(entry)
                    .then(|| self.header_values.value(entry)),
            });
        }
    }
}

fn milliseconds(times: &TimestampMicrosecondArray, at: usize) -> Option<i64> {
    times
        .is_valid(at)
        .then(|| times.value(at).div_euclid(1_000))
}

fn headers_type() -> DataType {
    let pair = Fields::from(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("value", DataType::Binary, true),
    ]);
    DataType::List(Field::new("element", DataType::Struct(pair), true).into())
}

/// A part of what goes out: as the select list sets it, else as it was received.
fn set(batch: &RecordBatch, name: &str, wanted: &DataType) -> Result<ArrayRef> {
    match optional(batch, &format!("_set{name}"), wanted)? {
        Some(set) => Ok(set),
        None => column(batch, name, wanted),
    }
}

fn optional(batch: &RecordBatch, name: &str, wanted: &DataType) -> Result<Option<ArrayRef>> {
    match batch.column_by_name(name) {
        Some(_) => column(batch, name, wanted).map(Some),
        None => Ok(None),
    }
}

/// The column, cast where a reader chose another layout of the same values (views, time zones).
fn column(batch: &RecordBatch, name: &str, wanted: &DataType) -> Result<ArrayRef> {
    let column = batch
        .column_by_name(name)
        .ok_or_else(|| Error::internal(format!("the row source gave no column `{name}`")))?;
    if column.data_type() == wanted {
        return Ok(column.clone());
    }
    cast(column, wanted).map_err(|error| {
        Error::internal(format!(
            "column `{name}` of the row source is of type {}",
            column.data_type()
        ))
        .with_source(error)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::sync::Arc;

    use super::*;
    use crate::testing::{Stored, batch};

    #[test]
    fn null_and_empty_stay_different() {
        let odd = [
            Stored::new(0, 0),
            Stored {
                timestamp_ms: Some(0),
                key: Some(Vec::new()),
                value: Some(Vec::new()),
                headers: vec![
                    ("h".to_owned(), None),
                    ("h".to_owned(), Some(Vec::new())),
                    (String::new(), Some(vec![0xff, 0, 0xfe])),
                ],
                ..Stored::new(0, 1)
            },
        ];
        let rows = Rows::new(&batch(&odd)).unwrap();
        for (at, stored) in odd.iter().enumerate() {
            let row = rows.get(at).unwrap();
            assert_eq!(row.key, stored.key.as_deref());
            assert_eq!(row.value, stored.value.as_deref());
            assert_eq!(row.timestamp_ms, stored.timestamp_ms);
            let mut headers = Vec::new();
            rows.headers(at, &mut headers);
            let read: Vec<_> = headers
                .iter()
                .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect();
            assert_eq!(read, stored.headers);
        }
        assert!(rows.get(2).is_none());
    }

    #[test]
    fn what_the_select_list_sets_goes_out_and_the_rest_as_it_was() {
        let stored = [Stored::full(3, 7), Stored::full(3, 8)];
        let batch = batch(&stored);
        let names = batch.schema();
        let names = names.fields().iter().map(|field| field.name().clone());
        let columns: Vec<(String, ArrayRef)> = names.zip(batch.columns().to_vec()).collect();
        let value: ArrayRef = Arc::new(BinaryArray::from(vec![Some(&b"{}"[..]), None]));
        let partition: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        let time: ArrayRef =
            Arc::new(TimestampMicrosecondArray::from(vec![None, Some(-1)]).with_timezone("UTC"));
        let set = [
            ("_set_value", value),
            ("_set_partition", partition),
            ("_set_timestamp", time),
        ];
        let set = set.map(|(name, column)| (name.to_owned(), column));
        let batch = RecordBatch::try_from_iter(columns.into_iter().chain(set)).unwrap();
        let rows = Rows::new(&batch).unwrap();
        let (first, second) = (rows.get(0).unwrap(), rows.get(1).unwrap());
        assert_eq!((first.value, second.value), (Some(&b"{}"[..]), None));
        assert_eq!(first.set_partition, Some(Some(1)));
        assert_eq!(second.set_partition, Some(None));
        assert_eq!(first.set_timestamp_ms, Some(None));
        assert_eq!(second.set_timestamp_ms, Some(Some(-1)));
        // Where it is from stays.
        assert_eq!(
            (first.partition, first.timestamp_ms),
            (3, stored[0].timestamp_ms)
        );
        assert_eq!(first.key, stored[0].key.as_deref());
    }

    #[test]
    fn what_was_recorded_is_known_behind_headers_that_are_set() {
        let marked = Stored {
            headers: vec![("eddy-replay-id".to_owned(), None)],
            ..Stored::full(0, 1)
        };
        let batch = batch(&[Stored::full(0, 0), marked, Stored::new(0, 2)]);
        let names = batch.schema();
        let names = names.fields().iter().map(|field| field.name().clone());
        let columns = names.zip(batch.columns().to_vec());
        let none = arrow::array::new_null_array(&headers_type(), 3);
        let set = columns.chain([("_set_headers".to_owned(), none)]);
        let set = RecordBatch::try_from_iter_with_nullable(
            set.map(|(name, column)| (name, column, true)),
        );
        for batch in [batch, set.unwrap()] {
            let rows = Rows::new(&batch).unwrap();
            let known = (0..4).map(|at| rows.was_recorded_with(at, "eddy-replay-id"));
            assert_eq!(known.collect::<Vec<_>>(), [false, true, false, false]);
        }
    }

    #[test]
    fn views_and_slices_read_the_same() {
        let stored: Vec<Stored> = (0..10).map(|offset| Stored::full(1, offset)).collect();
        let batch = batch(&stored).slice(4, 3);
        let schema = batch.schema();
        let columns =
            schema
                .fields()
                .iter()
                .zip(batch.columns())
                .map(|(field, column)| match field.data_type() {
                    DataType::Utf8 => cast(column, &DataType::Utf8View).unwrap(),
                    DataType::Binary => cast(column, &DataType::BinaryView).unwrap(),
                    _ => column.clone(),
                });
        let names = schema.fields().iter().map(|field| field.name().clone());
        let views = RecordBatch::try_from_iter(names.zip(columns)).unwrap();
        let rows = Rows::new(&views).unwrap();
        for at in 0..3 {
            let row = rows.get(at).unwrap();
            let wanted = &stored[at + 4];
            assert_eq!(row.offset, wanted.offset);
            assert_eq!(row.value, wanted.value.as_deref());
            let mut headers = Vec::new();
            rows.headers(at, &mut headers);
            assert_eq!(headers.len(), wanted.headers.len());
        }
    }
}
