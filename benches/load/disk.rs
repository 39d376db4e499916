//! A lake on local disk, for benches of the engine alone.

use std::collections::BTreeMap;
use std::path::Path;

use eddy_engine::{Clock, Lake, LakeOptions, Record, TimestampType};
use tokio::runtime::Runtime;

/// Opens a lake in `folder`. The runtime must outlive it.
pub(crate) fn lake(runtime: &Runtime, folder: &Path) -> Lake {
    let options = LakeOptions {
        url: format!("file://{}", folder.display()),
        options: BTreeMap::new(),
    };
    runtime.block_on(async { Lake::open(&options, Clock::system()).unwrap() })
}

/// A record without headers, a millisecond after the one before it.
pub(crate) fn record<'a>(
    partition: i32,
    offset: i64,
    key: Option<&'a str>,
    value: &'a str,
) -> Record<'a> {
    Record {
        partition,
        offset,
        timestamp_ms: Some(1_764_000_000_000 + offset),
        timestamp_type: TimestampType::Create,
        key: key.map(str::as_bytes),
        value: Some(value.as_bytes()),
        headers: &[],
        decoded: Default::default(),
    }
}

/// The bytes of all files below `folder`.
pub(crate) fn size(folder: &Path) -> u64 {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                size(&entry.path())
            } else {
                meta.len()
            }
        })
        .sum()
}
