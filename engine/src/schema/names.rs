//! Readable names, each once in its struct even where case is ignored.
//!
//! A name is the key where that is possible. Characters that Delta forbids become `_`, a name that
//! is taken by another key gets a number, an alternate of the same key gets its kind
//! (`subject__object`). Names are only labels: what a column is stands in its metadata (P11).

use std::collections::HashSet;
use std::fmt::Write as _;

use super::envelope::{ENVELOPE, PARTITION_COLUMN, RESCUED, VALUE_SHAPE};
use super::kind::{Kind, Shape};

/// Longer names are cut: file systems, catalogs and people give up not far beyond.
const LENGTH_MAX: usize = 200;

/// The names taken in one struct.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// For the root of rows whose table isn't known yet.
    pub(crate) fn root() -> Self {
        Self::of_table(&[PARTITION_COLUMN.to_owned()])
    }

    /// For a table's root, where the envelope and the partition columns have their names.
    pub(crate) fn of_table(partition_columns: &[String]) -> Self {
        let mut names = Self::object();
        for name in ENVELOPE.into_iter().chain([VALUE_SHAPE]) {
            names.take(name);
        }
        for name in partition_columns {
            names.take(name);
        }
        names
    }

    /// For the struct of an object.
    pub(crate) fn object() -> Self {
        let mut names = Self::default();
        names.take(RESCUED);
        names
    }

    /// For the struct of a mixed list's elements.
    pub(crate) fn members() -> Self {
        Self::default()
    }

    /// Marks a name that is given already.
    pub(crate) fn take(&mut self, name: &str) {
        self.taken.insert(fold(name));
    }

    /// Gives a name to a key's column; `sibling` is the name of the key's first column, if this
    /// is an alternate.
    pub(crate) fn field(&mut self, key: &str, shape: Shape, sibling: Option<&str>) -> String {
        match sibling {
            None => self.first(&[readable(key)]),
            Some(name) => self.first(&suffixes(shape).map(|suffix| format!("{name}__{suffix}"))),
        }
    }

    /// Gives a name to what isn't of the payload.
    pub(crate) fn own(&mut self, name: &str) -> String {
        self.first(&[name.to_owned()])
    }

    /// Gives a name to a member of a mixed list's struct.
    pub(crate) fn member(&mut self, shape: Shape) -> String {
        if shape == Shape::scalar(Kind::Mixed) {
            return self.first(&["mixed".to_owned()]);
        }
        self.first(&suffixes(shape))
    }

    fn first(&mut self, candidates: &[String]) -> String {
        for candidate in candidates {
            if self.taken.insert(fold(candidate)) {
                return candidate.clone();
            }
        }
        let base = candidates.last().map_or("column", String::as_str);
        let mut number = 2_u64;
        loop {
            let candidate = format!("{base}_{number}");
            if self.taken.insert(fold(&candidate)) {
                return candidate;
            }
            number += 1;
        }
    }
}

/// A short and a full word for a shape: both lists of strings and mixed lists are `list` first.
fn suffixes(shape: Shape) -> [String; 2] {
    let full = format!("{}{}", "list_".repeat(shape.lists.into()), shape.leaf);
    if shape.is_list() {
        ["list".to_owned(), full]
    } else {
        [full.clone(), full]
    }
}

/// Equal for names that some reader takes for the same.
fn fold(name: &str) -> String {
    if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        // Small letters first: some have a capital that is not the capital of their capitals.
        name.to_lowercase().to_uppercase().to_lowercase()
    }
}

/// The key without what Delta forbids or nobody can read.
fn readable(key: &str) -> String {
    if key.is_empty() {
        return "empty_key".to_owned();
    }
    let mut name: String = key
        .chars()
        .map(|c| match c {
            ' ' | ',' | ';' | '{' | '}' | '(' | ')' | '=' => '_',
            c if c.is_control() => '_',
            c => c,
        })
        .collect();
    if name.len() > LENGTH_MAX {
        name.truncate(name.floor_char_boundary(LENGTH_MAX));
        // Writing to a string can't fail.
        let _ = write!(name, "_{:016x}", fingerprint(key.as_bytes()));
    }
    name
}

/// FNV-1a: tells long keys apart at a glance; a collision only costs a number.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_keys_where_possible() {
        let mut names = Names::root();
        let text = Shape::scalar(Kind::String);
        let mut name = |key: &str| names.field(key, text, None);
        assert_eq!(name("a.b/c\"d@e"), "a.b/c\"d@e");
        assert_eq!(name("User"), "User");
        assert_eq!(name("user"), "user_2");
        assert_eq!(name("dt"), "dt_2");
        assert_eq!(name("_Offset"), "_Offset_2");
        assert_eq!(name("_rescued"), "_rescued_2");
        assert_eq!(name(""), "empty_key");
        assert_eq!(name("a b,c;d{e}f(g)h\ni\tj=k"), "a_b_c_d_e_f_g_h_i_j_k");
        let sharp: Vec<String> = ["ß", "ẞ", "ss", "SS"].map(&mut name).into();
        assert_eq!(sharp, ["ß", "ẞ_2", "ss_3", "SS_4"]);
        let long = name(&"k".repeat(10_000));
        assert!(long.starts_with("kkk") && long.len() < 256, "{long}");
    }

    #[test]
    fn names_that_any_reader_takes_for_the_same_are_taken() {
        for c in '\0'..=char::MAX {
            let name = c.to_string();
            assert_eq!(fold(&name), fold(&name.to_lowercase()), "{name}");
            assert_eq!(fold(&name), fold(&name.to_uppercase()), "{name}");
        }
    }

    #[test]
    fn alternates_are_named_by_their_kind() {
        let mut names = Names::object();
        let first = names.field("x", Shape::scalar(Kind::String), None);
        let mut alternate = |lists, leaf| names.field("x", Shape { lists, leaf }, Some(&first));
        assert_eq!(alternate(0, Kind::Object), "x__object");
        assert_eq!(alternate(0, Kind::Long), "x__long");
        assert_eq!(alternate(0, Kind::Mixed), "x__list");
        assert_eq!(alternate(1, Kind::Long), "x__list_long");
        assert_eq!(alternate(2, Kind::Long), "x__list_list_long");
        assert_eq!(
            names.field("x__object", Shape::scalar(Kind::Long), None),
            "x__object_2"
        );
    }
}
