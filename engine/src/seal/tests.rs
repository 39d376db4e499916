//! What is sealed opens with its key alone, and not when a bit of it is another.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::encode::{Encoded, Form, encode};
use crate::error::{ErrorKind, Result};
use crate::spare::Spare;

const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const OTHER: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWc=";

fn key(id: &str, text: &str) -> Key {
    Key::from_base64(id, text).unwrap()
}

fn keys(all: &[Key]) -> Keys {
    let keys = Keys::default();
    keys.add_all(all).unwrap();
    keys
}

fn rows() -> RecordBatch {
    let texts = (0..500).map(|row| format!("s3cret {}", row % 7));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let numbers: ArrayRef = Arc::new(
        (0..500)
            .map(|row| (row % 3 > 0).then_some(row))
            .collect::<Int64Array>(),
    );
    RecordBatch::try_from_iter_with_nullable([("user", texts, true), ("n", numbers, true)]).unwrap()
}

fn sealed(key: Option<Key>) -> Encoded {
    let form = Form {
        key,
        ..Form::default()
    };
    let rows = rows();
    let schema = rows.schema();
    encode(&[rows], &schema, &form, &Spare::default()).unwrap()
}

fn read(bytes: &Bytes, keys: &Keys) -> Result<RecordBatch> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let reader = keys.reader(bytes.clone(), "topics/orders/day=1/f.parquet", options)?;
    let schema = Arc::clone(reader.schema());
    let batches = reader.build()?.collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches)?)
}

#[test]
fn a_key_opens_what_it_sealed_and_no_name_or_value_is_seen_without() {
    let file = sealed(Some(key("k1", SECRET))).bytes;
    assert_eq!(
        (&file[..4], &file[file.len() - 4..]),
        (&b"PARE"[..], &b"PARE"[..])
    );
    for told in [&b"s3cret"[..], b"user", b"0123456789abcdef"] {
        assert!(!file.windows(told.len()).any(|part| part == told));
    }
    assert!(
        file.windows(2).any(|part| part == b"k1"),
        "readers go by the key's id"
    );
    assert_eq!(read(&file, &keys(&[key("k1", SECRET)])).unwrap(), rows());
    let again = sealed(Some(key("k1", SECRET))).bytes;
    assert_ne!(file, again, "never the same bytes twice");
}

/// A file that lies in lakes by now.
const STORED: &[u8] = include_bytes!("../../../tests/fixtures/sealed.parquet");

#[test]
fn a_file_that_was_sealed_before_is_opened_still() {
    let stored = Bytes::from_static(STORED);
    assert_eq!(read(&stored, &keys(&[key("k1", SECRET)])).unwrap(), rows());
}

#[test]
fn a_file_in_plain_is_read_beside_sealed_ones() {
    let file = sealed(None).bytes;
    assert_eq!(read(&file, &keys(&[key("k1", SECRET)])).unwrap(), rows());
}

#[test]
fn a_missing_and_a_wrong_key_are_told_by_file_and_id() {
    let file = sealed(Some(key("k1", SECRET))).bytes;
    let missing = read(&file, &keys(&[key("k2", SECRET)])).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Invalid);
    let wrong = read(&file, &keys(&[key("k1", OTHER)])).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Data);
    for (error, needle) in [
        (missing, "[encryption.keys]"),
        (wrong, "can't be decrypted"),
    ] {
        let text = error.to_string();
        for needle in [needle, "`k1`", "orders/day=1/f.parquet"] {
            assert!(text.contains(needle), "{text}");
        }
        assert!(!text.contains(SECRET) && !text.contains(OTHER));
    }
}

#[test]
fn a_key_is_shown_nowhere_and_its_id_stands_for_one_key() {
    let keys = keys(&[key("k1", SECRET)]);
    keys.add(&key("k1", SECRET)).unwrap();
    let error = keys.add(&key("k1", OTHER)).unwrap_err().to_string();
    assert!(error.contains("`k1`") && !error.contains(OTHER), "{error}");
    let shown = format!("{keys:?} {:?}", key("k1", SECRET));
    assert!(
        !shown.contains(SECRET) && !shown.contains("48, 49"),
        "{shown}"
    );
    for (id, text) in [
        ("", SECRET),
        ("k", "c2hvcnQ="),
        ("k", "no base64"),
        ("a\nb", SECRET),
    ] {
        let error = Key::from_base64(id, text).unwrap_err().to_string();
        assert!(!error.contains(text), "{error}");
    }
}

/// Bytes that say how long the module behind them is: nobody who reads in order goes by those of a
/// page, whose length its header says.
#[test]
fn a_flipped_bit_anywhere_is_refused_or_changes_nothing() {
    let (file, keys) = (
        sealed(Some(key("k1", SECRET))).bytes,
        keys(&[key("k1", SECRET)]),
    );
    let mut refused = 0;
    for at in 4..file.len() {
        let mut changed = file.to_vec();
        changed[at] ^= 1 << (at % 8);
        let changed = Bytes::from(changed);
        // The crate takes a length that is too short for a bug of its caller.
        let read = std::panic::catch_unwind(|| read(&changed, &keys));
        match read {
            Ok(Ok(found)) => assert_eq!(found, rows(), "bit of byte {at}"),
            Ok(Err(_)) | Err(_) => refused += 1,
        }
    }
    assert!(refused > file.len() * 9 / 10, "{refused} of {}", file.len());
}

#[test]
fn modules_of_another_file_or_place_are_refused() {
    let key = key("k1", SECRET);
    let keys = keys(std::slice::from_ref(&key));
    let (a, b) = (sealed(Some(key.clone())).bytes, sealed(Some(key)).bytes);
    assert_eq!(a.len(), b.len());
    // The first page of another file: as large, of the same key, at the same place.
    let mut mixed = a.to_vec();
    mixed[4..200].copy_from_slice(&b[4..200]);
    assert!(read(&Bytes::from(mixed), &keys).is_err());
}

#[test]
fn what_the_crates_own_writer_seals_is_opened_alike() {
    let key = key("k1", SECRET);
    let properties = WriterProperties::builder()
        .with_file_encryption_properties(key.properties().unwrap())
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows().schema(), Some(properties)).unwrap();
    writer.write(&rows()).unwrap();
    let bytes = Bytes::from(writer.into_inner().unwrap());
    assert!(bytes.ends_with(b"PARE"));
    assert_eq!(read(&bytes, &keys(&[key])).unwrap(), rows());
}

#[test]
fn the_log_tells_positions_and_times_of_a_sealed_file_and_no_other_value() {
    let plain = sealed(None).stats_json;
    assert!(plain.contains("s3cret"));
    let told = sealed(Some(key("k1", SECRET))).stats_json;
    assert!(!told.contains("s3cret") && !told.contains("user"), "{told}");
    assert!(told.contains("\"numRecords\":500") && told.contains("\"eddyComplete\":false"));
}
