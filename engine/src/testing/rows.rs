//! Small real files of a table, for tests of what surrounds them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;

use crate::commit::DataFile;
use crate::lake::Lake;
use crate::path::TablePath;
use crate::record::TopicId;

/// Writes a file with one row per offset, of the columns that tell who a record is.
///
/// # Panics
/// When the store does not take it.
#[expect(
    clippy::expect_used,
    reason = "a test has nothing better to do than to fail"
)]
pub fn rows_file(
    lake: &Lake,
    table: &TablePath,
    topic_id: &TopicId,
    partition: i32,
    offsets: Range<i64>,
) -> DataFile {
    let rows = usize::try_from(offsets.end - offsets.start).expect("the range goes forward");
    let columns: [(&str, ArrayRef); 3] = [
        (
            "_partition",
            Arc::new(Int32Array::from(vec![partition; rows])),
        ),
        ("_offset", Arc::new(Int64Array::from_iter_values(offsets))),
        (
            "_topic_id",
            Arc::new(StringArray::from(vec![topic_id.as_str(); rows])),
        ),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true)))
        .expect("the columns are equally long");
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("it can be written");
    writer.write(&batch).expect("it can be written");
    writer.close().expect("it can be written");
    let path = format!("dt=2026-11-23/{}.parquet", lake.clock().new_id());
    let (store, location) = (Arc::clone(lake.store()), table.object(&path));
    let size = bytes.len() as u64;
    lake.wait(async move { store.put(&location, bytes.into()).await })
        .expect("the runtime is there")
        .expect("the store takes it");
    DataFile {
        path,
        size,
        modified_ms: lake.clock().now_us() / 1_000,
        partition_values: BTreeMap::from([("dt".to_owned(), Some("2026-11-23".to_owned()))]),
        rows: rows as u64,
        stats_json: format!(r#"{{"numRecords":{rows}}}"#),
    }
}
