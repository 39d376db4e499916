//! Filters: they never deny what a row holds, go with their files, and whatever becomes of them
//! costs nothing but time.

mod bounds;
mod upkeep;

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use object_store::{ObjectStoreExt, PutPayload};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::PageIndexPolicy;

use super::{World, eager};
use crate::filter::{Allowed, Filters, Texts, Verdict, Wanted};
use crate::maintain::compact::{Limits, compact};
use crate::maintain::output::FileLimits;
use crate::maintain::packs::Packs;
use crate::maintain::plan::bins;
use crate::read::Snapshot;
use crate::record::{Header, Record, TimestampType};
use crate::testing::scale;
use crate::write::TableWriter;

const MEMORY: usize = 64 << 20;

/// Whether a row may be wanted.
fn has(allowed: &Allowed, row: usize) -> bool {
    match allowed {
        Allowed::Nothing => false,
        Allowed::Whole => true,
        Allowed::Slices { wanted, .. } => wanted.iter().any(|range| range.contains(&row)),
    }
}

impl World {
    /// What filters say of the table's files, in order.
    fn ask(&self, wanted: &Wanted) -> Verdict {
        self.ask_through(&Filters::new(&self.lake, MEMORY), wanted)
    }

    fn ask_through(&self, filters: &Filters, wanted: &Wanted) -> Verdict {
        self.ask_of(&self.snapshot(), filters, wanted)
    }

    fn ask_of(&self, snapshot: &Snapshot, filters: &Filters, wanted: &Wanted) -> Verdict {
        let paths: Vec<&str> = snapshot.files.iter().map(|f| f.path.as_str()).collect();
        let table = self.table();
        let asked = filters.ask(&table, snapshot.version, &paths, wanted);
        self._runtime.block_on(asked)
    }

    /// How many row groups may hold it, and of how many nothing is known.
    pub(super) fn may_hold(&self, wanted: &Wanted) -> (usize, usize) {
        let verdict = self.ask(wanted);
        let known = verdict.row_groups.iter().flatten().flatten();
        let unknown = verdict.row_groups.iter().filter(|file| file.is_none());
        let may = known.filter(|allowed| **allowed != Allowed::Nothing);
        (may.count(), unknown.count())
    }

    /// The files, in order.
    fn objects(&self) -> Vec<Bytes> {
        let snapshot = self.snapshot();
        let files = snapshot.files.iter().map(|file| {
            let (lake, object) = (self.lake.clone(), self.table().object(&file.path));
            let bytes = self.lake.wait(async move {
                let found = lake.store().get(&object).await.unwrap();
                found.bytes().await.unwrap()
            });
            bytes.unwrap()
        });
        files.collect()
    }

    /// The rows of each row group of each file.
    fn row_groups(&self) -> Vec<Vec<Vec<RecordBatch>>> {
        let files = self.objects().into_iter().map(|bytes| {
            let reader = || ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap();
            let groups = 0..reader().metadata().num_row_groups();
            let rows = groups.map(|group| {
                let rows = reader().with_row_groups(vec![group]).build().unwrap();
                rows.map(Result::unwrap).collect()
            });
            rows.collect()
        });
        files.collect()
    }

    /// Compacts everything, with so few rows in a row group and a slice of it.
    fn compact_into_groups_of(&self, row_group_rows: usize, slice_rows: usize) {
        let (snapshot, policy) = (self.snapshot(), eager().compaction.unwrap());
        let limits = Limits {
            files: FileLimits {
                bytes: policy.target_bytes,
                row_group_rows,
                slice_rows,
            },
            memory_bytes: 1 << 20,
        };
        let halt = std::sync::atomic::AtomicBool::new(false);
        for bin in bins(&snapshot.files, &policy, self.lake.clock().now_us() / 1_000) {
            compact(&self.lake, &self.table(), &snapshot, &bin, limits, &halt).unwrap();
        }
    }

    fn packed_files(&self) -> BTreeSet<String> {
        let packs = Packs::read(&self.lake, &self.table()).unwrap();
        packs
            .files(&BTreeSet::new())
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    fn remove(&self, key: &str) {
        let (lake, path) = (self.lake.clone(), object_store::path::Path::from(key));
        let removed = async move { lake.store().delete(&path).await };
        self.lake.wait(removed).unwrap().unwrap();
    }

    pub(super) fn overwrite(&self, key: &str, change: impl FnOnce(&mut Vec<u8>) + Send + 'static) {
        let (lake, path) = (self.lake.clone(), object_store::path::Path::from(key));
        let done = async move {
            let bytes = lake
                .store()
                .get(&path)
                .await
                .unwrap()
                .bytes()
                .await
                .unwrap();
            let mut bytes = bytes.to_vec();
            change(&mut bytes);
            lake.store()
                .put(&path, PutPayload::from(bytes))
                .await
                .unwrap();
        };
        self.lake.wait(done).unwrap();
    }

    /// A record like those of many kinds: text in its key, value and headers.
    fn odd(&self, writer: &mut TableWriter, random: &mut u64, offset: i64) {
        let (id, word) = (next(random) % 10_000, WORDS[next(random) % WORDS.len()]);
        let value = match next(random) % 6 {
            0 => format!("plain {word} text, C:\\\\new {id}"),
            1 => format!(
                "{{\"id\":\"x-{id}\",\"n\":{id},\"in\":{{\"id\":{id},\"a\":[\"{word}\"]}}}}"
            ),
            2 => format!(
                "{{\"id\":\"y{id}\",\"text\":\"caf\\u00e9 \\ud83d\\ude80 {word}\\n{word}x\"}}"
            ),
            3 => format!("[\"{word}\", {id}.5e3, null]"),
            4 => format!("{{\"{word}_{id}\": {{\"in\": true}}, \"in\": {{\"id\": -{id}}}}}"),
            _ => format!("\"{word} \\u{:04x} {id}\"", 0xE0 + id % 64),
        };
        let key = format!("Key-{word}-{id}");
        let (bytes, none) = ([0xFF, 0xFE], next(random) % 5);
        let headers = [
            Header {
                name: "Trace-Id",
                value: Some(key.as_bytes()),
            },
            Header {
                name: word,
                value: None,
            },
        ];
        writer
            .append(&Record {
                partition: 0,
                offset,
                timestamp_ms: Some(super::noon_ms() + i64::try_from(id).unwrap()),
                timestamp_type: TimestampType::Create,
                key: match none {
                    0 => None,
                    1 => Some(&bytes),
                    _ => Some(key.as_bytes()),
                },
                value: (none != 2).then_some(value.as_bytes()),
                headers: if none == 3 { &headers } else { &[] },
                decoded: Default::default(),
            })
            .unwrap();
    }
}

const WORDS: [&str; 12] = [
    "order",
    "Grüße",
    "ΑΒΓ",
    "日本語",
    "x",
    "İstanbul",
    "ẞ",
    "don't",
    "a_b",
    "7up",
    "été",
    "Ǆ",
];

fn next(random: &mut u64) -> usize {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    usize::try_from(*random % 1_000_003).unwrap()
}

fn column(path: &[&str]) -> Vec<String> {
    path.iter().map(|name| (*name).to_owned()).collect()
}

/// Everything that filters may be asked for in a row.
fn held(batch: &RecordBatch, row: usize) -> Vec<Wanted> {
    let mut words = BTreeSet::new();
    Texts::of(batch).unwrap().each_word(row, |word| {
        words.insert(String::from_utf8(word.to_vec()).unwrap());
        true
    });
    let mut held: Vec<Wanted> = words.iter().map(|word| Wanted::words(word)).collect();
    let all: Vec<String> = words.into_iter().collect();
    held.push(Wanted::words(&all.join(" ")));
    let keys = batch["_key"].as_binary::<i32>();
    if keys.is_valid(row) {
        held.push(Wanted::bytes(&column(&["_key"]), keys.value(row)));
    }
    if let Some(ids) = batch
        .column_by_name("id")
        .and_then(|c| c.as_string_opt::<i32>())
        && ids.is_valid(row)
    {
        held.push(Wanted::bytes(&column(&["id"]), ids.value(row).as_bytes()));
    }
    if let Some(inner) = batch.column_by_name("in").and_then(|c| c.as_struct_opt())
        && let Some(ids) = inner
            .column_by_name("id")
            .and_then(|c| c.as_primitive_opt::<Int64Type>())
        && inner.is_valid(row)
        && ids.is_valid(row)
    {
        held.push(Wanted::long(&column(&["in", "id"]), ids.value(row)));
    }
    held
}

#[test]
fn what_a_row_holds_is_never_denied_whatever_the_row_and_the_row_group() {
    for round in 0..scale(2, 40) {
        let world = World::in_memory();
        let mut writer = world.writer(&[0]);
        let mut random = 0x9E37_79B9 + u64::try_from(round).unwrap();
        println!("seed {random}");
        let mut offset = 0;
        for rows in [40, 30, 60, 31] {
            for _ in 0..rows {
                world.odd(&mut writer, &mut random, offset);
                offset += 1;
            }
            world.commit(&mut writer);
        }
        world.compact_into_groups_of(23, 5);
        assert_eq!(world.check().rows(), 161);
        let (snapshot, filters) = (world.snapshot(), Filters::new(&world.lake, MEMORY));
        let (mut asked, mut denied) = (0, 0);
        for (file, groups) in world.row_groups().into_iter().enumerate() {
            assert!(groups.len() >= 7);
            for (group, batches) in groups.into_iter().enumerate() {
                let rows = batches
                    .iter()
                    .flat_map(|b| (0..b.num_rows()).map(move |row| (b, row)));
                let rows = rows.enumerate();
                let held = rows.flat_map(|(at, (batch, row))| {
                    held(batch, row).into_iter().map(move |wanted| (at, wanted))
                });
                for (at, wanted) in held {
                    let verdict = world.ask_of(&snapshot, &filters, &wanted);
                    let allowed = verdict.row_groups[file].as_ref().unwrap();
                    assert!(
                        has(&allowed[group], at),
                        "{wanted:?} in row {at} of row group {group} is denied"
                    );
                    asked += 23 * allowed.len();
                    let rows = allowed
                        .iter()
                        .flat_map(|one| (0..23).map(move |row| has(one, row)));
                    denied += rows.filter(|may_hold| !may_hold).count();
                }
            }
        }
        assert!(
            denied * 5 > asked,
            "{denied} of {asked}: filters that deny nothing are none"
        );
    }
}

#[test]
fn pages_of_compacted_files_end_with_the_slices_that_filters_tell_of() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..100, 7);
    world.compact_into_groups_of(50, 20);
    let file = world.objects().remove(0);
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = ArrowReaderMetadata::load(&file, options).unwrap();
    let metadata = metadata.metadata();
    let pages = metadata.offset_index().unwrap();
    assert_eq!(pages.len(), 2);
    for (column, pages) in metadata.row_group(0).columns().iter().zip(&pages[0]) {
        let rows = pages.page_locations.iter().map(|page| page.first_row_index);
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [0, 20, 40],
            "{}",
            column.column_path()
        );
    }
    // Of ids a dictionary would have to be read for each page.
    let columns = metadata.row_group(0).columns().iter();
    let mut ids = columns.filter(|column| column.column_path().string() == "name");
    assert_eq!(ids.next().unwrap().dictionary_page_offset(), None);
}
