//! Exactly once: what a crash, a failure, a pause and a second worker leave in a destination that
//! takes records in transactions (P23).

use super::crash::crash;
use super::*;
use crate::cell::register;
use crate::mapping::Run;

/// Transactions of a few records, whatever time they take.
fn small() -> Tuning {
    Tuning {
        transaction_records: 7,
        transaction_time: Duration::from_hours(1),
        ..quick()
    }
}

fn once(options: &[(&str, &str)]) -> Request {
    let mut all = vec![("exactly_once", "true")];
    all.extend_from_slice(options);
    request(&all)
}

fn room(clock: Clock, partitions: i32, records: i64) -> Room {
    let room = Room::new(clock, partitions, records);
    room.fake.transact();
    room
}

/// Each record is committed once, in the order of its partition.
fn check(room: &Room, job: &Job) {
    let (committed, _) = room.fake.committed();
    assert_eq!(committed, room.expected());
    assert_eq!(job.counts.acknowledged, committed.len() as u64);
    assert!(!room.fake.is_open());
    assert!(
        !job.transactions.as_ref().unwrap().open,
        "the lake knows all"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn p23_a_crash_at_any_point_leaves_each_record_once_in_committed_transactions() {
    for crash_at in [0, 1, 6, 7, 8, 30, 59, 60] {
        let room = room(Clock::system(), 3, 20);
        let jobs = room.open(small()).await;
        if crash_at < 60 {
            room.fake.hold(crash_at == 0);
        }
        let id = jobs.start(&once(&[])).await.unwrap().job.id;
        within(room.fake.wait_for(crash_at)).await;
        room.fake.hold(true);
        crash(jobs).await;
        room.fake.hold(false);
        let jobs = room.open(small()).await;
        let job = until(&jobs, &id, State::Done).await;
        check(&room, &job);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p23_a_transaction_that_was_committed_unseen_counts() {
    // The first commit holds the marks alone, the last the last records.
    for answered in 1..=9 {
        let room = room(Clock::system(), 3, 20);
        room.fake.tell_offsets();
        let jobs = room.open(small()).await;
        room.fake.answer_commits(Some(answered));
        let id = jobs.start(&once(&[])).await.unwrap().job.id;
        within(room.fake.wait_for_commits(answered + 1)).await;
        let committed = room.fake.committed().0.len() as u64;
        crash(jobs).await;
        let stored = Store::new(&room.lake).latest(&register(&id)).await;
        let (_, stored): (u64, Job) = stored.unwrap().unwrap();
        assert!(stored.counts.acknowledged < committed, "the lake is behind");
        assert!(stored.transactions.unwrap().open, "and says so");
        room.fake.answer_commits(None);
        let jobs = room.open(small()).await;
        let job = until(&jobs, &id, State::Done).await;
        check(&room, &job);
        // Who translates a group's offsets passes over none of them.
        let runs = jobs.landed(&id).await.unwrap();
        for (partition, offset) in room.expected() {
            let has =
                |run: &Run| run.partition == partition && (run.first..=run.last).contains(&offset);
            assert!(runs.iter().any(has), "{partition}/{offset} of {runs:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_fails_in_a_transaction_gets_all_of_it_again() {
    let room = room(Clock::system(), 2, 20);
    let jobs = room.open(small()).await;
    room.fake.hold(true);
    let id = jobs.start(&once(&[])).await.unwrap().job.id;
    within(room.fake.wait_for(7)).await;
    room.fake.break_for(5);
    room.fake.hold(false);
    room.fake.release();
    let job = until(&jobs, &id, State::Done).await;
    check(&room, &job);
    assert!(room.fake.committed().1 >= 7, "seven records at most");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_takes_its_transaction_with_it_and_fails_the_replay() {
    let room = room(Clock::system(), 1, 20);
    room.fake.reject(0, 30);
    let jobs = room.open(small()).await;
    let id = jobs.start(&once(&[])).await.unwrap().job.id;
    let job = until(&jobs, &id, State::Failed).await;
    assert_eq!(job.reason.as_deref(), Some("too large"));
    let (committed, _) = room.fake.committed();
    assert_eq!(committed, room.expected()[..7]);
    assert_eq!(job.counts.acknowledged, 7);
    assert!(!job.transactions.unwrap().open, "the lake knows all");
    assert!(!room.fake.is_open(), "readers are not held up");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_transaction_stays_open_while_a_replay_waits_for_its_rate_or_is_paused() {
    let clock = Clock::manual(5_000_000);
    let room = room(clock.clone(), 1, 5);
    let jobs = room.open(Tuning::default()).await;
    let asked = once(&[("rate", "1/min"), ("name", "slow")]);
    jobs.start(&asked).await.unwrap();
    // The next record is due in a minute, and the clock stands still.
    within(room.fake.wait_for_commits(2)).await;
    assert_eq!(room.fake.committed(), (vec![(0, 0)], 2));
    assert!(!room.fake.is_open());
    // What isn't acknowledged keeps its transaction open until the replay is paused.
    room.fake.hold(true);
    let next = async {
        while room.fake.received().len() < 2 {
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    within(next).await;
    assert!(room.fake.is_open());
    jobs.pause("slow").await.unwrap();
    room.fake.release();
    jobs.shutdown().await;
    assert!(!room.fake.is_open());
    let job = jobs.show("slow").await.unwrap();
    assert_eq!(job.state, State::Paused);
    let (committed, _) = room.fake.committed();
    assert_eq!(committed, [(0, 0), (0, 3)]);
    assert_eq!(job.counts.acknowledged, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn p23_of_two_workers_one_has_the_transactions() {
    let room = room(Clock::system(), 1, 40);
    room.fake.hold(true);
    let first = room.open(small()).await;
    let id = first.start(&once(&[])).await.unwrap().job.id;
    within(room.fake.wait_for(7)).await;
    let second = room.open(small()).await;
    within(room.fake.wait_for(14)).await;
    room.fake.hold(false);
    room.fake.release();
    let job = until(&second, &id, State::Done).await;
    check(&room, &job);
    first.shutdown().await;
    assert_eq!(first.show(&id).await.unwrap(), job);
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_that_the_destination_forgot_are_missed_only_where_the_lake_is_behind() {
    let room = room(Clock::system(), 1, 40);
    let jobs = room.open(small()).await;
    room.fake.answer_commits(Some(2));
    let id = jobs.start(&once(&[])).await.unwrap().job.id;
    within(room.fake.wait_for_commits(3)).await;
    crash(jobs).await;
    room.fake.answer_commits(None);
    room.fake.forget_marks();
    let jobs = room.open(small()).await;
    let job = until(&jobs, &id, State::Failed).await;
    let reason = job.reason.unwrap();
    assert!(reason.contains("has forgotten how far"), "{reason}");
    assert_eq!(room.fake.committed().0.len(), 14, "nothing is sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_was_paused_has_everything_in_the_lake() {
    let room = room(Clock::system(), 1, 40);
    let patient = Tuning {
        drain: DEADLINE,
        ..small()
    };
    let jobs = room.open(patient).await;
    room.fake.hold(true);
    let id = jobs.start(&once(&[])).await.unwrap().job.id;
    within(room.fake.wait_for(7)).await;
    jobs.pause(&id).await.unwrap();
    room.fake.hold(false);
    room.fake.release();
    jobs.shutdown().await;
    assert_eq!(room.fake.committed().0.len(), 7);
    room.fake.forget_marks();
    let jobs = room.open(small()).await;
    jobs.resume(&id, None).await.unwrap();
    let job = until(&jobs, &id, State::Done).await;
    check(&room, &job);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_without_transactions_is_refused_before_the_first_record() {
    let room = Room::new(Clock::system(), 1, 5);
    let jobs = room.open(quick()).await;
    let error = jobs.start(&once(&[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("has no transactions"), "{error}");
    assert_eq!(room.fake.received(), []);
}
