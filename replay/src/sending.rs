//! A row as the record that goes out.

use eddy_engine::Header;

use crate::destination::{Checked, Origin, Outgoing};
use crate::error::{Error, Result};
use crate::request::{Options, Timestamp};
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
        // One that has no place is refused before it goes out (`fits`).
        partition: placed(row, options).unwrap_or_default(),
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

/// Refuses a record for a partition that the target doesn't have, since the client would wait for
/// it, and one whose partition stands for none there.
///
/// # Errors
/// `Rejected`.
pub(crate) fn fits(row: &Row<'_>, options: &Options, target: &Checked) -> Result<()> {
    let partitions = target.partitions_of(options.topics.of(row.topic));
    match (placed(row, options)?, partitions) {
        (Some(partition), _) if partition < 0 => Err(Error::rejected(format!(
            "there is no partition {partition}"
        ))),
        (Some(partition), Some(there)) if partition >= there => Err(Error::rejected(format!(
            "there is no partition {partition}; the topic has {there}"
        ))),
        _ => Ok(()),
    }
}

/// The partition that `row` goes to; `None`: by the key.
fn placed(row: &Row<'_>, options: &Options) -> Result<Option<i32>> {
    match row.set_partition {
        Some(set) => Ok(set),
        None => options.partition.of(row.partition),
    }
}

/// Bytes of names and values.
pub(crate) fn header_bytes(headers: &[Header<'_>]) -> u64 {
    let bytes = headers
        .iter()
        .map(|header| header.name.len() + header.value.map_or(0, <[u8]>::len));
    bytes.sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;
    use crate::error::ErrorKind;

    fn row(topic: &str, partition: i32) -> Row<'_> {
        Row {
            topic,
            topic_id: "id",
            partition,
            offset: 42,
            timestamp_ms: None,
            set_partition: None,
            set_timestamp_ms: None,
            key: None,
            value: None,
        }
    }

    #[test]
    fn a_record_goes_where_the_map_says_if_its_topic_there_has_that_partition() {
        let given = [("partition", "0:3, 1:1"), ("topics", "orders:wide")];
        let given = given.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let options = Options::parse(&BTreeMap::from(given)).unwrap();
        let target = Checked {
            partitions: Some(2),
            topics: BTreeMap::from([("wide".to_owned(), 4)]),
            ..Checked::default()
        };
        let goes = |row: Row<'_>| {
            let fits = fits(&row, &options, &target);
            fits.map(|()| outgoing(&row, "r", &options, &[], 0).partition)
        };
        assert_eq!(goes(row("orders", 0)).unwrap(), Some(3));
        assert_eq!(goes(row("payments", 1)).unwrap(), Some(1));
        for (row, told) in [
            (row("payments", 0), "no partition 3; the topic has 2"),
            (row("orders", 2), "lacks the source's partition 2"),
        ] {
            let error = goes(row).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Rejected);
            assert!(error.to_string().contains(told), "{error}");
        }
        let set = Row {
            set_partition: Some(None),
            ..row("orders", 2)
        };
        assert_eq!(goes(set).unwrap(), None, "the select list says: by its key");
    }
}
