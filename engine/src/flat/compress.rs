//! How an object as a whole is compressed.

use std::io::Write as _;

use crate::error::{Error, Result};

/// How an object as a whole is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// By gzip, how hard from 0 to 9; `None` is its own choice.
    Gzip(Option<u32>),
    /// By Snappy, in the stream format of Java's `SnappyOutputStream`.
    Snappy,
    /// By Zstandard.
    Zstd,
}

/// What a stream of Java's begins with: its magic, its version and the oldest that reads it.
const SNAPPY: [u8; 16] = *b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";
/// The bytes that such a stream compresses at a time.
const SNAPPY_BLOCK: usize = 32 << 10;

impl Compression {
    pub(super) fn compress(self, text: Vec<u8>) -> Result<Vec<u8>> {
        let failed = |error| Error::internal("an object can't be compressed").with_source(error);
        match self {
            Self::None => Ok(text),
            Self::Gzip(level) => {
                let level =
                    level.map_or_else(flate2::Compression::default, flate2::Compression::new);
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
                gzip.write_all(&text)
                    .and_then(|()| gzip.finish())
                    .map_err(failed)
            }
            Self::Snappy => snappy(&text),
            Self::Zstd => zstd::bulk::compress(&text, 0).map_err(failed),
        }
    }
}

fn snappy(text: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::from(SNAPPY);
    let mut encoder = snap::raw::Encoder::new();
    for block in text.chunks(SNAPPY_BLOCK) {
        let block = encoder
            .compress_vec(block)
            .map_err(|error| Error::internal("an object can't be compressed").with_source(error))?;
        let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&block);
    }
    Ok(out)
}
