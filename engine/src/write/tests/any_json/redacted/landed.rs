//! Secrets, and the search for them in all that a table has: the bytes of its objects, every value
//! of its Parquet files, its live rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, Int64Array, RecordBatch, StringArray};
use futures::StreamExt;
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::values::{Meaning, Value};
use crate::lake::Lake;
use crate::path::TablePath;

/// What all texts among the secrets have in common, however they are written.
const TEXT: &str = "3cret-of-the-named-places";
/// The number among the secrets.
const NUMBER: i64 = 7_351_982_640_113;

/// Makes secrets, some with escapes.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    made: usize,
}

impl Secrets {
    pub(super) fn next(&mut self) -> String {
        self.made += 1;
        format!("S{TEXT} {}", self.made)
    }

    pub(super) fn next_value(&mut self) -> Value {
        let text = self.next();
        let quoted = format!("\"{text}\"");
        Value {
            text: match self.made % 2 {
                0 => quoted,
                _ => quoted.replacen('S', "\\u0053", 1),
            },
            meaning: Meaning::Text(text),
        }
    }

    pub(super) fn next_number(&mut self) -> Value {
        Value {
            meaning: Meaning::Integer(NUMBER.into()),
            text: NUMBER.to_string(),
        }
    }
}

/// Searches everything that there is of a table.
#[track_caller]
pub(super) fn assert_nowhere(lake: &Lake, table: &TablePath) {
    for live in lake.live().batches(table) {
        assert!(!live.batches.iter().any(tell), "a live row tells a secret");
    }
    for folder in [table.prefix().clone(), lake.state("")] {
        let store = lake.store().clone();
        let objects = lake.wait(async move {
            let mut listed = store.list(Some(&folder));
            let mut objects = Vec::new();
            while let Some(object) = listed.next().await {
                let location = object.unwrap().location;
                let bytes = store.get(&location).await.unwrap().bytes().await.unwrap();
                objects.push((location.to_string(), bytes));
            }
            objects
        });
        for (name, bytes) in objects.unwrap() {
            assert!(!tells(&bytes), "{name} tells a secret");
            if name.ends_with(".parquet") {
                let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
                for rows in reader.build().unwrap() {
                    assert!(!tell(&rows.unwrap()), "{name} tells a secret");
                }
            }
        }
    }
}

/// A secret is in the rows: in a name or a value.
pub(super) fn tell(rows: &RecordBatch) -> bool {
    tells(rows.schema_ref().to_string().as_bytes())
        || rows
            .columns()
            .iter()
            .any(|column| data_tells(&column.to_data()))
}

fn data_tells(data: &ArrayData) -> bool {
    data.buffers().iter().any(|buffer| tells(buffer)) || data.child_data().iter().any(data_tells)
}

fn tells(bytes: &[u8]) -> bool {
    let number = NUMBER.to_string();
    let needles = [
        TEXT.as_bytes(),
        number.as_bytes(),
        &NUMBER.to_le_bytes(),
        &(NUMBER as f64).to_le_bytes(),
    ];
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|part| part == needle);
    needles.into_iter().any(holds)
}

#[test]
fn a_secret_that_landed_would_be_found() {
    let texts = vec!["clean".to_owned(), Secrets::default().next()];
    let columns: [ArrayRef; 2] = [
        Arc::new(StringArray::from(texts)),
        Arc::new(Int64Array::from(vec![1, NUMBER])),
    ];
    for column in columns {
        let rows = RecordBatch::try_from_iter([("a", column)]).unwrap();
        assert!(tell(&rows));
        assert!(!tell(&rows.slice(0, 0).project(&[]).unwrap()));
    }
}
