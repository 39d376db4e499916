//! The upkeep of packs of filters: put beside the files that they tell of, put together so that
//! queries ask few, and removed with the last of these files.
//!
//! ```text
//! rewrite -> put           journal {files, pack}           the pack lands or goes with them
//! small packs -> merge     journal {pack, those replaced}  these go after the grace time
//! erasure -> forget        journal {pack, those replaced}  the same, without the files
//! cleaning -> remove_dead  those of no file that is left
//! ```
//!
//! Whatever goes wrong here costs queries time and nothing else.

mod repack;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use crate::commit::GRACE;
use crate::error::Result;
use crate::fault;
use crate::filter::{FileFilters, Footer, Listed, build, list, put_pack, read_footer};
use crate::lake::Lake;
use crate::maintain::remove::remove;
use crate::path::{TablePath, filter_pack};
use crate::write::{Named, forget_journals, write_journal_of};

/// Requests under way at once.
const AT_ONCE: usize = 16;

/// Packs of at least half of it are left as they are. Larger ones make fewer requests of a query,
/// and their upkeep writes the same filters more often.
const PACK_BYTES: u64 = 512 << 20;

/// Small packs that are worth putting together.
const LEAST_PACKS: usize = 16;

/// Packs that are put together at once.
const MOST_PACKS: usize = 256;

/// Bytes of filters that wait in memory for a pack of theirs.
pub(super) const HELD_BYTES: usize = 64 << 20;

/// A pack in the store.
#[derive(Debug, Clone)]
pub(super) struct Pack {
    pub(super) listed: Listed,
    pub(super) footer: Footer,
}

/// The packs of a table.
#[derive(Debug, Default)]
pub(super) struct Packs {
    whole: Vec<Pack>,
    /// Objects that aren't packs any more.
    broken: Vec<Uuid>,
}

/// Puts a pack of the filters of files that are about to be committed. Answers the journal that
/// names it, to be forgotten with those of the files.
pub(super) fn put(lake: &Lake, table: &TablePath, filters: &[FileFilters]) -> Option<Uuid> {
    let files: Vec<String> = filters.iter().map(|file| file.path.clone()).collect();
    if files.is_empty() {
        return None;
    }
    let (journal, pack) = (lake.clock().new_id(), lake.clock().new_id());
    let named = Journaled {
        files,
        filters: vec![pack],
        replaced: Vec::new(),
    };
    let done = named.write(lake, table, journal).and_then(|()| {
        fault::point("before_filters_upload");
        upload(lake, table, pack, filters)
    });
    if let Err(error) = done {
        let topic = table.topic();
        tracing::warn!(topic, %error, "files are committed without filters");
    }
    Some(journal)
}

/// Puts a pack of the filters of files that are in the table.
///
/// # Errors
/// `Unavailable`.
pub(super) fn add(lake: &Lake, table: &TablePath, filters: &[FileFilters]) -> Result<()> {
    let (journal, pack) = (lake.clock().new_id(), lake.clock().new_id());
    let named = Journaled {
        filters: vec![pack],
        ..Journaled::default()
    };
    named.write(lake, table, journal)?;
    upload(lake, table, pack, filters)?;
    forget_journals(lake, &[journal]);
    Ok(())
}

fn upload(lake: &Lake, table: &TablePath, pack: Uuid, filters: &[FileFilters]) -> Result<()> {
    let bytes = build(filters)?;
    let (store, location) = (
        Arc::clone(lake.store()),
        filter_pack(lake.root(), table, pack),
    );
    lake.wait(async move { put_pack(&store, location, bytes).await })?
}

impl Packs {
    /// Lists the packs of `table` and reads their footers.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) fn read(lake: &Lake, table: &TablePath) -> Result<Self> {
        let (of, from) = (lake.clone(), table.clone());
        let footers: Vec<(Listed, Result<Footer>)> = lake.wait(async move {
            let listed = list(of.store(), of.root(), &from).await?;
            let reads = listed.into_iter().map(|listed| {
                let store = Arc::clone(of.store());
                async move {
                    match read_footer(&store, &listed.object).await {
                        Err(error) if error.is_unavailable() => Err(error),
                        Ok((footer, _, _)) => Ok((listed, Ok(footer))),
                        Err(error) => Ok((listed, Err(error))),
                    }
                }
            });
            let reads = futures::stream::iter(reads).buffered(AT_ONCE);
            reads.try_collect::<Vec<_>>().await
        })??;
        let mut packs = Self::default();
        for (listed, footer) in footers {
            match footer {
                Ok(footer) => packs.whole.push(Pack { listed, footer }),
                // Removed since it was listed.
                Err(error) if error.kind() == crate::ErrorKind::NotFound => {}
                Err(error) => {
                    let (topic, pack) = (table.topic(), listed.id);
                    tracing::warn!(topic, %pack, %error, "a pack of filters is broken and goes");
                    packs.broken.push(listed.id);
                }
            }
        }
        Ok(packs)
    }

    /// The files that packs tell of, without the packs `replaced`.
    pub(super) fn files(&self, replaced: &BTreeSet<Uuid>) -> BTreeSet<&str> {
        let packs = self.whole.iter();
        let packs = packs.filter(|pack| !replaced.contains(&pack.listed.id));
        packs.flat_map(Pack::files).collect()
    }

    /// Puts small packs together if there are many, leaving out the filters of files that aren't
    /// `live`. `replaced` already wait to be removed. Answers how many it put together.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) fn merge(
        &self,
        lake: &Lake,
        table: &TablePath,
        live: &BTreeSet<&str>,
        replaced: &BTreeSet<Uuid>,
    ) -> Result<usize> {
        self.give_up_broken(lake, table, replaced)?;
        let packs = self.whole.iter();
        let packs = packs.filter(|pack| !replaced.contains(&pack.listed.id));
        let mut due = due(packs.collect());
        let keep = |file: &str| live.contains(file);
        while due.len() > 2 && swells(&due, &keep) {
            due.truncate((due.len() * 3 / 4).max(2));
        }
        if due.is_empty() {
            return Ok(0);
        }
        repack(lake, table, &due, &keep)?;
        tracing::info!(
            topic = table.topic(),
            packs = due.len(),
            "filters were put together"
        );
        Ok(due.len())
    }

    /// Replaces the packs that tell of `files` by packs that don't; broken ones may tell of
    /// anything. Answers their ids, those that wait to be removed already (`replaced`) among them.
    ///
    /// # Errors
    /// `Unavailable`, `Data`.
    pub(super) fn forget(
        &self,
        lake: &Lake,
        table: &TablePath,
        files: &BTreeSet<&str>,
        replaced: &BTreeSet<Uuid>,
    ) -> Result<Vec<Uuid>> {
        self.give_up_broken(lake, table, replaced)?;
        let mut telling = self.broken.clone();
        for pack in self.whole.iter().filter(|pack| pack.tells_of(files)) {
            telling.push(pack.listed.id);
            if !replaced.contains(&pack.listed.id) {
                repack(lake, table, &[pack], &|file| !files.contains(file))?;
            }
        }
        Ok(telling)
    }

    /// Broken packs go after the grace time, and nothing comes in their place.
    fn give_up_broken(
        &self,
        lake: &Lake,
        table: &TablePath,
        replaced: &BTreeSet<Uuid>,
    ) -> Result<()> {
        let broken = self.broken.iter().filter(|pack| !replaced.contains(pack));
        let broken: Vec<Uuid> = broken.copied().collect();
        if broken.is_empty() {
            return Ok(());
        }
        replace(lake, table, &[], broken).map(drop)
    }

    /// Removes the packs of which no file is `live`, unless their files may still be committed.
    /// Answers how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) fn remove_dead(&self, lake: &Lake, live: &BTreeSet<&str>) -> Result<u64> {
        let now_ms = lake.clock().now_us() / 1_000;
        let dead = self.whole.iter().filter(|pack| {
            let made_ms = pack.listed.object.last_modified.timestamp_millis();
            let age_ms = u128::try_from(now_ms - made_ms).unwrap_or(0);
            age_ms > GRACE.as_millis() && !pack.tells_of(live)
        });
        let dead = dead.map(|pack| pack.listed.object.location.clone());
        remove(lake, dead.collect())
    }
}

impl Pack {
    fn files(&self) -> impl Iterator<Item = &str> {
        self.footer.files.iter().map(|file| file.path.as_str())
    }

    fn tells_of(&self, files: &BTreeSet<&str>) -> bool {
        self.files().any(|file| files.contains(file))
    }
}

/// The packs that are put together next, the smallest first. Pure.
fn due(mut packs: Vec<&Pack>) -> Vec<&Pack> {
    packs.retain(|pack| pack.listed.object.size < PACK_BYTES / 2);
    packs.sort_by_key(|pack| (pack.listed.object.size, pack.listed.id));
    // What another edition of Unicode told apart is not mixed.
    if let Some(unicode) = packs.first().map(|pack| pack.footer.unicode) {
        packs.retain(|pack| pack.footer.unicode == unicode);
    }
    if packs.len() < LEAST_PACKS {
        return Vec::new();
    }
    let mut bytes = 0;
    let fits = |pack: &&Pack| {
        bytes += pack.listed.object.size;
        bytes <= PACK_BYTES
    };
    packs
        .into_iter()
        .take(MOST_PACKS)
        .take_while(fits)
        .collect()
}

/// Whether one pack would be much larger than `packs` together: it is cut as finely as the finest
/// of them, and the filters of small row groups are then in many sections. Pure.
pub(super) fn swells(packs: &[&Pack], keep: &dyn Fn(&str) -> bool) -> bool {
    let before: u64 = packs.iter().map(|pack| pack.listed.object.size).sum();
    repack::Repack::new(packs, keep).bytes() > before * 2
}

/// One pack in place of `packs`, with the filters of the files that `keep` says.
fn repack(
    lake: &Lake,
    table: &TablePath,
    packs: &[&Pack],
    keep: &dyn Fn(&str) -> bool,
) -> Result<()> {
    let inputs = repack::Repack::new(packs, keep);
    let replaced: Vec<Uuid> = packs.iter().map(|pack| pack.listed.id).collect();
    if inputs.is_empty() {
        return replace(lake, table, &[], replaced).map(drop);
    }
    let pack = lake.clock().new_id();
    let journal = replace(lake, table, &[pack], replaced)?;
    fault::point("before_filters_merge");
    let (store, location) = (
        Arc::clone(lake.store()),
        filter_pack(lake.root(), table, pack),
    );
    let written = lake.wait(async move { inputs.write(&store, location).await })?;
    if written.is_err() {
        // Nothing is replaced, so it may be tried again at once.
        forget_journals(lake, &[journal]);
    }
    match written {
        Err(repack::Failed::Pack(broken, error)) => {
            let topic = table.topic();
            tracing::warn!(topic, pack = %broken, %error, "a pack of filters is broken and goes");
            replace(lake, table, &[], vec![broken]).map(drop)
        }
        Err(repack::Failed::Store(error)) => Err(error),
        Ok(()) => Ok(()),
    }
}

/// Notes that `by` stand for `replaced`, which are removed after the grace time. Answers the
/// journal that says so.
fn replace(lake: &Lake, table: &TablePath, by: &[Uuid], replaced: Vec<Uuid>) -> Result<Uuid> {
    let journal = lake.clock().new_id();
    let named = Journaled {
        files: Vec::new(),
        filters: by.to_vec(),
        replaced,
    };
    named.write(lake, table, journal)?;
    Ok(journal)
}

/// What a journal names, owned.
#[derive(Default)]
struct Journaled {
    files: Vec<String>,
    filters: Vec<Uuid>,
    replaced: Vec<Uuid>,
}

impl Journaled {
    fn write(self, lake: &Lake, table: &TablePath, id: Uuid) -> Result<()> {
        let (of, from, started_us) = (lake.clone(), table.clone(), lake.clock().now_us());
        lake.wait(async move {
            let named = Named {
                files: &self.files,
                filters: &self.filters,
                replaced: &self.replaced,
                ..Named::default()
            };
            write_journal_of(&of, &from, id, named, started_us).await
        })?
    }
}
