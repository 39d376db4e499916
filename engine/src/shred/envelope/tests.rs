//! Envelopes that can't be finished.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;

use crate::record::{Record, TimestampType, TopicId};
use crate::schema::{Limits, envelope_schema};
use crate::shred::Shredder;

fn append(shredder: &mut Shredder, offset: i64, text: &str) {
    let record = Record {
        partition: 0,
        offset,
        timestamp_ms: Some(offset),
        timestamp_type: TimestampType::Create,
        key: Some(b"key"),
        value: Some(text.as_bytes()),
        headers: &[],
        decoded: Default::default(),
    };
    shredder.append(&record, 0);
}

#[test]
fn rows_whose_envelopes_are_lost_do_not_wait_for_those_of_others() {
    let limits = Limits {
        keys: 1_000,
        ..Limits::default()
    };
    let mut shredder = Shredder::new("t", TopicId::new("id"), &envelope_schema(), limits);
    let keys: Vec<String> = (0..500).map(|key| format!("\"k{key}\":1")).collect();
    append(&mut shredder, 0, &format!("{{{}}}", keys.join(",")));
    assert_eq!(shredder.finish().unwrap().len(), 1);
    // The envelope has a column without a name.
    let name = shredder.envelope.fields.pop();
    for offset in 1..6 {
        append(&mut shredder, offset, "{\"k1\":-1}");
    }
    assert!(shredder.groups() && shredder.finish().is_err());
    assert_eq!((shredder.rows(), shredder.bytes()), (0, 0));
    shredder.envelope.fields.extend(name);
    for offset in 10..13 {
        append(&mut shredder, offset, &format!("{{\"k2\":{offset}}}"));
    }
    let mut offsets = Vec::new();
    for batch in shredder.finish().unwrap() {
        let numbers = batch["k2"].as_primitive::<Int64Type>();
        let values = batch["_value"].as_binary::<i32>();
        let found = batch["_offset"].as_primitive::<Int64Type>().values();
        for (row, offset) in found.iter().enumerate() {
            assert_eq!(numbers.value(row), *offset);
            assert_eq!(values.value(row), format!("{{\"k2\":{offset}}}").as_bytes());
        }
        assert_eq!(numbers.null_count(), 0);
        offsets.extend(found.iter().copied());
    }
    assert_eq!(offsets, [10, 11, 12]);
}
