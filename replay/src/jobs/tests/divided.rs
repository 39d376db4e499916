//! Replays of shards, in one process and in two, of which one may die (P23).

use super::crash::crash;
use super::live::Live;
use super::*;
use crate::mark::REPLAY_ID;

/// Looks all the time, leaves half of four shards to others, and takes nobody for dead so soon.
fn two() -> Tuning {
    Tuning {
        tend: Duration::from_millis(1),
        shards: 2,
        ..quick()
    }
}

/// A replay `r` of four shards.
fn four(options: &[(&str, &str)]) -> Request {
    let mut all = vec![("name", "r"), ("shards", "4")];
    all.extend_from_slice(options);
    request(&all)
}

async fn shards(jobs: &Jobs) -> Vec<Option<Job>> {
    let whole = jobs.show("r").await.unwrap();
    jobs.shards(&whole).await.unwrap()
}

/// Waits until two workers have two shards each.
async fn until_shared(jobs: &Jobs) {
    let waiting = async {
        loop {
            let mut workers: BTreeMap<String, u32> = BTreeMap::new();
            for shard in shards(jobs).await.into_iter().flatten() {
                if shard.state == State::Running {
                    *workers.entry(shard.worker).or_default() += 1;
                }
            }
            if workers.into_values().eq([2, 2]) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    within(waiting).await;
}

/// Waits until nobody sends a shard any more.
async fn until_all_stand(jobs: &Jobs) {
    let waiting = async {
        while shards(jobs)
            .await
            .iter()
            .flatten()
            .any(|shard| shard.state.is_active())
        {
            tokio::task::yield_now().await;
        }
    };
    within(waiting).await;
}

/// The places of one partition.
fn of(places: &[(i32, i64)], partition: i32) -> Vec<(i32, i64)> {
    let places = places.iter().copied();
    places.filter(|place| place.0 == partition).collect()
}

/// What arrived, each once.
fn distinct(room: &Room) -> Vec<(i32, i64)> {
    let mut arrived = room.arrived();
    arrived.sort_unstable();
    arrived.dedup();
    arrived
}

#[tokio::test(flavor = "multi_thread")]
async fn p23_of_two_workers_one_goes_on_with_the_shards_that_the_other_left() {
    let room = Room::new(Clock::system(), 4, 30);
    room.fake.transact();
    room.fake.hold(true);
    let tuning = Tuning {
        transaction_records: 7,
        transaction_time: Duration::from_hours(1),
        silence: Duration::from_millis(200),
        ..two()
    };
    let (first, second) = (room.open(tuning).await, room.open(tuning).await);
    let asked = four(&[("exactly_once", "true")]);
    assert!(first.start(&asked).await.unwrap().is_new);
    until_shared(&second).await;
    let some = async {
        while room.fake.committed().0.len() < 14 {
            room.fake.release();
            tokio::task::yield_now().await;
        }
    };
    within(some).await;
    crash(first).await;
    room.fake.hold(false);
    room.fake.release();
    let job = until(&second, "r", State::Done).await;
    assert_eq!(job.counts.acknowledged, 120);
    let (committed, _) = room.fake.committed();
    assert_eq!(committed.len(), 120);
    for partition in 0..4 {
        let (sent, wanted) = (of(&committed, partition), of(&room.expected(), partition));
        assert_eq!(sent, wanted, "each once, in order");
    }
    assert!(!room.fake.is_open());
    for shard in shards(&second).await {
        let shard = shard.unwrap();
        assert_eq!(shard.state, State::Done);
        assert!(!shard.transactions.unwrap().open, "the lake knows all");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_divided_replay_is_one_to_whoever_looks_at_it() {
    let room = Room::new(Clock::system(), 5, 20);
    room.fake.tell_offsets();
    let refused = [(0, 12), (3, 0)];
    for (partition, offset) in refused {
        room.fake.reject(partition, offset);
    }
    let jobs = room.open(two()).await;
    let asked = four(&[("on_error", "skip"), ("headers", "mark")]);
    assert_eq!(jobs.plan(&asked).await.unwrap().shards, 4);
    jobs.start(&asked).await.unwrap();
    let job = until(&jobs, "r", State::Done).await;
    assert_eq!((job.counts.acknowledged, job.counts.failed), (98, 2));
    assert_eq!(job.progress.len(), 5);
    let arrived = room.arrived();
    for partition in 0..5 {
        let mut wanted = of(&room.expected(), partition);
        wanted.retain(|place| !refused.contains(place));
        assert_eq!(of(&arrived, partition), wanted);
    }
    let name = (REPLAY_ID.to_owned(), Some(b"r".to_vec()));
    let received = room.fake.received();
    assert!(received.iter().all(|one| one.headers.contains(&name)));
    let failures = jobs.failures("r").await.unwrap();
    let failed = failures.iter().map(|one| (one.partition, one.offset));
    assert_eq!(failed.collect::<Vec<_>>(), refused);
    let runs = jobs.landed("r").await.unwrap();
    assert_eq!(runs.iter().map(|run| run.records).sum::<u64>(), 98);
    let listed = jobs.list().await.unwrap();
    assert_eq!(listed, [job]);
    assert_eq!(shards(&jobs).await.len(), 4);
    let again = jobs.start(&asked).await.unwrap();
    assert!(!again.is_new);
    // A shard is nothing that could be asked for.
    for answer in [jobs.show("r/0").await, jobs.cancel("r/0").await] {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_to_either_process_is_one_to_all_shards_and_may_be_repeated() {
    let room = Room::new(Clock::system(), 4, 30);
    room.fake.hold(true);
    let tuning = Tuning { window: 5, ..two() };
    let (first, second) = (room.open(tuning).await, room.open(tuning).await);
    first.start(&four(&[])).await.unwrap();
    until_shared(&first).await;
    within(room.fake.wait_for(20)).await;
    for jobs in [&first, &second] {
        assert_eq!(jobs.pause("r").await.unwrap().state, State::Paused);
    }
    until_all_stand(&second).await;
    let other = second.resume("r", Some("SELECT 1")).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Conflict);
    room.fake.hold(false);
    room.fake.release();
    for _ in 0..2 {
        let resumed = second.resume("r", None).await.unwrap();
        assert_eq!(resumed.state, State::Running);
    }
    let job = until(&first, "r", State::Done).await;
    assert_eq!(job.counts.acknowledged, 120);
    assert_eq!(distinct(&room), room.expected());
    let error = first.cancel("r").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_replay_has_no_shard_that_goes_on() {
    let room = Room::new(Clock::system(), 4, 30);
    room.fake.hold(true);
    let (first, second) = (room.open(two()).await, room.open(two()).await);
    first.start(&four(&[])).await.unwrap();
    until_shared(&first).await;
    let cancelled = second.cancel("r").await.unwrap();
    assert_eq!(cancelled.state, State::Cancelled);
    until_all_stand(&first).await;
    for shard in shards(&second).await.into_iter().flatten() {
        assert_eq!(shard.state, State::Cancelled);
    }
    let error = first.resume("r", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_rate_is_divided_too_whichever_process_is_asked() {
    let room = Room::new(Clock::system(), 4, 10);
    let (first, second) = (room.open(two()).await, room.open(two()).await);
    // At this rate each shard sends its second record in four hours.
    first.start(&four(&[("rate", "1/h")])).await.unwrap();
    within(room.fake.wait_for(4)).await;
    until_shared(&first).await;
    assert_eq!(room.arrived().len(), 4);
    second.change_rate("r", "max").await.unwrap();
    let job = until(&first, "r", State::Done).await;
    assert_eq!(job.counts.acknowledged, 40);
    let ended = first.change_rate("r", "1/h").await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_fails_fails_the_replay_and_all_go_on_together() {
    let room = Room::new(Clock::system(), 2, 20);
    room.fake.hold(true);
    room.fake.break_for(1);
    let jobs = room.open(two()).await;
    jobs.start(&four(&[("attempts", "1")])).await.unwrap();
    let job = until(&jobs, "r", State::Failed).await;
    let reason = job.reason.unwrap();
    assert!(reason.starts_with("shard "), "{reason}");
    assert!(reason.ends_with(": nobody answers"), "{reason}");
    until_all_stand(&jobs).await;
    room.fake.hold(false);
    room.fake.release();
    jobs.resume("r", None).await.unwrap();
    let job = until(&jobs, "r", State::Done).await;
    assert_eq!((job.counts.acknowledged, job.reason), (40, None));
    assert_eq!(distinct(&room), room.expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_replay_whose_process_died_is_begun_whole_by_any_other() {
    let room = Room::new(Clock::system(), 4, 10);
    let none = Tuning { shards: 0, ..two() };
    let first = room.open(none).await;
    first.start(&four(&[])).await.unwrap();
    let begun = shards(&first).await;
    assert_eq!(begun.len(), 4);
    assert!(begun.iter().all(Option::is_none));
    crash(first).await;
    assert_eq!(room.fake.received(), []);
    let second = room.open(two()).await;
    assert!(!second.start(&four(&[])).await.unwrap().is_new);
    until(&second, "r", State::Done).await;
    let mut arrived = room.arrived();
    arrived.sort_unstable();
    assert_eq!(arrived, room.expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_what_shards_read_is_pinned_until_the_last_has_ended() {
    let room = Room::new(Clock::system(), 4, 10);
    room.write().await;
    room.fake.hold(true);
    let source = Live::new(&room.records, true);
    let jobs = room.open_over(source, two()).await;
    jobs.start(&four(&[])).await.unwrap();
    within(room.fake.wait_for(20)).await;
    // It sends two shards at once: that the others are begun says that these have ended.
    room.fake.release();
    within(room.fake.wait_for(40)).await;
    assert_eq!(room.pins().await.len(), 1);
    room.fake.hold(false);
    room.fake.release();
    until(&jobs, "r", State::Done).await;
    let let_go = async {
        while !room.pins().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    within(let_go).await;
}
