//! A file of Avro, taken apart by its specification.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::SYNC;

/// A file: its schema, its codec, its blocks' records and their bytes.
pub(super) fn parse(file: &[u8]) -> (Json, String, Vec<(i64, Vec<u8>)>) {
    let mut rest = file.strip_prefix(b"Obj\x01").unwrap();
    assert_eq!(long(&mut rest), 2, "two entries of metadata");
    let mut meta = BTreeMap::new();
    for _ in 0..2 {
        let key = String::from_utf8(sized(&mut rest)).unwrap();
        meta.insert(key, String::from_utf8(sized(&mut rest)).unwrap());
    }
    assert_eq!(long(&mut rest), 0);
    let sync = |rest: &mut &[u8]| {
        let (sync, after) = rest.split_first_chunk::<16>().unwrap();
        assert_eq!(*sync, SYNC);
        *rest = after;
    };
    sync(&mut rest);
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let records = long(&mut rest);
        blocks.push((records, sized(&mut rest)));
        sync(&mut rest);
    }
    let schema = serde_json::from_str(&meta["avro.schema"]).unwrap();
    (schema, meta["avro.codec"].clone(), blocks)
}

pub(super) fn long(rest: &mut &[u8]) -> i64 {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let (byte, after) = rest.split_first().unwrap();
        *rest = after;
        value |= u64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return (value >> 1).cast_signed() ^ -((value & 1).cast_signed());
        }
    }
}

fn sized(rest: &mut &[u8]) -> Vec<u8> {
    let length = usize::try_from(long(rest)).unwrap();
    let (taken, after) = rest.split_at(length);
    *rest = after;
    taken.to_vec()
}
