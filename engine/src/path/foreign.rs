//! The object keys of foreign layouts, exactly as Confluent's and Aiven's S3 sinks name them. Pure.
//!
//! ```text
//! topics/orders/year=2024/month=05/day=01/hour=07/orders+3+0000012345.snappy.parquet
//! orders-3-12345
//! ```
//!
//! Such a name says nothing of its cut, so it may be taken (P13): then it gets a suffix that is
//! nobody else's.

use std::fmt::Write as _;

use uuid::Uuid;

use super::partition::fingerprint;

/// Stands for the start offset in a rendered template, which is known last.
pub(crate) const START: char = '\u{0}';
/// The same with zeros in front.
pub(crate) const START_PADDED: char = '\u{1}';

/// Digits of a padded start offset in a template.
const START_DIGITS: usize = 20;

/// The most bytes of a field's value in a key: a folder's name has 255 on local disk.
const VALUE_BYTES: usize = 200;

/// What stands behind the last dots of a file's name.
const EXTENSIONS: [&str; 11] = [
    ".parquet", ".json", ".bin", ".avro", ".snappy", ".zstd", ".zst", ".gz", ".lz4raw", ".keys",
    ".headers",
];

/// How a foreign layout names its objects, below the lake's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// As Confluent's S3 sink does.
    Confluent(ConfluentNames),
    /// By a template, as Aiven's does: the folder of a [`ForeignFile`] is the template with
    /// everything in it but the start offset. The prefix comes before it.
    Template {
        /// `file.name.prefix`.
        prefix: String,
    },
}

/// The parts of Confluent's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfluentNames {
    /// `topics.dir`; may be empty.
    pub topics_dir: String,
    /// `directory.delim`.
    pub directory_delim: String,
    /// `file.delim`.
    pub file_delim: String,
    /// `filename.offset.zero.pad.width`.
    pub offset_digits: usize,
    /// `.snappy.parquet`.
    pub extension: String,
}

/// A file that wants a name.
#[derive(Debug, Clone, Copy)]
pub struct ForeignFile<'a> {
    /// The Kafka topic.
    pub topic: &'a str,
    /// The Kafka partition.
    pub partition: i32,
    /// The encoded partition, such as `year=2024/month=05`.
    pub folder: &'a str,
    /// The first offset of the rotation, over all encoded partitions.
    pub rotation: i64,
    /// The first offset of the file.
    pub first: i64,
}

impl Names {
    /// The key of a file, below the lake's root.
    pub fn key(&self, file: &ForeignFile<'_>) -> String {
        let key = match self {
            Self::Confluent(names) => names.key(file),
            Self::Template { prefix } => {
                let start = file.rotation;
                let text = file.folder.replace(START, &start.to_string());
                let padded = format!("{start:0START_DIGITS$}");
                format!("{prefix}{}", text.replace(START_PADDED, &padded))
            }
        };
        legal(&key)
    }

    /// The key of what lies beside a file, with `extension` in its name instead of the file's own.
    pub(crate) fn side(&self, file: &ForeignFile<'_>, extension: &str) -> String {
        match self {
            Self::Confluent(names) => legal(&names.keyed(file, extension)),
            Self::Template { .. } => self.key(file) + extension,
        }
    }
}

impl ConfluentNames {
    fn key(&self, file: &ForeignFile<'_>) -> String {
        self.keyed(file, &self.extension)
    }

    fn keyed(&self, file: &ForeignFile<'_>, extension: &str) -> String {
        let (folders, files) = (&self.directory_delim, &self.file_delim);
        let ForeignFile {
            topic, partition, ..
        } = file;
        let mut key = String::new();
        if !self.topics_dir.is_empty() {
            let _ = write!(key, "{}{folders}", self.topics_dir);
        }
        let width = self.offset_digits;
        // Writing to a string can't fail.
        let _ = write!(
            key,
            "{topic}{folders}{}{folders}{topic}{files}{partition}{files}{:0width$}{}",
            file.folder, file.first, extension
        );
        key
    }
}

/// `name` with a suffix before its extension, for a name that is taken, or for what a rewrite makes
/// of the file. A suffix that it has already makes room.
pub(crate) fn suffixed(name: &str, id: Uuid) -> String {
    let (stem, extension) = split(name);
    format!("{}-{id}{extension}", without_suffix(stem))
}

/// A rewritten file beside `name`, whose codec isn't that of the name any more.
pub(crate) fn rewritten(name: &str, id: Uuid) -> String {
    let (stem, _) = split(name);
    format!("{}-{id}.zstd.parquet", without_suffix(stem))
}

/// A field's value as it stands in a key; one that no folder takes is cut, and what was cut off is
/// stood for by a number made of the whole.
pub(crate) fn foreign_value(text: &str) -> String {
    if text.len() <= VALUE_BYTES {
        return text.to_owned();
    }
    let cut = text.floor_char_boundary(VALUE_BYTES - 17);
    let (kept, _) = text.split_at(cut);
    format!("{kept}-{:016x}", fingerprint(text.as_bytes()))
}

fn split(name: &str) -> (&str, &str) {
    let mut stem = name;
    while let Some(shorter) = EXTENSIONS.iter().find_map(|known| stem.strip_suffix(known)) {
        stem = shorter;
    }
    (stem, name.get(stem.len()..).unwrap_or_default())
}

fn without_suffix(stem: &str) -> &str {
    let at = stem.len().saturating_sub(37);
    match stem.get(at..).and_then(|end| end.strip_prefix('-')) {
        Some(id) if Uuid::try_parse(id).is_ok() => stem.get(..at).unwrap_or(stem),
        _ => stem,
    }
}

/// What no store takes is percent-encoded: control characters, and folders of dots alone. Folders
/// without a name are left out.
fn legal(key: &str) -> String {
    let mut legal = String::with_capacity(key.len());
    for part in key.split('/').filter(|part| !part.is_empty()) {
        if !legal.is_empty() {
            legal.push('/');
        }
        let dots = part == "." || part == "..";
        for c in part.chars() {
            if c.is_ascii_control() || dots {
                let _ = write!(legal, "%{:02X}", u32::from(c));
            } else {
                legal.push(c);
            }
        }
    }
    legal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confluent() -> ConfluentNames {
        ConfluentNames {
            topics_dir: "topics".to_owned(),
            directory_delim: "/".to_owned(),
            file_delim: "+".to_owned(),
            offset_digits: 10,
            extension: ".snappy.parquet".to_owned(),
        }
    }

    fn file(folder: &str) -> ForeignFile<'_> {
        ForeignFile {
            topic: "orders",
            partition: 3,
            folder,
            rotation: 12_340,
            first: 12_345,
        }
    }

    #[test]
    fn a_name_is_that_of_confluents_sink() {
        let usual = confluent();
        let other = |change: fn(&mut ConfluentNames)| {
            let mut names = confluent();
            change(&mut names);
            names
        };
        for (names, folder, key) in [
            (
                usual.clone(),
                "year=2024/month=05/day=01/hour=07",
                "topics/orders/year=2024/month=05/day=01/hour=07/\
                 orders+3+0000012345.snappy.parquet",
            ),
            (
                usual.clone(),
                "partition=3",
                "topics/orders/partition=3/orders+3+0000012345.snappy.parquet",
            ),
            (
                usual.clone(),
                "a=v1/b=null",
                "topics/orders/a=v1/b=null/orders+3+0000012345.snappy.parquet",
            ),
            (
                other(|names| names.topics_dir = String::new()),
                "partition=3",
                "orders/partition=3/orders+3+0000012345.snappy.parquet",
            ),
            (
                other(|names| names.offset_digits = 0),
                "partition=3",
                "topics/orders/partition=3/orders+3+12345.snappy.parquet",
            ),
            (
                other(|names| names.offset_digits = 3),
                "partition=3",
                "topics/orders/partition=3/orders+3+12345.snappy.parquet",
            ),
            (
                other(|names| {
                    names.directory_delim = "_".to_owned();
                    names.file_delim = "-".to_owned();
                    names.extension = ".parquet".to_owned();
                }),
                "partition=3",
                "topics_orders_partition=3_orders-3-0000012345.parquet",
            ),
            (
                usual,
                "a=ü b%2F/b=x/../\n",
                "topics/orders/a=ü b%2F/b=x/%2E%2E/%0A/orders+3+0000012345.snappy.parquet",
            ),
        ] {
            assert_eq!(Names::Confluent(names).key(&file(folder)), key);
        }
    }

    #[test]
    fn a_template_gets_its_start_offset_last() {
        let names = Names::Template {
            prefix: "raw/".to_owned(),
        };
        let folder = format!("orders-3-{START}.gz");
        assert_eq!(names.key(&file(&folder)), "raw/orders-3-12340.gz");
        let folder = format!("{START_PADDED}/{START}");
        assert_eq!(names.key(&file(&folder)), "raw/00000000000000012340/12340");
    }

    #[test]
    fn a_suffix_stands_before_the_extension_and_takes_the_place_of_another() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let name = "a/v1.orders+3+0000012345.snappy.parquet";
        let taken = format!("a/v1.orders+3+0000012345-{one}.snappy.parquet");
        assert_eq!(suffixed(name, one), taken);
        assert_eq!(
            suffixed(&taken, two),
            format!("a/v1.orders+3+0000012345-{two}.snappy.parquet")
        );
        assert_eq!(
            rewritten(&taken, two),
            format!("a/v1.orders+3+0000012345-{two}.zstd.parquet")
        );
        assert_eq!(suffixed("orders-3-1", one), format!("orders-3-1-{one}"));
    }

    #[test]
    fn a_value_that_no_folder_takes_is_cut_and_tells_itself_from_others() {
        let long = "ü".repeat(150);
        let (one, other) = (format!("{long}1"), format!("{long}2"));
        assert_ne!(foreign_value(&one), foreign_value(&other));
        assert!(foreign_value(&one).len() <= VALUE_BYTES);
        assert_eq!(foreign_value("a/b c"), "a/b c");
    }
}
