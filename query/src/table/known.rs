//! What the log's statistics say of single leaves, kept once it was read: a file's text has all
//! leaves, and a query asks for few of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use eddy_engine::commit::DataFile;
use eddy_engine::write::STATS_COMPLETE;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::leaves;

/// Leaves that are kept at most, of all files of a lake: some 200 bytes each.
const LEAVES_MOST: usize = 200_000;

/// What is known of one leaf of one file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Leaf {
    pub(super) min: Option<Json>,
    pub(super) max: Option<Json>,
    pub(super) nulls: Option<Json>,
}

/// What is known of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Our own writer wrote the statistics: what they say of rows and numbers is exact.
    pub(super) own: bool,
    /// The statistics name every leaf that the file has, but for those in lists.
    pub(super) complete: bool,
    leaves: BTreeMap<String, Leaf>,
}

impl Known {
    /// Reads what `stats`, Delta's statistics as JSON text, say of `columns`: paths as
    /// [`leaves::path`] reads them. What isn't JSON says nothing.
    pub(super) fn read(stats: &str, columns: &[&str]) -> Self {
        let mut names = Names::default();
        names.add([STATS_COMPLETE].into_iter(), 0);
        for (column, at) in columns.iter().zip((1..).step_by(PARTS.len())) {
            for (part, at) in PARTS.into_iter().zip(at..) {
                names.add([part].into_iter().chain(leaves::path(column)), at);
            }
        }
        let mut found = vec![None; 1 + columns.len() * PARTS.len()];
        let mut json = serde_json::Deserializer::from_str(stats);
        let picked = Pick {
            names: &names,
            found: &mut found,
        };
        if picked.deserialize(&mut json).is_err() {
            return Self::default();
        }
        let mut found = found.into_iter();
        let complete = found.next().flatten().and_then(|flag| flag.as_bool());
        Self {
            own: complete.is_some(),
            complete: complete.unwrap_or(false),
            leaves: columns
                .iter()
                .map(|column| {
                    let mut part = || found.next().flatten();
                    let leaf = Leaf {
                        min: part(),
                        max: part(),
                        nulls: part(),
                    };
                    ((*column).to_owned(), leaf)
                })
                .collect(),
        }
    }

    /// What is known of a column that was asked for.
    pub(super) fn leaf(&self, column: &str) -> Option<&Leaf> {
        self.leaves.get(column)
    }
}

/// The parts of Delta's statistics by leaf.
const PARTS: [&str; 3] = ["minValues", "maxValues", "nullCount"];

/// What was read of a lake's files. They never change, so it is of use to all versions.
#[derive(Default)]
pub(crate) struct LeafCache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// By the file's address, which is nobody else's as long as it is held weakly.
    files: HashMap<usize, (Weak<DataFile>, Arc<Known>)>,
    leaves: usize,
}

impl LeafCache {
    /// What is known of `columns` of each of `files`.
    pub(super) fn of(&self, files: &[&Arc<DataFile>], columns: &[&str]) -> Vec<Arc<Known>> {
        let kept: Vec<Option<Arc<Known>>> = {
            let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = |file: &&Arc<DataFile>| cache.files.get(&address(file));
            let known = files.iter().map(entry);
            known
                .map(|entry| entry.map(|entry| Arc::clone(&entry.1)))
                .collect()
        };
        let mut read = Vec::new();
        let all = files.iter().zip(kept).map(|(file, kept)| {
            let has = |kept: &Known, column: &&&str| kept.leaves.contains_key(**column);
            let missing: Vec<&str> = match &kept {
                None => columns.to_vec(),
                Some(kept) => columns
                    .iter()
                    .filter(|one| !has(kept, one))
                    .copied()
                    .collect(),
            };
            match kept {
                Some(kept) if missing.is_empty() => kept,
                kept => {
                    let mut known = Known::read(&file.stats_json, &missing);
                    let before = kept.iter().flat_map(|kept| kept.leaves.iter());
                    known
                        .leaves
                        .extend(before.map(|(name, leaf)| (name.clone(), leaf.clone())));
                    let known = Arc::new(known);
                    read.push((*file, missing.len(), Arc::clone(&known)));
                    known
                }
            }
        });
        let all = all.collect();
        if !read.is_empty() {
            let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (file, leaves, known) in read {
                cache.keep(file, leaves, known);
            }
        }
        all
    }
}

impl Kept {
    fn keep(&mut self, file: &Arc<DataFile>, leaves: usize, known: Arc<Known>) {
        if self.leaves + leaves > LEAVES_MOST {
            self.files.retain(|_, (file, _)| file.strong_count() > 0);
            self.leaves = self
                .files
                .values()
                .map(|(_, known)| known.leaves.len())
                .sum();
            if self.leaves + leaves > LEAVES_MOST / 2 {
                self.files.clear();
                self.leaves = 0;
            }
        }
        self.leaves += leaves;
        self.files
            .insert(address(file), (Arc::downgrade(file), known));
    }
}

impl fmt::Debug for LeafCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("LeafCache")
            .field("files", &cache.files.len())
            .field("leaves", &cache.leaves)
            .finish()
    }
}

fn address(file: &Arc<DataFile>) -> usize {
    Arc::as_ptr(file).addr()
}

/// Names that are looked for, and where what they stand for goes.
#[derive(Default)]
struct Names<'a> {
    below: BTreeMap<&'a str, Names<'a>>,
    at: Option<usize>,
}

impl<'a> Names<'a> {
    fn add(&mut self, mut path: impl Iterator<Item = &'a str>, at: usize) {
        match path.next() {
            Some(name) => self.below.entry(name).or_default().add(path, at),
            None => self.at = Some(at),
        }
    }
}

/// A value of the text. A fraction is the double that is nearest to its digits, which it isn't as
/// serde_json reads it: a bound that is off by the least there is hides rows.
fn exact(text: &RawValue) -> Option<Json> {
    let value: Json = serde_json::from_str(text.get()).ok()?;
    match value.is_f64() {
        true => Some(text.get().parse::<f64>().ok()?.into()),
        false => Some(value),
    }
}

/// Takes the values of names out of JSON text and skips the others without making anything of them.
struct Pick<'a, 'b> {
    names: &'b Names<'a>,
    found: &'b mut [Option<Json>],
}

impl<'de> DeserializeSeed<'de> for Pick<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pick<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match self.names.below.get(key.as_str()) {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(names) if names.below.is_empty() => {
                    let value = exact(map.next_value::<&RawValue>()?);
                    let place = names.at.and_then(|at| self.found.get_mut(at));
                    if let Some(place) = place {
                        *place = value;
                    }
                }
                Some(names) => map.next_value_seed(Pick {
                    names,
                    found: &mut *self.found,
                })?,
            }
        }
        Ok(())
    }

    // Where an object is looked into and something else stands, there is nothing of those names.

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    const STATS: &str = r#"{"numRecords": 3, "minValues": {"a": 1, "s": {"t": "x", "u": 5}},
        "maxValues": {"a": 9, "s": {"t": "y"}}, "nullCount": {"a": 0, "s": {"t": 1}, "b": 3},
        "eddyStatsComplete": true}"#;

    fn file(stats: &str) -> Arc<DataFile> {
        Arc::new(DataFile {
            path: "a.parquet".to_owned(),
            size: 1,
            modified_ms: 0,
            partition_values: BTreeMap::new(),
            rows: 3,
            stats_json: stats.to_owned(),
        })
    }

    #[test]
    fn leaves_are_picked_out_of_the_text_by_their_paths() {
        let stats = STATS.replace("eddyStatsComplete", STATS_COMPLETE);
        let known = Known::read(&stats, &["a", "s\u{1f}t", "b", "s", "a\u{1f}z", "none"]);
        assert!(known.complete && known.own);
        let partly = stats.replace("true}", "false}");
        let partly = Known::read(&partly, &["a"]);
        assert!(partly.own && !partly.complete);
        let leaf = |min, max, nulls| Leaf { min, max, nulls };
        let found = |column| known.leaf(column).cloned();
        let two = leaf(Some(json!("x")), Some(json!("y")), Some(json!(1)));
        assert_eq!(found("s\u{1f}t"), Some(two));
        assert_eq!(found("b"), Some(leaf(None, None, Some(json!(3)))));
        assert_eq!(found("none"), Some(Leaf::default()));
        assert_eq!(found("a\u{1f}z"), Some(Leaf::default()));
        assert_eq!(found("not asked"), None);
        for broken in ["", "{", "[1]", "7"] {
            let known = Known::read(broken, &["a"]);
            assert!(
                !known.own
                    && !known.complete
                    && known.leaf("a").is_none_or(|leaf| *leaf == Leaf::default())
            );
        }
        let plain = Known::read(&stats, &["a"]);
        let one = leaf(Some(json!(1)), Some(json!(9)), Some(json!(0)));
        assert_eq!(plain.leaf("a"), Some(&one));
    }

    #[test]
    fn a_bound_is_the_double_that_is_nearest_to_its_digits() {
        for double in [
            19.990000000000002,
            1.2571428571428573,
            -100.10000000000001,
            0.1,
        ] {
            let stats = format!("{{\"minValues\": {{\"a\": {double}}}}}");
            let known = Known::read(&stats, &["a"]);
            let min = known.leaf("a").and_then(|leaf| leaf.min.as_ref()?.as_f64());
            assert_eq!(
                min.map(f64::to_bits),
                Some(f64::to_bits(double)),
                "{double}"
            );
        }
    }

    #[test]
    fn what_was_read_is_kept_as_long_as_the_file_and_no_more_than_is_allowed() {
        let cache = LeafCache::default();
        let first = file(STATS);
        let before = cache.of(&[&first], &["a"]);
        let again = cache.of(&[&first], &["a"]);
        assert!(Arc::ptr_eq(&before[0], &again[0]));
        let both = cache.of(&[&first], &["b", "a"]);
        assert!(both[0].leaf("a").is_some() && both[0].leaf("b").is_some());
        // Another file with other statistics is never taken for one that is gone.
        drop((before, again, both));
        drop(first);
        for number in 0..100 {
            let other = file(&STATS.replace("\"a\": 1", &format!("\"a\": {number}")));
            let known = cache.of(&[&other], &["a"]);
            assert_eq!(known[0].leaf("a").unwrap().min, Some(json!(number)));
        }
        let names: Vec<String> = (0..1_000).map(|name| format!("c{name}")).collect();
        let columns: Vec<&str> = names.iter().map(String::as_str).collect();
        let files: Vec<Arc<DataFile>> = (0..300).map(|_| file("{}")).collect();
        cache.of(&files.iter().collect::<Vec<_>>(), &columns);
        let kept = cache.0.lock().unwrap();
        let leaves: usize = kept
            .files
            .values()
            .map(|(_, known)| known.leaves.len())
            .sum();
        assert!(
            leaves <= LEAVES_MOST && kept.leaves <= LEAVES_MOST,
            "{leaves}"
        );
    }
}
