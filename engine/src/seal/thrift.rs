//! The few Thrift structures that sealing writes anew, in the compact protocol. The Parquet crate
//! keeps its own to itself.

use parquet::file::page_index::offset_index::OffsetIndexMetaData;

use crate::error::{Error, Result};
use crate::thrift::{BINARY, I32, I64, LIST, STOP, STRUCT, binary, field, list, signed};

/// `FileCryptoMetaData`: AES-GCM, the file's own part of all AADs, and the key's id.
pub(super) fn crypto_metadata(file_unique: &[u8], key_id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + file_unique.len() + key_id.len());
    // 1: the algorithm, a union whose 1 is AES_GCM_V1.
    field(&mut out, 1, STRUCT);
    field(&mut out, 1, STRUCT);
    // 2: `aad_file_unique`; there is no prefix.
    field(&mut out, 2, BINARY);
    binary(&mut out, file_unique);
    out.extend([STOP, STOP]);
    // 2: `key_metadata`.
    field(&mut out, 1, BINARY);
    binary(&mut out, key_id.as_bytes());
    out.push(STOP);
    out
}

/// `OffsetIndex`, with the page locations as they are in `index`.
pub(super) fn offset_index(index: &OffsetIndexMetaData, pages: &[(i64, i32)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + pages.len() * 16);
    field(&mut out, 1, LIST);
    list(&mut out, pages.len(), STRUCT);
    for ((offset, size), location) in pages.iter().zip(index.page_locations()) {
        field(&mut out, 1, I64);
        signed(&mut out, *offset);
        field(&mut out, 1, I32);
        signed(&mut out, i64::from(*size));
        field(&mut out, 1, I64);
        signed(&mut out, location.first_row_index);
        out.push(STOP);
    }
    if let Some(sizes) = index.unencoded_byte_array_data_bytes() {
        field(&mut out, 1, LIST);
        list(&mut out, sizes.len(), I64);
        sizes.iter().for_each(|size| signed(&mut out, *size));
    }
    out.push(STOP);
    out
}

/// A `PageHeader` in front of a page.
pub(super) struct Header<'a> {
    /// Type and size before compression.
    before: &'a [u8],
    /// Bytes of the page as it is stored.
    pub(super) stored: usize,
    /// What kind of page it is.
    after: &'a [u8],
}

impl<'a> Header<'a> {
    /// The header of the page of which `bytes` are header and body, and the body.
    ///
    /// # Errors
    /// `Internal` when it doesn't begin as the Parquet crate writes it.
    pub(super) fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8])> {
        let split = || {
            let mut at = 0;
            // 1: the type, 2: the size before compression, 3: the size after it.
            for _ in 0..2 {
                at = skip_i32(bytes, at)?.0;
            }
            let (end, stored) = skip_i32(bytes, at)?;
            let stored = usize::try_from(stored).ok()?;
            let body = bytes.len().checked_sub(stored)?;
            let header = Self {
                before: bytes.get(..at)?,
                stored,
                after: bytes.get(end..body)?,
            };
            Some((header, bytes.get(body..)?))
        };
        split().ok_or_else(|| Error::internal("a page has no header as Parquet has it"))
    }

    /// The header of the same page when `stored` bytes are stored of it.
    pub(super) fn with_stored(&self, stored: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.before.len() + self.after.len() + 8);
        out.extend_from_slice(self.before);
        field(&mut out, 1, I32);
        signed(&mut out, i64::try_from(stored).unwrap_or(i64::MAX));
        out.extend_from_slice(self.after);
        out
    }
}

/// The end of the field at `at`, which follows its predecessor and is an `i32`, and its value.
fn skip_i32(bytes: &[u8], at: usize) -> Option<(usize, i64)> {
    if *bytes.get(at)? != 0x10 | I32 {
        return None;
    }
    let (mut at, mut value, mut shift) = (at + 1, 0_u64, 0);
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte < 0x80 {
            let magnitude = i64::try_from(value >> 1).ok()?;
            let sign = i64::try_from(value & 1).ok()?;
            return Some((at, magnitude ^ -sign));
        }
    }
}
