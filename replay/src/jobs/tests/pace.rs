//! The order over partitions, and the gaps between records, as replays keep them.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn records_go_out_by_their_time() {
    let room = Room::new(Clock::system(), 3, 20);
    let jobs = room.open(quick()).await;
    let id = jobs
        .start(&request(&[("ordering", "time")]))
        .await
        .unwrap()
        .job
        .id;
    until(&jobs, &id, State::Done).await;
    let mut expected = room.expected();
    expected.sort_by_key(|(partition, offset)| (*offset, *partition));
    assert_eq!(room.arrived(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_of_several_lanes_gets_partitions_by_turns_and_a_resume_goes_on() {
    let room = Room::new(Clock::system(), 3, 20);
    room.fake.take_turns();
    room.fake.break_for(1);
    let jobs = room.open(quick()).await;
    let id = jobs.start(&request(&[])).await.unwrap().job.id;
    until(&jobs, &id, State::Done).await;
    let mut expected = room.expected();
    expected.sort_by_key(|(partition, offset)| (*offset, *partition));
    assert_eq!(room.arrived(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_rate_holds_from_then_on_also_after_a_restart() {
    let clock = Clock::manual(0);
    let room = Room::new(clock.clone(), 1, 20);
    room.fake.set_clock(clock.clone());
    let jobs = room.open(Tuning::default()).await;
    // At this rate the second record would come in an hour.
    let asked = request(&[("rate", "1/h"), ("name", "slow")]);
    jobs.start(&asked).await.unwrap();
    within(room.fake.wait_for(1)).await;
    jobs.change_rate("slow", "10/s").await.unwrap();
    // The first one at the new rate is due at once, and each of the others a little after the one
    // before it has arrived.
    within(room.fake.wait_for(2)).await;
    within(turn_until(&room, &clock, 9)).await;
    jobs.shutdown().await;
    let jobs = room.open(Tuning::default()).await;
    within(turn_until(&room, &clock, 20)).await;
    let sent_at = room.fake.sent_at();
    // The second and the tenth are the first ones of their attempts. What falls behind is made up
    // for, so what is due is told by those.
    for attempt in [&sent_at[1..9], &sent_at[9..]] {
        for (at, sent) in (0..).zip(attempt) {
            let due = Duration::from_millis(100) * at;
            assert!(*sent - attempt[0] >= due, "{at}: {sent_at:?}");
        }
    }
    assert!(sent_at[19] < Duration::from_secs(600), "{sent_at:?}");
    until(&jobs, "slow", State::Done).await;
    let ended = jobs.change_rate("slow", "max").await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Conflict);
    for bad in ["", "0/s", "fast"] {
        let refused = jobs.change_rate("slow", bad).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{bad}");
    }
    let same = jobs.start(&asked).await.unwrap();
    assert!(!same.is_new, "the same statement is still the same replay");
}

/// Turns the clock on until so many records have come.
async fn turn_until(room: &Room, clock: &Clock, count: usize) {
    while room.fake.sent_at().len() < count {
        clock.advance(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_record_leaves_before_the_gap_that_was_recorded() {
    let clock = Clock::manual(0);
    let mut room = Room::new(clock.clone(), 0, 0);
    let times_ms: [i64; 6] = [0, 40, 40, 100, 1_000, 1_001];
    let records = (0..).zip(times_ms).map(|(n, time_ms)| Stored {
        timestamp_ms: Some(1_700_000_000_000 + time_ms),
        ..Stored::full(0, n)
    });
    room.records = records.collect();
    room.fake.set_clock(clock.clone());
    let jobs = room.open(Tuning::default()).await;
    let asked = request(&[("speed", "0.5")]);
    let id = jobs.start(&asked).await.unwrap().job.id;
    let turning = async {
        while jobs.show(&id).await.unwrap().state != State::Done {
            clock.advance(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
    };
    within(turning).await;
    let sent_at = room.fake.sent_at();
    let first = *sent_at.first().unwrap();
    assert_eq!(sent_at.len(), times_ms.len());
    for (time_ms, at) in times_ms.into_iter().zip(sent_at) {
        let due = Duration::from_millis(u64::try_from(time_ms).unwrap() * 2);
        assert!(at - first >= due, "{time_ms} ms at {at:?}");
    }
}
