//! A table whose files are encrypted: moved, erased from, its key changed, and what it tells who
//! has none.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::Int64Type;

use super::{World, eager};
use crate::elide::Raw;
use crate::error::ErrorKind;
use crate::lake::Lake;
use crate::maintain::{Erasure, erase};
use crate::read::accounts;
use crate::record::TopicId;
use crate::seal::Key;
use crate::testing::{originals, plain_leaks, store_lake};
use crate::write::{Start, TableWriter, WriterOptions};

fn key(id: &str) -> Key {
    let secrets = [
        ("old", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
        ("new", "MDEyMzQ1Njc4OWFiY2RlZg=="),
    ];
    let secret = secrets.into_iter().find(|(known, _)| *known == id).unwrap();
    Key::from_base64(id, secret.1).unwrap()
}

impl World {
    fn sealing(&self, lake: &Lake, key: Option<Key>, raw: Raw) -> crate::Result<TableWriter> {
        let topic_id = TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ");
        let mut options = WriterOptions::new(self.table(), "orders", topic_id, "sink");
        (options.key, options.raw) = (key, raw);
        let mut writer = TableWriter::open(lake, options)?;
        writer.assign(&[(0, Start::at(0))])?;
        Ok(writer)
    }

    fn secrets(&self, writer: &mut TableWriter, offsets: Range<i64>) {
        for offset in offsets {
            let value = match offset % 10 {
                7 => format!("no json s3cret{offset}"),
                _ => format!("{{\"n\":{offset},\"wh0\":\"s3cret{}\"}}", offset % 5),
            };
            self.append(writer, 0, offset, &value);
        }
        self.commit(writer);
    }

    /// Another process on the same store, without any key.
    fn stranger(&self) -> Lake {
        let _guard = self._runtime.enter();
        let store = std::sync::Arc::new(self.store.clone());
        store_lake(store, self.lake.clock().clone())
    }

    #[track_caller]
    fn assert_sealed(&self, rows: impl Iterator<Item = i64>) {
        let found = originals(&self.lake, &self.table()).unwrap();
        let found: Vec<i64> = found.keys().map(|(_, offset)| *offset).collect();
        assert_eq!(found, rows.collect::<Vec<_>>(), "E1");
        let secrets = [b"s3cret".to_vec(), b"key-1".to_vec()];
        let told = plain_leaks(&self.lake, &self.table(), &secrets).unwrap();
        assert!(told.is_empty(), "{told:?}");
        let data = [b"wh0".to_vec()];
        let told = plain_leaks(&self.lake, &self.table(), &data).unwrap();
        let mut told = told.iter().filter(|name| !name.contains("_delta_log"));
        assert_eq!(told.next(), None, "columns' names are in the log alone");
        for file in self.snapshot().files.iter() {
            assert!(file.stats_json.contains("_offset"), "{}", file.stats_json);
        }
    }
}

fn stays_sealed(raw: Raw) {
    let world = World::in_memory();
    let mut writer = world.sealing(&world.lake, Some(key("old")), raw).unwrap();
    world.secrets(&mut writer, 0..40);
    world.secrets(&mut writer, 40..80);
    drop(writer);
    // The key is changed: what is there keeps its own.
    let mut writer = world.sealing(&world.lake, Some(key("new")), raw).unwrap();
    world.secrets(&mut writer, 80..120);
    assert_eq!(world.snapshot().key_id(), Some("new"));
    world.assert_sealed(0..120);

    let kept = world.pass(&eager()).unwrap();
    assert_eq!(kept.compacted.rewrites, 1, "{kept:?}");
    assert_eq!((kept.filtered.files, kept.filtered.packs), (0, 0));
    world.assert_sealed(0..120);

    let (table, halt) = (world.table(), AtomicBool::new(false));
    let erasure = Erasure {
        id: world.lake.clock().new_id(),
        reference: "ticket 7".to_owned(),
        columns: vec!["n".to_owned()],
        may_match: &|_| true,
        matches: &|batch| {
            let numbers = batch["n"].as_primitive::<Int64Type>().iter();
            Ok(numbers
                .map(|n| Some(n? % 10 == 2))
                .collect::<BooleanArray>())
        },
    };
    let receipt = erase(&world.lake, &table, &erasure, &halt).unwrap();
    assert_eq!(receipt.rows, 12);
    world.assert_sealed((0..120).filter(|offset| offset % 10 != 2));
    world.check();

    // Compaction has written everything with the new key: the old one isn't needed any more.
    let reader = world.stranger();
    reader.keys().add(&key("new")).unwrap();
    assert_eq!(originals(&reader, &table).unwrap().len(), 108);
}

#[test]
fn a_sealed_table_stays_so_through_restarts_keys_compaction_and_erasure() {
    stays_sealed(Raw::Keep);
}

#[test]
fn a_sealed_table_without_its_text_stays_so() {
    stays_sealed(Raw::Elide);
}

#[test]
fn who_lacks_the_key_neither_reads_nor_writes_nor_moves_anything() {
    let world = World::in_memory();
    let mut writer = world
        .sealing(&world.lake, Some(key("old")), Raw::Keep)
        .unwrap();
    world.secrets(&mut writer, 0..10);
    world.secrets(&mut writer, 10..20);
    world.secrets(&mut writer, 20..30);
    let stranger = world.stranger();
    let version = world.snapshot().version;
    let refused = |error: crate::Error, kinds: &[ErrorKind]| {
        let text = error.to_string();
        assert!(kinds.contains(&error.kind()), "{error:?}");
        assert!(text.contains("`old`") && text.contains("orders"), "{text}");
    };
    let invalid = [ErrorKind::Invalid];
    let plain = world.sealing(&stranger, None, Raw::Keep).unwrap_err();
    refused(plain, &invalid);
    refused(originals(&stranger, &world.table()).unwrap_err(), &invalid);
    let (table, snapshot) = (world.table(), world.snapshot());
    let asked = stranger.clone();
    let counted = stranger.wait(async move { accounts(&asked, &table, &snapshot).await });
    refused(counted.unwrap().unwrap_err(), &[ErrorKind::Data]);
    let mut keeper = crate::maintain::Keeper::new(&stranger, &crate::budget::Budget::unlimited());
    let kept = keeper.pass(&world.table(), &eager(), &AtomicBool::new(false));
    refused(kept.unwrap_err(), &invalid);
    assert_eq!(world.snapshot().version, version, "nothing was changed");
}

#[test]
fn a_table_in_plain_is_sealed_from_then_on_and_its_old_files_with_the_next_compaction() {
    let world = World::in_memory();
    let mut writer = world.sealing(&world.lake, None, Raw::Keep).unwrap();
    world.secrets(&mut writer, 0..10);
    drop(writer);
    let mut writer = world
        .sealing(&world.lake, Some(key("old")), Raw::Keep)
        .unwrap();
    world.secrets(&mut writer, 10..20);
    world.secrets(&mut writer, 20..30);
    let secrets = [b"s3cret".to_vec()];
    let files = || {
        let told = plain_leaks(&world.lake, &world.table(), &secrets).unwrap();
        let live = world.snapshot();
        let is_live = |name: &String| live.files.iter().any(|file| name.ends_with(&file.path));
        told.iter().filter(|name| is_live(name)).count()
    };
    assert_eq!(files(), 1, "what was written before");
    let kept = world.pass(&eager()).unwrap();
    assert_eq!(kept.compacted.rewrites, 1, "{kept:?}");
    let told = plain_leaks(&world.lake, &world.table(), &secrets).unwrap();
    assert_eq!(files(), 0, "{told:?} {:?}", world.snapshot().files);
    assert_eq!(originals(&world.lake, &world.table()).unwrap().len(), 30);
    world.check();
}
