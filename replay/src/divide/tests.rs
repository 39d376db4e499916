//! What a division promises, and what is due.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::destination::Checked;
use crate::job::FORMAT_OF_SHARDS;
use crate::pacing::Rate;
use crate::request::{Options, Payload};
use crate::source::{Pinned, SourcePlan};

/// Partitions with so many records.
fn counts(records: &[u64]) -> Vec<PartitionCount> {
    let counts = (0..)
        .zip(records)
        .map(|(partition, records)| PartitionCount {
            topic: "orders".to_owned(),
            topic_id: "id".to_owned(),
            partition,
            records: *records,
        });
    counts.collect()
}

/// A replay of these partitions in so many shards.
fn whole(records: &[u64], shards: u32) -> Job {
    let given = BTreeMap::from([("shards".to_owned(), shards.to_string())]);
    let source = SourcePlan {
        select: "SELECT * FROM orders".to_owned(),
        table: "orders".to_owned(),
        version: 7,
        records: records.iter().sum(),
        bytes: Some(1_000),
        files: 1,
        first_timestamp_us: None,
        last_timestamp_us: None,
        partitions: counts(records),
        payload: Payload::Original,
        sets: Vec::new(),
    };
    let options = Options::parse(&given).unwrap();
    let plan = Plan::new(source, Ok(Checked::default()), &options);
    Job {
        format: FORMAT_OF_SHARDS,
        id: "r".to_owned(),
        text: String::new(),
        source: Pinned {
            select: "SELECT * FROM orders".to_owned(),
            table: "orders".to_owned(),
            version: 7,
            payload: None,
        },
        destination: "retry".to_owned(),
        target: String::new(),
        options: given,
        shards: divide(&plan.partitions, options.shards),
        plan,
        state: State::Running,
        reason: None,
        progress: Vec::new(),
        counts: Counts::default(),
        canary_passed: false,
        rate: None,
        transactions: None,
        part: None,
        resumes: 0,
        worker: "w".to_owned(),
        created_us: 0,
        updated_us: 0,
        finished_us: None,
    }
}

fn all_shards(whole: &Job) -> Vec<Job> {
    let shards = 0..whole.shards.len();
    shards
        .map(|index| shard(whole, index, "w", 0).unwrap())
        .collect()
}

const SIZES: [&[u64]; 5] = [
    &[10, 10, 10, 10],
    &[1, 1_000_000],
    &[7, 0, 3, 9, 9, 1, 12],
    &[0, 0, 0],
    &[5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1],
];

#[test]
fn each_partition_is_in_one_shard_and_no_shard_has_much_more_than_another() {
    for records in SIZES {
        for asked in 2..=5_u32 {
            let divided = divide(&counts(records), asked);
            assert_eq!(divided.len(), records.len().min(asked as usize));
            let mut own: Vec<i32> = divided.iter().flatten().map(|of| of.partition).collect();
            own.sort_unstable();
            let wanted: Vec<i32> = (0..).take(records.len()).collect();
            assert_eq!(own, wanted, "{records:?} in {asked}");
            assert!(divided.iter().all(|own| !own.is_empty()));
            let sums: Vec<u64> = divided.iter().map(|own| records_of(own)).collect();
            let spread = sums.iter().max().unwrap() - sums.iter().min().unwrap();
            assert!(spread <= *records.iter().max().unwrap(), "{sums:?}");
        }
        assert!(divide(&counts(records), 1).is_empty());
    }
    assert!(divide(&counts(&[7]), 4).is_empty());
    assert!(divide(&[], 4).is_empty());
}

#[test]
fn what_one_shard_has_to_send_the_others_have_behind_them() {
    for records in SIZES {
        let shards = all_shards(&whole(records, 3));
        let mut ids = BTreeSet::new();
        for job in &shards {
            let own: Vec<i32> = job.plan.partitions.iter().map(|of| of.partition).collect();
            let after = job.after();
            assert_eq!(own.len() + after.len(), records.len());
            for ((_, partition), offset) in after {
                assert!(!own.contains(&partition));
                assert_eq!(offset, BEHIND_ALL);
            }
            assert_eq!(job.asked(), "r");
            ids.insert(job.id.clone());
        }
        assert_eq!(ids.len(), shards.len());
    }
}

#[test]
fn shards_together_go_no_faster_than_the_replay_may() {
    let rate = Rate::parse("7/s, 3KiB/min").unwrap();
    for records in [&[10, 10, 10][..], &[1, 999, 13], &[3, 3, 1, 1, 1]] {
        let whole = whole(records, 3);
        let time = rate.time_for(whole.plan.records, whole.plan.records * 100);
        for job in all_shards(&whole) {
            let of = job.part.as_ref().unwrap().of_records;
            let own = job.plan.records;
            let share = rate.share(own, of);
            assert!(share.time_for(own, own * 100) >= time, "{own} of {of}");
        }
    }
}

#[test]
fn a_shard_is_free_while_nobody_has_it_and_its_replay_goes_on() {
    let mut whole = whole(&[1, 1], 2);
    let mut one = shard(&whole, 0, "w", 0).unwrap();
    assert!(is_free(&whole, None, false));
    for (state, silent, free) in [
        (State::Planned, false, false),
        (State::Planned, true, true),
        (State::Running, false, false),
        (State::Running, true, true),
        (State::Paused, true, false),
        (State::Failed, true, false),
        (State::Cancelled, true, false),
        (State::Done, true, false),
    ] {
        one.state = state;
        assert_eq!(is_free(&whole, Some(&one), silent), free, "{state:?}");
    }
    // Once its replay was let go on what stood goes on, and what ended doesn't.
    whole.resumes = 1;
    for (state, free) in [
        (State::Running, false),
        (State::Paused, true),
        (State::Failed, true),
        (State::Done, false),
    ] {
        one.state = state;
        assert_eq!(is_free(&whole, Some(&one), false), free, "{state:?}");
    }
    whole.state = State::Paused;
    assert!(!is_free(&whole, None, true));
    assert!(!is_free(&whole, Some(&one), true));
}

#[test]
fn a_stop_that_is_out_of_date_stops_nothing() {
    let before = whole(&[1, 1], 2);
    let mut now = before.clone();
    now.resumes = 1;
    let mut one = shard(&before, 0, "w", 0).unwrap();
    one.state = State::Paused;
    take_up(&mut one, &now).unwrap();
    assert_eq!((one.state, one.resumes), (State::Running, 1));
    assert!(stop(&mut one, &before, Event::Pause, 0).is_err());
    assert!(take_up(&mut one, &before).is_err());
    assert_eq!(one.state, State::Running);
    stop(&mut one, &now, Event::Pause, 0).unwrap();
    assert_eq!(one.state, State::Paused);
    one.state = State::Done;
    assert!(take_up(&mut one, &now).is_err(), "what is done stays so");
}

#[test]
fn a_replay_is_done_with_its_last_shard_and_fails_with_its_first() {
    let mut whole = whole(&[1, 1], 2);
    let mut shards: Vec<Option<Job>> = all_shards(&whole).into_iter().map(Some).collect();
    let set = |shard: &mut Option<Job>, state| shard.as_mut().unwrap().state = state;
    assert_eq!(ended(&whole, &[None, None]), None);
    set(&mut shards[0], State::Done);
    assert_eq!(ended(&whole, &shards), None);
    let last = shards[1].take();
    assert_eq!(ended(&whole, &shards), None, "one wasn't begun");
    shards[1] = last;
    set(&mut shards[1], State::Failed);
    shards[1].as_mut().unwrap().reason = Some("too large".to_owned());
    let reason = Some("shard 1: too large".to_owned());
    assert_eq!(ended(&whole, &shards), Some((Event::Fail, reason)));
    whole.resumes = 1;
    assert_eq!(ended(&whole, &shards), None, "it goes on");
    set(&mut shards[1], State::Done);
    assert_eq!(ended(&whole, &shards), Some((Event::Finish, None)));
    whole.state = State::Paused;
    assert_eq!(ended(&whole, &shards), None);
}
