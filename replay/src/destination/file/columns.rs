//! Records as a Parquet file: a column for each part of a record, of the type that it has.
//!
//! `id`, `replay`, `topic` (text), `partition` (32 bits), `offset` (64 bits), `timestamp`
//! (milliseconds, UTC), `key`, `value` (bytes, null where the record has none) and `headers` (a
//! list of `name` and `value` in order). The names are those of a line of NDJSON. What a value is
//! made of differs from record to record, so it stays the bytes that it is: reading it as JSON is
//! the reader's matter, as `value::VARCHAR::JSON` in DuckDB.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BinaryBuilder, Int32Array, Int64Array, ListBuilder, RecordBatch,
    StringArray, StringBuilder, StructBuilder, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Fields};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::super::packed::Packed;
use crate::error::{Error, Result};

/// The file of these records; a `bare` one has neither headers nor where they are from.
///
/// # Errors
/// `Internal` when it can't be made.
pub(super) fn file(records: &[Packed], bare: bool) -> Result<Vec<u8>> {
    made(records, bare)
        .map_err(|error| Error::internal("a Parquet file can't be made").with_source(error))
}

fn made(records: &[Packed], bare: bool) -> parquet::errors::Result<Vec<u8>> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns(records, bare))?;
    let compression = Compression::ZSTD(ZstdLevel::try_new(1)?);
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.into_inner()
}

/// Name, values, and whether some may be null.
fn columns(records: &[Packed], bare: bool) -> Vec<(&'static str, ArrayRef, bool)> {
    let texts = |of: fn(&Packed) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(records.iter().map(of)))
    };
    let bytes = |of: fn(&Packed) -> Option<&[u8]>| -> ArrayRef {
        Arc::new(records.iter().map(of).collect::<BinaryArray>())
    };
    let mut columns = vec![("id", texts(|record| &record.id), false)];
    if !bare {
        let partitions = records.iter().map(|record| record.partition);
        let offsets = records.iter().map(|record| record.offset);
        let times = records.iter().map(|record| record.timestamp_ms);
        let times: TimestampMillisecondArray = times.collect();
        columns.push(("replay", texts(|record| &record.replay), false));
        columns.push(("topic", texts(|record| &record.topic), false));
        let partitions = Int32Array::from_iter_values(partitions);
        columns.push(("partition", Arc::new(partitions), false));
        columns.push((
            "offset",
            Arc::new(Int64Array::from_iter_values(offsets)),
            false,
        ));
        columns.push(("timestamp", Arc::new(times.with_timezone("UTC")), true));
    }
    columns.push(("key", bytes(|record| record.key.as_deref()), true));
    columns.push(("value", bytes(|record| record.value.as_deref()), true));
    if !bare {
        columns.push(("headers", headers(records), false));
    }
    columns
}

fn headers(records: &[Packed]) -> ArrayRef {
    let pair = Fields::from(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("value", DataType::Binary, true),
    ]);
    let pairs: Vec<Box<dyn arrow::array::ArrayBuilder>> = vec![
        Box::new(StringBuilder::new()),
        Box::new(BinaryBuilder::new()),
    ];
    let pairs = StructBuilder::new(pair.clone(), pairs);
    let element = Field::new("element", DataType::Struct(pair), false);
    let mut headers = ListBuilder::new(pairs).with_field(element);
    for record in records {
        for (name, value) in &record.headers {
            let pairs = headers.values();
            // Both are there, as they were put in above.
            if let Some(names) = pairs.field_builder::<StringBuilder>(0) {
                names.append_value(name);
            }
            if let Some(values) = pairs.field_builder::<BinaryBuilder>(1) {
                values.append_option(value.as_deref());
            }
            pairs.append(true);
        }
        headers.append(true);
    }
    Arc::new(headers.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Int64Type;
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn records() -> Vec<Packed> {
        let parts = [
            None,
            Some(Bytes::new()),
            Some(Bytes::from_static(&[0xff, 0])),
        ];
        let all = parts
            .iter()
            .flat_map(|key| parts.iter().map(move |value| (key, value)));
        let record = |(offset, (key, value)): (i64, (&Option<Bytes>, &Option<Bytes>))| Packed {
            id: format!("r:id:3:{offset}"),
            replay: "r".to_owned(),
            topic: "orders".to_owned(),
            partition: 3,
            offset,
            timestamp_ms: (offset % 2 == 0).then_some(1_500),
            key: key.clone(),
            value: value.clone(),
            headers: (0..offset % 3)
                .map(|n| (format!("h{n}"), value.clone()))
                .collect(),
        };
        (0..).zip(all).map(record).collect()
    }

    fn read(file: Vec<u8>) -> RecordBatch {
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
        builder.build().unwrap().next().unwrap().unwrap()
    }

    #[test]
    fn every_part_of_a_record_comes_back_null_and_empty_apart() {
        let records = records();
        let batch = read(file(&records, false).unwrap());
        assert_eq!(batch.num_rows(), records.len());
        let column = |name: &str| batch.column_by_name(name).unwrap().clone();
        let (keys, values) = (column("key"), column("value"));
        let (offsets, times) = (column("offset"), column("timestamp"));
        let headers = column("headers");
        for (at, record) in records.iter().enumerate() {
            let bytes = |column: &ArrayRef| {
                let column = column.as_binary::<i32>();
                column.is_valid(at).then(|| column.value(at).to_vec())
            };
            assert_eq!(bytes(&keys).as_deref(), record.key.as_deref());
            assert_eq!(bytes(&values).as_deref(), record.value.as_deref());
            assert_eq!(offsets.as_primitive::<Int64Type>().value(at), record.offset);
            assert_eq!(times.is_valid(at), record.timestamp_ms.is_some());
            let pairs = headers.as_list::<i32>().value(at);
            let pairs = pairs.as_struct();
            let (names, values) = (pairs.column(0).as_string::<i32>(), pairs.column(1));
            let values = values.as_binary::<i32>();
            let seen = (0..pairs.len()).map(|n| {
                let value = values
                    .is_valid(n)
                    .then(|| Bytes::copy_from_slice(values.value(n)));
                (names.value(n).to_owned(), value)
            });
            assert_eq!(seen.collect::<Vec<_>>(), record.headers);
        }
        assert_eq!(
            file(&records, false).unwrap(),
            file(&records, false).unwrap()
        );
    }

    #[test]
    fn a_bare_file_has_neither_headers_nor_where_records_are_from() {
        let batch = read(file(&records(), true).unwrap());
        let schema = batch.schema();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(names, ["id", "key", "value"]);
    }
}
