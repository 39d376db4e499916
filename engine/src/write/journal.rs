//! Upload journals: objects that name the files of a commit before the first byte of them goes out,
//! so that what a crash leaves can be found and removed (P14).
//!
//! The files of a foreign layout have a journal per Kafka partition, so that its next owner can
//! look after what its last one left without touching what is others'.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::commit::Commits;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::{TablePath, upload_journal, upload_journals};
use crate::read::Snapshot;
use crate::state::once;

/// Requests under way at once.
const AT_ONCE: usize = 16;

/// Writes the journal `id`: the files of `table` that are about to be uploaded. Their age counts
/// from `started_us`, for whoever commits them and for whoever removes them as orphans. Repeating
/// it with the same id is harmless.
///
/// # Errors
/// As the store's.
pub(crate) async fn write_journal(
    lake: &Lake,
    table: &TablePath,
    id: Uuid,
    files: &[String],
    started_us: i64,
) -> Result<()> {
    let named = Named {
        files,
        ..Named::default()
    };
    write_journal_of(lake, table, id, named, started_us).await
}

/// What a journal names of a table.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Named<'a> {
    /// Data files that are about to be uploaded, or, when there are `filters`, whose filters are.
    pub(crate) files: &'a [String],
    /// Packs of filters that are about to be uploaded. They go if `files` never land; without any
    /// they stay, since they tell of files that are there.
    pub(crate) filters: &'a [Uuid],
    /// Packs that `filters` replace: they go once the journal is old and `filters` are there.
    pub(crate) replaced: &'a [Uuid],
    /// Of files of a foreign layout: the Kafka partition that they are of, and the mark in their
    /// footers, without which an object of such a name isn't ours (P14).
    pub(crate) foreign: Option<(i32, Uuid)>,
    /// They are no files of the table: they are there for good once it has the commit that the mark
    /// names.
    pub(crate) apart: bool,
    /// Nobody can commit the files any more: what the table has of their names is others'.
    pub(crate) fenced: bool,
}
/// As [`write_journal`], of anything that a journal names.
///
/// # Errors
/// As the store's.
pub(crate) async fn write_journal_of(
    lake: &Lake,
    table: &TablePath,
    id: Uuid,
    named: Named<'_>,
    started_us: i64,
) -> Result<()> {
    let path = upload_journal(lake.root(), id);
    let mut text = json!({
        "table": table.prefix().as_ref(),
        "started_us": started_us,
        "files": named.files,
    });
    for (key, packs) in [("filters", named.filters), ("replaced", named.replaced)] {
        if !packs.is_empty()
            && let Some(text) = text.as_object_mut()
        {
            let packs: Vec<String> = packs.iter().map(Uuid::to_string).collect();
            text.insert(key.to_owned(), packs.into());
        }
    }
    if let Some((partition, mark)) = named.foreign
        && let Some(text) = text.as_object_mut()
    {
        text.insert("partition".to_owned(), partition.into());
        text.insert("mark".to_owned(), mark.to_string().into());
        text.insert("fenced".to_owned(), named.fenced.into());
        text.insert("apart".to_owned(), named.apart.into());
    }
    once::create(lake, &path, text.to_string()).await
}

/// Removes the journals of a commit that landed: the log names its files now. One that stays is
/// found by `crate::maintain`.
pub(crate) fn forget_journals(lake: &Lake, journals: &[Uuid]) {
    let paths: Vec<Path> = journals
        .iter()
        .map(|id| upload_journal(lake.root(), *id))
        .collect();
    let store = Arc::clone(lake.store());
    let forgotten = lake.wait(async move {
        let deletes = paths.into_iter().map(|path| {
            let store = &store;
            async move { (store.delete(&path).await, path) }
        });
        let answers = futures::stream::iter(deletes).buffer_unordered(AT_ONCE);
        let failed =
            answers.filter_map(|(answer, path)| async move { Some((answer.err()?, path)) });
        failed.collect::<Vec<_>>().await
    });
    for (error, journal) in forgotten.unwrap_or_default() {
        tracing::debug!(%journal, %error, "an upload journal stays for later");
    }
}

/// A journal as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journal {
    /// The object.
    pub(crate) location: Path,
    /// The table whose files it names.
    pub(crate) table: TablePath,
    /// When its uploads began, in microseconds since the Unix epoch.
    pub(crate) started_us: i64,
    /// As in [`Named`].
    pub(crate) files: Vec<String>,
    /// As in [`Named`].
    pub(crate) filters: Vec<Uuid>,
    /// As in [`Named`].
    pub(crate) replaced: Vec<Uuid>,
    /// As in [`Named`].
    pub(crate) foreign: Option<(i32, Uuid)>,
    /// As in [`Named`].
    pub(crate) apart: bool,
    /// As in [`Named`].
    pub(crate) fenced: bool,
}
/// What a table has: the files of a version, and the commits that came with others.
#[derive(Debug, Default)]
pub(crate) struct Landed {
    files: BTreeSet<String>,
    commits: Commits,
}

impl Landed {
    /// What `table` has now, as far as `journals`, which were read before, ask.
    ///
    /// # Errors
    /// `Unavailable`; `Data` for a log that can't be read.
    pub(crate) fn load(
        lake: &Lake,
        table: &TablePath,
        snapshot: Option<&Snapshot>,
        journals: &[Journal],
    ) -> Result<Self> {
        let files = snapshot.into_iter().flat_map(|one| one.files.iter());
        let apart = journals.iter().filter(|journal| journal.apart);
        let oldest_us = apart.map(|journal| journal.started_us).min();
        Ok(Self {
            files: files.map(|file| file.path.clone()).collect(),
            commits: match oldest_us {
                Some(oldest_us) => Commits::since(lake, table, oldest_us.div_euclid(1_000))?,
                None => Commits::default(),
            },
        })
    }

    /// The files of a journal that the table doesn't have. What nobody can tell of any more counts
    /// as there, since it must not be removed.
    pub(crate) fn lacks(&self, journal: &Journal) -> Vec<String> {
        let begun_ms = journal.started_us.div_euclid(1_000);
        let files = journal.files.iter();
        match journal.foreign.filter(|_| journal.apart) {
            Some((_, mark)) => match self.commits.have(mark, begun_ms) {
                Some(false) => journal.files.clone(),
                Some(true) | None => Vec::new(),
            },
            None => files
                .filter(|file| !self.files.contains(*file))
                .cloned()
                .collect(),
        }
    }
}

/// Lists and reads the journals of the whole lake, as far as they can be read.
///
/// # Errors
/// `Unavailable`.
pub(crate) fn read_journals(lake: &Lake) -> Result<Vec<Journal>> {
    let (store, folder) = (Arc::clone(lake.store()), upload_journals(lake.root()));
    let read: Result<Vec<(Path, Bytes)>> = lake.wait(async move {
        let objects: Vec<_> = store.list(Some(&folder)).try_collect().await?;
        let reads = objects.into_iter().map(|object| {
            let store = Arc::clone(&store);
            async move {
                match store.get(&object.location).await {
                    Ok(found) => Ok(Some((object.location, found.bytes().await?))),
                    // Its commit landed meanwhile.
                    Err(StoreError::NotFound { .. }) => Ok(None),
                    Err(error) => Err(Error::from(error)),
                }
            }
        });
        let read: Vec<_> = futures::stream::iter(reads)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(read.into_iter().flatten().collect())
    })?;
    let journals = read?.into_iter().filter_map(|(location, bytes)| {
        // What isn't one of ours names nothing that we may remove.
        let text: Text = serde_json::from_slice(&bytes).ok()?;
        let mark = text.mark.and_then(|mark| mark.parse().ok());
        Some(Journal {
            location,
            table: TablePath::at(lake.root(), &Path::from(text.table))?,
            started_us: text.started_us,
            files: text.files,
            filters: ids(&text.filters),
            replaced: ids(&text.replaced),
            foreign: text.partition.zip(mark),
            apart: text.apart,
            fenced: text.fenced,
        })
    });
    Ok(journals.collect())
}

fn ids(texts: &[String]) -> Vec<Uuid> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

#[derive(Deserialize)]
struct Text {
    table: String,
    started_us: i64,
    files: Vec<String>,
    #[serde(default)]
    filters: Vec<String>,
    #[serde(default)]
    replaced: Vec<String>,
    partition: Option<i32>,
    mark: Option<String>,
    #[serde(default)]
    apart: bool,
    #[serde(default)]
    fenced: bool,
}
