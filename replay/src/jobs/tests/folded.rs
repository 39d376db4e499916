//! A replay that stores its progress for each of its records leaves few objects.

use eddy_engine::testing::{memory_lake, state_objects};

use super::crash::crash;
use super::*;

const RECORDS: i64 = 1_000;

/// Stores the progress behind each record.
fn every() -> Tuning {
    Tuning {
        window: 1,
        save_records: 1,
        ..quick()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_a_thousand_saves_and_two_crashes_leaves_few_objects_and_tells_all() {
    let clock = Clock::system();
    let room = Room {
        lake: memory_lake(clock.clone()),
        ..Room::new(clock, 1, RECORDS)
    };
    room.fake.tell_offsets();
    let refused: Vec<(i32, i64)> = (0..RECORDS / 10).map(|n| (0, n * 30)).collect();
    for (partition, offset) in &refused {
        room.fake.reject(*partition, *offset);
    }
    let mut jobs = room.open(every()).await;
    let asked = request(&[("on_error", "skip"), ("name", "r")]);
    jobs.start(&asked).await.unwrap();
    for crash_at in [300, 600] {
        within(room.fake.wait_for(crash_at)).await;
        room.fake.hold(true);
        crash(jobs).await;
        room.fake.hold(false);
        jobs = room.open(every()).await;
    }
    let job = until(&jobs, "r", State::Done).await;
    assert_eq!((job.counts.acknowledged, job.counts.failed), (900, 100));
    let failures = jobs.failures("r").await.unwrap();
    let failed = failures.iter().map(|one| (one.partition, one.offset));
    assert_eq!(failed.collect::<Vec<_>>(), refused);
    let runs = jobs.landed("r").await.unwrap();
    for (partition, offset) in room.expected() {
        let has = runs
            .iter()
            .any(|run| (run.first..=run.last).contains(&offset));
        assert!(has || refused.contains(&(partition, offset)), "{offset}");
    }
    // What was stored and not yet behind a mark when it crashed: a record each time.
    let again = runs.iter().map(|run| run.records).sum::<u64>() - 900;
    assert!(again <= 2, "{again} records are told twice");
    let (number, _) = jobs.0.load("r").await.unwrap();
    assert!(number >= 1_000, "{number} saves");
    let objects = state_objects(&room.lake).await.unwrap();
    assert!(
        objects.len() < 200,
        "{} objects: {objects:?}",
        objects.len()
    );
}
