//! The entries of one Parquet column, wherever it is.

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::levels::Run;
use super::listed::Listed;
use super::pieces::Unit;

/// A column that `text` or `fixed` writes.
#[derive(Clone, Copy)]
pub(super) enum Leaf<'a> {
    /// Outside of lists: an entry is a row.
    Single(&'a Unit),
    /// Inside of lists, with the definition level of a value.
    Listed(&'a Listed<'a>, u32),
}

impl<'a> Leaf<'a> {
    /// What its values are.
    pub(super) fn data_type(self) -> &'a DataType {
        match self {
            Self::Single(unit) => unit.data_type(),
            Self::Listed(leaf, _) => leaf.data_type,
        }
    }

    /// Hands over the entries in order: runs of the same levels, and where they have values, these.
    pub(super) fn each_run<E>(
        self,
        take: impl FnMut(Run, Option<(&'a ArrayRef, Range<usize>)>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Single(unit) => unit.each_run(take),
            Self::Listed(leaf, top) => leaf.each_run(top, take),
        }
    }
}
