//! One column of one row group: its pages, compressed, with their place in the page index.

use std::io::Write;

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::codec::{Codec, Compressor};
use super::hybrid::{Hybrid, width_of};
use super::levels::Run;
use crate::error::{Error, Result};
use crate::spare::Spare;

/// Room for a page with its levels, compressed or not.
const PAGE_ROOM: usize = (1 << 20) + (64 << 10);

/// Bytes of a column from which on zstd compresses it: making its tables for less takes longer than
/// all else about the column, and saves little. Readers look at each column's codec.
const PACKED_LEAST: usize = 1 << 10;

/// What the columns of a file are compressed with, one after the other.
pub(super) struct Press {
    compressor: Compressor,
    /// A page before and after compression.
    plain: Vec<u8>,
    packed: Vec<u8>,
    /// The pages of the column that is being written.
    pages: Vec<u8>,
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

/// A column chunk that is being written.
pub(super) struct Chunk<'a> {
    column: ColumnDescPtr,
    compressor: &'a mut Compressor,
    plain: &'a mut Vec<u8>,
    packed: &'a mut Vec<u8>,
    sink: TrackedWrite<&'a mut Vec<u8>>,
    index: ColumnIndexBuilder,
    places: OffsetIndexBuilder,
    encodings: Vec<Encoding>,
    dictionary: bool,
    /// Whether the pages are compressed, once the first one has shown how large they are.
    packs: Option<bool>,
    first_page: Option<u64>,
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
            index: ColumnIndexBuilder::new(column.physical_type()),
            column,
            compressor: &mut press.compressor,
            plain: &mut press.plain,
            packed: &mut press.packed,
            sink: TrackedWrite::new(&mut press.pages),
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
        let (num_values, buf) = (count(entries)?, self.compress()?);
        let page = Page::DictionaryPage {
            buf,
            num_values,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.write(page)?;
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
        let (num_values, buf) = (count(rows.entries)?, self.compress()?);
        let page = Page::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let (offset, size) = self.write(page)?;
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

    fn note_bounds(&mut self, rows: &Rows, bounds: Bounds) {
        let nulls = rows.nulls as i64;
        match bounds {
            _ if rows.nulls == rows.entries => {
                self.index.append(true, Vec::new(), Vec::new(), nulls);
            }
            Some((least, greatest)) => self.index.append(false, least, greatest, nulls),
            None => self.index.to_invalid(),
        }
    }

    fn compress(&mut self) -> Result<Bytes> {
        let large = self.is_worth(self.plain.len());
        if !*self.packs.get_or_insert(large) {
            return Ok(Bytes::copy_from_slice(self.plain));
        }
        self.compressor.compress(self.plain, self.packed)?;
        Ok(Bytes::copy_from_slice(self.packed))
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

    /// Where the page begins, and its size with the header.
    fn write(&mut self, page: Page) -> Result<(u64, i32)> {
        let page = CompressedPage::new(page, self.plain.len());
        let written = SerializedPageWriter::new(&mut self.sink).write_page(page)?;
        self.uncompressed += written.uncompressed_size;
        let size = i32::try_from(written.compressed_size).map_err(|_| too_large())?;
        Ok((written.offset, size))
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
        mut self,
        statistics: Statistics,
        row_group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        let flushed = self.sink.flush();
        flushed.map_err(|error| Error::internal("memory takes no pages").with_source(error))?;
        let size = self.sink.bytes_written();
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
        let column_index = if self.index.valid() {
            Some(self.index.build()?)
        } else {
            None
        };
        let closed = ColumnCloseResult {
            bytes_written: size as u64,
            rows_written: self.rows as u64,
            metadata,
            bloom_filter: None,
            column_index,
            offset_index: Some(self.places.build()),
        };
        row_group.append_column(&Pages(self.sink.inner()), closed)?;
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
