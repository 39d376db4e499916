//! The tables of one topic in one task: its own, and those that transforms send records to (P19).
//!
//! To the task they are one writer. A table is noted before its first row (`routes`); each cut
//! brings all of them to the same offsets, with or without rows; a partition goes on at the
//! smallest of their positions, and what a table has already is passed over. That needs transforms
//! that say the same again, so others are taken only when all tables are equally far.
//!
//! What was filtered is recorded with the topic's own table alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eddy_engine::write::{
    CommittedRange, Payload, Released, Stall, Start, TableWriter, WriterOptions,
};
use eddy_engine::{Clock, Lake, Position, Record};

use crate::error::Result;
use crate::sink::routed::Routing;

/// The writers.
pub(super) struct Tables {
    clock: Clock,
    own: TableWriter,
    /// The position of its own table, as last seen; kept only where there are others.
    settled: BTreeMap<i32, i64>,
    routing: Option<Routing>,
}

impl Tables {
    /// Opens the topic's own table; `transforms` says what they are, where there are any.
    ///
    /// # Errors
    /// As [`TableWriter::open`].
    pub(super) fn open(
        lake: &Lake,
        options: WriterOptions,
        topics_dir: &str,
        transforms: Option<&str>,
    ) -> Result<Self> {
        let own = TableWriter::open(lake, options.clone())?;
        let routing = Routing::new(lake, options, topics_dir, transforms.unwrap_or_default());
        // Transforms that are gone may have left tables that lack something.
        let routes = transforms.is_some() || !routing.is_quiet()?;
        Ok(Self {
            clock: lake.clock().clone(),
            own,
            settled: BTreeMap::new(),
            routing: routes.then_some(routing),
        })
    }

    /// The smallest position of all tables; `None` where the topic's own knows none.
    ///
    /// # Errors
    /// As [`TableWriter::known`]; `Invalid` when other transforms have left the tables unequal.
    pub(super) fn known(&mut self, partitions: &[i32]) -> Result<Vec<(i32, Option<Position>)>> {
        let mut known = self.own.known(partitions)?;
        if let Some(routing) = &mut self.routing {
            routing.lower(&mut known)?;
        }
        Ok(known)
    }

    /// As [`TableWriter::assign`], with the smallest position of all tables.
    ///
    /// # Errors
    /// As [`TableWriter::assign`].
    pub(super) fn assign(&mut self, partitions: &[(i32, Start)]) -> Result<Vec<(i32, Position)>> {
        let mut positions = self.own.assign(partitions)?;
        if let Some(routing) = &mut self.routing {
            let own = positions
                .iter()
                .map(|(partition, position)| (*partition, position.offset));
            self.settled.extend(own);
            routing.assign(&mut positions)?;
        }
        Ok(positions)
    }

    /// Whether transforms may send a record to the table `name`: there aren't too many already.
    pub(super) fn takes(&self, name: &str) -> bool {
        name == self.own.options().topic
            || self
                .routing
                .as_ref()
                .is_some_and(|routing| routing.takes(name))
    }

    /// Takes a record as it came into the topic's own table.
    ///
    /// # Errors
    /// As [`TableWriter::append`].
    pub(super) fn append_own(&mut self, record: &Record<'_>) -> eddy_engine::Result<()> {
        self.own.append(record)
    }

    /// The same for a record that came at `arrival_us`.
    pub(super) fn append_at(
        &mut self,
        record: &Record<'_>,
        arrival_us: i64,
    ) -> eddy_engine::Result<()> {
        self.own.append_at(record, arrival_us)
    }

    /// Takes a record into a table; one that the table has already is passed over.
    ///
    /// # Errors
    /// Outside what keeps a table from being noted and opened, inside as
    /// [`TableWriter::append_payload`].
    pub(super) fn append(
        &mut self,
        table: &str,
        record: &Record<'_>,
        payload: Payload<'_>,
    ) -> Result<eddy_engine::Result<()>> {
        let now = self.clock.monotonic();
        let Some(routing) = &mut self.routing else {
            return Ok(self.own.append_payload(record, payload));
        };
        let writer = match table == self.own.options().topic {
            true => &mut self.own,
            false => {
                if !routing.minds(table, record.partition) {
                    routing.mind(table, &self.own.assigned())?;
                }
                routing.writer(table, now)?
            }
        };
        match writer.next_offset(record.partition) {
            Some(next) if record.offset < next => Ok(Ok(())),
            _ => Ok(writer.append_payload(record, payload)),
        }
    }

    /// As [`TableWriter::filter`].
    ///
    /// # Errors
    /// As [`TableWriter::filter`].
    pub(super) fn filter(&mut self, partition: i32, offset: i64) -> eddy_engine::Result<()> {
        match self.own.next_offset(partition) {
            Some(next) if self.routing.is_some() && offset < next => Ok(()),
            _ => self.own.filter(partition, offset),
        }
    }

    /// As [`TableWriter::advance`], for all tables.
    ///
    /// # Errors
    /// As [`TableWriter::advance`].
    pub(super) fn advance(
        &mut self,
        partition: i32,
        next_offset: i64,
        leader_epoch: Option<i32>,
    ) -> eddy_engine::Result<()> {
        self.own.advance(partition, next_offset, leader_epoch)?;
        for writer in self.routed() {
            if writer.next_offset(partition).is_some() {
                writer.advance(partition, next_offset, leader_epoch)?;
            }
        }
        Ok(())
    }

    /// As [`TableWriter::sought`], for all tables.
    pub(super) fn sought(&mut self, partition: i32, offset: i64) {
        self.own.sought(partition, offset);
        for writer in self.routed() {
            writer.sought(partition, offset);
        }
    }

    /// As [`TableWriter::publish`], for all tables.
    ///
    /// # Errors
    /// As [`TableWriter::publish`].
    pub(super) fn publish(&mut self) -> eddy_engine::Result<()> {
        self.own.publish()?;
        self.routed().try_for_each(TableWriter::publish)
    }

    /// As [`TableWriter::cut`], for all tables.
    ///
    /// # Errors
    /// As [`TableWriter::cut`].
    pub(super) fn cut(&mut self) -> eddy_engine::Result<bool> {
        let mut begun = self.own.cut()?;
        for writer in self.routed() {
            begun |= writer.cut()?;
        }
        Ok(begun)
    }

    /// As [`TableWriter::cut_due`], for all tables. In the native layout all of them are cut when
    /// one is due, so that they stay equally far.
    ///
    /// # Errors
    /// As [`TableWriter::cut`].
    pub(super) fn cut_due(&mut self) -> eddy_engine::Result<bool> {
        if self.own.is_native() {
            return self.cut();
        }
        let mut begun = self.own.cut_due()?;
        for writer in self.routed() {
            begun |= writer.cut_due()?;
        }
        Ok(begun)
    }

    /// As [`TableWriter::poll`]: what all tables have committed.
    ///
    /// # Errors
    /// As [`TableWriter::poll`].
    pub(super) fn poll(&mut self) -> eddy_engine::Result<Vec<CommittedRange>> {
        let committed = self.own.poll()?;
        let Some(routing) = &mut self.routing else {
            return Ok(committed);
        };
        let mut moved = note(&mut self.settled, &committed);
        moved.extend(routing.poll()?);
        if !self.own.has_buffered() && !self.own.in_flight() {
            routing.let_idle_go(&self.settled, self.clock.monotonic());
        }
        Ok(self.least(&moved))
    }

    /// As [`TableWriter::release`], for all tables.
    ///
    /// # Errors
    /// As [`TableWriter::release`].
    pub(super) fn release(
        &mut self,
        partitions: &[i32],
        deadline: Duration,
    ) -> eddy_engine::Result<Released> {
        let until = self.clock.monotonic().saturating_add(deadline);
        let mut released = self.own.release(partitions, deadline)?;
        let Some(routing) = &mut self.routing else {
            return Ok(released);
        };
        let mut moved = note(&mut self.settled, &released.committed);
        let clock = &self.clock;
        let left = || until.saturating_sub(clock.monotonic());
        moved.extend(routing.release(partitions, left, &mut released)?);
        released.committed = self.least(&moved);
        self.settled
            .retain(|partition, _| !partitions.contains(partition));
        if let Some(routing) = &mut self.routing {
            routing.forget(partitions);
        }
        Ok(released)
    }

    /// Releases everything and ends the writers.
    ///
    /// # Errors
    /// As [`TableWriter::close`].
    pub(super) fn close(mut self, deadline: Duration) -> eddy_engine::Result<Released> {
        let partitions = self.own.assigned();
        let partitions: Vec<i32> = partitions.iter().map(|(partition, _)| *partition).collect();
        self.release(&partitions, deadline)
    }

    /// As [`TableWriter::reset`]: the smallest position of all tables.
    ///
    /// # Errors
    /// As [`TableWriter::reset`].
    pub(super) fn reset(&mut self) -> eddy_engine::Result<Vec<(i32, Position)>> {
        let mut positions = self.own.reset()?;
        if let Some(routing) = &mut self.routing {
            let own = positions
                .iter()
                .map(|(partition, position)| (*partition, position.offset));
            self.settled.extend(own);
            routing.reset(&mut positions)?;
        }
        Ok(positions)
    }

    /// As [`TableWriter::due`], for any table.
    pub(super) fn due(&self) -> bool {
        self.all().any(TableWriter::due)
    }

    /// As [`TableWriter::has_buffered`], for any table.
    pub(super) fn has_buffered(&self) -> bool {
        self.all().any(TableWriter::has_buffered)
    }

    /// As [`TableWriter::in_flight`], for any table.
    pub(super) fn in_flight(&self) -> bool {
        self.all().any(TableWriter::in_flight)
    }

    /// As [`TableWriter::must_pause`], for any table.
    pub(super) fn must_pause(&self) -> bool {
        // Each has to look, since each remembers that it paused.
        self.all().filter(|writer| writer.must_pause()).count() > 0
    }

    /// As [`TableWriter::stalled`], of any table.
    pub(super) fn stalled(&self) -> Option<Stall> {
        self.all().find_map(TableWriter::stalled)
    }

    /// The tables beside the topic's own.
    pub(super) fn others(&self) -> impl Iterator<Item = &str> {
        self.routing.iter().flat_map(Routing::names)
    }

    fn all(&self) -> impl Iterator<Item = &TableWriter> {
        std::iter::once(&self.own).chain(self.routing.iter().flat_map(Routing::writers))
    }

    fn routed(&mut self) -> impl Iterator<Item = &mut TableWriter> {
        self.routing.iter_mut().flat_map(Routing::writers_mut)
    }

    /// How far all tables are, of these partitions.
    fn least(&self, partitions: &BTreeSet<i32>) -> Vec<CommittedRange> {
        let ranges = partitions.iter().filter_map(|partition| {
            let own = self.settled.get(partition).copied()?;
            let routed = self
                .routing
                .as_ref()
                .and_then(|routing| routing.least(*partition));
            Some(CommittedRange {
                partition: *partition,
                offset: routed.map_or(own, |routed| routed.min(own)),
            })
        });
        ranges.collect()
    }
}

/// Notes how far a table is; answers the partitions.
pub(super) fn note(settled: &mut BTreeMap<i32, i64>, ranges: &[CommittedRange]) -> BTreeSet<i32> {
    for range in ranges {
        settled.insert(range.partition, range.offset);
    }
    ranges.iter().map(|range| range.partition).collect()
}

#[cfg(test)]
mod tests;
