//! Which records another one stands for: while records are folded, and after a crash in between,
//! both are there. Pure.

use crate::read::filtered::{ByEpoch, Kept};

/// Whether another record stands for the one at `at`, which only waits to be removed: nothing of it
/// is there twice. Of two that tell the same the first counts.
pub(super) fn is_folded(all: &[Kept], at: usize) -> bool {
    let Some(one) = all.get(at) else { return false };
    all.iter().enumerate().any(|(other, by)| {
        let may = other < at || !one.landed || !tells_of(one, by);
        other != at && by.landed && may && tells_of(by, one)
    })
}

/// Whether `by`, which stands for several, has all ranges of `one`.
fn tells_of(by: &Kept, one: &Kept) -> bool {
    has(&by.ranges, &one.ranges) && has(&by.dead, &one.dead)
}

fn has(all: &ByEpoch, some: &ByEpoch) -> bool {
    some.iter().all(|(key, ranges)| {
        let all = all.get(key).map_or(&[][..], Vec::as_slice);
        ranges.iter().all(|(from, to)| {
            let behind = all.partition_point(|(start, _)| start <= from);
            let last = behind.checked_sub(1).and_then(|at| all.get(at));
            last.is_some_and(|(_, end)| to <= end)
        })
    })
}
