//! Seals a finished file: each of its modules, in the places and with the AADs of the format's
//! `Encryption.md`.
//!
//! ```text
//! PAR1 | header page header page ... | column, offset indexes    |         footer, length, PAR1
//! PARE | each sealed by itself       | each sealed, offsets anew | key's id, footer, length, PARE
//! ```

use parquet::file::column_crypto_metadata::ColumnCryptoMetaData;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataWriter};
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use super::keys::Key;
use super::thrift::{self, Header};
use crate::error::{Error, Result};

/// How a sealed file begins and ends.
const MAGIC: &[u8; 4] = b"PARE";

/// What a module grows by: its length, the nonce, the tag.
const AROUND: usize = 4 + NONCE_LEN + 16;

/// Bytes of a file's own part of all AADs, as many as other writers take.
const UNIQUE: usize = 8;

/// The format's numbers of modules.
#[derive(Clone, Copy)]
enum Module {
    Footer = 0,
    DataPage = 2,
    DictionaryPage = 3,
    DataPageHeader = 4,
    DictionaryPageHeader = 5,
    ColumnIndex = 6,
    OffsetIndex = 7,
}

/// The file `plain`, whose footer is `metadata`, sealed with `key` into the empty buffer `out`.
///
/// # Errors
/// `Internal` when the file isn't one that the hot path makes: without an offset index, or with
/// more row groups, columns or pages than AADs can count.
pub(crate) fn seal(
    plain: &[u8],
    metadata: ParquetMetaData,
    key: &Key,
    mut out: Vec<u8>,
) -> Result<Vec<u8>> {
    let mut sealer = Sealer::new(key)?;
    out.extend_from_slice(MAGIC);
    let mut row_groups = Vec::with_capacity(metadata.num_row_groups());
    for (at, row_group) in metadata.row_groups().iter().enumerate() {
        let begin = out.len();
        let mut columns = Vec::with_capacity(row_group.num_columns());
        for (column, chunk) in row_group.columns().iter().enumerate() {
            let index = metadata.offset_index();
            let index = index.and_then(|index| index.get(at)?.get(column));
            let index = index.ok_or_else(|| Error::internal("a column without an offset index"))?;
            let place = Place::new(at, column)?;
            columns.push((place, sealer.pages(plain, chunk, index, place, &mut out)?));
        }
        row_groups.push((begin, row_group, columns));
    }
    let mut sealed = Vec::with_capacity(row_groups.len());
    for (begin, row_group, columns) in row_groups {
        let columns = columns.into_iter();
        let columns = columns.map(|(place, pages)| sealer.indexes(plain, pages, place, &mut out));
        let columns: Vec<ColumnChunkMetaData> = columns.collect::<Result<_>>()?;
        let row_group = row_group.clone().into_builder();
        let row_group = row_group.set_column_metadata(columns);
        sealed.push(row_group.set_file_offset(long(begin)?).build()?);
    }
    let metadata = metadata
        .into_builder()
        .set_row_groups(sealed)
        .set_column_index(None)
        .set_offset_index(None)
        .build();
    sealer.footer(&metadata, key, &mut out)?;
    Ok(out)
}

/// Where in the file a column's chunk is.
#[derive(Clone, Copy)]
struct Place {
    row_group: i16,
    column: i16,
}

impl Place {
    fn new(row_group: usize, column: usize) -> Result<Self> {
        Ok(Self {
            row_group: short(row_group)?,
            column: short(column)?,
        })
    }

    /// What is authenticated beside a module, after the file's own part.
    fn aad(self, module: Module, page: Option<i16>) -> Vec<u8> {
        let mut aad = vec![module as u8];
        aad.extend(self.row_group.to_le_bytes());
        aad.extend(self.column.to_le_bytes());
        aad.extend(page.into_iter().flat_map(i16::to_le_bytes));
        aad
    }
}

/// A column's pages, sealed.
struct Pages {
    chunk: ColumnChunkMetaData,
    /// Its offset index, in plain.
    index: Vec<u8>,
}

/// The cipher of one file.
struct Sealer {
    key: LessSafeKey,
    nonce: u128,
    unique: [u8; UNIQUE],
}

impl Sealer {
    fn new(key: &Key) -> Result<Self> {
        let algorithm = match key.bytes().len() {
            16 => &AES_128_GCM,
            _ => &AES_256_GCM,
        };
        let unbound = UnboundKey::new(algorithm, key.bytes());
        let unbound = unbound.map_err(|_| Error::internal("the cipher refuses a key"))?;
        let (mut unique, mut nonce) = ([0; UNIQUE], [0; 16]);
        let random = SystemRandom::new();
        let filled = random
            .fill(&mut unique)
            .and_then(|()| random.fill(&mut nonce));
        filled.map_err(|_| Error::unavailable("the system has no random numbers"))?;
        Ok(Self {
            key: LessSafeKey::new(unbound),
            nonce: u128::from_le_bytes(nonce),
            unique,
        })
    }

    /// Appends `plain`, sealed: its length, the nonce, what it is then, the tag.
    fn module(&mut self, plain: &[u8], aad: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.nonce = self.nonce.wrapping_add(1);
        let mut nonce = [0; NONCE_LEN];
        let counted = self.nonce.to_le_bytes();
        nonce
            .iter_mut()
            .zip(counted)
            .for_each(|(to, byte)| *to = byte);
        let length = u32::try_from(plain.len() + AROUND - 4).map_err(|_| too_many())?;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&nonce);
        let begin = out.len();
        out.extend_from_slice(plain);
        let aad = [self.unique.as_slice(), aad].concat();
        let text = out.get_mut(begin..).unwrap_or_default();
        let tag = self.key.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad),
            text,
        );
        let tag = tag.map_err(|_| Error::internal("the cipher refuses a module"))?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    fn pages(
        &mut self,
        plain: &[u8],
        chunk: &ColumnChunkMetaData,
        index: &OffsetIndexMetaData,
        place: Place,
        out: &mut Vec<u8>,
    ) -> Result<Pages> {
        let begin = out.len();
        let dictionary = match chunk.dictionary_page_offset() {
            Some(from) => {
                let bytes = between(plain, from, chunk.data_page_offset())?;
                let kinds = [Module::DictionaryPageHeader, Module::DictionaryPage];
                Some(
                    self.page(bytes, kinds.map(|kind| place.aad(kind, None)), out)?
                        .0,
                )
            }
            None => None,
        };
        let mut data = Vec::with_capacity(index.page_locations().len());
        for (number, location) in index.page_locations().iter().enumerate() {
            let end = location.offset + i64::from(location.compressed_page_size);
            let bytes = between(plain, location.offset, end)?;
            let number = Some(short(number)?);
            let kinds = [Module::DataPageHeader, Module::DataPage];
            data.push(self.page(bytes, kinds.map(|kind| place.aad(kind, number)), out)?);
        }
        let first = data.first().map_or(long(out.len())?, |(offset, _)| *offset);
        let chunk = chunk
            .clone()
            .into_builder()
            .set_column_crypto_metadata(Some(ColumnCryptoMetaData::ENCRYPTION_WITH_FOOTER_KEY))
            .set_dictionary_page_offset(dictionary)
            .set_data_page_offset(first)
            .set_total_compressed_size(long(out.len() - begin)?);
        Ok(Pages {
            chunk: chunk.build()?,
            index: thrift::offset_index(index, &data),
        })
    }

    /// Seals a page and its header, of which `bytes` are both; answers where they begin and their
    /// size.
    fn page(
        &mut self,
        bytes: &[u8],
        [header_aad, aad]: [Vec<u8>; 2],
        out: &mut Vec<u8>,
    ) -> Result<(i64, i32)> {
        let begin = out.len();
        let (header, body) = Header::split(bytes)?;
        let header = header.with_stored(header.stored + AROUND);
        self.module(&header, &header_aad, out)?;
        self.module(body, &aad, out)?;
        Ok((long(begin)?, int(out.len() - begin)?))
    }

    /// Seals a column's indexes, and answers its chunk that says where they are.
    fn indexes(
        &mut self,
        plain: &[u8],
        pages: Pages,
        place: Place,
        out: &mut Vec<u8>,
    ) -> Result<ColumnChunkMetaData> {
        let chunk = pages.chunk;
        let mut column_index = None;
        if let Some((offset, length)) = chunk.column_index_offset().zip(chunk.column_index_length())
        {
            let bytes = between(plain, offset, offset + i64::from(length))?;
            column_index = Some(self.index(bytes, &place.aad(Module::ColumnIndex, None), out)?);
        }
        let aad = place.aad(Module::OffsetIndex, None);
        let (offset, length) = self.index(&pages.index, &aad, out)?;
        let chunk = chunk
            .into_builder()
            .set_column_index_offset(column_index.map(|(offset, _)| offset))
            .set_column_index_length(column_index.map(|(_, length)| length))
            .set_offset_index_offset(Some(offset))
            .set_offset_index_length(Some(length));
        Ok(chunk.build()?)
    }

    fn index(&mut self, plain: &[u8], aad: &[u8], out: &mut Vec<u8>) -> Result<(i64, i32)> {
        let begin = out.len();
        self.module(plain, aad, out)?;
        Ok((long(begin)?, int(out.len() - begin)?))
    }

    fn footer(&mut self, metadata: &ParquetMetaData, key: &Key, out: &mut Vec<u8>) -> Result<()> {
        let mut plain = Vec::new();
        ParquetMetaDataWriter::new(&mut plain, metadata).finish()?;
        // Without its length and `PAR1`, which come again for what it becomes.
        plain.truncate(plain.len().saturating_sub(8));
        let begin = out.len();
        out.extend_from_slice(&thrift::crypto_metadata(&self.unique, key.id()));
        self.module(&plain, &[Module::Footer as u8], out)?;
        let length = u32::try_from(out.len() - begin).map_err(|_| too_many())?;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(MAGIC);
        Ok(())
    }
}

fn between(plain: &[u8], from: i64, to: i64) -> Result<&[u8]> {
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let bytes = range.and_then(|(from, to)| plain.get(from..to));
    bytes.ok_or_else(lost)
}

fn lost() -> Error {
    Error::internal("a file has other pages than its footer says")
}

fn too_many() -> Error {
    Error::internal("a file has more row groups, columns, pages or bytes than can be encrypted")
}

fn short(number: usize) -> Result<i16> {
    i16::try_from(number).map_err(|_| too_many())
}

fn int(number: usize) -> Result<i32> {
    i32::try_from(number).map_err(|_| too_many())
}

fn long(number: usize) -> Result<i64> {
    i64::try_from(number).map_err(|_| too_many())
}
