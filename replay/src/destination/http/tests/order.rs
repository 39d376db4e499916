//! What goes out at the same time, and what never does.

use std::sync::Barrier;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_goes_out_in_its_order_over_one_connection() {
    let web = Web::start(|_, _| Reply::Done);
    let room = Room::new(1, 60, &web.url("/in"), &[]).await;
    let job = room.ends(&[]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 60));
    let places: Vec<(i32, i64)> = web.received().iter().map(place).collect();
    assert_eq!(places, (0..60).map(|n| (0, n)).collect::<Vec<_>>());
    let posts: BTreeSet<usize> = web.received().iter().map(|seen| seen.connection).collect();
    assert_eq!(posts.len(), 1, "it is kept alive");
    assert!(room.all_done(&web).values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_order_as_many_go_out_at_once_as_allowed() {
    // Every request waits for seven others: it ends only if eight go out at once.
    let barrier = Barrier::new(8);
    let web = Web::start(move |_, _| {
        barrier.wait();
        Reply::Done
    });
    let room = Room::new(1, 64, &web.url("/in"), &[("concurrency", "8")]).await;
    let job = room.ends(&[("ordering", "none")]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 64));
    assert!(room.all_done(&web).values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_go_out_beside_each_other_however_long_each_is() {
    // Every request waits for one of the other partition: they come by turns, or not at all.
    let barrier = Barrier::new(2);
    let web = Web::start(move |_, _| {
        barrier.wait();
        Reply::Done
    });
    let room = Room::new(2, 100, &web.url("/in"), &[("concurrency", "8")]).await;
    let job = room.ends(&[]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 200));
    assert!(room.all_done(&web).values().all(|times| *times == 1));
    for partition in 0..2 {
        let places: Vec<(i32, i64)> = web.received().iter().map(place).collect();
        let of: Vec<i64> = places
            .iter()
            .filter(|place| place.0 == partition)
            .map(|place| place.1)
            .collect();
        assert_eq!(of, (0..100).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_key_one_record_is_under_way_at_a_time_and_others_beside_it() {
    let under_way: [AtomicUsize; 4] = std::array::from_fn(|_| AtomicUsize::new(0));
    let at_once = Arc::new(AtomicUsize::new(0));
    let overlaps = Arc::clone(&at_once);
    let web = Web::start(move |seen, number| {
        let key: usize = seen.header("eddy-key").unwrap().parse().unwrap();
        if under_way[key].fetch_add(1, Atomic::SeqCst) > 0 {
            overlaps.fetch_add(1, Atomic::SeqCst);
        }
        std::thread::yield_now();
        under_way[key].fetch_sub(1, Atomic::SeqCst);
        // Failures must not change the order either.
        if number % 5 == 4 {
            Reply::status(503)
        } else {
            Reply::Done
        }
    });
    let records = (0..40).map(|n| Stored {
        key: Some((n % 4).to_string().into_bytes()),
        ..Stored::full(0, n)
    });
    let room = Room::of(records.collect(), &web.url("/in"), &[]).await;
    let job = room.ends(&[("ordering", "key")]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 40));
    room.all_done(&web);
    assert_eq!(at_once.load(Atomic::SeqCst), 0);
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for request in web.done() {
        let key = request.header("eddy-key").unwrap().to_owned();
        let (_, offset) = place(&request);
        let before = last.insert(key, offset);
        assert!(before.is_none_or(|before| before < offset), "{last:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_hold_the_records_in_order_and_no_more_than_allowed() {
    let web = Web::start(|_, _| Reply::Done);
    let options = [("format", "ndjson"), ("batch.records", "16")];
    let room = Room::new(2, 200, &web.url("/in"), &options).await;
    let job = room.ends(&[]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 400));
    let mut offsets: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    let mut largest = 0;
    for request in web.done() {
        let body = String::from_utf8(request.body).unwrap();
        largest = largest.max(body.lines().count());
        for line in body.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let partition = line["partition"].as_i64().unwrap();
            let of = offsets.entry(partition).or_default();
            of.push(line["offset"].as_i64().unwrap());
        }
    }
    assert!((2..=16).contains(&largest), "{largest}");
    let all: Vec<i64> = (0..200).collect();
    assert_eq!(offsets, BTreeMap::from([(0, all.clone()), (1, all)]));
}
