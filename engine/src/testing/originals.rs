//! The original bytes of a table's rows, as every reader of ours gets them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ArrowReaderOptions;

use crate::elide::Values;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::schema::VALUE;

/// One row's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// The record's bytes.
    pub value: Option<Vec<u8>>,
    /// The file doesn't have them: they were made again.
    pub elided: bool,
}

/// The value of each committed row, by partition and offset.
///
/// # Errors
/// `Data` for a file that can't be read or has a row twice; `NotFound` without a table.
pub fn originals(lake: &Lake, table: &TablePath) -> Result<BTreeMap<(i32, i64), Original>> {
    let snapshot = Snapshot::load(lake, table, None)?
        .ok_or_else(|| Error::not_found(format!("there is no table `{}`", table.topic())))?;
    let mut found = BTreeMap::new();
    for file in snapshot.files.iter() {
        let (store, location) = (Arc::clone(lake.store()), table.object(&file.path));
        let path = location.to_string();
        let bytes = lake.wait(async move { store.get(&location).await?.bytes().await })??;
        let options = ArrowReaderOptions::default();
        let builder = lake.keys().reader(bytes, &path, options)?;
        let values = Values::of_file(builder.schema(), &snapshot.schema)?;
        for batch in builder.build()? {
            let batch = batch?;
            let wrong = || Error::data(format!("`{}` has no envelope", file.path));
            let column = |name: &str| batch.column_by_name(name).ok_or_else(wrong);
            let partitions = column("_partition")?.as_primitive::<Int32Type>();
            let offsets = column("_offset")?.as_primitive::<Int64Type>();
            let stored = column(VALUE)?;
            let values = values.of(batch.columns())?;
            for row in 0..batch.num_rows() {
                let value = values.is_valid(row).then(|| values.value(row).to_vec());
                let elided = value.is_some() && stored.is_null(row);
                let key = (partitions.value(row), offsets.value(row));
                if found.insert(key, Original { value, elided }).is_some() {
                    return Err(Error::data(format!("{key:?} is there twice")));
                }
            }
        }
    }
    Ok(found)
}
