//! A continuous replay follows its table version by version, and sends nothing round in a circle.

use super::live::Live;
use super::*;

fn some(offsets: std::ops::Range<i64>) -> Vec<Stored> {
    offsets.map(|offset| Stored::full(0, offset)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_records_follow_until_it_is_cancelled_also_after_a_restart() {
    let room = Room::new(Clock::system(), 0, 0);
    let source = Live::new(&some(0..10), false);
    let jobs = room.open_over(source.clone(), quick()).await;
    let asked = request(&[("continuous", "true"), ("name", "tail")]);
    jobs.start(&asked).await.unwrap();
    within(room.fake.wait_for(10)).await;
    source.commit(&some(10..15));
    within(room.fake.wait_for(15)).await;
    // Nothing new for it, then something again.
    source.commit(&[]);
    source.commit(&some(15..16));
    within(room.fake.wait_for(16)).await;
    jobs.shutdown().await;
    source.commit(&some(16..20));
    let jobs = room.open_over(source.clone(), quick()).await;
    within(room.fake.wait_for(20)).await;
    let expected: Vec<_> = (0..20).map(|offset| (0, offset)).collect();
    let mut arrived = room.arrived();
    // A restart may send again what it had not stored yet.
    arrived.dedup();
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived, expected);
    assert_eq!(jobs.show("tail").await.unwrap().state, State::Running);
    jobs.cancel("tail").await.unwrap();
    source.commit(&some(20..30));
    jobs.shutdown().await;
    assert_eq!(jobs.show("tail").await.unwrap().state, State::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replay_sent_to_where_it_reads_is_not_sent_again() {
    let room = Room::new(Clock::system(), 0, 0);
    let source = Live::new(&some(0..3), false);
    let jobs = room.open_over(source.clone(), quick()).await;
    room.fake.set_topic("orders", 16);
    let asked = request(&[("continuous", "true"), ("name", "round")]);
    jobs.start(&asked).await.unwrap();
    within(room.fake.wait_for(3)).await;
    // The sink records what came, marks and all.
    let came = room.fake.received().into_iter().zip(3..);
    let came: Vec<Stored> = came
        .map(|(record, offset)| Stored { offset, ..record })
        .collect();
    assert!(came.iter().all(|record| record.headers.len() > 2));
    source.commit(&came);
    source.commit(&some(6..7));
    within(room.fake.wait_for(4)).await;
    let job = within(async {
        loop {
            let job = jobs.show("round").await.unwrap();
            if job.counts.settled() == 7 {
                return job;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((job.counts.acknowledged, job.counts.skipped), (4, 3));
    assert_eq!(room.fake.received().len(), 4);
    jobs.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_the_version_that_it_reads_is_pinned_and_the_one_before_is_not() {
    let room = Room::new(Clock::system(), 0, 0);
    room.write().await;
    let source = Live::new(&some(0..3), true);
    let jobs = room.open_over(source.clone(), quick()).await;
    let asked = request(&[("continuous", "true"), ("name", "tail")]);
    jobs.start(&asked).await.unwrap();
    source.commit(&some(3..4));
    let moved = async {
        loop {
            let held = room.pins().await;
            let versions: Vec<u64> = held.iter().map(|pin| pin.version).collect();
            if versions == [8] {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    within(moved).await;
    within(room.fake.wait_for(4)).await;
    jobs.shutdown().await;
    assert_eq!(jobs.show("tail").await.unwrap().source.version, 8);
}
