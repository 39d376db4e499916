//! Disks and stores that fail: reading is what it costs, and no answer is ever wrong.

use eddy_engine::Clock;
use eddy_engine::testing::FaultyStore;
use tempfile::TempDir;

use super::*;
use crate::cache::CacheOptions;
use crate::cache::seal::KEPT;

const DISK: usize = CacheOptions::DISK_LEAST;

/// A cache that keeps next to nothing in memory, and all of a file on disk.
async fn on_disk(clock: &Clock) -> (Fixture, Arc<Disk>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::in_folder(folder.path(), DISK, clock).await.unwrap();
    let disk = Arc::new(disk);
    let file = Fixture::new(6 * B + 9, 1, Some(Arc::clone(&disk))).await;
    file.check(&[0..6 * B + 9]).await;
    disk.settle().await;
    let (requests, bytes, _) = file.took();
    assert_eq!((requests, bytes), (1, 6 * B + 9));
    file.object.blocks.forget_memory();
    (file, disk, folder)
}

/// What the files of a disk hold.
fn files(folder: &TempDir) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(folder.path()).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_gives_back_what_memory_has_no_room_for_and_shows_nobody_what_it_has() {
    let (file, _disk, folder) = on_disk(&Clock::manual(0)).await;
    file.check(&[B..3 * B, 6 * B..6 * B + 9]).await;
    assert_eq!(file.took(), (0, 0, 2 * B + 9));
    let secret = &file.bytes[..64];
    let found = files(&folder).iter().any(|path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(secret.len()).any(|window| window == secret)
    });
    assert!(!found, "blocks are sealed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_whose_bytes_are_others_or_gone_costs_reading_and_no_answer() {
    for cut in [false, true] {
        let (file, _disk, folder) = on_disk(&Clock::manual(0)).await;
        for path in files(&folder) {
            match cut {
                true => std::fs::File::options()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .set_len(0)
                    .unwrap(),
                false => {
                    let mut bytes = std::fs::read(&path).unwrap();
                    for byte in bytes.iter_mut().step_by(31) {
                        *byte ^= 0x10;
                    }
                    std::fs::write(&path, bytes).unwrap();
                }
            }
        }
        file.check(&[0..6 * B + 9]).await;
        let (_, bytes, kept) = file.took();
        assert_eq!((bytes, kept), (6 * B + 9, 0), "cut: {cut}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_block_is_given_back_from_disk_after_a_day() {
    let clock = Clock::manual(0);
    let (file, _disk, _folder) = on_disk(&clock).await;
    clock.advance(KEPT);
    file.check(&[0..B]).await;
    assert_eq!(file.took(), (1, B, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_disk_have_no_names_so_that_they_end_with_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path(), DISK, &Clock::system()).await;
    let disk = Arc::new(disk.unwrap());
    assert_eq!(files(&folder).len(), 0);
    let file = Fixture::new(B, 1, Some(Arc::clone(&disk))).await;
    file.check(&[0..B]).await;
    disk.settle().await;
    file.took();
    file.object.blocks.forget_memory();
    file.check(&[0..B]).await;
    assert_eq!(file.took(), (0, 0, B));
}

#[tokio::test]
async fn a_folder_that_can_not_be_used_is_refused_by_its_setting() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "a file").unwrap();
    let options = CacheOptions {
        disk_bytes: DISK,
        directory: Some(taken),
        ..CacheOptions::default()
    };
    let error = Blocks::open(options, Clock::system()).await.unwrap_err();
    assert!(
        error.to_string().contains("query.cache.directory"),
        "{error}"
    );
}

#[tokio::test]
async fn a_store_that_fails_is_an_error_for_who_reads_and_nothing_of_it_stays() {
    let store = FaultyStore::new(Arc::new(InMemory::new()));
    let blocks = Arc::new(Blocks::new(64 << 20, None));
    let file = Fixture::in_store(Arc::new(store.clone()), 3 * B, blocks).await;
    store.script("file", []);
    store.fail_reads(true);
    let error = read(&file, 0..B).await.unwrap_err();
    assert!(error.to_string().contains("503"), "{error}");
    store.fail_reads(false);
    file.check(&[0..3 * B]).await;
    store.fail_reads(true);
    file.check(&[0..3 * B]).await;
}
