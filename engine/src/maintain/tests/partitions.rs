//! The upkeep of a table that is partitioned by a field and the hour.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::kernels::cmp::eq;

use super::{World, eager};
use crate::error::Result;
use crate::maintain::{Erasure, erase};
use crate::partition::{FieldPath, Part, Partitioning, TimePart, Unit, Zone};
use crate::record::TopicId;
use crate::write::{Start, TableWriter, WriterOptions};

/// Rows by the values of their partition.
fn rows(world: &World) -> BTreeMap<Vec<Option<String>>, u64> {
    let mut rows = BTreeMap::new();
    for file in world.snapshot().files.iter() {
        let values = file.partition_values.values().cloned().collect();
        *rows.entry(values).or_default() += file.rows;
    }
    rows
}

fn partitioned(world: &World) -> TableWriter {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let hour = TimePart::new(Some(Unit::Hour), zone, None, None).unwrap();
    let region = FieldPath::parse("region").unwrap();
    let parts = vec![Part::Field(region), Part::Time(hour)];
    let topic_id = TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ");
    let mut options = WriterOptions::new(world.table(), "orders", topic_id, "sink");
    options.partitioning = Arc::new(Partitioning::new(parts).unwrap());
    let mut writer = TableWriter::open(&world.lake, options).unwrap();
    writer.assign(&[(0, Start::at(0))]).unwrap();
    writer
}

#[test]
fn files_are_compacted_within_their_partition_and_erased_by_its_values() {
    for world in [World::in_memory(), World::on_disk()] {
        let mut writer = partitioned(&world);
        for offset in 0..40 {
            let region = [r#""eu""#, r#""a/b""#, "null"][usize::try_from(offset % 3).unwrap()];
            let value = format!("{{\"n\":{offset},\"region\":{region}}}");
            let hours = 3_600 * (offset % 2);
            world.append_at(&mut writer, 0, offset, hours, &value);
            if offset % 8 == 7 {
                world.commit(&mut writer);
            }
        }
        let before = rows(&world);
        assert_eq!(before.len(), 6);
        assert_eq!(world.snapshot().files.len(), 30);
        world.pass(&eager()).unwrap();
        assert_eq!(rows(&world), before, "each row in its partition");
        assert_eq!(world.snapshot().files.len(), 6);

        let matches = |batch: &RecordBatch| -> Result<BooleanArray> {
            let region = batch["region"].as_string::<i32>();
            let hour = batch["hour"].as_string::<i32>();
            let is = |text: &'static str| StringArray::new_scalar(text);
            let (region, hour) = (eq(region, &is("a/b"))?, eq(hour, &is("13"))?);
            Ok(arrow::compute::and(&region, &hour)?)
        };
        let erasure = Erasure {
            id: world.lake.clock().new_id(),
            reference: "by partition".to_owned(),
            columns: vec!["region".to_owned(), "hour".to_owned()],
            may_match: &|_| true,
            matches: &matches,
        };
        let receipt = erase(
            &world.lake,
            &world.table(),
            &erasure,
            &AtomicBool::new(false),
        );
        let gone = [Some("2026-11-23"), Some("13"), Some("a/b")];
        let gone: Vec<_> = gone.map(|value| value.map(str::to_owned)).into();
        let mut left = before;
        assert_eq!(Some(receipt.unwrap().rows), left.remove(&gone));
        assert_eq!(rows(&world), left);
        world.check();
    }
}
