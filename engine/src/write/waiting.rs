//! What waits in a writer for the next cut: whether a cut is due, and whether it is too much.

use std::collections::BTreeMap;

use crate::layout::Take;
use crate::partition::is_meant;
use crate::record::Record;
use crate::write::cut::Pending;
use crate::write::table::TableWriter;

impl TableWriter {
    /// Whether a cut should be made now. Before it, the caller makes sure that the topic is still
    /// the same (P1).
    pub fn due(&self) -> bool {
        self.flight.is_none() && self.take() != Take::Nothing
    }

    /// What of it is due.
    pub(super) fn take(&self) -> Take {
        let (policy, pending) = (&self.options.cut, self.pending());
        let Some(foreign) = self.options.layout.foreign() else {
            let due = policy.is_due(&pending);
            return if due { Take::All } else { Take::Nothing };
        };
        let now = self.lake.clock().monotonic();
        let whole = self.whole_since.map(|since| now.saturating_sub(since));
        foreign.rotation.take(policy, &pending, whole)
    }

    fn pending(&self) -> Pending {
        let clock = self.lake.clock();
        let now = clock.monotonic();
        let scheduled = self.buffer.scheduled_us;
        Pending {
            age: self.buffer.since.map(|since| now.saturating_sub(since)),
            bytes: self.buffer.bytes + self.shredder.bytes(),
            leaves: self.shredder.leaves(),
            rows: self.buffer.rows + self.shredder.rows(),
            partitions: self.buffer.partitions.len(),
            span: self.buffer.span,
            scheduled: scheduled.is_some_and(|at| clock.now_us() >= at),
            taken_over: self.taken_over,
            pressed: self.options.budget.is_pressed() && self.share.is_largest(),
        }
    }

    /// The bytes held: builders, batches, and the commit in flight. The caller pauses its consumer
    /// while [`TableWriter::must_pause`], which bounds this.
    pub fn memory(&self) -> usize {
        let flying = self.flight.as_ref().map_or(0, |flight| flight.job.bytes);
        self.held_bytes() + self.shredder.bytes() + flying
    }

    /// Whether the caller must stop appending (and keep polling) for now: a whole cut waits behind
    /// the commit in flight, or the worker's budget is used up. The latter goes on being true until
    /// a quarter of the budget is free again.
    pub fn must_pause(&self) -> bool {
        // More rows would wait all the same, in memory that has to be touched for the first time,
        // which costs more than the waiting.
        if self.flight.is_some() && self.options.cut.is_full(&self.pending()) {
            return true;
        }
        let budget = &self.options.budget;
        let paused = budget.is_over() || (self.paused.get() && !budget.has_room());
        self.paused.set(paused);
        paused
    }

    /// What filters passed over below where the cut ends that is about to be made.
    pub(super) fn take_filtered(
        &mut self,
        ends: &BTreeMap<i32, i64>,
    ) -> Vec<(i32, Vec<(i64, i64)>)> {
        let partitions = self.owned.iter_mut();
        partitions
            .filter_map(|(partition, owned)| {
                let below = owned.take_filtered(*ends.get(partition)?);
                (!below.is_empty()).then_some((*partition, below))
            })
            .collect()
    }

    /// The clock of the next cut starts with the first row or progress.
    pub(super) fn note_progress(&mut self) {
        if self.buffer.since.is_none() {
            let clock = self.lake.clock();
            self.buffer.since = Some(clock.monotonic());
            let schedule = self.options.cut.schedule;
            self.buffer.scheduled_us = schedule.map(|moments| moments.next_us(clock.now_us()));
        }
    }

    /// Notes the record's time where the span of times makes a cut due. Its partition is assigned.
    pub(super) fn note_span(&mut self, record: &Record<'_>, arrival_us: i64) {
        if self.options.cut.span.is_some()
            && let Some(time_us) = record.timestamp_us()
            && is_meant(time_us, arrival_us)
            && let Some(owned) = self.owned.get_mut(&record.partition)
        {
            owned.span.note(time_us);
            self.buffer.span = self.buffer.span.max(owned.span.length());
        }
    }

    /// What waits for the next cut, and what the files of it will take.
    pub(super) fn held_bytes(&self) -> usize {
        self.buffer.bytes + self.buffer.files_bytes
    }

    pub(super) fn report(&self) {
        // Buffers that grow are up to twice as large as what is in them.
        self.share
            .set(self.held_bytes() + 2 * self.shredder.bytes());
    }
}
