//! What the pages of a file are compressed with.

use std::io::Write;

use flate2::write::GzEncoder;
use lz4_flex::block::{compress_into, get_maximum_output_size};
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use snap::raw::{Encoder, max_compress_len};

use super::search::{LEVEL, Zstd};
use crate::error::{Error, Result};

/// What gzip does unless it is told otherwise, in Java too.
const GZIP_LEVEL: u32 = 6;
/// The Parquet crate's own choice.
const BROTLI_LEVEL: u32 = 1;
/// The window that Brotli's makers recommend, as a power of two.
const BROTLI_WINDOW: u32 = 22;
const BROTLI_BUFFER: usize = 4096;

/// The codec of a file's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// The best of what is fast; all files of the native layout.
    #[default]
    Zstd,
    /// Larger files, for readers that expect it of a name.
    Snappy,
    /// Slower than zstd and larger, for readers that know nothing newer.
    Gzip,
    /// Small and slow.
    Brotli,
    /// Without Hadoop's frames, which Parquet deprecates and not everybody reads.
    Lz4,
    /// As they are.
    None,
}

impl Codec {
    #[cfg(test)]
    pub(super) const ALL: [Self; 6] = [
        Self::Zstd,
        Self::Snappy,
        Self::Gzip,
        Self::Brotli,
        Self::Lz4,
        Self::None,
    ];

    /// As Parquet's metadata names it.
    pub(super) fn compression(self) -> Result<Compression> {
        Ok(match self {
            Self::Zstd => Compression::ZSTD(ZstdLevel::try_new(LEVEL)?),
            Self::Snappy => Compression::SNAPPY,
            Self::Gzip => Compression::GZIP(GzipLevel::try_new(GZIP_LEVEL)?),
            Self::Brotli => Compression::BROTLI(BrotliLevel::try_new(BROTLI_LEVEL)?),
            Self::Lz4 => Compression::LZ4_RAW,
            Self::None => Compression::UNCOMPRESSED,
        })
    }
}

/// What compresses one page after the other.
pub(super) enum Compressor {
    Zstd(Zstd),
    Snappy(Box<Encoder>),
    /// Those that keep nothing from one page to the next.
    Plain(Codec),
}

impl Compressor {
    pub(super) fn new(codec: Codec) -> Result<Self> {
        Ok(match codec {
            Codec::Zstd => {
                Self::Zstd(Zstd::new().map_err(|error| {
                    Error::internal("zstd has no such level").with_source(error)
                })?)
            }
            Codec::Snappy => Self::Snappy(Box::new(Encoder::new())),
            Codec::Gzip | Codec::Brotli | Codec::Lz4 | Codec::None => Self::Plain(codec),
        })
    }

    pub(super) fn codec(&self) -> Codec {
        match self {
            Self::Zstd(_) => Codec::Zstd,
            Self::Snappy(_) => Codec::Snappy,
            Self::Plain(codec) => *codec,
        }
    }

    /// The next pages are another column's.
    pub(super) fn begin_column(&mut self) {
        if let Self::Zstd(zstd) = self {
            zstd.begin_column();
        }
    }

    /// Puts what `plain` compresses to into `packed`, and nothing else.
    pub(super) fn compress(&mut self, plain: &[u8], packed: &mut Vec<u8>) -> Result<()> {
        packed.clear();
        match self {
            Self::Zstd(zstd) => {
                zstd.compress(plain, packed).map_err(|error| {
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
            Self::Plain(codec) => codec.compress(plain, packed).map_err(|error| {
                Error::internal("a page could not be compressed").with_source(error)
            })?,
        }
        Ok(())
    }
}

impl Codec {
    /// Puts what `plain` compresses to into `packed`, which is empty.
    fn compress(self, plain: &[u8], packed: &mut Vec<u8>) -> std::io::Result<()> {
        match self {
            Self::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                let mut gzip = GzEncoder::new(packed, level);
                gzip.write_all(plain)?;
                gzip.finish()?;
            }
            Self::Brotli => {
                let mut brotli = brotli::CompressorWriter::new(
                    packed,
                    BROTLI_BUFFER,
                    BROTLI_LEVEL,
                    BROTLI_WINDOW,
                );
                brotli.write_all(plain)?;
                // The end of the stream is written when the compressor goes.
                drop(brotli);
            }
            Self::Lz4 => {
                packed.resize(get_maximum_output_size(plain.len()), 0);
                let length = compress_into(plain, packed).map_err(std::io::Error::other)?;
                packed.truncate(length);
            }
            // The others have a compressor that is kept.
            Self::Zstd | Self::Snappy | Self::None => packed.extend_from_slice(plain),
        }
        Ok(())
    }
}
