//! Replays that are divided into shards: which source partitions each has, each as a replay of its
//! own, and what is due as they go on. Pure; `jobs/divided` and `jobs/tending` do it.
//!
//! A shard has whole source partitions, so that the order in each of them is kept, and is otherwise
//! a replay as any: with a register that fences, marks, entries and transactions of its own. The
//! replay that was asked for says what is wanted of all of them; it sends nothing itself.

use crate::error::{Error, Result};
use crate::job::{Event, Job, Part, State, Transactions};
use crate::plan::Plan;
use crate::progress::{Counts, Mark};
use crate::source::PartitionCount;

/// An offset behind all that Kafka gives, of which the next one is still a number.
const BEHIND_ALL: i64 = i64::MAX - 1;

/// The source partitions of each shard, with about as many records in each: at most `shards`, and
/// none without a partition. Nothing where that is one.
pub(crate) fn divide(partitions: &[PartitionCount], shards: u32) -> Vec<Vec<PartitionCount>> {
    let shards = partitions.len().min(shards as usize);
    if shards < 2 {
        return Vec::new();
    }
    let mut by_size: Vec<&PartitionCount> = partitions.iter().collect();
    by_size.sort_by(|one, other| {
        let of = |count: &PartitionCount| (count.topic_id.clone(), count.partition);
        let larger = other.records.cmp(&one.records);
        larger.then_with(|| of(one).cmp(&of(other)))
    });
    let mut divided: Vec<(u64, Vec<PartitionCount>)> = vec![(0, Vec::new()); shards];
    for count in by_size {
        // The number of partitions counts where none has any records.
        let least = divided
            .iter_mut()
            .min_by_key(|(records, own)| (*records, own.len()));
        if let Some((records, own)) = least {
            *records += count.records;
            own.push(count.clone());
        }
    }
    divided.into_iter().map(|(_, own)| own).collect()
}

/// The id of a shard, which is no name that a replay could have.
pub(crate) fn shard_id(replay: &str, shard: usize) -> String {
    format!("{replay}/{shard}")
}

/// A shard of `whole` that nobody has taken up yet; `None`: there is none of this number.
pub(crate) fn shard(whole: &Job, index: usize, worker: &str, now_us: i64) -> Option<Job> {
    let own = whole.shards.get(index)?;
    let records = records_of(own);
    let others = whole.shards.iter().enumerate();
    let others = others.filter(|(other, _)| *other != index);
    let elsewhere = others.flat_map(|(_, partitions)| partitions);
    let elsewhere = elsewhere.map(|count| Mark {
        topic_id: count.topic_id.clone(),
        partition: count.partition,
        offset: BEHIND_ALL,
    });
    let transactions = whole.transactions.as_ref();
    let measured = whole.plan.bytes;
    Some(Job {
        id: shard_id(&whole.id, index),
        plan: Plan {
            records,
            bytes: measured.map(|bytes| part_of(bytes, records, whole.plan.records)),
            partitions: own.clone(),
            ..whole.plan.clone()
        },
        state: State::Planned,
        reason: None,
        progress: Vec::new(),
        counts: Counts::default(),
        transactions: transactions.map(|all| Transactions {
            name: format!("{}-{index}", all.name),
            open: false,
        }),
        shards: Vec::new(),
        part: Some(Part {
            replay: whole.id.clone(),
            shard: index,
            of_records: whole.shards.iter().map(|of| records_of(of)).sum(),
            elsewhere: elsewhere.collect(),
        }),
        worker: worker.to_owned(),
        created_us: now_us,
        updated_us: now_us,
        finished_us: None,
        ..whole.clone()
    })
}

/// Whether somebody has to take a shard up. `is_silent`: nothing was heard of who has it for so
/// long that it counts as dead.
pub(crate) fn is_free(whole: &Job, shard: Option<&Job>, is_silent: bool) -> bool {
    if !whole.state.is_active() {
        return false;
    }
    let Some(shard) = shard else { return true };
    match shard.state {
        State::Planned | State::Running => is_silent,
        State::Paused | State::Failed => shard.resumes < whole.resumes,
        State::Cancelled | State::Done => false,
    }
}

/// Lets a free shard go on for whoever takes it up.
///
/// # Errors
/// `Conflict` when it has ended, or has gone on since `whole` was read.
pub(crate) fn take_up(shard: &mut Job, whole: &Job) -> Result<()> {
    if shard.state.is_final() || shard.resumes > whole.resumes {
        return Err(went_on(shard));
    }
    shard.state = State::Running;
    shard.reason = None;
    shard.finished_us = None;
    shard.rate.clone_from(&whole.rate);
    shard.resumes = whole.resumes;
    Ok(())
}

/// What a shard that goes on has to do when its replay stands so; `None`: it goes on.
pub(crate) fn asked_of_shards(whole: State) -> Option<Event> {
    match whole {
        State::Planned | State::Running | State::Done => None,
        // Of one that failed the others stop, to go on with it.
        State::Paused | State::Failed => Some(Event::Pause),
        State::Cancelled => Some(Event::Cancel),
    }
}

/// Stops a shard as `whole` says.
///
/// # Errors
/// `Conflict` when it has ended, or has gone on since `whole` was read.
pub(crate) fn stop(shard: &mut Job, whole: &Job, event: Event, now_us: i64) -> Result<()> {
    if shard.resumes > whole.resumes {
        return Err(went_on(shard));
    }
    shard.advance(event, None, now_us)
}

/// What becomes of a replay whose shards stand so, and why; `None`: nothing yet.
pub(crate) fn ended(whole: &Job, shards: &[Option<Job>]) -> Option<(Event, Option<String>)> {
    if !whole.state.is_active() {
        return None;
    }
    // One that failed before somebody let the replay go on goes on, too.
    let has_failed = |shard: &&Job| shard.state == State::Failed && shard.resumes >= whole.resumes;
    if let Some(shard) = shards.iter().flatten().find(has_failed) {
        let reason = shard.reason.as_deref().unwrap_or("it failed");
        let number = shard.part.as_ref().map_or(0, |part| part.shard);
        return Some((Event::Fail, Some(format!("shard {number}: {reason}"))));
    }
    let is_done = |shard: &Option<Job>| {
        let state = shard.as_ref().map(|shard| shard.state);
        state == Some(State::Done)
    };
    shards.iter().all(is_done).then_some((Event::Finish, None))
}

/// The replay with what its shards have come to.
pub(crate) fn with_shards(mut whole: Job, shards: &[Option<Job>]) -> Job {
    let shards = || shards.iter().flatten();
    whole.counts = shards().fold(Counts::default(), |sum, shard| sum.plus(&shard.counts));
    whole.progress = shards().flat_map(|shard| shard.progress.clone()).collect();
    let updated_us = shards().map(|shard| shard.updated_us).max();
    whole.updated_us = whole.updated_us.max(updated_us.unwrap_or(i64::MIN));
    whole
}

/// How many records are in these source partitions.
pub(crate) fn records_of(partitions: &[PartitionCount]) -> u64 {
    partitions.iter().map(|count| count.records).sum()
}

fn part_of(bytes: u64, records: u64, all: u64) -> u64 {
    let part = u128::from(bytes) * u128::from(records) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

fn went_on(shard: &Job) -> Error {
    Error::conflict(format!("shard `{}` has gone on meanwhile", shard.id))
}

#[cfg(test)]
mod tests;
