//! Percent-encoding of paths within Delta's log, where a file is named by a URI reference.

use std::fmt::Write;

/// Characters that Hadoop's paths, and so Spark and the Delta kernel, escape in `add.path`.
const ESCAPED: &str = " \"#%<>?[\\]^`{|}";

/// A file's path as the log writes it.
pub(crate) fn escape(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_ascii_control() || ESCAPED.contains(c) {
            // Writing to a string can't fail.
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
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
        ] {
            assert_eq!(unescape(&escape(path)), path);
        }
        assert_eq!(escape("dt=2026-11-23/a.parquet"), "dt=2026-11-23/a.parquet");
        assert_eq!(unescape("dt=M%C3%BCnchen"), "dt=München");
    }
}
