//! What an earlier owner of a partition uploaded and never committed, in a foreign layout.
//!
//! There a name follows from the records, so the files of a writer that died lie where those of its
//! successor are to go, and whoever goes by folders would see their rows twice. The successor
//! removes them when it takes the partition over (P13):
//!
//! ```text
//! journals of the partition -> files that the log doesn't have, whose footer names the same cut
//!   -> raise the epoch: a writer that isn't dead after all can't commit them any more (P8)
//!   -> what is still not in the log goes; the journal stays until it is old, since an upload of
//!      it may still be under way
//! ```
//!
//! An object that doesn't say so is somebody else's, whatever its name (P14). Of a process that
//! stands still between its last look at a footer and the delete, and wakes up when its successor
//! has put a file of that name, the store could protect us only by conditional deletes: the look is
//! the last thing before each delete, and the successor has to be given the partition, read it and
//! commit meanwhile.

use std::collections::BTreeSet;

use object_store::{Error as StoreError, ObjectStoreExt};
use uuid::Uuid;

use crate::commit::{Cut, Move};
use crate::error::{Error, ErrorKind, Result};
use crate::read::Snapshot;
use crate::record::Position;
use crate::write::assign::BASE_ATTEMPTS;
use crate::write::journal::{Journal, read_journals};
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
        let dead = self.orphans(journals)?;
        let partitions: BTreeSet<i32> = dead.iter().map(|orphan| orphan.partition).collect();
        if partitions.is_empty() {
            return Ok(positions);
        }
        let raised = self.raise_epochs(&partitions)?;
        self.remove_orphans(dead)?;
        for (partition, position) in &mut positions {
            if let Some((_, to)) = raised.iter().find(|(raised, _)| raised == partition) {
                *position = *to;
            }
        }
        Ok(positions)
    }

    /// The files of journals that are there, are their own and aren't in the table.
    fn orphans(&self, journals: Vec<Journal>) -> Result<Vec<Orphan>> {
        if journals.is_empty() {
            return Ok(Vec::new());
        }
        let live = self.live()?;
        let mut orphans = Vec::new();
        for journal in journals {
            let Some((partition, mark)) = journal.foreign else {
                continue;
            };
            for file in journal
                .files
                .into_iter()
                .filter(|file| !live.contains(file))
            {
                let (lake, object) = (self.lake.clone(), self.options.table.object(&file));
                let ours = self
                    .lake
                    .wait(async move { carries(&lake, &object, mark).await })??;
                if ours == Some(true) {
                    orphans.push(Orphan {
                        partition,
                        mark,
                        file,
                    });
                }
            }
        }
        Ok(orphans)
    }

    /// The files that the table has now.
    fn live(&self) -> Result<BTreeSet<String>> {
        let snapshot = Snapshot::load(&self.lake, &self.options.table, None)?;
        let files = snapshot.iter().flat_map(|snapshot| snapshot.files.iter());
        Ok(files.map(|file| file.path.clone()).collect())
    }

    /// Makes commits of whoever wrote before impossible.
    fn raise_epochs(&mut self, partitions: &BTreeSet<i32>) -> Result<Vec<(i32, Position)>> {
        let topic_id = self.options.topic_id.clone();
        for _ in 0..BASE_ATTEMPTS {
            let id = self.lake.clock().new_id();
            let log = self.fresh_log()?;
            let moves = partitions.iter().filter_map(|partition| {
                let from = log.position(&topic_id, *partition)?;
                Some(Move {
                    topic_id: topic_id.clone(),
                    partition: *partition,
                    from: Some(from),
                    to: from.offset,
                    raise: true,
                    leader_epoch: None,
                })
            });
            let cut = Cut {
                id,
                files: Vec::new(),
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

    fn remove_orphans(&self, orphans: Vec<Orphan>) -> Result<()> {
        // Before the epochs were raised a writer may have committed some after all.
        let live = self.live()?;
        for orphan in orphans
            .into_iter()
            .filter(|orphan| !live.contains(&orphan.file))
        {
            let (lake, object) = (self.lake.clone(), self.options.table.object(&orphan.file));
            tracing::info!(topic = self.options.topic, partition = orphan.partition, %object,
                "removing what an earlier owner uploaded and never committed");
            self.lake.wait(async move {
                if carries(&lake, &object, orphan.mark).await? != Some(true) {
                    return Ok(());
                }
                match lake.store().delete(&object).await {
                    Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
                    Err(error) => Err(Error::from(error)),
                }
            })??;
        }
        Ok(())
    }
}

/// A file that nobody will commit any more.
struct Orphan {
    partition: i32,
    mark: Uuid,
    file: String,
}
