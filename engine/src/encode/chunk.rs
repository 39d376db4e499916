//! One column of one row group: its pages, compressed, with their place in the page index.

use std::io::Write;

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::ColumnDescPtr;

use super::codec::{Codec, Compressor};
use super::header::{Kind, Sizes, header};
use super::hybrid::{Hybrid, width_of};
use super::levels::Run;
use super::text::Workshop;
use crate::error::{Error, Result};
use crate::spare::Spare;

/// Room for a page with its levels, compressed or not.
const PAGE_ROOM: usize = (1 << 20) + (64 << 10);

/// Bytes of a column from which on zstd compresses it: making its tables for less takes longer than
/// all else about the column, and saves little. Readers look at each column's codec.
const PACKED_LEAST: usize = 1 << 10;

/// A column whose first page saves less than this part of it by compression stays as it is: packed
/// numbers without a pattern. Writing and reading take longer than what they would save.
const SAVED_PART: usize = 16;

/// What the columns of a file are compressed with, one after the other.
pub(super) struct Press {
    compressor: Compressor,
    /// A page before and after compression.
    plain: Vec<u8>,
    packed: Vec<u8>,
    /// The pages of the column that is being written.
    pages: Vec<u8>,
    workshop: Workshop,
    spare: Spare,
}

impl Press {
    /// For a file of about `bytes`, most of it in one column. Buffers come from `spare`.
    pub(super) fn new(codec: Codec, spare: &Spare, bytes: usize) -> Result<Self> {
        Ok(Self {
            compressor: Compressor::new(codec)?,
            plain: spare.take(bytes.min(PAGE_ROOM)),
            packed: spare.take(bytes.min(PAGE_ROOM)),
            pages: spare.take(bytes),
            workshop: Workshop::default(),
            spare: spare.clone(),
        })
    }
}

impl Drop for Press {
    fn drop(&mut self) {
        for buffer in [&mut self.plain, &mut self.packed, &mut self.pages] {
            self.spare.give(std::mem::take(buffer));
        }
    }
}

/// The entries of a page: the levels of all, how many begin a row, and how many have no value.
#[derive(Debug, Default)]
pub(super) struct Rows {
    runs: Vec<Run>,
    entries: usize,
    rows: usize,
    nulls: usize,
}

impl Rows {
    /// Adds entries with a value.
    pub(super) fn values(&mut self, run: Run) {
        match self.runs.last_mut() {
            Some(last) if last.level == run.level && last.repetition == run.repetition => {
                last.rows += run.rows;
            }
            _ => self.runs.push(run),
        }
        self.entries += run.rows;
        self.rows += if run.repetition == 0 { run.rows } else { 0 };
    }

    /// Adds entries without a value.
    pub(super) fn nulls(&mut self, run: Run) {
        self.values(run);
        self.nulls += run.rows;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }
}

/// The least and the greatest value of a page as the page index has them.
pub(super) type Bounds = Option<(Vec<u8>, Vec<u8>)>;

/// What the page index says of a page.
#[derive(Default)]
struct Noted {
    /// It has no values.
    empty: bool,
    nulls: i64,
    bounds: Bounds,
}

impl Noted {
    fn add_to(self, index: &mut ColumnIndexBuilder) {
        match self.bounds {
            _ if self.empty => index.append(true, Vec::new(), Vec::new(), self.nulls),
            Some((least, greatest)) => index.append(false, least, greatest, self.nulls),
            None => index.to_invalid(),
        }
    }
}

/// A column chunk that is being written.
pub(super) struct Chunk<'a> {
    column: ColumnDescPtr,
    compressor: &'a mut Compressor,
    plain: &'a mut Vec<u8>,
    packed: &'a mut Vec<u8>,
    pages: &'a mut Vec<u8>,
    /// What `text` needs for one column after the other.
    pub(super) workshop: &'a mut Workshop,
    first_bounds: Option<Noted>,
    /// Once there is a second page.
    index: Option<ColumnIndexBuilder>,
    places: OffsetIndexBuilder,
    encodings: Vec<Encoding>,
    dictionary: bool,
    /// Whether the pages are compressed, once the first one has shown how large they are.
    packs: Option<bool>,
    first_page: Option<usize>,
    entries: usize,
    rows: usize,
    nulls: usize,
    uncompressed: usize,
}

impl<'a> Chunk<'a> {
    pub(super) fn new(column: ColumnDescPtr, press: &'a mut Press) -> Self {
        press.pages.clear();
        press.compressor.begin_column();
        Self {
            first_bounds: None,
            index: None,
            column,
            compressor: &mut press.compressor,
            plain: &mut press.plain,
            packed: &mut press.packed,
            pages: &mut press.pages,
            workshop: &mut press.workshop,
            places: OffsetIndexBuilder::new(),
            encodings: vec![Encoding::RLE],
            dictionary: false,
            packs: None,
            first_page: None,
            entries: 0,
            rows: 0,
            nulls: 0,
            uncompressed: 0,
        }
    }

    /// The definition level of an entry with a value.
    pub(super) fn top(&self) -> u32 {
        u32::try_from(self.column.max_def_level()).unwrap_or(0)
    }

    /// Begins the chunk with `entries` distinct values in plain encoding; its indexes take about
    /// `indexes` bytes.
    pub(super) fn dictionary(
        &mut self,
        entries: usize,
        indexes: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<()> {
        self.plain.clear();
        write(self.plain);
        self.packs = Some(self.is_worth(self.plain.len() + indexes));
        self.dictionary = true;
        self.encodings.push(Encoding::PLAIN);
        self.write(Kind::Dictionary, entries)?;
        Ok(())
    }

    /// Adds a page. Without `bounds` although there are values, the column has no page index of
    /// values.
    pub(super) fn page(
        &mut self,
        rows: &mut Rows,
        encoding: Encoding,
        bounds: Bounds,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<()> {
        self.plain.clear();
        let repeated = u32::try_from(self.column.max_rep_level()).unwrap_or(0);
        let repetitions = rows.runs.iter().map(|run| (run.repetition, run.rows));
        write_levels(self.plain, repeated, repetitions)?;
        let levels = rows.runs.iter().map(|run| (run.level, run.rows));
        write_levels(self.plain, self.top(), levels)?;
        write(self.plain);
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        let (offset, size) = self.write(Kind::Data(encoding), rows.entries)?;
        self.first_page.get_or_insert(offset);
        self.places.append_row_count(rows.rows as i64);
        self.places.append_offset_and_size(offset as i64, size);
        self.note_bounds(rows, bounds);
        self.entries += rows.entries;
        self.rows += rows.rows;
        self.nulls += rows.nulls;
        *rows = Rows {
            runs: std::mem::take(&mut rows.runs),
            ..Rows::default()
        };
        rows.runs.clear();
        Ok(())
    }

    /// The bounds of a page. Those of the only one are the column's, and are not said twice.
    fn note_bounds(&mut self, rows: &Rows, bounds: Bounds) {
        let noted = Noted {
            empty: rows.nulls == rows.entries,
            nulls: rows.nulls as i64,
            bounds,
        };
        let Some(first) = &mut self.first_bounds else {
            self.first_bounds = Some(noted);
            return;
        };
        let physical_type = self.column.physical_type();
        let index = self.index.get_or_insert_with(|| {
            let mut index = ColumnIndexBuilder::new(physical_type);
            std::mem::take(first).add_to(&mut index);
            index
        });
        noted.add_to(index);
    }

    /// So many bytes are to be compressed. What a file's name may promise holds for any.
    fn is_worth(&self, bytes: usize) -> bool {
        self.compressor.codec() != Codec::Zstd || bytes >= PACKED_LEAST
    }

    /// What the pages are compressed with.
    fn codec(&self) -> Codec {
        match self.packs {
            Some(false) => Codec::None,
            _ => self.compressor.codec(),
        }
    }

    /// Where the page begins that `plain` has, and its size with the header.
    fn write(&mut self, kind: Kind, values: usize) -> Result<(usize, i32)> {
        let (first, large) = (self.packs.is_none(), self.is_worth(self.plain.len()));
        let mut packs = *self.packs.get_or_insert(large);
        if packs {
            self.compressor.compress(self.plain, self.packed)?;
            if first && self.is_in_vain() {
                packs = false;
                self.packs = Some(packs);
            }
        }
        let stored = if packs { &*self.packed } else { &*self.plain };
        let sizes = Sizes {
            plain: count(self.plain.len())?,
            stored: count(stored.len())?,
        };
        let begin = self.pages.len();
        header(self.pages, kind, count(values)?, sizes);
        self.uncompressed += self.pages.len() - begin + self.plain.len();
        self.pages.extend_from_slice(stored);
        let size = i32::try_from(self.pages.len() - begin).map_err(|_| too_large())?;
        Ok((begin, size))
    }

    /// What was compressed last hardly got smaller.
    fn is_in_vain(&self) -> bool {
        let saved = self.plain.len().saturating_sub(self.packed.len());
        self.compressor.codec() == Codec::Zstd && saved < self.plain.len() / SAVED_PART
    }

    /// Entries so far that have no value.
    pub(super) fn nulls(&self) -> u64 {
        self.nulls as u64
    }

    /// Adds the column to the row group.
    ///
    /// # Errors
    /// `Internal` when it is not the row group's next column.
    pub(super) fn close<W: Write + Send>(
        self,
        statistics: Statistics,
        row_group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        let size = self.pages.len();
        let compression = self.codec().compression()?;
        let metadata = ColumnChunkMetaData::builder(self.column)
            .set_compression(compression)
            .set_encodings(self.encodings)
            .set_total_compressed_size(size as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(self.entries as i64)
            .set_data_page_offset(self.first_page.unwrap_or(0) as i64)
            .set_dictionary_page_offset(self.dictionary.then_some(0))
            .set_statistics(statistics)
            .build()?;
        let index = self.index.filter(ColumnIndexBuilder::valid);
        let column_index = index.map(ColumnIndexBuilder::build).transpose()?;
        let closed = ColumnCloseResult {
            bytes_written: size as u64,
            rows_written: self.rows as u64,
            metadata,
            bloom_filter: None,
            column_index,
            offset_index: Some(self.places.build()),
        };
        row_group.append_column(&Pages(self.pages), closed)?;
        Ok(())
    }
}

/// The pages of a finished column.
struct Pages<'a>(&'a [u8]);

impl Length for Pages<'_> {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

impl<'a> ChunkReader for Pages<'a> {
    type T = &'a [u8];

    fn get_read(&self, start: u64) -> ParquetResult<&'a [u8]> {
        let start = usize::try_from(start).ok();
        let rest = start.and_then(|start| self.0.get(start..));
        rest.ok_or_else(|| ParquetError::EOF("a column ends too early".to_owned()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let rest = self.get_read(start)?;
        let bytes = rest.get(..length).map(Bytes::copy_from_slice);
        bytes.ok_or_else(|| ParquetError::EOF("a column ends too early".to_owned()))
    }
}

/// Levels of entries, in front of a page's values; none where all are 0.
fn write_levels(
    out: &mut Vec<u8>,
    most: u32,
    runs: impl Iterator<Item = (u32, usize)>,
) -> Result<()> {
    if most == 0 {
        return Ok(());
    }
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut levels = Hybrid::new(out, width_of(most));
    runs.for_each(|(level, entries)| levels.push(level, entries));
    levels.finish();
    let length = count(out.len() - begin - 4)?;
    let prefix = out.get_mut(begin..).and_then(<[u8]>::first_chunk_mut::<4>);
    if let Some(prefix) = prefix {
        *prefix = length.to_le_bytes();
    }
    Ok(())
}

fn count(values: usize) -> Result<u32> {
    i32::try_from(values)
        .map(i32::cast_unsigned)
        .map_err(|_| too_large())
}

fn too_large() -> Error {
    Error::internal("a page of 2 GiB or more")
}
