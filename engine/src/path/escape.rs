//! Percent-encoding of paths within Delta's log, where a file is named by a URI reference.

use std::fmt::Write;

/// Characters that Hadoop's paths, and so Spark and the Delta kernel, escape in `add.path`.
const ESCAPED: &str = " \"#%<>?[\\]^`{|}";

/// A file's path as the log writes it.
pub(crate) fn escape(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    // A colon in the first folder's name would make a URL of it.
    let folder = match key_of_url(path) {
        Some(_) => 0,
        None => path.find('/').unwrap_or(path.len()),
    };
    for (at, c) in path.char_indices() {
        if c == ':' && at < folder || c.is_ascii_control() || ESCAPED.contains(c) {
            // Writing to a string can't fail.
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The key of an object that the log names by its URL; `None` for a path below the table.
pub(crate) fn key_of_url(path: &str) -> Option<&str> {
    let (scheme, rest) = path.split_once("://")?;
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if scheme.is_empty() || !scheme.chars().all(letters) {
        return None;
    }
    Some(rest.split_once('/').map_or("", |(_, key)| key))
}

/// A file's path from what the log says; what is no valid escape stays as it is.
pub(crate) fn unescape(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digit = |at: usize| {
            let byte = tail.get(at)?;
            char::from(*byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high * 16 + low);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_back_from_the_log_as_it_went_in() {
        for path in [
            "dt=2026-11-23/a.parquet",
            "dt=a b%2F/ü#?.parquet",
            "100%",
            "a%zz",
            "a:b=1/c:d",
            "s3://bucket/a: b",
        ] {
            assert_eq!(unescape(&escape(path)), path);
        }
        assert_eq!(escape("dt=2026-11-23/a.parquet"), "dt=2026-11-23/a.parquet");
        assert_eq!(escape("a:b=1/c:d"), "a%3Ab=1/c:d");
        assert_eq!(escape("s3://bucket/a b"), "s3://bucket/a%20b");
        assert_eq!(unescape("dt=M%C3%BCnchen"), "dt=München");
    }
}
