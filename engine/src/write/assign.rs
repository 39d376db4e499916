//! Where a writer's partitions begin: opening the table, taking partitions over, starting over.

use crate::commit::{Cut, Move, TableLog};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::record::Position;
use crate::schema::envelope_schema;
use crate::seal::Key;
use crate::write::buffer::Owned;
use crate::write::options::{Start, WriterOptions};
use crate::write::table::{Health, TableWriter};
use crate::write::upload::check_marks;

/// Attempts to store a start while other writers store theirs: each loss means that another one
/// got through.
pub(super) const BASE_ATTEMPTS: usize = 16;

impl TableWriter {
    /// Opens the table, or makes it when it does not exist yet.
    ///
    /// # Errors
    /// `Invalid` when another connector owns the table (P2), when it was made with another
    /// partitioning, when it is encrypted and there is no key, or when the store refuses the
    /// credentials, or keeps no metadata of objects that are no files of the table (P13);
    /// `Unavailable` when the store does not answer: call again.
    pub fn open(lake: &Lake, options: WriterOptions) -> Result<Self> {
        if let (Some(key), true) = (&options.key, options.layout.foreign().is_some()) {
            return Err(Error::invalid(format!(
                "table `{}` is to be encrypted with the key `{}`, and files in another sink's \
                 layout can't be: what they say of whose they are would be unreadable",
                options.table.topic(),
                key.id()
            )));
        }
        if options.layout.has_objects() {
            check_marks(lake)?;
        }
        let mut log = TableLog::create_or_open(
            lake,
            &options.table,
            &envelope_schema(),
            &options.partitioning,
            options.layout.foreign().is_some(),
            &options.owner,
        )?;
        sealing(&log, options.key.as_ref())?;
        if let Some(key) = &options.key {
            lake.keys().add(key)?;
            log.note_key(key.id())?;
        }
        Ok(Self::new(lake, options, log))
    }

    /// The table's positions of `partitions`, read fresh; `None` where the table knows none, which
    /// is where [`TableWriter::assign`] needs a real start.
    ///
    /// # Errors
    /// `Unavailable`: call again.
    pub fn known(&mut self, partitions: &[i32]) -> Result<Vec<(i32, Option<Position>)>> {
        let topic_id = self.options.topic_id.clone();
        let log = self.fresh_log()?;
        Ok(partitions
            .iter()
            .map(|partition| (*partition, log.position(&topic_id, *partition)))
            .collect())
    }

    /// Takes over `partitions` and answers where each goes on (P2): the table's position, or for a
    /// partition that the table does not know its `Start`, which is stored first (P3). Seek the
    /// consumer there, with the leader epoch where there is one. Each call begins a new assignment.
    ///
    /// # Errors
    /// `Unavailable`: nothing was assigned, call again. `Invalid` when something of a partition is
    /// still buffered here: release it first. `Fenced`: call `reset` first.
    pub fn assign(&mut self, partitions: &[(i32, Start)]) -> Result<Vec<(i32, Position)>> {
        self.check_good()?;
        for (partition, _) in partitions {
            if self.owned.get(partition).is_some_and(Owned::has_unsettled) {
                return Err(Error::invalid(format!(
                    "partition {partition} is still buffered here; release it before assigning it"
                )));
            }
        }
        let (positions, known) = self.positions_or_base(partitions)?;
        let positions = self.clear_orphans(positions)?;
        self.assignments += 1;
        self.taken_over |= known;
        for (partition, position) in &positions {
            self.owned
                .insert(*partition, Owned::new(self.assignments, *position));
        }
        Ok(positions)
    }

    /// Drops everything buffered and reads the positions again: after `Fenced`, or whenever the
    /// caller wants to start over. Answers where each assigned partition goes on; seek there, and
    /// say so by [`TableWriter::sought`].
    ///
    /// # Errors
    /// `Unavailable`: call again. `Data` when the table lost a position that it had (P22).
    pub fn reset(&mut self) -> Result<Vec<(i32, Position)>> {
        self.drop_everything();
        self.health = Health::Broken(None);
        let partitions: Vec<i32> = self.owned.keys().copied().collect();
        let known = self.known(&partitions)?;
        let positions = known.into_iter().map(|(partition, position)| {
            let position = position.ok_or_else(|| {
                Error::data(format!(
                    "the table `{}` has lost its position of partition {partition}",
                    self.options.table
                ))
            })?;
            Ok((partition, position))
        });
        let positions = self.clear_orphans(positions.collect::<Result<_>>()?)?;
        self.assignments += 1;
        for (partition, position) in &positions {
            if let Some(owned) = self.owned.get_mut(partition) {
                owned.rewind(self.assignments, *position, position.offset);
            }
        }
        self.drop_buffer();
        self.health = Health::Good;
        Ok(positions)
    }

    /// Notes that the caller's reader of a partition goes on at `offset`, and yields nothing any
    /// more that it had read before. After a rewind the writer waits for the rows that it dropped;
    /// once the reader has sought, what doesn't come again isn't in the topic any more. An offset
    /// beyond the one that the partition expects changes nothing.
    pub fn sought(&mut self, partition: i32, offset: i64) {
        if let Some(owned) = self.owned.get_mut(&partition) {
            owned.sought(offset);
        }
    }

    /// The table's log for the commit that is about to start.
    pub(super) fn take_log(&mut self) -> Result<TableLog> {
        match self.log.take() {
            Some(log) => Ok(log),
            None => self.open_log(),
        }
    }

    /// The table's log as of now. While a commit is in flight its log is away, so another one is
    /// opened: to the commit it is just another writer.
    pub(super) fn fresh_log(&mut self) -> Result<&mut TableLog> {
        let (log, refreshed) = match self.log.take() {
            Some(mut log) => {
                let refreshed = log.refresh();
                (log, refreshed)
            }
            None => (self.open_log()?, Ok(())),
        };
        self.know(log.schema());
        let log = self.log.insert(log);
        refreshed.map(|()| log)
    }

    fn open_log(&self) -> Result<TableLog> {
        TableLog::open(&self.lake, &self.options.table)?.ok_or_else(|| {
            Error::data(format!(
                "the table `{}` is gone; restart the connector to make it again",
                self.options.table
            ))
        })
    }

    /// The table's positions, after storing the start of those that it does not know (P3); and
    /// whether it knew one before.
    fn positions_or_base(
        &mut self,
        partitions: &[(i32, Start)],
    ) -> Result<(Vec<(i32, Position)>, bool)> {
        let topic_id = self.options.topic_id.clone();
        let mut id = self.lake.clock().new_id();
        let mut known = None;
        for _ in 0..BASE_ATTEMPTS {
            let begun_us = self.lake.clock().now_us();
            let log = self.fresh_log()?;
            let mut positions = Vec::with_capacity(partitions.len());
            let mut moves = Vec::new();
            for (partition, start) in partitions {
                match log.position(&topic_id, *partition) {
                    Some(position) => positions.push((*partition, position)),
                    None => moves.push(Move {
                        topic_id: topic_id.clone(),
                        partition: *partition,
                        from: None,
                        to: start.offset,
                        raise: false,
                        altered: false,
                        leader_epoch: start.leader_epoch,
                    }),
                }
            }
            let known = *known.get_or_insert(!positions.is_empty());
            if moves.is_empty() {
                return Ok((positions, known));
            }
            let base = Cut {
                id,
                begun_us,
                files: Vec::new(),
                apart: Vec::new(),
                moves,
                rewrite: None,
                operation: "START",
            };
            match log.commit(&base) {
                Ok(_) => {}
                // Another writer stored one of these starts: see what holds now.
                Err(error) if error.kind() == ErrorKind::Fenced => {}
                Err(error) => return Err(error),
            }
            id = self.lake.clock().new_id();
        }
        Err(Error::unavailable(format!(
            "the start of table `{}` could not be stored: other writers were always faster",
            self.options.table
        )))
    }
}

/// Whether a writer with `key` may go on: not in plain where the table is sealed.
///
/// # Errors
/// `Invalid`, naming the key that is missing.
pub(super) fn sealing(log: &TableLog, key: Option<&Key>) -> Result<()> {
    match (log.key_id(), key) {
        (Some(id), None) => Err(Error::invalid(format!(
            "table `{}` is encrypted with the key `{id}`, and its connector has none: set \
             `encryption.key` and `encryption.key.id`; nothing is written in plain",
            log.topic()
        ))),
        _ => Ok(()),
    }
}
