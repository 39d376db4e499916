//! The tables of a topic beside its own, as one task writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eddy_engine::write::{Released, Start, TableWriter, WriterOptions};
use eddy_engine::{Lake, Position};

use crate::error::{Error, ErrorKind, Result};
use crate::sink::routes::{Noted, Routes};
use crate::sink::tables::note;

/// As many tables as one task writes of one topic at a time: each has buffers and commits.
const TABLES_MAX: usize = 200;

/// A table that got nothing for so long is let go: it takes no commits any more.
const IDLE: Duration = Duration::from_mins(10);

/// The tables, and the register that they are noted in.
pub(super) struct Routing {
    lake: Lake,
    routes: Routes,
    /// Those of the topic's own table, for the others too.
    options: WriterOptions,
    topics_dir: String,
    transforms: String,
    tables: BTreeMap<String, Routed>,
}

/// One table.
struct Routed {
    writer: TableWriter,
    /// Per partition the offset below which it has no rows to come.
    floors: BTreeMap<i32, i64>,
    settled: BTreeMap<i32, i64>,
    last_row: Duration,
}

impl Routing {
    pub(super) fn new(
        lake: &Lake,
        options: WriterOptions,
        topics_dir: &str,
        transforms: &str,
    ) -> Self {
        Self {
            lake: lake.clone(),
            routes: Routes::new(lake, topics_dir, &options.topic, &options.topic_id),
            options,
            topics_dir: topics_dir.to_owned(),
            transforms: transforms.to_owned(),
            tables: BTreeMap::new(),
        }
    }

    pub(super) fn takes(&self, name: &str) -> bool {
        self.tables.contains_key(name) || self.tables.len() < TABLES_MAX
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    pub(super) fn writers(&self) -> impl Iterator<Item = &TableWriter> {
        self.tables.values().map(|routed| &routed.writer)
    }

    pub(super) fn writers_mut(&mut self) -> impl Iterator<Item = &mut TableWriter> {
        self.tables.values_mut().map(|routed| &mut routed.writer)
    }

    /// How far the tables that have `partition` are.
    pub(super) fn least(&self, partition: i32) -> Option<i64> {
        let settled = self.tables.values().map(|routed| &routed.settled);
        settled
            .filter_map(|settled| settled.get(&partition).copied())
            .min()
    }

    /// Lowers the topic's own positions to those of the tables that lack something.
    pub(super) fn lower(&mut self, known: &mut [(i32, Option<Position>)]) -> Result<()> {
        let noted = self.routes.noted()?;
        let partitions: Vec<i32> = known.iter().map(|(partition, _)| *partition).collect();
        let own: BTreeMap<i32, i64> = known
            .iter()
            .filter_map(|(partition, position)| Some((*partition, (*position)?.offset)))
            .collect();
        let mut unequal = None;
        for (table, floors) in &noted.minded {
            let positions = self.open(table)?.writer.known(&partitions)?;
            for ((partition, position), (_, lowered)) in positions.into_iter().zip(&mut *known) {
                let Some(floor) = floors.get(&partition).copied() else {
                    continue;
                };
                let offset = position.map_or(floor, |position| position.offset.max(floor));
                if own.get(&partition).is_some_and(|own| *own != offset) {
                    unequal = Some((table.clone(), partition));
                }
                lower(lowered.as_mut(), offset);
            }
        }
        self.check(&noted, unequal)
    }

    /// Other transforms would send what is read again elsewhere than it went.
    fn check(&self, noted: &Noted, unequal: Option<(String, i32)>) -> Result<()> {
        if noted.transforms == self.transforms || noted.minded.is_empty() {
            return Ok(());
        }
        if let Some((table, partition)) = unequal {
            return Err(Error::invalid(format!(
                "the transforms have changed while the tables of topic `{}` are not equally far: \
                 `{table}` differs in partition `{partition}`; run the connector once more with \
                 the transforms it had, and stop it",
                self.options.topic
            )));
        }
        self.routes.change(|noted| {
            noted.transforms.clone_from(&self.transforms);
            noted.minded.clear();
        })?;
        Ok(())
    }

    /// Takes over, in each table that is minded for them, the partitions that the topic's own table
    /// has taken over; lowers the positions.
    pub(super) fn assign(&mut self, positions: &mut [(i32, Position)]) -> Result<()> {
        let noted = self.routes.noted()?;
        for (table, floors) in noted.minded {
            let these: Vec<(i32, i64)> = positions
                .iter()
                .filter_map(|(partition, _)| Some((*partition, *floors.get(partition)?)))
                .collect();
            if these.is_empty() {
                continue;
            }
            let routed = self.open(&table)?;
            let begun = routed.begin(&these)?;
            for (partition, position) in positions.iter_mut() {
                if let Some(offset) = begun.get(partition) {
                    lower(Some(position), *offset);
                }
            }
        }
        // Those of other tasks' partitions were only asked how far they are.
        self.tables.retain(|_, routed| !routed.floors.is_empty());
        Ok(())
    }

    /// Whether no table lacks anything that was sent there.
    pub(super) fn is_quiet(&self) -> Result<bool> {
        Ok(self.routes.noted()?.minded.is_empty())
    }

    /// Whether a table is noted to get records of `partition`.
    pub(super) fn minds(&self, table: &str, partition: i32) -> bool {
        let routed = self.tables.get(table);
        routed.is_some_and(|routed| routed.floors.contains_key(&partition))
    }

    /// Notes a table for everything that the task has: `assigned`, with the next offset of each.
    pub(super) fn mind(&mut self, table: &str, assigned: &[(i32, i64)]) -> Result<()> {
        let new = assigned
            .iter()
            .filter(|(partition, _)| !self.minds(table, *partition));
        let new: Vec<(i32, i64)> = new.copied().collect();
        self.routes.change(|noted| {
            noted.transforms.clone_from(&self.transforms);
            noted.tables.insert(table.to_owned());
            let floors = noted.minded.entry(table.to_owned()).or_default();
            floors.extend(new.iter().copied());
        })?;
        tracing::info!(topic = %self.options.topic, table, "transforms send records there");
        self.open(table)?.begin(&new)?;
        Ok(())
    }

    /// The writer of a table that is about to get a record.
    pub(super) fn writer(&mut self, table: &str, now: Duration) -> Result<&mut TableWriter> {
        let routed = self.open(table)?;
        routed.last_row = now;
        Ok(&mut routed.writer)
    }

    /// What the tables have committed; the partitions that moved.
    pub(super) fn poll(&mut self) -> eddy_engine::Result<BTreeSet<i32>> {
        let mut moved = BTreeSet::new();
        for routed in self.tables.values_mut() {
            let committed = routed.writer.poll()?;
            moved.extend(note(&mut routed.settled, &committed));
        }
        Ok(moved)
    }

    /// Lets tables go that got nothing for long and lack nothing: they are as far as the topic's
    /// own, whose positions `own` are. What can't be noted now is tried again later.
    pub(super) fn let_idle_go(&mut self, own: &BTreeMap<i32, i64>, now: Duration) {
        let idle = |routed: &Routed| {
            let writer = &routed.writer;
            now.saturating_sub(routed.last_row) > IDLE
                && !writer.in_flight()
                && !writer.has_buffered()
                && routed
                    .settled
                    .iter()
                    .all(|(partition, at)| own.get(partition) == Some(at))
        };
        let found = self.tables.iter().find(|(_, routed)| idle(routed));
        let Some(name) = found.map(|(name, _)| name.clone()) else {
            return;
        };
        let floors = self
            .tables
            .get(&name)
            .map(|routed| routed.floors.clone())
            .unwrap_or_default();
        let changed = self.routes.change(|noted| {
            if let Some(minded) = noted.minded.get_mut(&name) {
                minded.retain(|partition, _| !floors.contains_key(partition));
            }
            noted.minded.retain(|_, floors| !floors.is_empty());
        });
        match changed {
            Ok(_) => drop(self.tables.remove(&name)),
            Err(error) => tracing::debug!(%error, table = name, "an idle table stays for now"),
        }
    }

    /// Gives partitions up in every table; answers those that moved.
    pub(super) fn release(
        &mut self,
        partitions: &[i32],
        left: impl Fn() -> Duration,
        released: &mut Released,
    ) -> eddy_engine::Result<BTreeSet<i32>> {
        let mut moved = BTreeSet::new();
        for routed in self.tables.values_mut() {
            let has = |partition: &&i32| routed.floors.contains_key(*partition);
            let these: Vec<i32> = partitions.iter().filter(has).copied().collect();
            if these.is_empty() {
                continue;
            }
            let more = routed.writer.release(&these, left())?;
            moved.extend(note(&mut routed.settled, &more.committed));
            released.rewind.extend(more.rewind);
            released.dropped.extend(more.dropped);
        }
        // A partition that several tables rewind goes back to the smallest of their offsets.
        released
            .rewind
            .sort_unstable_by_key(|(partition, offset)| (*partition, *offset));
        released.rewind.dedup_by_key(|(partition, _)| *partition);
        released.dropped.sort_unstable();
        released.dropped.dedup();
        Ok(moved)
    }

    /// Forgets partitions that were given up, and tables without any.
    pub(super) fn forget(&mut self, partitions: &[i32]) {
        for routed in self.tables.values_mut() {
            routed
                .floors
                .retain(|partition, _| !partitions.contains(partition));
            routed
                .settled
                .retain(|partition, _| !partitions.contains(partition));
        }
        self.tables.retain(|_, routed| !routed.floors.is_empty());
    }

    /// Starts over in every table, and lowers the positions.
    pub(super) fn reset(&mut self, positions: &mut [(i32, Position)]) -> eddy_engine::Result<()> {
        for routed in self.tables.values_mut() {
            for (partition, position) in routed.writer.reset()? {
                let floor = routed.floors.get(&partition).copied().unwrap_or(0);
                let offset = position.offset.max(floor);
                routed.writer.advance(partition, offset, None)?;
                routed.settled.insert(partition, position.offset);
                let found = positions.iter_mut().find(|(one, _)| *one == partition);
                lower(found.map(|(_, position)| position), offset);
            }
        }
        Ok(())
    }

    /// The table, opened where it isn't.
    fn open(&mut self, table: &str) -> Result<&mut Routed> {
        if !self.tables.contains_key(table) {
            let mut options = self.options.clone();
            options.table = self.lake.table(&self.topics_dir, table);
            let writer = TableWriter::open(&self.lake, options).map_err(|error| {
                let kind = match error.is_unavailable() {
                    true => ErrorKind::Unavailable,
                    // Whatever else it is, no record may be passed over because of it.
                    false => ErrorKind::Data,
                };
                let message = format!("the table `{table}`, where transforms send records");
                Error::new(kind, message).with_source(error)
            })?;
            let routed = Routed {
                writer,
                floors: BTreeMap::new(),
                settled: BTreeMap::new(),
                last_row: self.lake.clock().monotonic(),
            };
            self.tables.insert(table.to_owned(), routed);
        }
        self.tables
            .get_mut(table)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a table was lost"))
    }
}

impl Routed {
    /// Takes partitions over from their floors on; answers where each goes on.
    fn begin(&mut self, floors: &[(i32, i64)]) -> Result<BTreeMap<i32, i64>> {
        let starts: Vec<(i32, Start)> = floors
            .iter()
            .map(|(partition, floor)| (*partition, Start::at(*floor)))
            .collect();
        let mut begun = BTreeMap::new();
        for (partition, position) in self.writer.assign(&starts)? {
            let floor = floors.iter().find(|(one, _)| *one == partition);
            let floor = floor.map_or(position.offset, |(_, floor)| *floor);
            self.writer.advance(partition, floor, None)?;
            self.floors.insert(partition, floor);
            self.settled.insert(partition, position.offset);
            begun.insert(partition, position.offset.max(floor));
        }
        Ok(begun)
    }
}

/// Lowers a position; a smaller one has no leader epoch that is known.
fn lower(position: Option<&mut Position>, offset: i64) {
    if let Some(position) = position.filter(|position| offset < position.offset) {
        position.offset = offset;
        position.leader_epoch = None;
    }
}
