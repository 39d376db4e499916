//! The entries of a column of texts, found once: its levels are known when its dictionary has been
//! looked for, and are not found again for its pages.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::leaf::Leaf;
use super::levels::Run;
use super::text::{Texts, texts};
use crate::error::{Error, Result};

/// A run, and where its values are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    run: Run,
    /// Which of the arrays has them, and from where on; [`NOWHERE`] without values.
    array: u32,
    start: u32,
}

const NOWHERE: u32 = u32::MAX;

/// A leaf's entries in order.
pub(super) struct Runs<'a> {
    arrays: Vec<Texts<'a>>,
    places: Vec<Place>,
    /// Those with a value.
    pub(super) values: usize,
}

impl<'a> Runs<'a> {
    /// The entries of `leaf`, in a buffer that may have been another's.
    ///
    /// # Errors
    /// `Internal` when it has no texts.
    pub(super) fn of(leaf: Leaf<'a>, mut places: Vec<Place>) -> Result<Self> {
        places.clear();
        let mut found = Self {
            arrays: Vec::new(),
            places,
            values: 0,
        };
        let mut last: Option<&ArrayRef> = None;
        leaf.each_run(|run, values| -> Result<()> {
            let (mut array, mut start) = (NOWHERE, 0);
            if let Some((values, rows)) = values {
                if !last.is_some_and(|last| std::ptr::eq(last, values)) {
                    found.arrays.push(texts(values)?);
                    last = Some(values);
                }
                (array, start) = (short(found.arrays.len() - 1)?, short(rows.start)?);
                found.values += rows.len();
            }
            found.places.push(Place { run, array, start });
            Ok(())
        })?;
        Ok(found)
    }

    /// Runs of the same levels, and where they have values, these.
    pub(super) fn each(&self) -> impl Iterator<Item = (Run, Option<(Texts<'a>, Range<usize>)>)> {
        self.places.iter().map(|place| {
            let start = place.start as usize;
            let array = self.arrays.get(place.array as usize);
            let rows = start..start + place.run.rows;
            (place.run, array.map(|array| (*array, rows)))
        })
    }

    /// The buffer, for another column.
    pub(super) fn into_buffer(self) -> Vec<Place> {
        self.places
    }
}

fn short(number: usize) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::internal("an array has too many rows"))
}
