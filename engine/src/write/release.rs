//! Giving partitions up: a revoke, or the end of the task (P7, E5).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::{ErrorKind, Result};
use crate::write::buffer::Owned;
use crate::write::options::{CommittedRange, Released};
use crate::write::table::{Health, TableWriter};

impl TableWriter {
    /// Gives `partitions` up (P7): commits what is buffered within `deadline`, else drops it. After
    /// the return nothing of them is buffered (E5) and the revoke can be acknowledged. A commit
    /// whose deadline passed may still land later; positions are fenced, so that is safe.
    ///
    /// A file can't lose one partition's rows, so where something is dropped, the partitions that
    /// share the cut are dropped and rewound with it.
    ///
    /// # Errors
    /// Not the store's: what it does not settle in time is dropped, and a lost fence shows at the
    /// next `poll`. A commit that failed for good (`Data`, `Internal`, ...) is answered here when
    /// no partition is left to poll for; everything of it was dropped.
    pub fn release(&mut self, partitions: &[i32], deadline: Duration) -> Result<Released> {
        let leaving: BTreeSet<i32> = partitions.iter().copied().collect();
        let mut released = Released::default();
        let flushed = self.flush(&leaving, deadline, &mut released.committed);
        if !flushed {
            self.drop_unsettled(&leaving, &mut released);
        }
        for partition in &leaving {
            self.owned.remove(partition);
        }
        debug_assert!(
            leaving.iter().all(|partition| !self.holds(*partition)),
            "E5: nothing of a released partition stays buffered"
        );
        if self.owned.is_empty() {
            // A lost fence was about partitions that are gone.
            let health = std::mem::replace(&mut self.health, Health::Good);
            if let Health::Broken(Some(error)) = health
                && error.kind() != ErrorKind::Fenced
            {
                return Err(error);
            }
        }
        Ok(released)
    }

    /// Releases everything and ends the writer. Dropping a writer without this is safe: what it
    /// had buffered is read again from the table's positions.
    ///
    /// # Errors
    /// As [`TableWriter::release`].
    pub fn close(mut self, deadline: Duration) -> Result<Released> {
        let partitions: Vec<i32> = self.owned.keys().copied().collect();
        self.release(&partitions, deadline)
    }

    /// Commits until nothing of `leaving` is unsettled; `false` when that did not happen in time.
    fn flush(
        &mut self,
        leaving: &BTreeSet<i32>,
        deadline: Duration,
        committed: &mut Vec<CommittedRange>,
    ) -> bool {
        let until = self.lake.clock().monotonic().saturating_add(deadline);
        loop {
            if !self.any(leaving, Owned::has_unsettled) {
                return true;
            }
            if !self.in_flight() && self.cut().is_err() {
                return false;
            }
            let left = until.saturating_sub(self.lake.clock().monotonic());
            let Some(flight) = &self.flight else {
                return false;
            };
            let Some(finished) = flight.job.wait(left) else {
                return false;
            };
            committed.extend(self.settle(finished));
            if matches!(self.health, Health::Broken(_)) {
                return false;
            }
        }
    }

    /// Drops what `leaving` has unsettled, and what shares a cut with it.
    fn drop_unsettled(&mut self, leaving: &BTreeSet<i32>, released: &mut Released) {
        // A broken writer has dropped everything already and rewinds by `reset`.
        let broken = matches!(self.health, Health::Broken(_));
        let in_flight = self.any(leaving, |owned| owned.flying.is_some());
        let dropped: Vec<i32> = self
            .owned
            .iter()
            .filter(|(_, owned)| match in_flight {
                true => owned.has_unsettled(),
                false => owned.has_buffered(),
            })
            .map(|(partition, _)| *partition)
            .collect();
        if in_flight {
            self.drop_everything();
        } else {
            self.drop_buffer();
        }
        self.assignments += 1;
        for partition in dropped {
            if leaving.contains(&partition) {
                released.dropped.push(partition);
            } else if let Some(owned) = self.owned.get_mut(&partition)
                && !broken
            {
                let base = owned.base();
                let flying = owned.flying;
                owned.rewind(owned.assignment, owned.settled, base);
                owned.flying = flying;
                released.rewind.push((partition, base));
            }
        }
    }

    fn any(&self, partitions: &BTreeSet<i32>, is: impl Fn(&Owned) -> bool) -> bool {
        partitions
            .iter()
            .filter_map(|partition| self.owned.get(partition))
            .any(is)
    }

    /// Whether anything of `partition` is held, in whatever stage (E5).
    fn holds(&self, partition: i32) -> bool {
        let flying = self.flight.iter().any(|flight| {
            flight
                .moves
                .iter()
                .any(|moved| moved.partition == partition)
        });
        self.owned.contains_key(&partition) || self.buffer.holds(partition) || flying
    }
}
