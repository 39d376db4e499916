//! How far a replay is: per source partition the last offset up to which everything is settled
//! (P23). Pure; acknowledgements may come in any order, the mark only moves over a gapless run.

use std::collections::{BTreeMap, VecDeque};

use eddy_engine::TopicId;
use serde::{Deserialize, Serialize};

use crate::destination::Landed;
use crate::error::{Error, Result};
use crate::mapping::{Run, Runs};
use crate::source::After;

/// Everything of one source partition up to and including `offset` is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Kafka's id of the source topic.
    pub topic_id: String,
    /// The source partition.
    pub partition: i32,
    /// The last settled offset.
    pub offset: i64,
}

/// What became of the records behind the marks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Acknowledged by the destination.
    pub acknowledged: u64,
    /// Bytes of keys and values of the acknowledged.
    pub bytes: u64,
    /// Left out because the options say so (tombstones).
    pub skipped: u64,
    /// Refused by the destination and passed over (`on_error = 'skip'`).
    pub failed: u64,
}

impl Counts {
    /// These and `other`.
    #[must_use]
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            acknowledged: self.acknowledged + other.acknowledged,
            bytes: self.bytes + other.bytes,
            skipped: self.skipped + other.skipped,
            failed: self.failed + other.failed,
        }
    }

    /// Records behind the marks, whatever became of them.
    pub fn settled(&self) -> u64 {
        self.acknowledged + self.skipped + self.failed
    }
}

/// How a record was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The destination acknowledged it; its key and value have this many bytes, and it came to rest
    /// there.
    Acknowledged(u64, Landed),
    /// The options leave it out.
    Skipped,
    /// The destination refused it, and the options say to go on.
    Failed,
}

/// Names an outstanding record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    track: usize,
    sequence: u64,
}

/// The progress of a running replay.
#[derive(Debug, Default)]
pub struct Progress {
    tracks: Vec<Track>,
    index: BTreeMap<(TopicId, i32), usize>,
    counts: Counts,
    runs: Runs,
}

#[derive(Debug)]
struct Track {
    topic_id: TopicId,
    partition: i32,
    done: Option<i64>,
    last: Option<i64>,
    first_sequence: u64,
    waiting: VecDeque<(i64, Option<Settled>)>,
}

impl Progress {
    /// Goes on from what was stored.
    pub fn resume(marks: &[Mark], counts: Counts) -> Self {
        let mut progress = Self {
            counts,
            ..Self::default()
        };
        for mark in marks {
            let track = progress.track(&TopicId::new(&*mark.topic_id), mark.partition);
            if let Some(track) = progress.tracks.get_mut(track) {
                track.done = Some(mark.offset);
                track.last = Some(mark.offset);
            }
        }
        progress
    }

    /// The next record of a partition goes out (or is left out: then it is settled at once).
    ///
    /// # Errors
    /// `Internal` when the rows don't come in order, or come twice.
    pub fn begin(&mut self, topic_id: &TopicId, partition: i32, offset: i64) -> Result<Ticket> {
        let index = self.track(topic_id, partition);
        let Some(track) = self.tracks.get_mut(index) else {
            return Err(Error::internal("a progress track vanished"));
        };
        if track.last.is_some_and(|last| last >= offset) {
            return Err(Error::internal(format!(
                "the rows of partition {partition} are out of order at offset {offset}"
            )));
        }
        track.last = Some(offset);
        track.waiting.push_back((offset, None));
        Ok(Ticket {
            track: index,
            sequence: track.first_sequence + track.waiting.len() as u64 - 1,
        })
    }

    /// The record of `ticket` is settled. Returns how many records the mark moved over.
    pub fn settle(&mut self, ticket: Ticket, how: Settled) -> u64 {
        let Some(track) = self.tracks.get_mut(ticket.track) else {
            return 0;
        };
        let at = ticket
            .sequence
            .checked_sub(track.first_sequence)
            .and_then(|at| usize::try_from(at).ok());
        let Some((_, slot @ None)) = at.and_then(|at| track.waiting.get_mut(at)) else {
            return 0;
        };
        *slot = Some(how);
        let mut moved = 0;
        while let Some((offset, Some(how))) = track.waiting.front().copied() {
            track.waiting.pop_front();
            track.first_sequence += 1;
            track.done = Some(offset);
            moved += 1;
            match how {
                Settled::Acknowledged(bytes, landed) => {
                    self.counts.acknowledged += 1;
                    self.counts.bytes += bytes;
                    let topic_id = track.topic_id.as_str();
                    self.runs.add(topic_id, track.partition, offset, landed);
                }
                Settled::Skipped => self.counts.skipped += 1,
                Settled::Failed => self.counts.failed += 1,
            }
        }
        moved
    }

    /// Records that went out and that no mark has passed: a crash now would send them again.
    pub fn beyond_marks(&self) -> usize {
        self.tracks.iter().map(|track| track.waiting.len()).sum()
    }

    /// What lies behind the marks.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many runs of records came to rest behind the marks since they were last taken.
    pub(crate) fn runs_waiting(&self) -> usize {
        self.runs.len()
    }

    /// Where the records came to rest that the marks passed since this was last asked.
    pub(crate) fn take_runs(&mut self) -> Vec<Run> {
        self.runs.take()
    }

    /// The marks, to be stored.
    pub fn marks(&self) -> Vec<Mark> {
        self.index
            .values()
            .filter_map(|index| self.tracks.get(*index))
            .filter_map(|track| {
                Some(Mark {
                    topic_id: track.topic_id.as_str().to_owned(),
                    partition: track.partition,
                    offset: track.done?,
                })
            })
            .collect()
    }

    fn track(&mut self, topic_id: &TopicId, partition: i32) -> usize {
        // Rows mostly come partition by partition, so the newest track is often the one.
        if let Some(track) = self.tracks.last()
            && track.partition == partition
            && track.topic_id == *topic_id
        {
            return self.tracks.len() - 1;
        }
        let key = (topic_id.clone(), partition);
        *self.index.entry(key).or_insert_with(|| {
            self.tracks.push(Track {
                topic_id: topic_id.clone(),
                partition,
                done: None,
                last: None,
                first_sequence: 0,
                waiting: VecDeque::new(),
            });
            self.tracks.len() - 1
        })
    }
}

/// The stored marks as the row source wants them.
pub(crate) fn after(marks: &[Mark]) -> After {
    marks
        .iter()
        .map(|mark| ((TopicId::new(&*mark.topic_id), mark.partition), mark.offset))
        .collect()
}

#[cfg(test)]
mod tests;
