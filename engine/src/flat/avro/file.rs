//! Avro's object container files: a header with the schema, blocks of records, a mark between them.

use std::io::Write as _;

use super::encode::{long, sized};
use crate::error::{Error, Result};

/// How the blocks of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BlockCodec {
    /// Not at all.
    #[default]
    Null,
    /// By Deflate.
    Deflate,
    /// By Snappy, each block with its checksum.
    Snappy,
    /// By Zstandard.
    Zstandard,
}

/// Bytes of a block before it is compressed, as Java's writer has it.
const BLOCK_BYTES: usize = 64_000;

/// A file that is being written.
pub(super) struct File {
    out: Vec<u8>,
    codec: BlockCodec,
    sync: [u8; 16],
    block: Vec<u8>,
    records: i64,
}

impl File {
    /// Begins a file of records of `schema`. `sync` stands between its blocks, and in no other's.
    pub(super) fn new(schema: &str, codec: BlockCodec, sync: [u8; 16]) -> Self {
        let mut out = b"Obj\x01".to_vec();
        long(2, &mut out);
        for (key, value) in [("avro.schema", schema), ("avro.codec", codec.name())] {
            sized(key.as_bytes(), &mut out);
            sized(value.as_bytes(), &mut out);
        }
        out.push(0);
        out.extend_from_slice(&sync);
        Self {
            out,
            codec,
            sync,
            block: Vec::with_capacity(BLOCK_BYTES),
            records: 0,
        }
    }

    /// Adds a record, which `write` writes.
    ///
    /// # Errors
    /// As `write`'s; `Internal` when a block can't be compressed.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        write(&mut self.block)?;
        self.records += 1;
        match self.block.len() >= BLOCK_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// `Internal` when a block can't be compressed.
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        self.flush()?;
        Ok(self.out)
    }

    fn flush(&mut self) -> Result<()> {
        if self.records > 0 {
            long(self.records, &mut self.out);
            sized(&self.codec.compress(&self.block)?, &mut self.out);
            self.out.extend_from_slice(&self.sync);
            self.block.clear();
            self.records = 0;
        }
        Ok(())
    }
}

impl BlockCodec {
    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
            Self::Zstandard => "zstandard",
        }
    }

    fn compress(self, block: &[u8]) -> Result<Vec<u8>> {
        let failed = || Error::internal("a block of Avro can't be compressed");
        match self {
            Self::Null => Ok(block.to_vec()),
            Self::Deflate => {
                let level = flate2::Compression::default();
                let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), level);
                deflate
                    .write_all(block)
                    .and_then(|()| deflate.finish())
                    .map_err(|error| failed().with_source(error))
            }
            Self::Snappy => {
                let packed = snap::raw::Encoder::new().compress_vec(block);
                let mut packed = packed.map_err(|error| failed().with_source(error))?;
                let mut sum = flate2::Crc::new();
                sum.update(block);
                packed.extend_from_slice(&sum.sum().to_be_bytes());
                Ok(packed)
            }
            Self::Zstandard => {
                zstd::bulk::compress(block, 0).map_err(|error| failed().with_source(error))
            }
        }
    }
}
