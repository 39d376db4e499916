//! Which files of a table are read together, so that the rows of each partition come in the order
//! of their offsets without all of them being put in order first.
//!
//! A cut between two files is right when no partition has a row behind it with an offset below one
//! before it. Files are put in the order of their offsets, and cut wherever that holds and enough
//! has come together. A large file that lies in order and stands alone is read as it is; what is
//! cut together is sorted.

use std::collections::BTreeMap;

use eddy_engine::TopicId;

/// The wanted rows of one partition in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// The topic's id.
    pub(super) topic_id: TopicId,
    /// The partition.
    pub(super) partition: i32,
    /// The least offset.
    pub(super) first: i64,
    /// The greatest offset.
    pub(super) last: i64,
    /// How many rows there are.
    pub(super) rows: u64,
    /// Whether they lie in the file in the order of their offsets.
    pub(super) in_order: bool,
}

/// A file with wanted rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Covered {
    /// Its number in the view.
    pub(super) number: usize,
    /// Its size in bytes.
    pub(super) bytes: u64,
    /// What is wanted of it; a partition comes once.
    pub(super) spans: Vec<Span>,
}

/// Files that are read together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slice {
    /// Their numbers in the view.
    pub(super) numbers: Vec<usize>,
    /// Whether their rows come in order as they lie there.
    pub(super) in_order: bool,
}

/// The slices of `files`, one after the other, each of about `bytes` bytes at least.
pub(super) fn slices(mut files: Vec<Covered>, bytes: u64) -> Vec<Slice> {
    put_in_order(&mut files);
    let is_cut = cuts(&files);
    let mut slices = Vec::new();
    let mut open: Vec<&Covered> = Vec::new();
    let mut size: u64 = 0;
    for (file, is_cut) in files.iter().zip(is_cut) {
        open.push(file);
        size = size.saturating_add(file.bytes);
        if is_cut && size >= bytes {
            slices.push(slice(&open, true));
            open.clear();
            size = 0;
        }
    }
    if !open.is_empty() {
        slices.push(slice(&open, size >= bytes));
    }
    slices
}

/// The slice of these files; few rows are as soon sorted, one partition after the other.
fn slice(files: &[&Covered], is_large: bool) -> Slice {
    let in_order = match files {
        [one] => is_large && one.spans.iter().all(|span| span.in_order),
        _ => false,
    };
    Slice {
        numbers: files.iter().map(|file| file.number).collect(),
        in_order,
    }
}

type Partition<'a> = (&'a TopicId, i32);

/// What of each partition lies where: the file's place in `files`, and the span.
fn by_partition(files: &[Covered]) -> BTreeMap<Partition<'_>, Vec<(usize, &Span)>> {
    let mut found: BTreeMap<Partition<'_>, Vec<(usize, &Span)>> = BTreeMap::new();
    for (place, file) in files.iter().enumerate() {
        for span in &file.spans {
            let partition = (&span.topic_id, span.partition);
            found.entry(partition).or_default().push((place, span));
        }
    }
    found
}

/// Puts files in the order of their offsets, as far as they have one. Partitions of one topic may
/// be at very different offsets, so what counts is how far on a file is within each of them.
fn put_in_order(files: &mut Vec<Covered>) {
    const WHOLE: u64 = 1 << 32;
    let mut places: Vec<(u64, u64)> = vec![(0, 0); files.len()];
    for mut spans in by_partition(files).into_values() {
        spans.sort_by_key(|(place, span)| (span.first, span.last, *place));
        let count = u64::try_from(spans.len()).unwrap_or(WHOLE).max(1);
        for (rank, (place, _)) in (0_u64..).zip(spans) {
            if let Some((sum, parts)) = places.get_mut(place) {
                *sum = sum.saturating_add(rank.saturating_mul(WHOLE) / count);
                *parts += 1;
            }
        }
    }
    let far = places.into_iter().map(|(sum, parts)| sum / parts.max(1));
    let mut sorted: Vec<(u64, Covered)> = far.zip(std::mem::take(files)).collect();
    sorted.sort_by_key(|(far, file)| (*far, file.number));
    files.extend(sorted.into_iter().map(|(_, file)| file));
}

/// Whether a cut after each of the files is right.
fn cuts(files: &[Covered]) -> Vec<bool> {
    // How many partitions more are cut wrongly from here on, and how many less.
    let mut wrong: Vec<i64> = vec![0; files.len().saturating_add(1)];
    let mut add = |place: usize, count: i64| {
        if let Some(wrong) = wrong.get_mut(place) {
            *wrong += count;
        }
    };
    for spans in by_partition(files).into_values() {
        // The least offset in the files from each one on.
        let mut least = Vec::with_capacity(spans.len());
        let mut below = i64::MAX;
        for (_, span) in spans.iter().rev() {
            below = below.min(span.first);
            least.push(below);
        }
        least.reverse();
        let mut greatest = i64::MIN;
        let next = spans.iter().skip(1).zip(least.iter().skip(1));
        for ((place, span), ((next, _), least)) in spans.iter().zip(next) {
            greatest = greatest.max(span.last);
            if greatest >= *least {
                add(*place, 1);
                add(*next, -1);
            }
        }
    }
    let sums = wrong.iter().scan(0, |sum, count| {
        *sum += count;
        Some(*sum)
    });
    sums.take(files.len()).map(|sum| sum == 0).collect()
}

#[cfg(test)]
mod tests;
