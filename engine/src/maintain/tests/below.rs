//! A table whose `topics.dir` goes on where another table's name ends: the folders of its own
//! records lie in the other's.

use std::sync::atomic::AtomicBool;

use arrow::array::{BooleanArray, RecordBatch};

use super::World;
use crate::maintain::{Erasure, Pin, erase, pins, receipts};
use crate::read::Snapshot;
use crate::read::filtered::{Kind, kept};
use crate::read::retired::{record, records, rows_of};
use crate::record::TopicId;
use crate::write::{Start, TableWriter, WriterOptions};

#[test]
fn what_a_table_below_anothers_folder_records_and_pins_says_nothing_of_the_other() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..2, 1);
    let (upper, lower) = (world.table(), world.lake.table("topics/orders", "orders"));
    let topic_id = TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ");
    let options = WriterOptions::new(lower.clone(), "orders", topic_id, "other");
    let mut below = TableWriter::open(&world.lake, options).unwrap();
    below.assign(&[(0, Start::at(0))]).unwrap();
    world.append(&mut below, 0, 0, "{}");
    below.filter(0, 1).unwrap();
    world.commit(&mut below);
    let id = world.lake.clock().new_id();
    Pin::make(&world.lake, &lower, 0, id, "replay `a`").unwrap();
    let snapshot = Snapshot::load(&world.lake, &lower, None).unwrap().unwrap();
    let gone = rows_of(&world.lake, &lower, &snapshot.files).unwrap();
    record(&world.lake, &lower, id, "retention", gone, &snapshot).unwrap();
    let none = |batch: &RecordBatch| Ok(BooleanArray::from(vec![false; batch.num_rows()]));
    let erasure = Erasure {
        id,
        reference: "ticket 7".to_owned(),
        columns: vec!["_offset".to_owned()],
        may_match: &|_| true,
        matches: &none,
    };
    erase(&world.lake, &lower, &erasure, &AtomicBool::new(false)).unwrap();
    for (table, count) in [(upper, 0), (lower, 1)] {
        assert_eq!(receipts(&world.lake, &table).unwrap().len(), count);
        assert_eq!(pins(&world.lake, &table).unwrap().len(), count);
        let lake = world.lake.clone();
        let told = world.lake.wait(async move {
            let filtered = kept(&lake, &table, Kind::Filtered).await.unwrap();
            (filtered.len(), records(&lake, &table).await.unwrap().len())
        });
        assert_eq!(told.unwrap(), (count, count));
    }
}
