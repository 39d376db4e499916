//! Reads a body, and inflates it, within bounds.

use std::io::Read;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;

use super::answer::Refusal;

/// What zstd may look back on, 8 MiB: what RFC 8878 asks of every decoder.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// What is read of a body that is refused.
const DISCARDED_MOST: usize = 1 << 20;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

/// What `Content-Encoding` says.
///
/// # Errors
/// 415 for one that isn't known, and for several on top of each other.
pub(super) fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let mut named = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(first) = named.next() else {
        return Ok(Encoding::Identity);
    };
    let first = first.to_str().unwrap_or("?").trim().to_ascii_lowercase();
    match first.as_str() {
        _ if named.next().is_some() => {}
        "" | "identity" => return Ok(Encoding::Identity),
        "gzip" | "x-gzip" => return Ok(Encoding::Gzip),
        "zstd" => return Ok(Encoding::Zstd),
        _ => {}
    }
    Err(Refusal::unsupported(
        "bodies may be compressed with gzip or zstd, and nothing else",
    ))
}

/// The most bytes that the body will take.
///
/// # Errors
/// 413 when it says that it is larger than what is taken.
pub(super) fn expected(
    headers: &HeaderMap,
    encoding: Encoding,
    most: usize,
) -> Result<usize, Refusal> {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let length = length.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    match (length, encoding) {
        (Some(length), _) if length > most => Err(too_large(most)),
        (Some(length), Encoding::Identity) => Ok(length),
        // What it inflates to is held beside it.
        (Some(length), _) => Ok(length.saturating_add(most)),
        (None, Encoding::Identity) => Ok(most),
        (None, _) => Ok(most.saturating_mul(2)),
    }
}

/// Reads all of it.
///
/// # Errors
/// 413 when it is larger than what is taken, 400 when it breaks off.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, Refusal> {
    let length = http_body::Body::size_hint(&body).exact();
    let length = length.and_then(|length| usize::try_from(length).ok());
    let mut parts = body.into_data_stream();
    // Memory that nothing is written to costs nothing.
    let mut read = BytesMut::with_capacity(length.unwrap_or_default().min(most));
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| Refusal::invalid("the body broke off"))?;
        if length == Some(part.len()) && part.len() <= most {
            return Ok(part);
        }
        if read.len() + part.len() > most {
            rest(parts).await;
            return Err(too_large(most));
        }
        read.extend_from_slice(&part);
    }
    Ok(read.freeze())
}

/// Reads on what nobody will look at, within bounds: a client that still sends may not see the
/// answer to what it sent.
pub(super) async fn discard(body: Body) {
    rest(body.into_data_stream()).await;
}

async fn rest(mut parts: BodyDataStream) {
    let mut left = DISCARDED_MOST;
    while let Some(Ok(part)) = parts.next().await {
        match left.checked_sub(part.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}

/// What a compressed body says.
///
/// # Errors
/// 413 when it is larger than what is taken, 400 when it isn't what it is said to be.
pub(super) async fn inflate(
    body: Bytes,
    encoding: Encoding,
    most: usize,
) -> Result<Bytes, Refusal> {
    if encoding == Encoding::Identity {
        return Ok(body);
    }
    let inflated = tokio::task::spawn_blocking(move || match encoding {
        Encoding::Identity => Ok(body),
        Encoding::Gzip => bounded(MultiGzDecoder::new(body.as_ref()), most, "gzip"),
        Encoding::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(body.as_ref());
            let decoder = decoder.and_then(|mut decoder| {
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Ok(decoder)
            });
            bounded(decoder.map_err(|_| broken("zstd"))?, most, "zstd")
        }
    });
    inflated
        .await
        .unwrap_or_else(|_| Err(Refusal::unavailable("inflating the body broke off")))
}

fn bounded(decoder: impl Read, most: usize, kind: &str) -> Result<Bytes, Refusal> {
    let mut inflated = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = decoder.take(limit).read_to_end(&mut inflated);
    read.map_err(|_| broken(kind))?;
    if inflated.len() > most {
        return Err(too_large(most));
    }
    Ok(inflated.into())
}

fn broken(kind: &str) -> Refusal {
    Refusal::invalid(format!(
        "the body is not {kind}, as `Content-Encoding` says"
    ))
}

fn too_large(most: usize) -> Refusal {
    Refusal::too_large(format!("a body may have {most} bytes, inflated too"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    #[tokio::test]
    async fn compressed_bodies_are_inflated_within_bounds() {
        let text = vec![b'a'; 1 << 20];
        for (body, encoding) in [
            (gzip(&text), Encoding::Gzip),
            (
                zstd::encode_all(&text[..], 1).unwrap().into(),
                Encoding::Zstd,
            ),
        ] {
            let all = inflate(body.clone(), encoding, 1 << 20).await.unwrap();
            assert_eq!(all, text);
            let bomb = inflate(body.clone(), encoding, (1 << 20) - 1).await;
            assert_eq!(bomb.unwrap_err().told().0, 413);
            let half = body.slice(..body.len() / 2);
            let half = inflate(half, encoding, 1 << 20).await;
            assert_eq!(half.unwrap_err().told().0, 400);
        }
    }

    #[test]
    fn unknown_encodings_and_announced_giants_are_refused_before_anything_is_read() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, "br".parse().unwrap());
        assert_eq!(encoding(&headers).unwrap_err().told().0, 415);
        headers.insert(header::CONTENT_LENGTH, "11".parse().unwrap());
        let refused = expected(&headers, Encoding::Identity, 10).unwrap_err();
        assert_eq!(refused.told().0, 413);
        assert_eq!(expected(&headers, Encoding::Gzip, 100).unwrap(), 111);
    }
}
