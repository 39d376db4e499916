//! What a crash, a slow destination and a second worker leave (P23).

use super::*;
use crate::cell::register;

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_point_loses_nothing_and_doubles_only_the_unmarked_tail() {
    for crash_at in [0, 1, 6, 7, 8, 30, 59, 60] {
        let room = Room::new(Clock::system(), 3, 20);
        let jobs = room.open(quick()).await;
        // What is held is never acknowledged, so no mark may pass it.
        if crash_at < 60 {
            room.fake.hold(crash_at == 0);
        }
        let id = jobs.start(&request(&[])).await.unwrap().job.id;
        within(room.fake.wait_for(crash_at)).await;
        room.fake.hold(true);
        crash(jobs).await;
        let before = room.fake.received().len();
        room.fake.hold(false);

        let store = Store::new(&room.lake);
        let (_, resumed) = store.latest(&register(&id)).await.unwrap().unwrap();
        let jobs = room.open(quick()).await;
        let job = until(&jobs, &id, State::Done).await;
        assert_eq!(job.counts.acknowledged, 60, "crash at {crash_at}");
        check_arrived(&room, before, &resumed);
    }
}

/// All there, in order per partition; the second run began right behind the marks it found.
fn check_arrived(room: &Room, before: usize, resumed: &Job) {
    let arrived = room.arrived();
    let (first, second) = arrived.split_at(before);
    let mut distinct: Vec<_> = arrived.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct, room.expected());
    for run in [first, second] {
        assert!(run.is_sorted(), "{run:?}");
    }
    for (partition, offset) in second {
        let marks = resumed.progress.iter();
        let mut own = marks.filter(|mark| mark.partition == *partition);
        assert!(own.all(|mark| mark.offset < *offset));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_was_not_quite_stored_is_none_and_keeps_no_other_from_going_on() {
    let room = Room::new(Clock::system(), 2, 10);
    // On a disk the folder is made first.
    let begun = room.folder.path().join("_eddy/replays/begun");
    std::fs::create_dir_all(begun).unwrap();
    let jobs = room.open(quick()).await;
    let asked = request(&[("name", "stored"), ("shards", "2")]);
    jobs.start(&asked).await.unwrap();
    let job = until(&jobs, "stored", State::Done).await;
    assert_eq!(job.counts.acknowledged, 20);
    assert_eq!(jobs.list().await.unwrap(), [job]);
    jobs.0.renew().await.unwrap();
    let begun = jobs.show("begun").await.unwrap_err();
    assert_eq!(begun.kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_never_passes_what_is_not_acknowledged() {
    let room = Room::new(Clock::system(), 2, 10);
    room.fake.hold(true);
    let jobs = room.open(quick()).await;
    let id = jobs.start(&request(&[])).await.unwrap().job.id;
    within(room.fake.wait_for(20)).await;
    assert_eq!(jobs.show(&id).await.unwrap().progress, []);
    jobs.shutdown().await;
    let stored: (u64, Job) = jobs.0.load(&id).await.unwrap();
    assert_eq!(stored.1.progress, []);
    assert_eq!(stored.1.state, State::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_never_both_advance_a_replay() {
    let room = Room::new(Clock::system(), 1, 40);
    room.fake.hold(true);
    let first = room.open(quick()).await;
    let id = first.start(&request(&[])).await.unwrap().job.id;
    within(room.fake.wait_for(40)).await;
    // The second process takes it up; the first still thinks that it has it (P23).
    let second = room.open(quick()).await;
    within(room.fake.wait_for(80)).await;
    let taken: (u64, Job) = second.0.load(&id).await.unwrap();
    assert_eq!(taken.1.worker, second.0.worker);
    room.fake.hold(false);
    room.fake.release();
    let job = until(&second, &id, State::Done).await;
    assert_eq!(job.worker, second.0.worker);
    assert_eq!(job.counts.acknowledged, 40);
    first.shutdown().await;
    assert_eq!(first.show(&id).await.unwrap(), job);
}

/// Drops a process as a crash would: nothing is told to anybody.
pub(super) async fn crash(jobs: Jobs) {
    let mut entries = jobs.0.entries.lock().await;
    for entry in entries.values_mut() {
        if let Some(task) = entry.task.take() {
            task.abort();
            let _ = task.await;
        }
    }
    // Who looks after shards is gone before it takes up another one.
    jobs.0.stop.cancel();
}
