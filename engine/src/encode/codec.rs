//! What the pages of a file are compressed with.

use parquet::basic::{Compression, ZstdLevel};
use snap::raw::{Encoder, max_compress_len};

use crate::error::{Error, Result};

/// The fastest level that finds repetitions.
const LEVEL: i32 = 1;

/// The codec of a file's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// The best of what is fast; all files of the native layout.
    #[default]
    Zstd,
    /// Larger files, for readers that expect it of a name.
    Snappy,
    /// As they are.
    None,
}

impl Codec {
    /// As Parquet's metadata names it.
    pub(super) fn compression(self) -> Result<Compression> {
        Ok(match self {
            Self::Zstd => Compression::ZSTD(ZstdLevel::try_new(LEVEL)?),
            Self::Snappy => Compression::SNAPPY,
            Self::None => Compression::UNCOMPRESSED,
        })
    }
}

/// What compresses one page after the other.
pub(super) enum Compressor {
    Zstd(zstd::bulk::Compressor<'static>),
    Snappy(Box<Encoder>),
    None,
}

impl Compressor {
    pub(super) fn new(codec: Codec) -> Result<Self> {
        Ok(match codec {
            Codec::Zstd => {
                let zstd = zstd::bulk::Compressor::new(LEVEL).map_err(|error| {
                    Error::internal("zstd has no such level").with_source(error)
                })?;
                Self::Zstd(zstd)
            }
            Codec::Snappy => Self::Snappy(Box::new(Encoder::new())),
            Codec::None => Self::None,
        })
    }

    pub(super) fn codec(&self) -> Codec {
        match self {
            Self::Zstd(_) => Codec::Zstd,
            Self::Snappy(_) => Codec::Snappy,
            Self::None => Codec::None,
        }
    }

    /// Puts what `plain` compresses to into `packed`, and nothing else.
    pub(super) fn compress(&mut self, plain: &[u8], packed: &mut Vec<u8>) -> Result<()> {
        packed.clear();
        match self {
            Self::Zstd(zstd) => {
                packed.reserve(zstd::zstd_safe::compress_bound(plain.len()));
                zstd.compress_to_buffer(plain, packed).map_err(|error| {
                    Error::internal("zstd could not compress a page").with_source(error)
                })?;
            }
            Self::Snappy(snappy) => {
                packed.resize(max_compress_len(plain.len()), 0);
                let length = snappy.compress(plain, packed).map_err(|error| {
                    Error::internal("snappy could not compress a page").with_source(error)
                })?;
                packed.truncate(length);
            }
            Self::None => packed.extend_from_slice(plain),
        }
        Ok(())
    }
}
