//! Columns of texts and bytes: a dictionary where they repeat, lengths and bytes apart where not.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use parquet::basic::Encoding;
use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

use super::bounds::TextBounds;
use super::chunk::{Bounds, Chunk, Rows};
use super::delta::delta;
use super::dictionary::{self, Dictionary};
use super::hybrid::{Hybrid, width_of};
use super::leaf::Leaf;
use super::levels::Run;
use super::runs::{Place, Runs};
use crate::Result;

/// Values of a page, and the bytes from which on it is full.
const PAGE_VALUES: usize = 20_000;
const PAGE_BYTES: usize = 1 << 20;

/// Texts and where each begins, the end of the last included.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    pub(super) offsets: &'a [i32],
    pub(super) bytes: &'a [u8],
}

impl<'a> Texts<'a> {
    /// The texts of an array of strings or of bytes.
    pub(super) fn of(array: &'a ArrayRef) -> Option<Self> {
        let (offsets, bytes) = match array.data_type() {
            DataType::Utf8 => {
                let array = array.as_string_opt::<i32>()?;
                (array.value_offsets(), array.value_data())
            }
            DataType::Binary => {
                let array = array.as_binary_opt::<i32>()?;
                (array.value_offsets(), array.value_data())
            }
            _ => return None,
        };
        Some(Self { offsets, bytes })
    }

    /// The texts of the rows, one after the other.
    #[inline]
    pub(super) fn each(self, rows: Range<usize>) -> impl Iterator<Item = &'a [u8]> {
        let offsets = self.offsets.get(rows.start..=rows.end).unwrap_or_default();
        offsets.array_windows::<2>().map(move |&[begin, end]| {
            let range = begin as usize..end as usize;
            self.bytes.get(range).unwrap_or_default()
        })
    }

    /// All bytes of the rows.
    fn span(self, rows: &Range<usize>) -> &'a [u8] {
        let begin = self.offsets.get(rows.start).copied().unwrap_or(0);
        let end = self.offsets.get(rows.end).copied().unwrap_or(begin);
        self.bytes
            .get(begin as usize..end as usize)
            .unwrap_or_default()
    }
}

/// Writes the leaf's pages. `opaque` bytes are taken for unique, and have no bounds.
pub(super) fn write(leaf: Leaf<'_>, chunk: &mut Chunk<'_>, opaque: bool) -> Result<Statistics> {
    let utf8 = leaf.data_type() == &DataType::Utf8;
    let mut workshop = std::mem::take(chunk.workshop);
    let runs = Runs::of(leaf, std::mem::take(&mut workshop.places))?;
    let dictionary = (!opaque).then(|| Dictionary::of(&runs, &mut workshop.dictionaries));
    let bounds = match dictionary.flatten() {
        Some(dictionary) => {
            let bounds = indexed(&runs, chunk, &dictionary, utf8)?;
            workshop.dictionaries.indexes = dictionary.indexes;
            bounds
        }
        None => apart(&runs, chunk, opaque, utf8)?,
    };
    workshop.places = runs.into_buffer();
    *chunk.workshop = workshop;
    let nulls = Some(chunk.nulls());
    let statistics = match bounds.rounded(utf8) {
        Some((least, greatest)) => {
            let (low_exact, high_exact) = (least.exact, greatest.exact);
            let bound = |bytes: Vec<u8>| Some(ByteArray::from(bytes));
            ValueStatistics::new(
                bound(least.bytes),
                bound(greatest.bytes),
                None,
                nulls,
                false,
            )
            .with_min_is_exact(low_exact)
            .with_max_is_exact(high_exact)
        }
        None => ValueStatistics::new(None, None, None, nulls, false),
    };
    Ok(Statistics::ByteArray(statistics))
}

/// What one column of texts after the other is made in.
#[derive(Default)]
pub(super) struct Workshop {
    places: Vec<Place>,
    dictionaries: dictionary::Workshop,
}

/// Lengths, then bytes.
fn apart<'a>(
    runs: &Runs<'a>,
    chunk: &mut Chunk<'_>,
    opaque: bool,
    utf8: bool,
) -> Result<TextBounds<'a>> {
    let (mut rows, mut held) = (Rows::default(), Held::default());
    held.lengths.reserve(runs.values.min(PAGE_VALUES));
    let (mut all, mut page) = (TextBounds::default(), TextBounds::default());
    for (run, values) in runs.each() {
        let Some((texts, mut left)) = values else {
            rows.nulls(run);
            continue;
        };
        while !left.is_empty() {
            // A page ends with a row: what continues one stays with it.
            let fit = if run.repetition == 0 {
                if held.is_full() {
                    held.flush(chunk, &mut rows, page.for_index(utf8))?;
                    all.merge(std::mem::take(&mut page));
                }
                let room = PAGE_BYTES.saturating_sub(held.bytes);
                fitting(texts, &left, room, PAGE_VALUES - held.lengths.len())
            } else {
                left.clone()
            };
            held.add(texts, &fit);
            if !opaque {
                page.widen(texts.each(fit.clone()));
            }
            left.start = fit.end;
            rows.values(Run {
                rows: fit.len(),
                ..run
            });
        }
    }
    if !rows.is_empty() {
        held.flush(chunk, &mut rows, page.for_index(utf8))?;
        all.merge(page);
    }
    Ok(all)
}

/// The texts of a page that is being filled: their bytes stay where they are until it is written.
#[derive(Default)]
struct Held<'a> {
    lengths: Vec<i64>,
    spans: Vec<&'a [u8]>,
    bytes: usize,
}

impl<'a> Held<'a> {
    fn add(&mut self, texts: Texts<'a>, rows: &Range<usize>) {
        let span = texts.span(rows);
        self.bytes += span.len();
        self.spans.push(span);
        let lengths = texts.each(rows.clone()).map(|text| text.len() as i64);
        self.lengths.extend(lengths);
    }

    fn is_full(&self) -> bool {
        self.bytes >= PAGE_BYTES || self.lengths.len() >= PAGE_VALUES
    }

    fn flush(&mut self, chunk: &mut Chunk<'_>, rows: &mut Rows, bounds: Bounds) -> Result<()> {
        if self.lengths.is_empty() {
            return chunk.page(rows, Encoding::PLAIN, bounds, |_| {});
        }
        chunk.page(rows, Encoding::DELTA_LENGTH_BYTE_ARRAY, bounds, |out| {
            delta(&self.lengths, true, out);
            self.spans
                .iter()
                .for_each(|span| out.extend_from_slice(span));
        })?;
        self.lengths.clear();
        self.spans.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// The first of `left` that still fit, at least one.
fn fitting(texts: Texts<'_>, left: &Range<usize>, room: usize, values: usize) -> Range<usize> {
    let most = left.len().min(values.max(1));
    let ends = texts
        .offsets
        .get(left.start..=left.start + most)
        .unwrap_or_default();
    let begin = ends.first().copied().unwrap_or(0);
    let fit = ends.partition_point(|end| ((end - begin) as usize) < room);
    left.start..left.start + fit.clamp(1, most)
}

/// Indexes into a dictionary.
fn indexed<'a>(
    runs: &Runs<'_>,
    chunk: &mut Chunk<'_>,
    dictionary: &Dictionary<'a>,
    utf8: bool,
) -> Result<TextBounds<'a>> {
    let indexes = dictionary.indexes.len() * dictionary.width() as usize / 8;
    chunk.dictionary(dictionary.entries.len(), indexes, |out| {
        for entry in &dictionary.entries {
            out.extend_from_slice(&(entry.len() as u32).to_le_bytes());
            out.extend_from_slice(entry);
        }
    })?;
    let mut left = dictionary.indexes.as_slice();
    let (mut rows, mut values) = (Rows::default(), 0);
    let mut all = TextBounds::default();
    let mut seen = vec![false; dictionary.entries.len()];
    let mut flush = |chunk: &mut Chunk<'_>, rows: &mut Rows, values: &mut usize| -> Result<()> {
        let (indexes, rest) = left.split_at_checked(*values).unwrap_or((left, &[]));
        (left, *values) = (rest, 0);
        let bounds = dictionary.bounds_of(indexes, &mut seen);
        chunk.page(
            rows,
            Encoding::RLE_DICTIONARY,
            bounds.for_index(utf8),
            |out| {
                dictionary.write_indexes(indexes, out);
            },
        )?;
        all.merge(bounds);
        Ok(())
    };
    for (run, values_here) in runs.each() {
        if values_here.is_none() {
            rows.nulls(run);
            continue;
        }
        let mut rest = run.rows;
        while rest > 0 {
            let mut fit = rest;
            if run.repetition == 0 {
                if values >= PAGE_VALUES {
                    flush(chunk, &mut rows, &mut values)?;
                }
                fit = rest.min(PAGE_VALUES - values);
            }
            rows.values(Run { rows: fit, ..run });
            values += fit;
            rest -= fit;
        }
    }
    if !rows.is_empty() {
        flush(chunk, &mut rows, &mut values)?;
    }
    Ok(all)
}

impl Dictionary<'_> {
    /// Bits of an index.
    fn width(&self) -> u32 {
        width_of((self.entries.len() as u32).saturating_sub(1))
    }

    fn write_indexes(&self, indexes: &[u32], out: &mut Vec<u8>) {
        let width = self.width();
        out.push(width as u8);
        let mut hybrid = Hybrid::new(out, width);
        for run in indexes.chunk_by(|left, right| left == right) {
            hybrid.push(run.first().copied().unwrap_or(0), run.len());
        }
        hybrid.finish();
    }
}

pub(super) fn texts(array: &ArrayRef) -> Result<Texts<'_>> {
    Texts::of(array).ok_or_else(|| {
        crate::Error::internal(format!(
            "a batch has `{}` where its file has texts",
            array.data_type()
        ))
    })
}
