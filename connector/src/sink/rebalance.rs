//! What a task does when the group gives it partitions or takes them away.
//!
//! On assignment each partition's start comes from its table before anything is fetched (P2, P3).
//! On revoke what is buffered is committed within a deadline or dropped (P7, E5), and only then the
//! revoke is acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use eddy_engine::fault;

use crate::error::{ErrorKind, Result};
use crate::kafka::Seat;
use crate::sink::errors::patience;
use crate::sink::run::Run;
use crate::sink::start::{self, Outcome};
use crate::sink::topic::{Lane, LaneState, Slot};

/// The most that a revoke may take, however patient the group is.
const RELEASE_MOST: Duration = Duration::from_secs(60);

/// How long the last dead letters may take: who doesn't answer by then is away.
const TELL_MOST: Duration = Duration::from_secs(3);

impl Run<'_> {
    /// Takes partitions over: finds their starts and reads them from there. Those whose start can't
    /// be found stay paused and are tried again.
    pub(super) fn assigned(&mut self, partitions: &[(String, i32)]) -> Result<()> {
        let mut seats: Vec<Seat> = Vec::with_capacity(partitions.len());
        let mut answered = true;
        self.denied = None;
        for (topic, partitions) in by_topic(partitions) {
            if !self.settings.config.topics.includes(&topic) {
                // A member that comes back under its lasting name is given what it had before,
                // whatever it subscribes to now. It takes that, unread, and joins anew.
                tracing::info!(connector = %self.settings.config.name, topic,
                    "the group gives a topic that isn't the connector's any more");
                self.estranged = true;
                seats.extend(
                    partitions
                        .iter()
                        .map(|partition| unread(&topic, *partition)),
                );
                continue;
            }
            let slot = self
                .slots
                .entry(topic.clone())
                .or_insert_with(|| Slot::new(&topic));
            for partition in &partitions {
                slot.lanes
                    .insert(*partition, Lane::waiting("its start is being found"));
            }
            // A broker or lake that is away is asked for one topic here, for the others later.
            answered = answered && self.activate(&topic, &partitions);
            if let Some(slot) = self.slots.get_mut(&topic) {
                seats.extend(partitions.iter().map(|partition| slot.seat(*partition)));
                slot.verify(&partitions, self.clock.monotonic());
            }
        }
        tracing::info!(connector = %self.settings.config.name, task = self.settings.task,
            partitions = %shown(&seats), "assigned");
        self.consumer.assign(&seats)
    }

    /// Finds where waiting partitions start and takes them over in the topic's writer; `false` when
    /// the broker or the lake doesn't answer.
    pub(super) fn activate(&mut self, topic: &str, partitions: &[i32]) -> bool {
        let now = self.clock.monotonic();
        let Some(slot) = self.slots.get_mut(topic) else {
            return true;
        };
        let before = slot.id.clone();
        let resolved = start::resolve(self.settings, &self.admin, slot, partitions);
        if before.is_some() && slot.id != before {
            // The topic was made again under us: what ran on the old one waits as well.
            let stopped = slot.partitions(|lane| matches!(lane.state, LaneState::Waiting(_)));
            let stopped: Vec<(String, i32)> = stopped
                .into_iter()
                .map(|partition| (topic.to_owned(), partition))
                .collect();
            if let Err(error) = self.consumer.pause(&stopped) {
                tracing::debug!(%error, topic, "partitions not paused");
            }
        }
        match resolved {
            Ok(outcomes) => {
                take_over(slot, outcomes);
                true
            }
            Err(error) => {
                slot.retry_at = now + patience(&error);
                if error.kind() == ErrorKind::Fenced {
                    // Another task was quicker to store a start; a new writer sees what it stored.
                    slot.forget_writer("another writer has moved on");
                }
                wait(slot, partitions, &error.to_string());
                !error.is_unavailable()
            }
        }
    }

    /// Gives partitions back to the group.
    pub(super) fn revoked(&mut self, partitions: &[(String, i32)], lost: bool) -> Result<()> {
        tracing::info!(connector = %self.settings.config.name, task = self.settings.task, lost,
            partitions = partitions.len(), "revoked");
        let deadline = (self.consumer.poll_interval_max() / 5 * 2).min(RELEASE_MOST);
        let until = self.clock.monotonic() + deadline;
        for (topic, partitions) in by_topic(partitions) {
            let left = until.saturating_sub(self.clock.monotonic());
            self.give_up(&topic, &partitions, lost, left);
        }
        fault::point("before_revoke_ack");
        self.consumer.unassign(partitions)?;
        self.slots.retain(|_, slot| !slot.lanes.is_empty());
        Ok(())
    }

    /// Takes one partition out of its writer; it waits for a new start.
    pub(super) fn park(&mut self, topic: &str, partition: i32, why: &str) -> Result<()> {
        self.consumer.pause(&[(topic.to_owned(), partition)])?;
        self.give_up(topic, &[partition], false, Duration::from_secs(30));
        let Some(slot) = self.slots.get_mut(topic) else {
            return Ok(());
        };
        slot.lanes.insert(partition, Lane::waiting(why));
        slot.retry_at = self.clock.monotonic();
        Ok(())
    }

    /// Commits what is buffered of `partitions`, or drops it, and forgets them.
    fn give_up(&mut self, topic: &str, partitions: &[i32], lost: bool, deadline: Duration) {
        let now = self.clock.monotonic();
        // Once the time is over nobody is asked any more: the group waits for this member.
        let has_time = !lost && !deadline.is_zero();
        let same = has_time && self.has_told(deadline / 2) && self.ready_to_commit(topic);
        let Some(slot) = self.slots.get_mut(topic) else {
            return;
        };
        let everything = slot.lanes.keys().all(|lane| partitions.contains(lane));
        let held: Vec<i32> = slot
            .partitions(|lane| lane.is_running())
            .into_iter()
            .filter(|running| partitions.contains(running))
            .collect();
        slot.lanes
            .retain(|partition, _| !partitions.contains(partition));
        if everything && !same {
            slot.writer = None;
        }
        let Some(writer) = slot.writer.as_mut().filter(|_| !held.is_empty()) else {
            return;
        };
        if !same {
            // Nothing of what is buffered may be committed: read it again, co-tenants too (P7).
            match writer.reset() {
                Ok(positions) => {
                    slot.rewind(positions.into_iter().map(|(at, to)| (at, to.offset)), now);
                }
                Err(error) => {
                    tracing::warn!(%error, topic, "what is buffered is dropped with its writer");
                    slot.forget_writer("its writer was dropped");
                    slot.retry_at = now;
                    return;
                }
            }
        }
        let Some(writer) = slot.writer.as_mut() else {
            return;
        };
        match writer.release(&held, deadline) {
            Ok(released) => {
                let group = slot.committed(&released.committed);
                slot.rewind(released.rewind, now);
                if !released.dropped.is_empty() {
                    tracing::warn!(topic, partitions = ?released.dropped,
                        "not committed in time: read again by whoever gets them");
                }
                if same {
                    fault::point("before_group_commit");
                    self.consumer.commit(&group, false);
                }
            }
            Err(error) => {
                tracing::warn!(%error, topic, "what is buffered is dropped with its writer");
                slot.forget_writer("its writer was dropped");
                slot.retry_at = now;
            }
        }
    }

    /// Whether every dead letter is acknowledged, waiting for that but not longer than `within`:
    /// without it nothing may be committed.
    pub(super) fn has_told(&mut self, within: Duration) -> bool {
        let told = self
            .way
            .settle(within.min(TELL_MOST))
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "what isn't committed yet is read again");
                false
            });
        if !told {
            self.way.tell_again();
        }
        told
    }

    /// Whether what is buffered of a topic may be committed: it must still be the topic that it was
    /// when the first of it was fetched (P1). One that is gone can't have been read from since.
    pub(super) fn ready_to_commit(&self, topic: &str) -> bool {
        let Some(slot) = self.slots.get(topic) else {
            return false;
        };
        match start::describe(&self.admin, topic) {
            Ok(now) => slot.id.as_ref() == Some(&now.id),
            Err(error) => error.kind() == ErrorKind::NotFound,
        }
    }
}

/// Lets partitions run or stop as was resolved.
fn take_over(slot: &mut Slot, outcomes: BTreeMap<i32, Outcome>) {
    for (partition, outcome) in outcomes {
        let Some(lane) = slot.lanes.get_mut(&partition) else {
            continue;
        };
        match outcome {
            Ok(position) => {
                lane.state = LaneState::Running;
                lane.next = position.offset;
                lane.leader_epoch = position.leader_epoch;
                lane.committed = Some(position.offset);
                lane.seek_at = None;
                lane.cut = None;
            }
            Err(why) => {
                tracing::error!(topic = %slot.name, partition, why, "partition stopped");
                lane.state = LaneState::Stopped(why);
            }
        }
    }
}

/// Says why partitions wait: once per reason, not at each attempt.
fn wait(slot: &mut Slot, partitions: &[i32], why: &str) {
    let waiting = LaneState::Waiting(why.to_owned());
    let mut news = false;
    for partition in partitions {
        if let Some(lane) = slot.lanes.get_mut(partition) {
            news |= lane.state != waiting;
            lane.state = waiting.clone();
        }
    }
    if news {
        tracing::warn!(topic = %slot.name, why, "partitions wait for their start");
    }
}

/// A partition that is held and not read.
fn unread(topic: &str, partition: i32) -> Seat {
    Seat {
        topic: topic.to_owned(),
        partition,
        start: None,
    }
}

fn by_topic(partitions: &[(String, i32)]) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(topic.clone()).or_default().push(*partition);
    }
    topics
}

fn shown(seats: &[Seat]) -> String {
    let shown = seats.iter().take(20).map(|seat| match seat.start {
        Some((offset, _)) => format!("{}-{}@{offset}", seat.topic, seat.partition),
        None => format!("{}-{}", seat.topic, seat.partition),
    });
    let mut text = shown.collect::<Vec<_>>().join(" ");
    if seats.len() > 20 {
        text.push_str(" ...");
    }
    text
}
