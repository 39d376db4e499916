//! One broken file or table holds up nothing but itself.

use std::collections::BTreeMap;
use std::time::Duration;

use object_store::{ObjectStoreExt, PutPayload};

use super::{World, eager};
use crate::commit::{GRACE, TableLog};
use crate::partition::Partitioning;
use crate::path::TablePath;
use crate::schema::envelope_schema;
use crate::write::write_journal;

const DAY_SECONDS: i64 = 86_400;

impl World {
    /// How many files each day has.
    fn files_by_day(&self) -> BTreeMap<String, usize> {
        let mut days = BTreeMap::new();
        for file in self.snapshot().files.iter() {
            let day = file.partition_values["dt"].clone().unwrap();
            *days.entry(day).or_default() += 1;
        }
        days
    }

    /// What a writer leaves that dies between upload and commit.
    fn orphan(&self, table: &TablePath) {
        let (lake, table) = (self.lake.clone(), table.clone());
        let left = async move {
            let (id, began_us) = (lake.clock().new_id(), lake.clock().now_us());
            let file = format!("dt=2026-11-23/{id}.parquet");
            let object = table.object(&file);
            write_journal(&lake, &table, id, &[file], began_us)
                .await
                .unwrap();
            let body = PutPayload::from_static(b"rows");
            lake.store().put(&object, body).await.unwrap();
        };
        self.lake.wait(left).unwrap();
    }
}

#[test]
fn a_broken_file_keeps_no_other_partition_from_compaction_and_cleaning() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    for offset in 0..8 {
        let second = offset / 4 * DAY_SECONDS + offset;
        let value = format!("{{\"n\":{offset}}}");
        world.append_at(&mut writer, 0, offset, second, &value);
        world.commit(&mut writer);
    }
    let mut log = TableLog::open(&world.lake, &world.table())
        .unwrap()
        .unwrap();
    assert!(log.checkpoint().unwrap());
    world.hours_later(8 * 24);
    let (first, second) = ("2026-11-23".to_owned(), "2026-11-24".to_owned());
    let days = |of_second: usize| BTreeMap::from([(first.clone(), 4), (second.clone(), of_second)]);
    assert_eq!(world.files_by_day(), days(4));
    let broken = world.keys("dt=2026-11-23").remove(0);
    world.overwrite(&broken, |bytes| bytes.fill(0));

    assert!(
        world.pass(&eager()).is_err(),
        "whoever keeps it hears of it"
    );
    assert_eq!(world.files_by_day(), days(1));
    assert!(world.keys("00000000000000000000.json").is_empty());
    // Again and again, as long as nobody mends the file.
    assert!(world.pass(&eager()).is_err());
    assert_eq!(world.files_by_day(), days(1));
}

#[test]
fn a_broken_table_keeps_no_other_from_the_sweep_of_orphans() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..4, 2);
    // Its turn comes first.
    let broken = world.lake.table("topics", "broken");
    let (schema, days) = (envelope_schema(), Partitioning::by_day());
    TableLog::create_or_open(&world.lake, &broken, &schema, &days, false, "sink").unwrap();
    world.orphan(&broken);
    world.orphan(&world.table());
    assert!(broken < world.table());
    world.lake.clock().advance(GRACE + Duration::from_secs(1));

    world.store.script("broken/_delta_log", []);
    world.store.fail_reads(true);
    assert!(world.keeper().sweep().is_err());
    assert_eq!(world.keys("dt=").len(), 3, "two files and the orphan");
    assert_eq!(world.keys("_eddy/uploads").len(), 1);
    world.store.fail_reads(false);
    assert_eq!(world.keeper().sweep().unwrap(), 1);
    assert_eq!(world.keys("dt=").len(), 2);
    assert_eq!(world.keys("_eddy/uploads").len(), 0);
}
