//! Whatever is folded, by whom and how far: what is told stays the same, and few objects are left.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use eddy_engine::testing::{FaultyStore, Step, memory_lake, state_objects, store_lake};
use eddy_engine::{Clock, Lake};

use super::fold::fold;
use super::folds::MANY;
use super::read::folds;
use super::*;
use crate::error::ErrorKind;

struct Room {
    faulty: FaultyStore,
    lake: Lake,
    store: Store,
    clock: Clock,
    replay: String,
}

impl Room {
    fn new() -> Self {
        let clock = Clock::system();
        let inner = memory_lake(clock.clone());
        let faulty = FaultyStore::new(Arc::clone(inner.store()));
        let lake = store_lake(Arc::new(faulty.clone()), clock.clone());
        Self {
            faulty,
            store: Store::new(&lake),
            lake,
            clock,
            replay: "r".to_owned(),
        }
    }

    /// Goes on with another replay.
    fn turn_to(&mut self, replay: String) {
        self.replay = replay;
    }

    fn folder(&self) -> String {
        folder(&self.replay)
    }

    /// Stores the entries of these numbers, each by itself.
    async fn stored(&self, numbers: std::ops::Range<usize>) {
        for n in numbers {
            let name = self.clock.new_id().to_string();
            self.record(&name, &numbered(n)).await.unwrap();
        }
    }

    async fn record(&self, name: &str, entries: &Entries) -> Result<()> {
        self.store.record(&self.folder(), name, entries).await
    }

    async fn fold(&self) -> Result<()> {
        fold(&self.store, &self.clock, &self.replay).await
    }

    async fn told(&self) -> Entries {
        let told = entries(&self.store, &self.replay, 1_000_000);
        told.await.unwrap()
    }

    /// Everything is in kept objects, and nothing else is there.
    async fn is_clean(&self) {
        let listed = self.store.listed(&self.folder()).await.unwrap();
        let (_, folds) = folds(&self.store, &self.replay).await.unwrap();
        let listed: Vec<String> = listed.into_iter().map(|one| one.name).collect();
        let mut kept = folds.kept.clone();
        kept.sort();
        assert_eq!(listed, kept);
    }
}

/// What is stored at the `n`th time: a record that is refused again and again, and one that lands
/// where no other follows it.
fn numbered(n: usize) -> Entries {
    let offset = i64::try_from(n).unwrap();
    Entries {
        failures: vec![Failure {
            topic: "orders".to_owned(),
            topic_id: "id".to_owned(),
            partition: 0,
            offset: offset % 50,
            timestamp_ms: None,
            error: format!("refused for the {n}th time"),
            dead_letter: None,
            failed_us: offset,
        }],
        runs: vec![run(offset, 2 * offset)],
    }
}

fn run(first: i64, target_first: i64) -> Run {
    Run {
        topic_id: "id".to_owned(),
        topic: "orders".to_owned(),
        target_topic: None,
        partition: 1,
        first,
        last: first,
        records: 1,
        target_partition: 0,
        target_first: Some(target_first),
    }
}

/// What is told of the first `count` numbers: each run once, and the last failure of each record.
fn expected(count: usize) -> Entries {
    let all: Vec<Entries> = (0..count).map(numbered).collect();
    let last = all.iter().skip(count.saturating_sub(50));
    let mut failures: Vec<Failure> = last.flat_map(|one| one.failures.clone()).collect();
    failures.sort_by_key(|one| one.offset);
    Entries {
        failures,
        runs: all.into_iter().flat_map(|one| one.runs).collect(),
    }
}

/// Cuts a fold off after each number of requests, once with the last one landing and once without:
/// nobody who reads then sees a difference, and the next fold leaves nothing behind.
async fn cut_anywhere(folded_before: bool) {
    let mut cuts = 0;
    let mut room = Room::new();
    for next_lands in [false, true] {
        for requests in 0.. {
            room.turn_to(format!("{next_lands}-{requests}"));
            let mut count = MANY;
            room.stored(0..count).await;
            if folded_before {
                room.fold().await.unwrap();
                room.stored(count..count + MANY).await;
                count += MANY;
            }
            room.faulty.cut_after(requests, next_lands);
            let _ = room.fold().await;
            let was_cut = room.faulty.mend();
            let at = format!("{requests} requests, the next one lands: {next_lands}");
            assert_eq!(room.told().await, expected(count), "{at}");
            room.fold().await.unwrap();
            assert_eq!(room.told().await, expected(count), "then folded; {at}");
            room.is_clean().await;
            if !was_cut {
                break;
            }
            cuts += 1;
        }
    }
    assert!(cuts > 4 * MANY, "{cuts} cuts");
}

#[tokio::test(flavor = "multi_thread")]
async fn p23_a_first_fold_that_is_cut_off_anywhere_changes_nothing_that_is_told() {
    cut_anywhere(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p23_a_later_fold_that_is_cut_off_anywhere_changes_nothing_that_is_told() {
    cut_anywhere(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p23_a_worker_that_stood_still_in_a_fold_takes_nothing_from_its_successor() {
    // What the first one puts last is long under way: what it made, or what says that it counts.
    for (place, lands) in [
        ("folded-", false),
        ("replay_folds", false),
        ("replay_folds", true),
    ] {
        let room = Room::new();
        room.stored(0..MANY).await;
        room.faulty.script(place, [Step::Delay]);
        let unknown = room.fold().await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Unavailable);
        room.stored(MANY..2 * MANY).await;
        if lands {
            assert!(
                room.faulty
                    .deliver()
                    .await
                    .iter()
                    .all(std::result::Result::is_ok)
            );
        }
        room.fold().await.unwrap();
        assert_eq!(room.told().await, expected(2 * MANY), "{place}");
        let late = room.faulty.deliver().await;
        assert_eq!(late.len(), usize::from(!lands));
        assert_eq!(room.told().await, expected(2 * MANY), "{place} late");
        room.stored(2 * MANY..3 * MANY).await;
        room.fold().await.unwrap();
        assert_eq!(room.told().await, expected(3 * MANY), "{place} and on");
        room.is_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_come_late_count_and_those_that_come_twice_count_once() {
    let room = Room::new();
    room.stored(0..MANY - 1).await;
    let name = room.clock.new_id().to_string();
    let last = numbered(MANY - 1);
    room.faulty.script("replay_records", [Step::Delay]);
    let unknown = room.record(&name, &last).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Unavailable);
    room.record(&name, &last).await.unwrap();
    room.fold().await.unwrap();
    // It went, so the put that was long under way makes it anew.
    assert!(
        room.faulty
            .deliver()
            .await
            .iter()
            .all(std::result::Result::is_ok)
    );
    assert_eq!(room.told().await, expected(MANY));
    room.fold().await.unwrap();
    room.is_clean().await;
    // A worker whose clock is behind gives names that come before all others.
    let early = numbered(MANY);
    room.record("0", &early).await.unwrap();
    assert_eq!(room.told().await, expected(MANY + 1));
    room.stored(MANY + 1..2 * MANY).await;
    room.fold().await.unwrap();
    assert_eq!(room.told().await, expected(2 * MANY));
    room.is_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_follow_each_other_are_one_before_and_after_a_fold() {
    let room = Room::new();
    for (n, offset) in (0..2 * MANY).zip(0..) {
        let one = Entries {
            runs: vec![run(offset, offset)],
            ..Entries::default()
        };
        room.record(&format!("{n:04}"), &one).await.unwrap();
    }
    let told = room.told().await;
    room.fold().await.unwrap();
    room.is_clean().await;
    assert_eq!(room.told().await, told);
    let lengths: Vec<u64> = told.runs.iter().map(|run| run.records).collect();
    assert_eq!(lengths, [2 * MANY as u64]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_saves_leave_few_objects_and_who_reads_meanwhile_sees_each_once() {
    let room = Room::new();
    let stored = Arc::new(AtomicUsize::new(0));
    let reader = tokio::spawn(reading(room.store.clone(), Arc::clone(&stored)));
    for worker in 0..10 {
        // Each goes on where the one before it ended, and knows nothing of it.
        let mut ledger = Ledger::new(room.store.clone(), "r", Arc::default());
        for n in worker * 100..(worker + 1) * 100 {
            let name = || room.clock.new_id().to_string();
            ledger.store(|| numbered(n), name).await.unwrap();
            ledger.fold_if_due(&room.clock).await;
            stored.store(n + 1, Ordering::Release);
            let objects = state_objects(&room.lake).await.unwrap();
            assert!(objects.len() <= 2 * MANY + 20, "{} objects", objects.len());
        }
    }
    assert!(reader.await.unwrap() > 0, "nothing was read");
    assert_eq!(room.told().await, expected(1_000));
}

/// Reads until all thousand are stored; answers how often.
async fn reading(store: Store, stored: Arc<AtomicUsize>) -> usize {
    let mut reads = 0;
    loop {
        let before = stored.load(Ordering::Acquire);
        match entries(&store, "r", 1_000_000).await {
            Ok(found) => {
                let offsets: BTreeSet<i64> = found.runs.iter().map(|run| run.first).collect();
                assert_eq!(offsets.len(), found.runs.len(), "told twice");
                let there = (0_i64..)
                    .zip(&offsets)
                    .take_while(|(n, offset)| n == *offset);
                assert!(there.count() >= before, "{before} were stored: {offsets:?}");
                reads += 1;
            }
            // Folds came in between all the while.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
        if before == 1_000 {
            return reads;
        }
    }
}
