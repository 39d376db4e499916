//! The folders of partitions: `region=eu/dt=2026-11-23`, as Hive writes them and Delta's readers
//! expect them.
//!
//! All but ASCII letters, digits and three signs is percent-encoded, byte by byte: of what else a
//! key may have, one reader or the other decodes it once too often or too seldom. The log says each
//! value as it is, so the folder is for people and for readers of plain Parquet.

use std::borrow::Cow;
use std::fmt::Write as _;

use uuid::Uuid;

/// What Hive calls the folder of null.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The most bytes of a value as it stands in a path. A folder's name has 255 on local disk, and an
/// object's key 1,024 on S3.
const VALUE_BYTES: usize = 160;

/// A value as a partition has it: one that is too long for a path is cut, and what was cut off is
/// stood for by a number made of the whole.
pub(crate) fn partition_value(text: &str) -> Cow<'_, str> {
    let mut bytes = 0;
    let width = |c: char| if is_plain(c) { 1 } else { 3 * c.len_utf8() };
    let fits = text.len() <= VALUE_BYTES / 3
        || text.chars().all(|c| {
            bytes += width(c);
            bytes <= VALUE_BYTES
        });
    if fits {
        return Cow::Borrowed(text);
    }
    let mark = format!("-{:016x}", fingerprint(text.as_bytes()));
    let mut left = VALUE_BYTES - mark.len();
    let mut cut: String = text
        .chars()
        .take_while(|c| {
            let fits = width(*c) <= left;
            left = left.saturating_sub(width(*c));
            fits
        })
        .collect();
    cut.push_str(&mark);
    Cow::Owned(cut)
}

/// The folder of a partition, relative to its table; empty when there are no columns.
pub(crate) fn partition_folder(columns: &[String], values: &[Option<String>]) -> String {
    let mut folder = String::new();
    for (name, value) in columns.iter().zip(values) {
        if !folder.is_empty() {
            folder.push('/');
        }
        encode(&mut folder, name);
        folder.push('=');
        match value.as_deref() {
            None => folder.push_str(NULL),
            // The text that stands for null is no null itself.
            Some(NULL) => folder.push_str(&NULL.replacen('_', "%5F", 1)),
            Some(value) => encode(&mut folder, value),
        }
    }
    folder
}

/// A new data file in a partition's folder, relative to its table (P13).
pub fn data_file(folder: &str, id: Uuid) -> String {
    match folder {
        "" => format!("{id}.parquet"),
        folder => format!("{folder}/{id}.parquet"),
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn encode(out: &mut String, text: &str) {
    for c in text.chars() {
        if is_plain(c) {
            out.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a string can't fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// FNV-1a: two long values with one beginning are two partitions.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;
    use crate::path::unescape;

    /// What a reader of Hive's folders makes of them.
    fn read(folder: &str) -> Vec<(String, Option<String>)> {
        let parts = folder.split('/').map(|part| {
            let (name, value) = part.split_once('=').unwrap();
            (unescape(name), (value != NULL).then(|| unescape(value)))
        });
        parts.collect()
    }

    #[test]
    fn folders_are_named_as_hive_names_them() {
        for (value, folder) in [
            (Some("2026-11-23"), "dt=2026-11-23"),
            (Some("a/b"), "dt=a%2Fb"),
            (Some("50% off: a=b"), "dt=50%25%20off%3A%20a%3Db"),
            (Some(".."), "dt=.."),
            (Some("\u{7f}\n\u{85}"), "dt=%7F%0A%C2%85"),
            (Some("Zürich 東"), "dt=Z%C3%BCrich%20%E6%9D%B1"),
            (None, "dt=__HIVE_DEFAULT_PARTITION__"),
            (Some(NULL), "dt=%5F_HIVE_DEFAULT_PARTITION__"),
        ] {
            let values = [value.map(str::to_owned)];
            assert_eq!(partition_folder(&["dt".to_owned()], &values), folder);
        }
        assert_eq!(partition_folder(&[], &[]), "");
        assert_eq!(
            data_file("", Uuid::nil()),
            format!("{}.parquet", Uuid::nil())
        );
    }

    #[test]
    fn a_long_value_is_cut_and_still_tells_itself_from_others() {
        let long = "x".repeat(200);
        let (one, other) = (format!("{long}1"), format!("{long}2"));
        let (one, other) = (partition_value(&one), partition_value(&other));
        assert_ne!(one, other);
        assert_eq!(one.len(), VALUE_BYTES);
        assert_eq!(partition_value(&long[..VALUE_BYTES]), long[..VALUE_BYTES]);
        let signs = "/".repeat(54);
        assert_ne!(partition_value(&signs), signs);
        assert_eq!(partition_value(&signs[1..]), signs[1..]);
    }

    proptest! {
        #[test]
        fn any_values_come_back_from_their_folder(
            values in prop::collection::vec(prop::option::of("[\\PC\\x00-\\x20/%=_]{1,60}"), 1..4),
        ) {
            let cut = |value: &String| partition_value(value).into_owned();
            let values: Vec<Option<String>> =
                values.iter().map(|value| value.as_ref().map(cut)).collect();
            let columns = ["a", "b c", "d/e=%"].map(str::to_owned);
            let columns = &columns[..values.len()];
            let folder = partition_folder(columns, &values);
            prop_assert!(folder.split('/').all(|part| part.len() <= 255), "{folder}");
            let path = object_store::path::Path::parse(&folder).unwrap();
            prop_assert_eq!(path.as_ref(), folder.as_str());
            let expected: Vec<_> = columns.iter().cloned().zip(values).collect();
            prop_assert_eq!(read(&folder), expected);
        }
    }
}
