//! Refused records are told one by one, and may go to another destination; the others are told by
//! where they came to rest.

use super::crash::crash;
use super::*;
use crate::mapping::Run;

const LETTERS: [(&str, &str); 3] = [
    ("on_error", "dead_letter"),
    ("dead_letter", "letters"),
    ("name", "r"),
];

/// The places of failures.
async fn failed(jobs: &Jobs) -> Vec<(i32, i64)> {
    let failures = jobs.failures("r").await.unwrap();
    failures
        .iter()
        .map(|one| (one.partition, one.offset))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refused_record_is_told_once_with_its_reason_after_any_crash() {
    for crash_at in [0, 3, 10, 17] {
        let room = Room::new(Clock::system(), 2, 10);
        let bad = [(0, 12), (1, 0), (1, 27)];
        for (partition, offset) in bad {
            room.fake.reject(partition, offset);
        }
        let jobs = room.open(quick()).await;
        room.fake.hold(crash_at == 0);
        let asked = request(&[("on_error", "skip"), ("name", "r")]);
        jobs.start(&asked).await.unwrap();
        within(room.fake.wait_for(crash_at)).await;
        room.fake.hold(true);
        crash(jobs).await;
        room.fake.hold(false);
        let jobs = room.open(quick()).await;
        let job = until(&jobs, "r", State::Done).await;
        assert_eq!((job.counts.acknowledged, job.counts.failed), (17, 3));
        assert_eq!(failed(&jobs).await, bad, "crash at {crash_at}");
        let failures = jobs.failures("r").await.unwrap();
        let first = failures.first().unwrap();
        assert_eq!(
            (first.topic.as_str(), first.error.as_str()),
            ("orders", "too large")
        );
        assert_eq!(first.timestamp_ms, Some(1_012));
        assert_eq!(first.dead_letter, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_the_record_with_its_reason() {
    let room = Room::new(Clock::system(), 1, 10);
    room.fake.reject(0, 12);
    let jobs = room.open(quick()).await;
    jobs.start(&request(&LETTERS)).await.unwrap();
    let job = until(&jobs, "r", State::Done).await;
    assert_eq!((job.counts.acknowledged, job.counts.failed), (9, 1));
    let letters = room.fake.beside().received();
    let [letter] = letters.as_slice() else {
        panic!("{letters:?}");
    };
    let sent = Stored::full(0, 12);
    assert_eq!((&letter.key, &letter.value), (&sent.key, &sent.value));
    assert_eq!(letter.timestamp_ms, sent.timestamp_ms);
    let (why, own) = letter.headers.split_last().unwrap();
    assert_eq!(own, sent.headers);
    assert_eq!(*why, ("eddy-error".to_owned(), Some(b"too large".to_vec())));
    let failures = jobs.failures("r").await.unwrap();
    let [failure] = failures.as_slice() else {
        panic!("{failures:?}");
    };
    assert_eq!(failure.dead_letter.as_deref(), Some("letters"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mark_passes_a_dead_letter_that_nobody_took() {
    let room = Room::new(Clock::system(), 1, 10);
    room.fake.reject(0, 12);
    let letters = room.fake.beside();
    letters.reject(0, 12);
    let jobs = room.open(quick()).await;
    jobs.start(&request(&LETTERS)).await.unwrap();
    let job = until(&jobs, "r", State::Failed).await;
    let reason = job.reason.unwrap();
    assert!(reason.contains("`letters` did not take"), "{reason}");
    assert_eq!((job.counts.acknowledged, job.counts.failed), (4, 0));
    assert_eq!(failed(&jobs).await, []);
    // One that is away for a while is waited for.
    let asked = request(&[LETTERS[0], LETTERS[1], ("name", "later")]);
    let room = Room::new(Clock::system(), 1, 10);
    room.fake.reject(0, 12);
    room.fake.beside().break_for(3);
    let jobs = room.open(quick()).await;
    jobs.start(&asked).await.unwrap();
    let job = until(&jobs, "later", State::Done).await;
    assert_eq!((job.counts.acknowledged, job.counts.failed), (9, 1));
    assert_eq!(room.fake.beside().received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_need_a_destination_that_is_there_and_another_one() {
    let room = Room::new(Clock::system(), 1, 10);
    let jobs = room.open(quick()).await;
    for (name, kind) in [
        ("nobody", ErrorKind::NotFound),
        ("retry", ErrorKind::Invalid),
    ] {
        let asked = request(&[("on_error", "dead_letter"), ("dead_letter", name)]);
        let refused = jobs.start(&asked).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{refused}");
    }
    assert_eq!(room.fake.received(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offsets_of_source_and_target_are_told_once_the_marks_passed_them() {
    let mut room = Room::new(Clock::system(), 0, 0);
    let records = (0..2).flat_map(|partition| (5..15).map(move |n| Stored::full(partition, n)));
    room.records = records.collect();
    room.fake.tell_offsets();
    room.fake.reject(1, 9);
    let jobs = room.open(Tuning::default()).await;
    let asked = request(&[("on_error", "skip"), ("name", "r")]);
    jobs.start(&asked).await.unwrap();
    until(&jobs, "r", State::Done).await;
    let run = |partition, last, records| Run {
        topic_id: "id".to_owned(),
        topic: "orders".to_owned(),
        target_topic: None,
        partition,
        first: 5,
        last,
        records,
        target_partition: partition,
        target_first: Some(0),
    };
    assert_eq!(
        jobs.landed("r").await.unwrap(),
        [run(0, 14, 10), run(1, 14, 9)]
    );
    let request = |committed, apply| GroupRequest {
        group: "g".to_owned(),
        topic: None,
        committed,
        apply,
    };
    let committed = BTreeMap::from([(0, 8), (1, 15)]);
    let asked = request(Some(committed.clone()), false);
    let found = jobs.group_offsets("r", asked.clone()).await.unwrap();
    assert_eq!(found.offsets, BTreeMap::from([(0, 3), (1, 9)]));
    assert_eq!((found.topic.as_str(), found.applied), ("orders", false));
    let unknown = jobs.group_offsets("nobody", asked).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    // Without consumer groups there is nothing to read, and nowhere to commit it.
    for asked in [request(None, false), request(Some(committed.clone()), true)] {
        let refused = jobs.group_offsets("r", asked).await.unwrap_err();
        assert!(
            refused.to_string().contains("no consumer groups"),
            "{refused}"
        );
    }
    // Nor is anything committed for another topic that has the destination's name now.
    room.fake.set_topic("elsewhere", 16);
    let moved = jobs
        .group_offsets("r", request(Some(committed), true))
        .await;
    assert_eq!(moved.unwrap_err().kind(), ErrorKind::Conflict);
}
