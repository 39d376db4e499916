//! Which file each row goes into, in a foreign layout: its Kafka partition, its rotation, its
//! encoded partition.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::error::Result;
use crate::layout::folder::{Encoded, missing, partitions};
use crate::layout::rotation::{Group, Row};
use crate::layout::{Foreign, ForeignFile};
use crate::partition::{Placement, Values};

/// A row on its way into a rotation.
struct Way {
    partition: i32,
    offset: i64,
    batch: usize,
    row: usize,
}

/// The files of the rows of `batches`, which follow those that made `groups` what they are. The
/// rows are those of a time `now` on the monotonic clock.
///
/// # Errors
/// `Internal` for batches without envelope.
pub(crate) fn place(
    foreign: &Foreign,
    topic: &str,
    batches: &[RecordBatch],
    groups: &mut BTreeMap<i32, Group>,
    now: Duration,
) -> Result<Vec<Placement>> {
    let mut ways = Vec::new();
    let mut sides: Vec<(Encoded, Vec<i64>)> = Vec::with_capacity(batches.len());
    for (batch, rows) in batches.iter().enumerate() {
        let offsets = rows.column_by_name("_offset");
        let offsets = offsets.and_then(|offsets| offsets.as_primitive_opt::<Int64Type>());
        let offsets = offsets.ok_or_else(|| missing("_offset"))?;
        let places = partitions(rows)?.values().iter().zip(offsets.values());
        ways.extend(places.enumerate().map(|(row, (partition, offset))| Way {
            partition: *partition,
            offset: *offset,
            batch,
            row,
        }));
        let times = foreign.folders.time_source().times(rows)?;
        sides.push((foreign.folders.encode(topic, rows)?, times));
    }
    // Rows of like shape were put together; a rotation goes by offsets.
    ways.sort_unstable_by_key(|way| (way.partition, way.offset));
    let mut files: Vec<Files> = sides
        .iter()
        .map(|(encoded, _)| Files::of(encoded))
        .collect();
    for way in ways {
        let (Some((encoded, times)), Some(files)) =
            (sides.get(way.batch), files.get_mut(way.batch))
        else {
            continue;
        };
        let number = encoded.rows.get(way.row).copied().unwrap_or_default();
        let folder = encoded
            .texts
            .get(number as usize)
            .map_or("", String::as_str);
        let row = Row {
            offset: way.offset,
            time_us: times.get(way.row).copied().unwrap_or_default(),
            folder,
        };
        let group = groups.entry(way.partition).or_default();
        let start = foreign.rotation.add(group, row, now);
        files.put(way.row, (way.partition, start, number), folder);
    }
    Ok(files.into_iter().map(Files::finish).collect())
}

/// The file that the values of a placement name, which began at `first`.
pub(crate) fn file_of<'a>(topic: &'a str, values: &'a Values, first: i64) -> ForeignFile<'a> {
    let text = |at: usize| {
        values
            .get(at)
            .and_then(Option::as_deref)
            .unwrap_or_default()
    };
    ForeignFile {
        topic,
        partition: text(0).parse().unwrap_or_default(),
        folder: text(2),
        rotation: text(1).parse().unwrap_or(first),
        first,
    }
}

/// The files that the rows of one batch go into.
struct Files {
    values: Vec<Values>,
    numbers: Vec<u32>,
    known: HashMap<(i32, i64, u32), u32>,
}

impl Files {
    fn of(encoded: &Encoded) -> Self {
        Self {
            values: Vec::new(),
            numbers: vec![0; encoded.rows.len()],
            known: HashMap::new(),
        }
    }

    fn put(&mut self, row: usize, file: (i32, i64, u32), folder: &str) {
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let number = *self.known.entry(file).or_insert(next);
        if number == next {
            let (partition, start) = (file.0.to_string(), file.1.to_string());
            self.values
                .push(vec![Some(partition), Some(start), Some(folder.to_owned())]);
        }
        if let Some(at) = self.numbers.get_mut(row) {
            *at = number;
        }
    }

    fn finish(self) -> Placement {
        Placement::of(self.values, self.numbers)
    }
}
