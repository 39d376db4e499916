//! How the files of a scan are divided among nodes: pure.
//!
//! Each byte is read by exactly one node. A file goes to the same node again and again while the
//! nodes stay the same, where its blocks are kept, unless that one has its share already; a file
//! that is larger than what one thread should read is cut into ranges, of which Parquet's readers
//! take the row groups whose middle lies within.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileGroup;
use uuid::Uuid;

/// A node may have so much more than an equal share, in percent, before a file goes elsewhere.
const MORE_PERCENT: u64 = 25;

/// Ranges of a file aren't smaller: each costs its footer again.
const RANGE_LEAST: u64 = 4 << 20;

/// The groups of files of each of `nodes`, `threads` groups for each. `files` may be cut already;
/// all parts of a file are among them.
pub(super) fn shares(
    files: impl IntoIterator<Item = PartitionedFile>,
    nodes: &[Uuid],
    threads: usize,
) -> Vec<Vec<FileGroup>> {
    let threads = threads.max(1);
    let pieces = pieces(files, nodes.len().max(1) * threads);
    let total: u64 = pieces.iter().map(PartitionedFile::effective_size).sum();
    let equal = total.div_ceil(nodes.len().max(1) as u64);
    let most = equal.saturating_add(equal.saturating_mul(MORE_PERCENT) / 100);
    let mut shares: Vec<Share> = nodes.iter().map(|_| Share::default()).collect();
    for piece in pieces {
        let size = piece.effective_size();
        let wanted = |at: usize| nodes.get(at).map(|node| affinity(&piece, node));
        let fits = |share: &Share| share.bytes.saturating_add(size) <= most;
        let near = (0..shares.len())
            .filter(|at| shares.get(*at).is_some_and(fits))
            .max_by_key(|at| wanted(*at));
        let least = || (0..shares.len()).min_by_key(|at| shares.get(*at).map(|one| one.bytes));
        if let Some(share) = near.or_else(least).and_then(|at| shares.get_mut(at)) {
            share.bytes = share.bytes.saturating_add(size);
            share.pieces.push(piece);
        }
    }
    shares
        .into_iter()
        .map(|share| grouped(share.pieces, threads))
        .collect()
}

#[derive(Default)]
struct Share {
    bytes: u64,
    pieces: Vec<PartitionedFile>,
}

/// The files in pieces, the largest first: what is placed last evens out the rest.
fn pieces(
    files: impl IntoIterator<Item = PartitionedFile>,
    readers: usize,
) -> Vec<PartitionedFile> {
    let mut whole = BTreeMap::new();
    for mut file in files {
        file.range = None;
        whole.insert(file.object_meta.location.clone(), file);
    }
    let total: u64 = whole.values().map(|file| file.object_meta.size).sum();
    let most = total.div_ceil(readers.max(1) as u64).max(RANGE_LEAST);
    let mut pieces: Vec<PartitionedFile> = Vec::with_capacity(whole.len());
    for file in whole.into_values() {
        let size = file.object_meta.size;
        let parts = size.div_ceil(most).max(1);
        if parts == 1 {
            pieces.push(file);
            continue;
        }
        let at = |part: u64| offset(size, part, parts);
        pieces.extend((0..parts).map(|part| file.clone().with_range(at(part), at(part + 1))));
    }
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.effective_size()));
    pieces
}

/// Where a part of a file begins.
fn offset(size: u64, part: u64, parts: u64) -> i64 {
    let at = u128::from(size) * u128::from(part) / u128::from(parts.max(1));
    i64::try_from(at).unwrap_or(i64::MAX)
}

/// How much a piece belongs to a node: the same on every node of one build.
fn affinity(piece: &PartitionedFile, node: &Uuid) -> u64 {
    let mut hasher = DefaultHasher::new();
    let range = piece.range.as_ref().map(|range| range.start);
    (piece.object_meta.location.as_ref(), range, node).hash(&mut hasher);
    hasher.finish()
}

/// Exactly `threads` groups, about equal; some may be empty.
fn grouped(pieces: Vec<PartitionedFile>, threads: usize) -> Vec<FileGroup> {
    let mut groups: Vec<Share> = (0..threads).map(|_| Share::default()).collect();
    for piece in pieces {
        if let Some(group) = groups.iter_mut().min_by_key(|group| group.bytes) {
            group.bytes = group.bytes.saturating_add(piece.effective_size());
            group.pieces.push(piece);
        }
    }
    groups
        .into_iter()
        .map(|group| FileGroup::new(group.pieces))
        .collect()
}
