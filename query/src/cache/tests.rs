//! The cache over stores that count, fail and wait, and below SQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::single_range_in_vec_init
)]

mod broken;
mod queries;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use chrono::DateTime;
use eddy_engine::read::{CountingStore, ReadCount, ReadThrough};
use futures::FutureExt;
use futures::future::join_all;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::sync::Semaphore;

use super::blocks::Blocks;
use super::disk::Disk;
use super::file::FileReader;
use super::plan::BLOCK_BYTES;

const B: u64 = BLOCK_BYTES;

/// A file of `size` bytes in a store that counts, behind a cache.
struct Fixture {
    file: Arc<ReadThrough<FileReader>>,
    object: Arc<FileReader>,
    bytes: Vec<u8>,
    reads: Arc<ReadCount>,
}

impl Fixture {
    async fn new(size: u64, memory_bytes: usize, disk: Option<Arc<Disk>>) -> Self {
        let blocks = Arc::new(Blocks::new(memory_bytes, disk));
        Self::in_store(Arc::new(InMemory::new()), size, blocks).await
    }

    async fn in_store(store: Arc<dyn ObjectStore>, size: u64, blocks: Arc<Blocks>) -> Self {
        // No two files have the same bytes.
        static FILES: AtomicU64 = AtomicU64::new(1);
        let file = FILES
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let byte = |at: u64| ((at ^ file).wrapping_mul(0xD1B5_4A32_D192_ED03) >> 56) as u8;
        let bytes: Vec<u8> = (0..size).map(byte).collect();
        let location = Path::from("lake/file.parquet");
        store.put(&location, bytes.clone().into()).await.unwrap();
        let reads = Arc::<ReadCount>::default();
        let store: Arc<dyn ObjectStore> = Arc::new(CountingStore::new(store, Arc::clone(&reads)));
        let object = Arc::new(FileReader {
            store: Arc::clone(&store),
            blocks,
            object: "0/lake/file.parquet".into(),
            meta: ObjectMeta {
                location,
                last_modified: DateTime::default(),
                size,
                e_tag: None,
                version: None,
            },
            kept_bytes: Arc::default(),
        });
        Self {
            file: Arc::new(ReadThrough::new(store, Arc::clone(&object))),
            object,
            bytes,
            reads,
        }
    }

    fn path(&self) -> &Path {
        &self.object.meta.location
    }

    async fn check(&self, ranges: &[Range<u64>]) {
        let read = self.file.get_ranges(self.path(), ranges).await.unwrap();
        for (range, read) in ranges.iter().zip(read) {
            let expected = &self.bytes[range.start as usize..range.end as usize];
            assert!(read == expected, "{range:?}");
        }
    }

    /// Requests to the store and their bytes since the last call, and bytes that were kept.
    fn took(&self) -> (u64, u64, u64) {
        let take = |number: &AtomicU64| number.swap(0, Ordering::Relaxed);
        let kept = take(&self.object.kept_bytes);
        (take(&self.reads.requests), take(&self.reads.bytes), kept)
    }
}

#[tokio::test]
async fn what_was_read_is_not_read_again_and_close_ranges_are_one_request() {
    let file = Fixture::new(20 * B + 5, 64 << 20, None).await;
    let ranges = [10..20, B + 1..3 * B, 5 * B..5 * B + 1, 20 * B..20 * B + 5];
    file.check(&ranges).await;
    let (requests, bytes, kept) = file.took();
    assert_eq!((requests, bytes, kept), (2, 6 * B + 5, 0));
    file.check(&ranges).await;
    let wanted = 10 + 2 * B - 1 + 1 + 5;
    assert_eq!(file.took(), (0, 0, wanted));
    // One part of it is kept, the other isn't.
    file.check(&[2 * B..4 * B]).await;
    assert_eq!(file.took(), (1, B, B));
    let whole = file.file.get_range(file.path(), 0..1).await.unwrap();
    assert_eq!(whole, &file.bytes[..1]);
    assert_eq!(file.took(), (0, 0, 1));
}

#[tokio::test]
async fn any_ranges_are_what_the_store_has_however_little_is_kept() {
    for memory in [4 << 20, 1 << 20, 1] {
        let size = 23 * B + 77;
        let file = Fixture::new(size, memory, None).await;
        let mut seed = 7_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..100 {
            let mut ranges = Vec::new();
            for _ in 0..=next(5) {
                let start = next(size);
                let longest = [7, B, 9 * B][next(3) as usize];
                ranges.push(start..(start + 1 + next(longest)).min(size));
            }
            file.check(&ranges).await;
        }
    }
}

#[tokio::test]
async fn what_is_no_range_of_the_file_passes_by() {
    let file = Fixture::new(2 * B, 64 << 20, None).await;
    let (store, path) = (&file.file, file.path());
    assert_eq!(store.head(path).await.unwrap().size, 2 * B);
    assert!(store.get_range(path, 3 * B..3 * B + 1).await.is_err());
    let beyond = store.get_range(path, B..9 * B).await.unwrap();
    assert_eq!(beyond, &file.bytes[B as usize..]);
    let other = Path::from("lake/other");
    assert!(store.get_range(&other, 0..1).await.is_err());
    assert!(store.get_ranges(path, &[]).await.unwrap().is_empty());
    let (_, _, kept) = file.took();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn a_block_that_many_want_at_once_is_read_once() {
    let gate = Gate::new();
    let blocks = Arc::new(Blocks::new(64 << 20, None));
    let file = Fixture::in_store(gate.store(), 8 * B, blocks).await;
    let mut reads = Box::pin(join_all((0..10).map(|at| {
        let file = &file;
        async move { file.check(&[at..4 * B + at]).await }
    })));
    assert!(reads.as_mut().now_or_never().is_none(), "the gate is shut");
    gate.open();
    reads.await;
    let (_, bytes, _) = file.took();
    assert_eq!(bytes, 5 * B, "each of them once");
}

#[tokio::test]
async fn what_a_reader_leaves_when_it_goes_away_others_read() {
    let gate = Gate::new();
    let blocks = Arc::new(Blocks::new(64 << 20, None));
    let file = Fixture::in_store(gate.store(), 8 * B, blocks).await;
    let mut first = Box::pin(file.check(&[0..2 * B]));
    assert!(first.as_mut().now_or_never().is_none());
    let mut second = Box::pin(file.check(&[B..3 * B]));
    assert!(second.as_mut().now_or_never().is_none());
    drop(first);
    gate.open();
    second.await;
    file.check(&[0..3 * B]).await;
}

/// A store whose reads wait until it is opened.
#[derive(Clone)]
struct Gate(Arc<Semaphore>);

impl Gate {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    fn open(&self) {
        self.0.add_permits(1_000);
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(waiting::Waiting {
            inner: InMemory::new(),
            gate: Arc::clone(&self.0),
        })
    }
}

mod waiting;

/// The bytes of a range, however they were got.
async fn read(file: &Fixture, range: Range<u64>) -> object_store::Result<Bytes> {
    file.file.get_range(file.path(), range).await
}
