//! Files that another engine brings back and takes away again.

use std::sync::Arc;

use object_store::{ObjectStoreExt, PutPayload};
use serde_json::{Value, json};

use super::{World, eager};
use crate::commit::TableLog;
use crate::maintain::clean::clean;
use crate::maintain::restored::Restored;
use crate::path::escape;
use crate::read::Snapshot;

impl World {
    /// Commits `action` as another engine does; answers the version.
    fn foreign(&self, action: &Value) -> u64 {
        let version = self.snapshot().version + 1;
        let info =
            json!({"commitInfo": {"timestamp": 1_795_435_200_000_i64, "operation": "RESTORE"}});
        let body = PutPayload::from(format!("{info}\n{action}\n"));
        let (store, location) = (Arc::clone(self.lake.store()), self.table().commit(version));
        let put = self
            .lake
            .wait(async move { store.put(&location, body).await });
        put.unwrap().unwrap();
        version
    }

    /// How many files of a version are there, of how many.
    fn readable(&self, version: u64) -> (usize, usize) {
        let snapshot = Snapshot::load(&self.lake, &self.table(), Some(version));
        let snapshot = snapshot.unwrap().unwrap();
        let there = snapshot.files.iter().filter(|file| {
            let (store, object) = (
                Arc::clone(self.lake.store()),
                self.table().object(&file.path),
            );
            let found = self.lake.wait(async move { store.head(&object).await });
            found.unwrap().is_ok()
        });
        (there.count(), snapshot.files.len())
    }
}

#[test]
fn p14_a_file_that_came_back_stays_with_the_versions_that_have_it() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..4, 1);
    let file = world.snapshot().files[0].clone();
    world.pass(&eager()).unwrap();
    world.commits(&mut writer, 4..5, 1);
    let log = TableLog::open(&world.lake, &world.table()).unwrap();
    assert!(log.unwrap().checkpoint().unwrap());
    let path = escape(&file.path);
    let back = world.foreign(&json!({"add": {
        "path": path,
        "partitionValues": file.partition_values,
        "size": file.size,
        "modificationTime": file.modified_ms,
        "dataChange": true,
    }}));
    let away = world.foreign(&json!({"remove": {
        "path": path,
        "deletionTimestamp": 1_795_435_200_000_i64,
        "dataChange": true,
    }}));
    assert_eq!(world.readable(back), (3, 3));
    world.hours_later(8 * 24);
    let history = eager().history;
    let mut restored = Restored::default();
    let cleaned = clean(&world.lake, &world.table(), history, None, &mut restored);
    let cleaned = cleaned.unwrap();
    assert!(cleaned.log_files > 0, "{cleaned:?}");
    assert_eq!(cleaned.objects, 3, "the other files");
    assert_eq!(world.readable(back), (3, 3));
    assert_eq!(world.readable(away), (2, 2));
}
