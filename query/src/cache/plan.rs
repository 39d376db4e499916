//! Which blocks hold some ranges of a file, and with which requests missing ones are read: pure.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use std::collections::BTreeMap;

/// A store across a network takes some 20 ms to its first byte and then gives some 60 MB/s: a
/// block of this size takes it a fifth longer than one byte of it, and one four times as large
/// would take twice as long. Smaller ones would be more to look after, for little.
pub(super) const BLOCK_BYTES: u64 = 256 << 10;

/// Missing blocks that are so close are read at once, as object_store does with ranges: what lies
/// between them takes less time than another request.
const GAP_BLOCKS: u64 = 3;

/// What one request reads at most, so that large ranges are read by several at once.
const REQUEST_BLOCKS: u64 = 32;

/// The numbers of the blocks that hold some byte of `ranges`, in order, each once.
pub(super) fn touched(ranges: &[Range<u64>]) -> Vec<u64> {
    let some = ranges.iter().filter(|range| range.start < range.end);
    let blocks = some.flat_map(|range| range.start / BLOCK_BYTES..=(range.end - 1) / BLOCK_BYTES);
    let mut blocks: Vec<u64> = blocks.collect();
    blocks.sort_unstable();
    blocks.dedup();
    blocks
}

/// The bytes of block `number` in a file of `size` bytes.
pub(super) fn range_of(number: u64, size: u64) -> Range<u64> {
    let start = number.saturating_mul(BLOCK_BYTES).min(size);
    start..start.saturating_add(BLOCK_BYTES).min(size)
}

/// The requests for `missing` blocks, which are in order: each a range of blocks. What they read
/// between missing blocks is given up.
pub(super) fn requests(missing: &[u64]) -> Vec<Range<u64>> {
    let mut requests: Vec<Range<u64>> = Vec::new();
    for block in missing {
        match requests.last_mut() {
            Some(last)
                if *block <= last.end + GAP_BLOCKS && *block - last.start < REQUEST_BLOCKS =>
            {
                last.end = block + 1;
            }
            _ => requests.push(*block..block + 1),
        }
    }
    requests
}

/// The bytes of `range`, put together from `blocks`; `None` if one is missing or too short.
pub(super) fn joined(blocks: &BTreeMap<u64, Bytes>, range: &Range<u64>) -> Option<Bytes> {
    let mut parts = touched(std::slice::from_ref(range))
        .into_iter()
        .map(|block| {
            let bytes = blocks.get(&block)?;
            let start = block * BLOCK_BYTES;
            let from = usize::try_from(range.start.saturating_sub(start)).ok()?;
            let to = usize::try_from((range.end - start).min(BLOCK_BYTES)).ok()?;
            (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
        });
    let Some(first) = parts.next() else {
        return Some(Bytes::new());
    };
    let first = first?;
    let length = usize::try_from(range.end - range.start).ok()?;
    if first.len() == length {
        return Some(first);
    }
    let mut whole = BytesMut::with_capacity(length);
    whole.extend_from_slice(&first);
    for part in parts {
        whole.extend_from_slice(&part?);
    }
    Some(whole.freeze())
}

/// How many bytes of `ranges` lie in blocks that `is_kept` says of.
pub(super) fn bytes_in(ranges: &[Range<u64>], is_kept: impl Fn(u64) -> bool) -> u64 {
    let mut bytes = 0;
    for range in ranges {
        for block in touched(std::slice::from_ref(range)) {
            if is_kept(block) {
                let start = block * BLOCK_BYTES;
                bytes += range.end.min(start + BLOCK_BYTES) - range.start.max(start);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::single_range_in_vec_init
    )]
    use super::*;

    const B: u64 = BLOCK_BYTES;

    #[test]
    fn a_range_touches_the_blocks_of_its_bytes_and_no_other() {
        assert_eq!(touched(&[0..1]), [0]);
        assert_eq!(touched(&[B - 1..B]), [0]);
        assert_eq!(touched(&[B - 1..B + 1]), [0, 1]);
        assert_eq!(touched(&[3 * B..4 * B, 0..1, 3 * B..3 * B + 1]), [0, 3]);
        assert_eq!(touched(&[5..5]), [0_u64; 0]);
        assert_eq!(range_of(1, B + 7), B..B + 7);
        assert_eq!(range_of(9, B), B..B);
    }

    #[test]
    fn blocks_that_are_close_are_one_request_and_large_ranges_are_several() {
        assert_eq!(requests(&[]), [0..0_u64; 0]);
        assert_eq!(requests(&[4, 5, 6]), [4..7]);
        assert_eq!(requests(&[0, 1 + GAP_BLOCKS]), [0..GAP_BLOCKS + 2]);
        assert_eq!(requests(&[0, 2 + GAP_BLOCKS]).len(), 2);
        let many: Vec<u64> = (7..7 + 2 * REQUEST_BLOCKS + 1).collect();
        let asked = requests(&many);
        assert_eq!(asked.len(), 3);
        assert!(
            asked
                .iter()
                .all(|one| one.end - one.start <= REQUEST_BLOCKS)
        );
        let all: Vec<u64> = asked.into_iter().flatten().collect();
        assert_eq!(all, many);
    }

    #[test]
    fn any_range_put_together_from_blocks_is_what_the_file_has() {
        let size = 3 * B + 11;
        let file: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let block = |number| {
            let range = range_of(number, size);
            Bytes::copy_from_slice(&file[range.start as usize..range.end as usize])
        };
        let mut blocks: BTreeMap<u64, Bytes> = (0..4).map(|one| (one, block(one))).collect();
        let edges = [0, 1, B - 1, B, B + 1, 2 * B, 3 * B, size - 1, size];
        for start in edges {
            for end in edges.into_iter().filter(|end| *end >= start) {
                let expected = &file[start as usize..end as usize];
                assert_eq!(joined(&blocks, &(start..end)).unwrap(), expected);
                assert_eq!(bytes_in(&[start..end], |_| true), end - start);
            }
        }
        assert!(
            joined(&blocks, &(0..size + 1)).is_none(),
            "it isn't as long"
        );
        blocks.remove(&1);
        assert!(joined(&blocks, &(0..size)).is_none());
        assert!(joined(&blocks, &(0..B)).is_some());
        assert_eq!(bytes_in(&[B - 2..2 * B + 3], |block| block != 1), 5);
    }
}
