//! How the row groups of a file are cut into slices, each with filters of its own.
//!
//! Who knows that a value is in a row group still reads all of its rows for it; who knows the slice
//! reads one page of each column, or two.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Rows of a slice; pages of compacted files end where slices do, unless they are full before.
pub(crate) const SLICE_ROWS: usize = 16_384;

/// Where the slices of a file begin and end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slices {
    /// Rows of each slice but the last one of a row group.
    each: usize,
    /// Rows of each row group.
    rows: Vec<usize>,
}

/// Which rows of a row group may be wanted, by what filters say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// None of them.
    Nothing,
    /// Any.
    Whole,
    /// Those in one of the ranges, which are in order, don't touch each other and aren't empty.
    Slices {
        /// Rows, counted from the row group's first.
        wanted: Vec<Range<usize>>,
        /// The rows of the row group.
        rows: usize,
    },
}

impl Slices {
    /// No row group yet; slices of `each` rows, at least one.
    pub(crate) fn new(each: usize) -> Self {
        Self {
            each: each.max(1),
            rows: Vec::new(),
        }
    }

    /// Rows of each slice but the last one of a row group.
    pub(crate) fn each(&self) -> usize {
        self.each.max(1)
    }

    /// Another row group has so many rows.
    pub(crate) fn push(&mut self, rows: usize) {
        self.rows.push(rows);
    }

    /// The row groups.
    pub(crate) fn row_groups(&self) -> usize {
        self.rows.len()
    }

    /// The slices of all row groups.
    pub(crate) fn count(&self) -> usize {
        let counts = self.rows.iter().map(|rows| rows.div_ceil(self.each()));
        counts.fold(0, usize::saturating_add)
    }

    /// What is allowed of each row group, by whether each slice `allows` rows of its own.
    pub(crate) fn allowed(&self, allows: impl Fn(usize) -> bool) -> Vec<Allowed> {
        let mut first = 0;
        let groups = self.rows.iter().map(|rows| {
            let slices = rows.div_ceil(self.each());
            let mut wanted: Vec<Range<usize>> = Vec::new();
            for slice in (0..slices).filter(|slice| allows(first + slice)) {
                let range = slice * self.each()..((slice + 1) * self.each()).min(*rows);
                match wanted.last_mut() {
                    Some(last) if last.end == range.start => last.end = range.end,
                    _ => wanted.push(range),
                }
            }
            first += slices;
            match wanted.as_slice() {
                [] => Allowed::Nothing,
                [all] if all.len() == *rows => Allowed::Whole,
                _ => Allowed::Slices {
                    wanted,
                    rows: *rows,
                },
            }
        });
        groups.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_that_are_allowed_are_ranges_of_their_row_groups() {
        let mut cut = Slices::new(10);
        [25, 0, 10, 31].into_iter().for_each(|rows| cut.push(rows));
        assert_eq!((cut.row_groups(), cut.count()), (4, 8));
        let some = |wanted: Vec<Range<usize>>, rows| Allowed::Slices { wanted, rows };
        let allowed = cut.allowed(|slice| [1, 2, 4, 6, 7].contains(&slice));
        let expected = [
            some(std::iter::once(10..25).collect(), 25),
            Allowed::Nothing,
            Allowed::Nothing,
            some(vec![0..10, 20..31], 31),
        ];
        assert_eq!(allowed, expected);
        let all = cut.allowed(|_| true);
        let whole = Allowed::Whole;
        assert_eq!(all, [whole.clone(), Allowed::Nothing, whole.clone(), whole]);
    }
}
