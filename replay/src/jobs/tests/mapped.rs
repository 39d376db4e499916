//! Records go to the partitions and topics that a replay maps theirs to.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_partition_goes_in_its_order_to_the_one_that_the_map_names() {
    let room = Room::new(Clock::system(), 3, 20);
    let jobs = room.open(quick()).await;
    let asked = request(&[("partition", "0:5, 1:5, 2:0"), ("name", "r")]);
    jobs.start(&asked).await.unwrap();
    until(&jobs, "r", State::Done).await;
    let received = room.fake.received();
    for (source, target) in [(0, 5), (1, 5), (2, 0)] {
        let from = |record: &&Stored| place(record).0 == source;
        let these: Vec<&Stored> = received.iter().filter(from).collect();
        assert!(these.iter().all(|record| record.partition == target));
        let offsets: Vec<i64> = these.iter().map(|record| place(record).1).collect();
        assert_eq!(offsets, (0..20).map(|n| n * 3).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_the_map_lacks_is_refused_when_the_replay_is_made() {
    let room = Room::new(Clock::system(), 3, 10);
    let jobs = room.open(quick()).await;
    for (map, told) in [
        ("0:5, 2:0", "lacks partitions that rows are of: 1"),
        ("0:5, 1:16, 2:0", "rows of partition 1 are to go to 16"),
    ] {
        let refused = jobs.start(&request(&[("partition", map)])).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(refused.to_string().contains(told), "{refused}");
    }
    assert_eq!(jobs.list().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_that_a_record_goes_to_decides_whether_it_is_marked_and_is_told() {
    let room = Room::new(Clock::system(), 1, 3);
    room.fake.set_topic("orders", 16);
    room.fake.tell_offsets();
    let jobs = room.open(quick()).await;
    for (map, target, headers, count) in [
        ("orders:copy", Some("copy"), "keep", 2),
        // As the destination's own is called.
        ("orders:orders", None, "mark", 5),
        ("orders:copy, copy:orders", Some("copy"), "keep", 2),
    ] {
        let before = room.fake.received().len();
        let id = jobs.start(&request(&[("topics", map)])).await;
        let id = id.unwrap().job.id;
        let job = until(&jobs, &id, State::Done).await;
        assert_eq!(job.plan.headers, headers, "{map}");
        let sent = room.fake.received().split_off(before);
        assert!(sent.iter().all(|one| one.headers.len() == count), "{map}");
        let runs = jobs.landed(&id).await.unwrap();
        assert!(!runs.is_empty());
        for run in runs {
            let told = (run.topic.as_str(), run.target_topic.as_deref());
            assert_eq!(told, ("orders", target));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_partition_that_the_map_lacks_goes_nowhere_and_fails_the_replay() {
    let mut room = Room::new(Clock::system(), 1, 3);
    let jobs = room.open(quick()).await;
    room.fake.hold(true);
    let asked = request(&[("partition", "0:1"), ("name", "r")]);
    jobs.start(&asked).await.unwrap();
    within(room.fake.wait_for(3)).await;
    jobs.shutdown().await;
    // As a continuous replay meets a partition that is new.
    room.records.push(Stored::full(1, 0));
    room.fake.hold(false);
    let jobs = room.open(quick()).await;
    let job = until(&jobs, "r", State::Failed).await;
    let reason = job.reason.unwrap();
    assert!(
        reason.contains("lacks the source's partition 1"),
        "{reason}"
    );
    assert_eq!(job.counts.acknowledged, 3);
}
