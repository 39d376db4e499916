//! Files that another engine brought back to a table, as `RESTORE` does.
//!
//! What removed such a file once may be so old that its commit is cleaned away, while versions that
//! can still be read have the file again. The newest need not have it any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;

use crate::commit::Actions;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::TablePath;

/// Commits that are read at once.
const AT_ONCE: usize = 16;
/// Commits that are in memory together.
const STRETCH: usize = 256;

/// What others added to one table. Each commit is read once for as long as this is kept.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// Older versions were looked at.
    next: u64,
    /// The files with the newest version that added each.
    files: BTreeMap<String, u64>,
}

impl Restored {
    /// Looks at those of `versions`, in order, that it hasn't seen.
    ///
    /// # Errors
    /// `Unavailable`; `NotFound` where somebody else cleans the table; `Data` for a commit that
    /// can't be read.
    pub(super) fn look(&mut self, lake: &Lake, table: &TablePath, versions: &[u64]) -> Result<()> {
        if versions.last().is_some_and(|newest| newest + 1 < self.next) {
            // It is another table, made anew at the same place.
            *self = Self::default();
        }
        let seen = versions.partition_point(|version| *version < self.next);
        for stretch in versions.get(seen..).unwrap_or_default().chunks(STRETCH) {
            for (version, bytes) in stretch.iter().zip(read(lake, table, stretch)?) {
                let actions = Actions::parse(&bytes)?;
                // A commit of ours adds what was made for it.
                if actions.id.is_none() {
                    let added = actions.adds.into_iter().map(|file| (file.path, *version));
                    self.files.extend(added);
                }
                self.next = version + 1;
            }
        }
        Ok(())
    }

    /// The files that came with versions above `oldest`; the others are forgotten.
    pub(super) fn above(&mut self, oldest: u64) -> impl Iterator<Item = &str> {
        self.files.retain(|_, version| *version > oldest);
        self.files.keys().map(String::as_str)
    }
}

fn read(lake: &Lake, table: &TablePath, versions: &[u64]) -> Result<Vec<Bytes>> {
    let reads: Vec<_> = versions
        .iter()
        .map(|version| {
            let (store, location) = (Arc::clone(lake.store()), table.commit(*version));
            async move { Ok::<_, Error>(store.get(&location).await?.bytes().await?) }
        })
        .collect();
    lake.wait(async move {
        futures::stream::iter(reads)
            .buffered(AT_ONCE)
            .try_collect()
            .await
    })?
}
