//! Answers that are compressed as they are streamed: what is written is flushed, so that rows reach
//! their reader when they are computed and not when a buffer is full.

use std::io::{self, Write};

use axum::http::{HeaderMap, header};
use flate2::write::GzEncoder;
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::error::{Error, Result};

/// How an answer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Gzip,
    Zstd,
}

impl Coding {
    /// The best that `Accept-Encoding` allows.
    pub(super) fn of_accept(headers: &HeaderMap) -> Self {
        let mut best = Self::Plain;
        for value in headers.get_all(header::ACCEPT_ENCODING) {
            for one in value.to_str().unwrap_or_default().split(',') {
                let mut parts = one.split(';').map(str::trim);
                let name = parts.next().unwrap_or_default();
                if parts.any(is_zero) {
                    continue;
                }
                if name.eq_ignore_ascii_case("zstd") {
                    best = Self::Zstd;
                } else if name.eq_ignore_ascii_case("gzip") && best == Self::Plain {
                    best = Self::Gzip;
                }
            }
        }
        best
    }

    /// The value of `Content-Encoding`, where there is one.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// A compressor of one answer.
    pub(super) fn compressor(self) -> Result<Compressor> {
        Ok(match self {
            Self::Plain => Compressor::Plain,
            Self::Gzip => {
                let level = flate2::Compression::fast();
                Compressor::Gzip(Box::new(GzEncoder::new(Vec::new(), level)))
            }
            Self::Zstd => {
                let encoder = ZstdEncoder::new(Vec::new(), ZSTD_LEVEL).map_err(broken)?;
                Compressor::Zstd(Box::new(encoder))
            }
        })
    }
}

/// Streams go to the next machine, not to disk.
const ZSTD_LEVEL: i32 = 1;

/// `q=0`: not wanted.
fn is_zero(parameter: &str) -> bool {
    let quality = parameter.strip_prefix("q=").map(str::parse::<f32>);
    matches!(quality, Some(Ok(quality)) if quality == 0.0)
}

/// Bytes in, compressed bytes out.
pub(super) enum Compressor {
    Plain,
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Zstd(Box<ZstdEncoder<'static, Vec<u8>>>),
}

impl Compressor {
    /// Some more bytes, readable at once.
    pub(super) fn write(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let written = match self {
            Self::Plain => return Ok(bytes),
            Self::Gzip(encoder) => encoder
                .write_all(&bytes)
                .and_then(|()| encoder.flush())
                .map(|()| std::mem::take(encoder.get_mut())),
            Self::Zstd(encoder) => encoder
                .write_all(&bytes)
                .and_then(|()| encoder.flush())
                .map(|()| std::mem::take(encoder.get_mut())),
        };
        written.map_err(broken)
    }

    /// What closes the stream: without it a reader sees that it was cut.
    pub(super) fn end(self) -> Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(Vec::new()),
            Self::Gzip(encoder) => encoder.finish().map_err(broken),
            Self::Zstd(encoder) => encoder.finish().map_err(broken),
        }
    }
}

fn broken(error: io::Error) -> Error {
    Error::internal(format!("the answer can't be compressed: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_best_coding_that_is_wanted_is_chosen() {
        for (accept, coding) in [
            ("", Coding::Plain),
            ("identity, br", Coding::Plain),
            ("gzip, deflate", Coding::Gzip),
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("zstd;q=0, GZIP;q=0.5", Coding::Gzip),
            ("gzip;q=0.0", Coding::Plain),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, accept.parse().unwrap());
            assert_eq!(Coding::of_accept(&headers), coding, "{accept}");
        }
        assert_eq!(Coding::of_accept(&HeaderMap::new()), Coding::Plain);
    }

    #[test]
    fn what_was_written_can_be_read_before_the_end() {
        let mut gzip = Coding::Gzip.compressor().unwrap();
        let first = gzip.write(b"first row\n".to_vec()).unwrap();
        let mut reader = flate2::write::GzDecoder::new(Vec::new());
        reader.write_all(&first).unwrap();
        reader.flush().unwrap();
        assert_eq!(reader.get_ref(), b"first row\n");
        let mut zstd = Coding::Zstd.compressor().unwrap();
        let first = zstd.write(b"first row\n".to_vec()).unwrap();
        let mut reader = zstd::stream::write::Decoder::new(Vec::new()).unwrap();
        reader.write_all(&first).unwrap();
        reader.flush().unwrap();
        assert_eq!(reader.get_ref(), b"first row\n");
    }
}
