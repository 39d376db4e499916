//! Order, batches and the end of lanes, over a carrier in memory.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::sync::Semaphore;

use super::*;
use crate::destination::Origin;

/// Carries as many batches as it is let, and remembers them.
#[derive(Clone, Default)]
struct Slow(Arc<SlowInner>);

struct SlowInner {
    turns: Semaphore,
    batches: Mutex<Vec<Vec<Packed>>>,
    refuses: Mutex<BTreeMap<i64, ErrorKind>>,
}

impl Default for SlowInner {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(0),
            batches: Mutex::default(),
            refuses: Mutex::default(),
        }
    }
}

impl Carrier for Slow {
    async fn carry(&self, batch: &[Packed]) -> Vec<Result<Landed>> {
        self.0.turns.acquire().await.unwrap().forget();
        self.0.batches.lock().unwrap().push(batch.to_vec());
        let refuses = self.0.refuses.lock().unwrap().clone();
        let outcome = |record: &Packed| match refuses.get(&record.offset) {
            Some(kind) => Err(Error::new(*kind, "not this one")),
            None => Ok(Landed::default()),
        };
        batch.iter().map(outcome).collect()
    }
}

impl Slow {
    fn let_go(&self, batches: usize) {
        self.0.turns.add_permits(batches);
    }

    fn offsets(&self) -> Vec<Vec<i64>> {
        let batches = self.0.batches.lock().unwrap();
        let offsets = |batch: &Vec<Packed>| batch.iter().map(|record| record.offset).collect();
        batches.iter().map(offsets).collect()
    }
}

fn record<'a>(partition: i32, offset: i64, key: Option<&'a [u8]>) -> Outgoing<'a> {
    Outgoing {
        origin: Origin {
            replay: "r",
            topic: "orders",
            topic_id: "id",
            partition,
            offset,
        },
        partition: None,
        timestamp_ms: None,
        key,
        value: Some(b"12345678"),
        headers: &[],
    }
}

fn lanes(carrier: &Slow, sizes: (usize, usize, usize), replay: &Options) -> Lanes {
    let (lanes, batch_records, batch_bytes) = sizes;
    let sizes = Sizes {
        lanes,
        batch_records,
        batch_bytes,
        wait: Duration::ZERO,
    };
    let clock = Clock::system();
    Lanes::start(
        carrier.clone(),
        sizes,
        replay,
        clock,
        CancellationToken::new(),
    )
}

fn replay(ordering: Ordering, on_error: OnError) -> Options {
    Options {
        ordering,
        on_error,
        ..Options::default()
    }
}

#[tokio::test]
async fn a_partition_and_a_key_stay_in_one_lane_and_the_rest_is_spread() {
    let carrier = Slow::default();
    let lane = |lanes: &Lanes, n: i64, key| lanes.lane(&record(3, n, key));
    let spread = |ordering, key: Option<&'static [u8]>| {
        let lanes = lanes(&carrier, (8, 1, 100), &replay(ordering, OnError::Stop));
        let mut found: Vec<usize> = (0..64).map(|n| lane(&lanes, n, key)).collect();
        found.sort_unstable();
        found.dedup();
        found.len()
    };
    assert_eq!(spread(Ordering::Partition, Some(b"a")), 1);
    assert_eq!(spread(Ordering::Key, Some(b"a")), 1);
    assert_eq!(spread(Ordering::Key, None), 8);
    assert_eq!(spread(Ordering::None, Some(b"a")), 8);
}

#[tokio::test]
async fn what_waits_becomes_a_batch_within_its_bounds_and_in_order() {
    let carrier = Slow::default();
    let options = replay(Ordering::Partition, OnError::Stop);
    let lanes = lanes(&carrier, (1, 3, 30), &options);
    let mut deliveries = Vec::new();
    // One at a time until it has begun, so that what comes next has to wait.
    deliveries.push(lanes.send(&record(0, 0, None)).await.unwrap());
    tokio::task::yield_now().await;
    for offset in 1..8 {
        deliveries.push(lanes.send(&record(0, offset, None)).await.unwrap());
    }
    // Larger than a batch may be: alone.
    let large = Outgoing {
        value: Some(&[0; 100]),
        ..record(0, 8, None)
    };
    deliveries.push(lanes.send(&large).await.unwrap());
    carrier.let_go(100);
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    assert_eq!(
        carrier.offsets(),
        [vec![0], vec![1, 2, 3], vec![4, 5, 6], vec![7], vec![8]]
    );
}

#[tokio::test]
async fn nothing_overtakes_what_failed_and_everybody_is_told_why() {
    for (kind, on_error) in [
        (ErrorKind::Rejected, OnError::Stop),
        (ErrorKind::GaveUp, OnError::Skip),
    ] {
        let carrier = Slow::default();
        carrier.0.refuses.lock().unwrap().insert(1, kind);
        let options = replay(Ordering::Partition, on_error);
        let lanes = lanes(&carrier, (1, 1, 100), &options);
        let mut deliveries = Vec::new();
        for offset in 0..4 {
            deliveries.push(lanes.send(&record(0, offset, None)).await.unwrap());
        }
        carrier.let_go(100);
        let mut outcomes = Vec::new();
        for delivery in deliveries {
            outcomes.push(
                delivery
                    .await
                    .map_err(|error| (error.kind(), error.to_string())),
            );
        }
        assert_eq!(outcomes[0], Ok(Landed::default()));
        let told = Err((kind, "not this one".to_owned()));
        assert_eq!(outcomes[1..], [told.clone(), told.clone(), told]);
        assert_eq!(carrier.offsets(), [vec![0], vec![1]]);
        let late = lanes.send(&record(0, 9, None)).await;
        assert_eq!(late.err().unwrap().kind(), kind);
    }
}

#[tokio::test]
async fn a_refused_record_is_passed_over_where_the_replay_says_so() {
    let carrier = Slow::default();
    carrier
        .0
        .refuses
        .lock()
        .unwrap()
        .insert(1, ErrorKind::Rejected);
    let options = replay(Ordering::Partition, OnError::Skip);
    let lanes = lanes(&carrier, (1, 2, 100), &options);
    carrier.let_go(100);
    let mut outcomes = Vec::new();
    for offset in 0..3 {
        let delivery = lanes.send(&record(0, offset, None)).await.unwrap();
        outcomes.push(delivery.await.is_ok());
    }
    assert_eq!(outcomes, [true, false, true]);
}

#[tokio::test]
async fn a_halt_gives_up_what_has_not_begun_and_lets_the_rest_end() {
    let carrier = Slow::default();
    let options = replay(Ordering::Partition, OnError::Stop);
    let lanes = lanes(&carrier, (1, 1, 100), &options);
    let begun = lanes.send(&record(0, 0, None)).await.unwrap();
    tokio::task::yield_now().await;
    let waiting = lanes.send(&record(0, 1, None)).await.unwrap();
    lanes.halt();
    carrier.let_go(100);
    begun.await.unwrap();
    let error = waiting.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(carrier.offsets(), [vec![0]]);
}
