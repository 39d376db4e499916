//! Replays from end to end, over a row source and a destination in memory.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::destination::{Definition, Kind};
use crate::job::{Event, State};
use crate::testing::{Fake, FakeSource, Stored, lake, place};

mod canary;
mod continuous;
mod crash;
mod divided;
mod folded;
mod live;
mod mapped;
mod once;
mod pace;
mod pins;
mod refused;
mod twice;

/// Longer than anything here takes; a test that waits for it has failed.
const DEADLINE: Duration = Duration::from_secs(60);

struct Room {
    folder: tempfile::TempDir,
    lake: Lake,
    fake: Fake,
    records: Vec<Stored>,
}

impl Room {
    fn new(clock: Clock, partitions: i32, records: i64) -> Self {
        let (folder, lake) = lake(clock);
        let records = (0..partitions)
            // Gaps: a filter picks some offsets only.
            .flat_map(|partition| (0..records).map(move |n| Stored::full(partition, n * 3)))
            .collect();
        Self {
            folder,
            lake,
            fake: Fake::new(),
            records,
        }
    }

    async fn open(&self, tuning: Tuning) -> Jobs {
        let source = Arc::new(FakeSource(self.records.clone()));
        self.open_over(source, tuning).await
    }

    async fn open_over(&self, source: Arc<dyn RowSource>, tuning: Tuning) -> Jobs {
        let definition = |name: &str, options: &[&str]| Definition {
            name: name.to_owned(),
            kind: "fake".to_owned(),
            options: options
                .iter()
                .map(|key| ((*key).to_owned(), String::new()))
                .collect(),
        };
        let declared = vec![definition("retry", &[]), definition("letters", &["beside"])];
        let kinds = vec![Kind::Fake(self.fake.clone())];
        let destinations = Destinations::with_kinds(&self.lake, declared, kinds).unwrap();
        Jobs::open_tuned(self.lake.clone(), source, destinations, tuning)
            .await
            .unwrap()
    }

    /// What arrived, as places in the source.
    fn arrived(&self) -> Vec<(i32, i64)> {
        self.fake.received().iter().map(place).collect()
    }

    fn expected(&self) -> Vec<(i32, i64)> {
        self.records.iter().map(place).collect()
    }
}

/// Waits for nothing that a test doesn't wait for.
fn quick() -> Tuning {
    Tuning {
        save_min: Duration::ZERO,
        save_max: Duration::from_millis(1),
        pause_min: Duration::from_millis(1),
        pause_max: Duration::from_millis(1),
        drain: Duration::from_millis(1),
        look: Duration::from_millis(1),
        ..Tuning::default()
    }
}

fn request(options: &[(&str, &str)]) -> Request {
    Request {
        select: "SELECT * FROM orders".to_owned(),
        destination: "retry".to_owned(),
        options: options
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        text: "SELECT * INTO retry FROM orders".to_owned(),
    }
}

/// Waits until the replay is in `state`.
async fn until(jobs: &Jobs, id: &str, state: State) -> Job {
    let waiting = async {
        loop {
            let job = jobs.show(id).await.unwrap();
            if job.state == state {
                return job;
            }
            tokio::task::yield_now().await;
        }
    };
    within(waiting).await
}

async fn within<T>(waiting: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, waiting).await {
        Ok(value) => value,
        Err(_) => panic!("nothing came within {DEADLINE:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_arrives_as_it_was_and_in_order() {
    let mut room = Room::new(Clock::system(), 4, 50);
    room.records.push(Stored::new(5, 0));
    let jobs = room.open(quick()).await;
    let started = jobs.start(&request(&[])).await.unwrap();
    assert!(started.is_new);
    let job = until(&jobs, &started.job.id, State::Done).await;
    assert_eq!(job.counts.acknowledged, 201);
    let sent: Vec<Stored> = room
        .fake
        .received()
        .into_iter()
        .zip(&room.records)
        .map(|(received, stored)| Stored {
            topic: stored.topic.clone(),
            offset: stored.offset,
            ..received
        })
        .collect();
    assert_eq!(sent, room.records);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_name_and_text_is_the_same_replay() {
    let room = Room::new(Clock::system(), 1, 5);
    let jobs = room.open(quick()).await;
    let asked = request(&[("name", "nightly")]);
    assert!(jobs.start(&asked).await.unwrap().is_new);
    until(&jobs, "nightly", State::Done).await;
    let again = jobs.start(&asked).await.unwrap();
    assert!(!again.is_new);
    assert_eq!(again.job.state, State::Done);
    // A client that sends its statement again freezes `now()` anew; its text is the same.
    let refrozen = Request {
        select: "SELECT * FROM orders WHERE 1 = 1".to_owned(),
        ..asked.clone()
    };
    assert!(!jobs.start(&refrozen).await.unwrap().is_new);
    let other = Request {
        text: "SELECT * INTO retry FROM refunds".to_owned(),
        ..asked.clone()
    };
    let error = jobs.start(&other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let slower = request(&[("name", "nightly"), ("rate", "1/s")]);
    let error = jobs.start(&slower).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(room.fake.received().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_replay_goes_on_where_it_stood_and_only_with_its_own_text() {
    let room = Room::new(Clock::system(), 1, 30);
    let tuning = Tuning {
        window: 10,
        ..quick()
    };
    room.fake.hold(true);
    let jobs = room.open(tuning).await;
    let id = jobs.start(&request(&[])).await.unwrap().job.id;
    within(room.fake.wait_for(10)).await;
    assert_eq!(jobs.pause(&id).await.unwrap().state, State::Paused);
    assert_eq!(jobs.pause(&id).await.unwrap().state, State::Paused);
    room.fake.hold(false);
    room.fake.release();
    let other = jobs.resume(&id, Some("SELECT 1")).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Conflict);
    // A restart leaves it paused.
    jobs.shutdown().await;
    let jobs = room.open(tuning).await;
    assert_eq!(jobs.show(&id).await.unwrap().state, State::Paused);
    let text = request(&[]).text;
    jobs.resume(&id, Some(&text)).await.unwrap();
    let job = until(&jobs, &id, State::Done).await;
    assert_eq!(job.counts.acknowledged, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_replay_sends_nothing_more_and_never_comes_back() {
    let room = Room::new(Clock::system(), 1, 30);
    let tuning = Tuning {
        window: 10,
        ..quick()
    };
    room.fake.hold(true);
    let jobs = room.open(tuning).await;
    let id = jobs.start(&request(&[])).await.unwrap().job.id;
    within(room.fake.wait_for(10)).await;
    assert_eq!(jobs.cancel(&id).await.unwrap().state, State::Cancelled);
    room.fake.hold(false);
    room.fake.release();
    jobs.shutdown().await;
    let jobs = room.open(tuning).await;
    assert_eq!(jobs.show(&id).await.unwrap().state, State::Cancelled);
    let error = jobs.resume(&id, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(room.fake.received().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_record_leaves_before_its_time() {
    let clock = Clock::manual(0);
    let room = Room::new(clock.clone(), 1, 100);
    room.fake.set_clock(clock.clone());
    let jobs = room.open(Tuning::default()).await;
    let asked = request(&[("rate", "10/s")]);
    let id = jobs.start(&asked).await.unwrap().job.id;
    let turning = async {
        while jobs.show(&id).await.unwrap().state != State::Done {
            clock.advance(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
    };
    within(turning).await;
    let sent_at = room.fake.sent_at();
    assert_eq!(sent_at.len(), 100);
    for (n, at) in (0..).zip(sent_at) {
        assert!(at >= Duration::from_millis(100 * n), "record {n} at {at:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_comes_back_gets_the_rest() {
    let room = Room::new(Clock::system(), 2, 20);
    room.fake.break_for(5);
    let jobs = room.open(quick()).await;
    let id = jobs.start(&request(&[])).await.unwrap().job.id;
    let job = until(&jobs, &id, State::Done).await;
    assert_eq!(job.counts.acknowledged, 40);
    assert_eq!(room.arrived(), room.expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_stays_away_fails_the_replay_which_can_be_resumed() {
    let room = Room::new(Clock::system(), 1, 5);
    room.fake.break_for(3);
    let jobs = room.open(quick()).await;
    let asked = request(&[("attempts", "3")]);
    let id = jobs.start(&asked).await.unwrap().job.id;
    let job = until(&jobs, &id, State::Failed).await;
    assert_eq!(job.reason.as_deref(), Some("nobody answers"));
    assert!(job.finished_us.is_some());
    jobs.resume(&id, None).await.unwrap();
    let job = until(&jobs, &id, State::Done).await;
    assert_eq!((job.counts.acknowledged, job.reason), (5, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_stops_the_replay_or_is_counted() {
    let room = Room::new(Clock::system(), 1, 10);
    room.fake.reject(0, 12);
    let jobs = room.open(quick()).await;
    let id = jobs.start(&request(&[])).await.unwrap().job.id;
    let job = until(&jobs, &id, State::Failed).await;
    assert_eq!(job.counts.acknowledged, 4);
    let skipping = request(&[("on_error", "skip"), ("name", "skipping")]);
    jobs.start(&skipping).await.unwrap();
    let job = until(&jobs, "skipping", State::Done).await;
    assert_eq!((job.counts.acknowledged, job.counts.failed), (9, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_changed_under_a_replay_is_not_sent_to() {
    let room = Room::new(Clock::system(), 1, 10);
    room.fake.hold(true);
    let jobs = room.open(quick()).await;
    let id = jobs.start(&request(&[])).await.unwrap().job.id;
    within(room.fake.wait_for(10)).await;
    jobs.pause(&id).await.unwrap();
    jobs.shutdown().await;
    room.fake.set_topic("elsewhere", 16);
    let jobs = room.open(quick()).await;
    jobs.resume(&id, None).await.unwrap();
    let job = until(&jobs, &id, State::Failed).await;
    assert!(job.reason.unwrap().contains("fake topic `elsewhere` now"));
    assert_eq!(room.fake.received().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_moved_to_another_cluster_is_not_sent_to() {
    let room = Room::new(Clock::system(), 1, 10);
    room.fake.hold(true);
    room.fake.set_cluster("staging");
    let jobs = room.open(quick()).await;
    let id = jobs.start(&request(&[])).await.unwrap().job.id;
    within(room.fake.wait_for(10)).await;
    jobs.pause(&id).await.unwrap();
    jobs.shutdown().await;
    room.fake.set_cluster("production");
    let jobs = room.open(quick()).await;
    jobs.resume(&id, None).await.unwrap();
    let job = until(&jobs, &id, State::Failed).await;
    assert!(job.reason.unwrap().contains("cluster `production` now"));
    assert_eq!(room.fake.received().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn options_change_what_is_sent() {
    let mut room = Room::new(Clock::manual(5_000_000), 1, 1);
    room.records.push(Stored {
        value: None,
        ..Stored::full(0, 100)
    });
    room.fake.set_topic("orders", 16);
    let jobs = room.open(Tuning::default()).await;
    let run = async |options: &[(&str, &str)]| {
        let before = room.fake.received().len();
        let id = jobs.start(&request(options)).await.unwrap().job.id;
        until(&jobs, &id, State::Done).await;
        room.fake.received().split_off(before)
    };
    let sent = run(&[
        ("headers", "strip"),
        ("timestamp", "now"),
        ("partition", "key"),
    ])
    .await;
    assert_eq!(sent.len(), 2);
    let first = sent.first().unwrap();
    assert_eq!((first.partition, first.timestamp_ms), (-1, Some(5_000)));
    assert_eq!(first.headers, []);
    // Back into its own topic: marked, unless told otherwise.
    let sent = run(&[("tombstones", "skip")]).await;
    assert_eq!(sent.len(), 1);
    let headers = &sent.first().unwrap().headers;
    assert_eq!(headers.len(), 5);
    let source = ("eddy-source".to_owned(), Some(b"orders:0:0".to_vec()));
    assert!(headers.contains(&source), "{headers:?}");
    let sent = run(&[("headers", "keep")]).await;
    assert_eq!(sent.first().unwrap().headers.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_stores_and_sends_nothing() {
    let room = Room::new(Clock::system(), 3, 10);
    room.fake.set_topic("target", 2);
    let jobs = room.open(quick()).await;
    let plan = jobs.plan(&request(&[("rate", "10/s")])).await.unwrap();
    assert_eq!((plan.records, plan.seconds_min), (30, Some(3.0)));
    assert_eq!(plan.problems.len(), 1);
    let refused = jobs.start(&request(&[])).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert_eq!(jobs.list().await.unwrap(), []);
    assert_eq!(room.fake.received(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_in_use_is_not_deleted() {
    let room = Room::new(Clock::system(), 1, 10);
    room.fake.hold(true);
    let jobs = room.open(quick()).await;
    let made = Definition {
        name: "made".to_owned(),
        kind: "fake".to_owned(),
        options: BTreeMap::new(),
    };
    jobs.destinations().create(made).await.unwrap();
    let asked = Request {
        destination: "made".to_owned(),
        ..request(&[])
    };
    let id = jobs.start(&asked).await.unwrap().job.id;
    let error = jobs.delete_destination("made").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    jobs.cancel(&id).await.unwrap();
    jobs.delete_destination("made").await.unwrap();
}
