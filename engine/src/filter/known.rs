//! The packs of a table as a query knows them: their footers, and which pack tells of which file.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use object_store::path::Path;
use uuid::Uuid;

use crate::error::Result;
use crate::filter::ask::AT_ONCE;
use crate::filter::pack::{Footer, Listed, list, read_footer};
use crate::lake::Lake;
use crate::path::TablePath;

/// A pack whose footer was read.
#[derive(Debug)]
pub(super) struct Pack {
    pub(super) id: Uuid,
    pub(super) location: Path,
    pub(super) footer: Footer,
    footer_bytes: usize,
}

/// The packs of a table.
#[derive(Debug)]
pub(super) struct Known {
    /// The newest version of the table that was known when they were listed.
    pub(super) version: u64,
    /// When that was, on the monotonic clock.
    pub(super) looked_at: Duration,
    pub(super) packs: Vec<Arc<Pack>>,
    pub(super) footer_bytes: usize,
    files: HashMap<String, Place>,
    /// Objects that are no packs, so that they are read once.
    broken: BTreeSet<Uuid>,
}

/// Where the filters of a file are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// In [`Known::packs`].
    pub(super) pack: usize,
    /// The file, among those of the pack.
    pub(super) file: usize,
    /// Its first slice among those of the pack.
    pub(super) first: usize,
}

/// What looking for packs found and took.
pub(super) struct Looked {
    pub(super) known: Known,
    pub(super) requests: u64,
    pub(super) bytes: u64,
}

impl Known {
    /// Lists the packs of `table` and reads the footers of those that `before` doesn't have, of at
    /// most `most` bytes together.
    ///
    /// # Errors
    /// `Unavailable` when they can't be listed.
    pub(super) async fn look(
        lake: &Lake,
        table: &TablePath,
        version: u64,
        before: Option<&Self>,
        most: usize,
    ) -> Result<Looked> {
        let looked_at = lake.clock().monotonic();
        let listed = list(lake.store(), lake.root(), table).await?;
        let (mut requests, mut bytes) = (1, 0);
        let mut broken: BTreeSet<Uuid> = before.map_or_else(BTreeSet::new, |known| {
            let there = listed.iter().map(|pack| pack.id);
            there.filter(|id| known.broken.contains(id)).collect()
        });
        let held =
            |id: Uuid| before.and_then(|known| known.packs.iter().find(|pack| pack.id == id));
        let (mut packs, mut missing) = (Vec::new(), Vec::new());
        for pack in listed.into_iter().filter(|pack| !broken.contains(&pack.id)) {
            match held(pack.id) {
                Some(held) => packs.push(Arc::clone(held)),
                None => missing.push(pack),
            }
        }
        let reads = missing.into_iter().map(|listed| async move {
            let read = read_footer(lake.store(), &listed.object).await;
            (listed, read)
        });
        let mut reads = futures::stream::iter(reads).buffer_unordered(AT_ONCE);
        while let Some((listed, read)) = reads.next().await {
            match read {
                Ok((footer, took, asked)) => {
                    requests += asked;
                    bytes += took;
                    packs.push(Arc::new(Pack::new(listed, footer)));
                }
                Err(error) => {
                    let (topic, pack) = (table.topic(), listed.id);
                    tracing::warn!(topic, %pack, %error, "a pack of filters can't be read");
                    requests += 1;
                    if !error.is_unavailable() {
                        broken.insert(pack);
                    }
                }
            }
        }
        let packs = bounded(packs, most);
        let known = Self {
            version: version.max(before.map_or(0, |known| known.version)),
            looked_at,
            footer_bytes: packs.iter().map(|pack| pack.footer_bytes).sum(),
            files: places(&packs),
            packs,
            broken,
        };
        Ok(Looked {
            known,
            requests,
            bytes,
        })
    }

    /// Where the filters of the file at `path` are.
    pub(super) fn place(&self, path: &str) -> Option<Place> {
        self.files.get(path).copied()
    }
}

/// Those of the most files, as many as `most` bytes hold, the newest first: where several tell of
/// one file, it is the newest that the others wait to be replaced by.
fn bounded(mut packs: Vec<Arc<Pack>>, most: usize) -> Vec<Arc<Pack>> {
    packs.sort_by_key(|pack| Reverse(pack.footer.files.len()));
    let mut bytes = 0;
    packs.retain(|pack| {
        bytes += pack.footer_bytes;
        bytes <= most
    });
    packs.sort_by_key(|pack| Reverse(pack.id));
    packs
}

fn places(packs: &[Arc<Pack>]) -> HashMap<String, Place> {
    let mut files = HashMap::new();
    for (pack, footer) in packs.iter().map(|pack| &pack.footer).enumerate() {
        let mut first = 0;
        for (at, file) in footer.files.iter().enumerate() {
            let place = Place {
                pack,
                file: at,
                first,
            };
            files.entry(file.path.clone()).or_insert(place);
            first += file.slices();
        }
    }
    files
}

impl Pack {
    fn new(listed: Listed, footer: Footer) -> Self {
        Self {
            id: listed.id,
            location: listed.object.location,
            footer_bytes: footer.memory_bytes(),
            footer,
        }
    }
}
