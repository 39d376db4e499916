//! A row as the record that goes out.

use eddy_engine::Header;

use crate::destination::{Origin, Outgoing};
use crate::request::{Options, Partition, Timestamp};
use crate::rows::Row;

/// The record that `row` becomes in replay `id`, with these headers; `now_us` is the time.
pub(crate) fn outgoing<'a>(
    row: &Row<'a>,
    id: &'a str,
    options: &Options,
    headers: &'a [Header<'a>],
    now_us: i64,
) -> Outgoing<'a> {
    Outgoing {
        origin: Origin {
            replay: id,
            topic: row.topic,
            topic_id: row.topic_id,
            partition: row.partition,
            offset: row.offset,
        },
        partition: match (row.set_partition, options.partition) {
            (Some(set), _) => set,
            (None, Partition::Same) => Some(row.partition),
            (None, Partition::Key) => None,
        },
        timestamp_ms: match (row.set_timestamp_ms, options.timestamp) {
            (Some(set), _) => set,
            (None, Timestamp::Original) => row.timestamp_ms,
            (None, Timestamp::Now) => Some(now_us.div_euclid(1_000)),
        },
        key: row.key,
        value: row.value,
        headers,
    }
}

/// Bytes of names and values.
pub(crate) fn header_bytes(headers: &[Header<'_>]) -> u64 {
    let bytes = headers
        .iter()
        .map(|header| header.name.len() + header.value.map_or(0, <[u8]>::len));
    bytes.sum::<usize>() as u64
}
