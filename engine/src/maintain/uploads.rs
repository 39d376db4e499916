//! Upload journals: what became of the files that they name, and the removal of those that nothing
//! became of (P14).
//!
//! A journal is written before its files are uploaded and removed once they are in the log, so one
//! that stays belongs to an upload under way, to a writer that died, or to a removal that failed.
//! Its age decides: a commit refuses files half as old as [`GRACE`], so what is older and in no
//! version will never be in one. For this to hold, a file leaves the table only when no journal
//! names it any more: see [`Journals::names`].
//!
//! Packs of filters are named beside the files that they tell of, and go with them. A journal
//! without files names packs that tell of files which are there, and those that they replace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt};
use uuid::Uuid;

use crate::commit::GRACE;
use crate::error::Result;
use crate::lake::Lake;
use crate::maintain::remove::remove;
use crate::path::{TablePath, filter_pack};
use crate::read::Snapshot;
use crate::write::{Journal, Landed, carries, read_journals};

/// The journals of the whole lake, as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct Journals {
    /// By table.
    entries: BTreeMap<TablePath, Vec<Journal>>,
}

/// What is to be done about a journal.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Its upload may be under way.
    Keep,
    /// The log names all of its files.
    Landed,
    /// It is too old to become a commit; these files are in no version.
    Abandoned(Vec<String>),
    /// It is so old that nobody reads by what its packs replace any more.
    Replaced,
}

impl Journals {
    /// Lists and reads them.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) fn read(lake: &Lake) -> Result<Self> {
        let mut journals = Self::default();
        for journal in read_journals(lake)? {
            let table = journal.table.clone();
            journals.entries.entry(table).or_default().push(journal);
        }
        // What replaced something may be replaced in turn.
        for journals in journals.entries.values_mut() {
            journals.sort_by_key(|journal| journal.started_us);
        }
        Ok(journals)
    }

    /// The files of `table` that a journal names: they may not leave the table yet. A fenced one
    /// names others' files at most, which its sweep leaves alone.
    pub(super) fn names(&self, table: &TablePath) -> BTreeSet<&str> {
        let journals = self.entries.get(table).into_iter().flatten();
        let journals = journals.filter(|journal| !journal.fenced);
        journals
            .flat_map(|journal| journal.files.iter().map(String::as_str))
            .collect()
    }

    /// When the oldest upload of data files of `table` that a journal names began, in microseconds
    /// since the Unix epoch.
    pub(super) fn oldest_us(&self, table: &TablePath) -> Option<i64> {
        let journals = self.entries.get(table).into_iter().flatten();
        let with_files = journals.filter(|journal| !journal.files.is_empty());
        with_files.map(|journal| journal.started_us).min()
    }

    /// The packs of `table` that others replace: they only wait to be removed.
    pub(super) fn replaced(&self, table: &TablePath) -> BTreeSet<Uuid> {
        let journals = self.entries.get(table).into_iter().flatten();
        journals
            .flat_map(|journal| journal.replaced.iter().copied())
            .collect()
    }

    /// The tables that journals name.
    pub(super) fn tables(&self) -> impl Iterator<Item = &TablePath> {
        self.entries.keys()
    }

    /// Removes the journals of `table` whose files are in `snapshot`, which was loaded after they
    /// were read, and what those left that are too old. `None`: there is no such table. Answers how
    /// many data files it removed.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) fn sweep(
        &mut self,
        lake: &Lake,
        table: &TablePath,
        snapshot: Option<&Snapshot>,
    ) -> Result<u64> {
        let journals = self.entries.remove(table).unwrap_or_default();
        let live = Landed::load(lake, table, snapshot, &journals)?;
        let mut removed = 0;
        let (mut kept, mut landed) = (Vec::new(), Vec::new());
        for journal in journals {
            match judge(&journal, live.lacks(&journal), lake.clock().now_us()) {
                Verdict::Keep => kept.push(journal),
                Verdict::Landed => landed.push(journal.location),
                Verdict::Abandoned(files) => {
                    tracing::info!(
                        topic = table.topic(),
                        journal = %journal.location,
                        files = files.len(),
                        "removing what a writer uploaded and never committed"
                    );
                    // Files whose filters it names have a journal of their own.
                    let objects = match journal.filters.as_slice() {
                        [] => abandoned(lake, &journal, &files)?,
                        filters => packs(lake, table, filters),
                    };
                    removed += remove(lake, objects)?;
                    // The journal last: until then the next sweep finds the rest.
                    remove(lake, vec![journal.location])?;
                }
                Verdict::Replaced => {
                    if all_there(lake, packs(lake, table, &journal.filters))? {
                        removed += remove(lake, packs(lake, table, &journal.replaced))?;
                    }
                    remove(lake, vec![journal.location])?;
                }
            }
        }
        remove(lake, landed)?;
        if !kept.is_empty() {
            self.entries.insert(table.clone(), kept);
        }
        Ok(removed)
    }
}

/// The objects of a journal's files. A name of a foreign layout may be somebody else's object.
fn abandoned(lake: &Lake, journal: &Journal, files: &[String]) -> Result<Vec<Path>> {
    let objects = files.iter().map(|file| journal.table.object(file));
    let Some((_, mark)) = journal.foreign else {
        return Ok(objects.collect());
    };
    let (lake_of, objects): (Lake, Vec<Path>) = (lake.clone(), objects.collect());
    lake.wait(async move {
        let mut ours = Vec::new();
        for object in objects {
            if carries(&lake_of, &object, mark).await? == Some(true) {
                ours.push(object);
            }
        }
        Ok(ours)
    })?
}

fn packs(lake: &Lake, table: &TablePath, ids: &[Uuid]) -> Vec<Path> {
    let packs = ids.iter().map(|id| filter_pack(lake.root(), table, *id));
    packs.collect()
}

fn all_there(lake: &Lake, objects: Vec<Path>) -> Result<bool> {
    let store = Arc::clone(lake.store());
    lake.wait(async move {
        for object in objects {
            match store.head(&object).await {
                Ok(_) => {}
                Err(StoreError::NotFound { .. }) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    })?
}

/// What becomes of a journal, by those of its files that the table doesn't have.
fn judge(journal: &Journal, gone: Vec<String>, now_us: i64) -> Verdict {
    let age_us = u128::try_from(now_us - journal.started_us).unwrap_or(0);
    if gone.is_empty() && !journal.files.is_empty() {
        Verdict::Landed
    } else if age_us <= GRACE.as_micros() {
        Verdict::Keep
    } else if journal.files.is_empty() {
        Verdict::Replaced
    } else {
        Verdict::Abandoned(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p14_a_journal_is_judged_by_the_log_and_by_its_age() {
        let journal = Journal {
            location: Path::from("_eddy/uploads/a.json"),
            table: TablePath::new(&Path::default(), "topics", "t"),
            foreign: None,
            apart: false,
            fenced: false,
            started_us: 0,
            files: vec!["a".to_owned(), "b".to_owned()],
            filters: Vec::new(),
            replaced: Vec::new(),
        };
        let grace_us = i64::try_from(GRACE.as_micros()).unwrap_or(i64::MAX);
        let (none, one) = (Vec::new, || vec!["b".to_owned()]);
        for (gone, now_us, verdict) in [
            (none(), 1, Verdict::Landed),
            (none(), grace_us * 2, Verdict::Landed),
            (one(), grace_us, Verdict::Keep),
            (one(), grace_us + 1, Verdict::Abandoned(one())),
        ] {
            assert_eq!(judge(&journal, gone, now_us), verdict);
        }
        let of_filters = Journal {
            files: Vec::new(),
            ..journal
        };
        assert_eq!(judge(&of_filters, none(), grace_us), Verdict::Keep);
        assert_eq!(judge(&of_filters, none(), grace_us + 1), Verdict::Replaced);
    }
}
