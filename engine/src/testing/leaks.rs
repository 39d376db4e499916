//! Who tells a secret: a search through all that there is of a table.

use arrow::array::{Array, ArrayData, RecordBatch};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ArrowReaderOptions;

use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::TablePath;
use crate::seal::Keys;

/// The objects of the table and of Eddy's state, and the live rows, that hold one of `secrets`: in
/// their bytes as they are stored, or in a name or value of a Parquet file.
///
/// # Errors
/// As the store's; `Internal` for a Parquet file that can't be read.
pub fn leaks(lake: &Lake, table: &TablePath, secrets: &[Vec<u8>]) -> Result<Vec<String>> {
    let live = lake.live().batches(table);
    let mut live = live.iter().flat_map(|live| &live.batches);
    let mut found = Vec::new();
    if live.any(|rows| tells(rows, secrets)) {
        found.push("live rows".to_owned());
    }
    for (name, bytes) in objects(lake, table)? {
        let mut told = holds(&bytes, secrets);
        if name.ends_with(".parquet") {
            let options = ArrowReaderOptions::default();
            for rows in lake.keys().reader(bytes, &name, options)?.build()? {
                told |= tells(&rows?, secrets);
            }
        }
        if told {
            found.push(name);
        }
    }
    Ok(found)
}

/// The objects of the table and of Eddy's state that hold one of `secrets` for who has no key: in
/// their bytes as they are stored, or in a Parquet file that isn't encrypted.
///
/// # Errors
/// As [`leaks`].
pub fn plain_leaks(lake: &Lake, table: &TablePath, secrets: &[Vec<u8>]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (name, bytes) in objects(lake, table)? {
        let mut told = holds(&bytes, secrets);
        if name.ends_with(".parquet") && !bytes.ends_with(b"PARE") {
            let options = ArrowReaderOptions::default();
            for rows in Keys::default().reader(bytes, &name, options)?.build()? {
                told |= tells(&rows?, secrets);
            }
        }
        if told {
            found.push(name);
        }
    }
    Ok(found)
}

/// Every object of the table and of Eddy's state.
fn objects(lake: &Lake, table: &TablePath) -> Result<Vec<(String, Bytes)>> {
    let mut all = Vec::new();
    for folder in [table.prefix().clone(), lake.state("")] {
        let store = lake.store().clone();
        all.extend(lake.wait(async move {
            let mut objects = Vec::new();
            let listed: Vec<_> = store.list(Some(&folder)).try_collect().await?;
            for object in listed {
                let bytes = match store.get(&object.location).await {
                    Ok(found) => found.bytes().await?,
                    // A journal goes in the background once its commit is known: it tells no more.
                    Err(object_store::Error::NotFound { .. }) => continue,
                    Err(error) => return Err(error.into()),
                };
                objects.push((object.location.to_string(), bytes));
            }
            Ok::<_, Error>(objects)
        })??);
    }
    Ok(all)
}

/// A secret is in a name or a value of the rows.
pub fn tells(rows: &RecordBatch, secrets: &[Vec<u8>]) -> bool {
    let columns = rows.columns().iter();
    holds(rows.schema_ref().to_string().as_bytes(), secrets)
        || columns
            .into_iter()
            .any(|column| array_tells(&column.to_data(), secrets))
}

fn array_tells(array: &ArrayData, secrets: &[Vec<u8>]) -> bool {
    array.buffers().iter().any(|buffer| holds(buffer, secrets))
        || array
            .child_data()
            .iter()
            .any(|child| array_tells(child, secrets))
}

fn holds(bytes: &[u8], secrets: &[Vec<u8>]) -> bool {
    let holds = |secret: &Vec<u8>| bytes.windows(secret.len()).any(|part| part == secret);
    secrets.iter().any(holds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    #[test]
    fn a_secret_in_any_value_or_name_is_found() {
        let secrets = [
            b"s3cret".to_vec(),
            7_351_982_640_113_i64.to_le_bytes().to_vec(),
        ];
        let tells = |name: &str, column: ArrayRef| {
            let rows = RecordBatch::try_from_iter([(name, column)]).unwrap();
            tells(&rows, &secrets)
        };
        assert!(tells(
            "a",
            Arc::new(StringArray::from(vec!["x", "a s3cret"]))
        ));
        assert!(tells(
            "a",
            Arc::new(Int64Array::from(vec![1, 7_351_982_640_113]))
        ));
        assert!(tells("s3cret", Arc::new(Int64Array::from(vec![1]))));
        assert!(!tells(
            "a",
            Arc::new(StringArray::from(vec!["x", "a secret"]))
        ));
    }
}
