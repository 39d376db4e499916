//! How a cut ends: committed, or dropped with everything that waits behind it.

use crate::commit::TableLog;
use crate::error::{Error, ErrorKind, Result};
use crate::record::Position;
use crate::write::intake::new_shredder;
use crate::write::job::{Finished, Job};
use crate::write::options::CommittedRange;
use crate::write::table::{Health, TableWriter};

/// A commit in flight and what its success will mean.
pub(super) struct Flight {
    pub(super) job: Job,
    /// Per partition the assignment that it was cut under and the offset that it moves to.
    pub(super) moves: Vec<FlightMove>,
}

pub(super) struct FlightMove {
    pub(super) partition: i32,
    pub(super) assignment: u64,
    pub(super) to: i64,
    pub(super) leader_epoch: Option<i32>,
}

impl TableWriter {
    /// Takes in how the commit in flight ended.
    pub(super) fn settle(&mut self, finished: Result<Finished>) -> Vec<CommittedRange> {
        let Some(flight) = self.flight.take() else {
            return Vec::new();
        };
        match finished {
            Ok(Finished { log, outcome }) => {
                self.keep_newest(log);
                self.shredder.rebase(&self.schema);
                match outcome {
                    Ok(_version) => return self.settle_committed(flight),
                    Err(error) => self.break_with(flight, error),
                }
            }
            Err(error) => self.break_with(flight, error),
        }
        Vec::new()
    }

    /// Meanwhile another log may have been opened, to assign partitions: the newer one knows more.
    fn keep_newest(&mut self, log: TableLog) {
        let newest = match self.log.take() {
            Some(own) if own.version() > log.version() => own,
            _ => log,
        };
        self.know(newest.schema());
        self.log = Some(newest);
    }

    fn settle_committed(&mut self, flight: Flight) -> Vec<CommittedRange> {
        let table = &self.options.table;
        self.lake.live().committed(table, &flight.job.live);
        self.taken_over = false;
        let mut committed = Vec::with_capacity(flight.moves.len());
        for moved in flight.moves {
            committed.push(CommittedRange {
                partition: moved.partition,
                offset: moved.to,
            });
            // What was cut under an earlier assignment says nothing about this one (P7).
            if let Some(owned) = self
                .owned
                .get_mut(&moved.partition)
                .filter(|owned| owned.assignment == moved.assignment)
            {
                debug_assert!(
                    moved.to >= owned.settled.offset,
                    "E3: positions only advance"
                );
                owned.flying = None;
                owned.settled = Position {
                    offset: moved.to,
                    epoch: owned.settled.epoch,
                    leader_epoch: moved.leader_epoch.or(owned.settled.leader_epoch),
                };
            }
        }
        committed
    }

    fn break_with(&mut self, flight: Flight, error: Error) {
        if error.kind() == ErrorKind::Fenced {
            metrics::counter!(
                "eddy_fence_losses_total",
                "topic" => self.options.table.topic().to_owned()
            )
            .increment(1);
        }
        self.flight = Some(flight);
        self.drop_everything();
        self.health = Health::Broken(Some(error));
    }

    /// Drops all that is buffered and gives the commit in flight up. What is dropped vanishes from
    /// the live rows at once.
    pub(super) fn drop_everything(&mut self) {
        if let Some(flight) = self.flight.take() {
            let table = &self.options.table;
            self.lake.live().dropped(table, &flight.job.live);
        }
        for owned in self.owned.values_mut() {
            owned.flying = None;
        }
        self.drop_buffer();
    }

    /// Drops what is not in flight.
    pub(super) fn drop_buffer(&mut self) {
        let buffer = self.buffer.take();
        let table = &self.options.table;
        self.lake.live().dropped(table, &buffer.batches);
        self.whole_since = None;
        self.shredder = new_shredder(&self.lake, &self.options, &self.schema);
        self.report();
    }
}
