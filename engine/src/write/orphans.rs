//! What an earlier owner of a partition uploaded and never committed, in a foreign layout.
//!
//! There a name follows from the records, so the files of a writer that died lie where those of its
//! successor are to go, and whoever goes by folders would see their rows twice. The successor
//! removes them when it takes the partition over (P13):
//!
//! ```text
//! journals of the partition that name files which the log doesn't have
//!   -> raise the epoch: a writer that isn't dead after all can't commit them any more (P8)
//!   -> those files go that say they are the journal's and still aren't in the log
//!   -> the journal says that it is fenced, and stays until it is old: an upload may be under way
//! ```
//!
//! An object that doesn't say so is somebody else's, whatever its name (P14). Of a process that
//! stands still between its last look at a footer and the delete, and wakes up when its successor
//! has put a file of that name, the store could protect us only by conditional deletes: the look is
//! the last thing before each delete, and the successor has to be given the partition, read it and
//! commit meanwhile.

use std::collections::BTreeSet;

use object_store::{Error as StoreError, ObjectStoreExt};

use crate::commit::{Cut, Move};
use crate::error::{Error, ErrorKind, Result};
use crate::read::Snapshot;
use crate::record::Position;
use crate::write::assign::BASE_ATTEMPTS;
use crate::write::journal::{Journal, Landed, Named, read_journals, write_journal_of};
use crate::write::table::TableWriter;
use crate::write::upload::carries;

impl TableWriter {
    /// Removes the orphans of partitions that are about to be taken over at `positions`, and
    /// answers where these go on.
    ///
    /// # Errors
    /// `Unavailable`: call again.
    pub(super) fn clear_orphans(
        &mut self,
        mut positions: Vec<(i32, Position)>,
    ) -> Result<Vec<(i32, Position)>> {
        if self.options.layout.foreign().is_none() || positions.is_empty() {
            return Ok(positions);
        }
        let ours = |journal: &Journal| {
            let of = |(partition, _)| positions.iter().any(|(owned, _)| *owned == partition);
            journal.table == self.options.table && journal.foreign.is_some_and(of)
        };
        let journals: Vec<Journal> = read_journals(&self.lake)?
            .into_iter()
            .filter(ours)
            .collect();
        if journals.is_empty() {
            return Ok(positions);
        }
        let mut live = self.live(&journals)?;
        let is_open =
            |journal: &Journal, live: &Landed| !journal.fenced && !live.lacks(journal).is_empty();
        let open = journals.iter().filter(|journal| is_open(journal, &live));
        let partitions: BTreeSet<i32> = open
            .filter_map(|journal| Some(journal.foreign?.0))
            .collect();
        let mut raised = Vec::new();
        if !partitions.is_empty() {
            raised = self.raise_epochs(&partitions)?;
            // Before, a writer may have committed some after all.
            live = self.live(&journals)?;
        }
        for journal in &journals {
            self.remove_orphans(journal, &live)?;
            if is_open(journal, &live) {
                self.note_fenced(journal, &live)?;
            }
        }
        for (partition, position) in &mut positions {
            if let Some((_, to)) = raised.iter().find(|(raised, _)| raised == partition) {
                *position = *to;
            }
        }
        Ok(positions)
    }

    /// What the table has now.
    fn live(&self, journals: &[Journal]) -> Result<Landed> {
        let table = &self.options.table;
        let snapshot = Snapshot::load(&self.lake, table, None)?;
        Landed::load(&self.lake, table, snapshot.as_ref(), journals)
    }

    /// Makes commits of whoever wrote before impossible.
    fn raise_epochs(&mut self, partitions: &BTreeSet<i32>) -> Result<Vec<(i32, Position)>> {
        let topic_id = self.options.topic_id.clone();
        for _ in 0..BASE_ATTEMPTS {
            let (id, begun_us) = (self.lake.clock().new_id(), self.lake.clock().now_us());
            let log = self.fresh_log()?;
            let moves = partitions.iter().filter_map(|partition| {
                let from = log.position(&topic_id, *partition)?;
                Some(Move {
                    topic_id: topic_id.clone(),
                    partition: *partition,
                    from: Some(from),
                    to: from.offset,
                    raise: true,
                    altered: false,
                    leader_epoch: None,
                })
            });
            let cut = Cut {
                id,
                begun_us,
                files: Vec::new(),
                apart: Vec::new(),
                moves: moves.collect(),
                rewrite: None,
                operation: "TAKE OVER",
            };
            match log.commit(&cut) {
                Ok(_) => {
                    let raised = cut
                        .moves
                        .iter()
                        .map(|moved| (moved.partition, moved.target()));
                    return Ok(raised.collect());
                }
                // Whoever it was has committed after all: see what holds now.
                Err(error) if error.kind() == ErrorKind::Fenced => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::unavailable(format!(
            "table `{}` could not be taken over: other writers were always faster",
            self.options.table
        )))
    }

    /// Removes the files of a journal that are its own and not `live`.
    fn remove_orphans(&self, journal: &Journal, live: &Landed) -> Result<()> {
        let Some((partition, mark)) = journal.foreign else {
            return Ok(());
        };
        for file in live.lacks(journal) {
            let (lake, object) = (self.lake.clone(), self.options.table.object(&file));
            let removed = self.lake.wait(async move {
                if carries(&lake, &object, mark).await? != Some(true) {
                    return Ok(false);
                }
                match lake.store().delete(&object).await {
                    Ok(()) | Err(StoreError::NotFound { .. }) => Ok(true),
                    Err(error) => Err(Error::from(error)),
                }
            })??;
            if removed {
                tracing::info!(
                    topic = self.options.topic,
                    partition,
                    file,
                    "removed what an earlier owner uploaded and never committed"
                );
            }
        }
        Ok(())
    }

    /// Puts a journal that says so in the place of `journal`: what of it isn't `live` never will
    /// be.
    fn note_fenced(&self, journal: &Journal, live: &Landed) -> Result<()> {
        let (lake, mut journal) = (self.lake.clone(), journal.clone());
        journal.files = live.lacks(&journal);
        let id = lake.clock().new_id();
        self.lake.wait(async move {
            let named = Named {
                files: &journal.files,
                foreign: journal.foreign,
                apart: journal.apart,
                fenced: true,
                ..Named::default()
            };
            write_journal_of(&lake, &journal.table, id, named, journal.started_us).await?;
            match lake.store().delete(&journal.location).await {
                Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
                Err(error) => Err(Error::from(error)),
            }
        })?
    }
}
