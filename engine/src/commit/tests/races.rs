//! Several writers of one table at once.

use std::collections::BTreeSet;
use std::thread;

use arrow::datatypes::{DataType, Field, Schema};

use super::{cut, log, position, table, topic};
use crate::clock::Clock;
use crate::lake::Lake;
use crate::read::Snapshot;
use crate::testing::{disk_lake, memory_lake, s3_lake};

const WRITERS: i32 = 8;
const COMMITS: i64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn racing_writers_all_land_exactly_once_in_memory() {
    race(&memory_lake(Clock::system()), COMMITS);
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_writers_all_land_exactly_once_on_local_disk() {
    let folder = tempfile::tempdir().unwrap();
    race(&disk_lake(folder.path(), Clock::system()), COMMITS);
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_writers_all_land_exactly_once_on_s3() {
    let lake = s3_lake(Clock::system());
    lake.probe().await.unwrap();
    race(&lake, COMMITS / 4);
}

/// They even race for the table's creation.
fn race(lake: &Lake, commits: i64) {
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                let mut log = log(lake);
                let mut from = None;
                for offset in 1..=commits {
                    let cut = cut(lake.clock(), writer, from, offset);
                    log.commit(&cut).unwrap();
                    from = Some(position(offset, 0));
                }
            });
        }
    });
    let history = log(lake).history(usize::MAX).unwrap();
    let expected = usize::try_from(i64::from(WRITERS) * commits).unwrap();
    // Dense: one version for the creation, one for each commit.
    assert_eq!(history.len(), expected + 1);
    let ids: BTreeSet<_> = history.iter().filter_map(|version| version.id).collect();
    assert_eq!(ids.len(), history.len());
    let snapshot = Snapshot::load(lake, &table(lake), None).unwrap().unwrap();
    for writer in 0..WRITERS {
        assert_eq!(
            snapshot.position(&topic(), writer),
            Some(position(commits, 0))
        );
    }
    // A partition's first commit is its base, without rows.
    assert_eq!(
        snapshot.files.len(),
        expected - usize::try_from(WRITERS).unwrap()
    );
}

/// P11: from two writers `x` becomes `x` and an alternate, whichever was reserved first, and both
/// see the same names.
#[tokio::test(flavor = "multi_thread")]
async fn the_loser_of_a_reservation_takes_the_winners_names() {
    let lake = memory_lake(Clock::system());
    let (mut first, mut second) = (log(&lake), log(&lake));
    let column = |kind: &str, data_type| {
        let metadata = [("eddy.key", "x"), ("eddy.kind", kind)];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Schema::new(vec![
            Field::new("x", data_type, true).with_metadata(metadata.into()),
        ])
    };
    let long = first.reserve(&column("long", DataType::Int64)).unwrap();
    let both = second.reserve(&column("string", DataType::Utf8)).unwrap();
    assert_eq!(
        long.field_with_name("x").unwrap().data_type(),
        &DataType::Int64
    );
    assert_eq!(
        both.field_with_name("x").unwrap().data_type(),
        &DataType::Int64
    );
    let alternate = both.field_with_name("x__string").unwrap();
    assert_eq!(alternate.metadata()["eddy.key"], "x");
    first.refresh().unwrap();
    assert_eq!(first.schema(), both);
}
