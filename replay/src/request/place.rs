//! The options that say where in the target a record goes: to which topic and which partition.
//!
//! Both maps are pairs of source and target with commas between: `0:3, 1:3` and
//! `orders:orders_copy, payments:payments_copy`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::error::{Error, Result};

/// The partition a record goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partition {
    /// The one it came from.
    Same,
    /// The one that its key hashes to, as Kafka's own producers choose it.
    Key,
    /// The one that stands for the one it came from: target partitions by source partition, the
    /// same for all topics.
    Map(BTreeMap<i32, i32>),
}

impl Partition {
    /// Where a record of partition `source` goes; `None`: by its key.
    ///
    /// # Errors
    /// `Rejected` for a partition that the map lacks.
    pub(crate) fn of(&self, source: i32) -> Result<Option<i32>> {
        match self {
            Self::Same => Ok(Some(source)),
            Self::Key => Ok(None),
            Self::Map(map) => match map.get(&source) {
                Some(target) => Ok(Some(*target)),
                None => Err(Error::rejected(format!(
                    "the map of `partition` lacks the source's partition {source}"
                ))),
            },
        }
    }
}

/// The target topics of source topics; records of all others go to the destination's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topics(BTreeMap<String, String>);

impl Topics {
    /// The topic that records of the topic `source` go to; `None`: the destination's own.
    pub(crate) fn of(&self, source: &str) -> Option<&str> {
        self.0.get(source).map(String::as_str)
    }

    /// Whether all records go to the destination's own topic.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The source topics that it names.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The target topics that it names, each once.
    pub(crate) fn targets(&self) -> BTreeSet<&str> {
        self.0.values().map(String::as_str).collect()
    }
}

impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (source, target)) in self.0.iter().enumerate() {
            let before = if at == 0 { "" } else { ", " };
            write!(f, "{before}`{source}` to `{target}`")?;
        }
        Ok(())
    }
}

/// The topics that a map may name. Each target is asked what it takes before the first record.
const TOPICS_MOST: usize = 100;

/// The longest name of a topic that Kafka takes, in bytes.
const TOPIC_BYTES_MAX: usize = 249;

/// Reads where records go by partition.
///
/// # Errors
/// `Invalid` for a word that isn't known, and as a map is read.
pub(super) fn partition(value: &str) -> Result<Partition> {
    match value.to_ascii_lowercase().as_str() {
        "same" => return Ok(Partition::Same),
        "key" => return Ok(Partition::Key),
        word if !word.contains(':') => {
            return Err(
                Error::invalid(format!("partition = `{value}` is not known")).with_hint(
                    "partition may be `same`, `key`, or the target's partition for each of the \
                     source's: `0:3, 1:3, 2:0`",
                ),
            );
        }
        _ => {}
    }
    let number = |text: &str| match text.parse::<i32>() {
        Ok(number) if number >= 0 => Ok(number),
        _ => Err(Error::invalid(format!(
            "partition = `{value}`: `{text}` is no number of a partition"
        ))),
    };
    let mut map = BTreeMap::new();
    for (source, target) in pairs("partition", value)? {
        if map.insert(number(source)?, number(target)?).is_some() {
            return Err(twice("partition", source));
        }
    }
    Ok(Partition::Map(map))
}

/// Reads where records go by topic.
///
/// # Errors
/// `Invalid` for what can't be a topic's name, for too many of them, and as a map is read.
pub(super) fn topics(value: &str) -> Result<Topics> {
    let mut map = BTreeMap::new();
    for (source, target) in pairs("topics", value)? {
        for name in [source, target] {
            if !is_topic(name) {
                return Err(Error::invalid(format!(
                    "topics = `{value}`: `{name}` can't be a topic's name"
                )));
            }
        }
        if map.insert(source.to_owned(), target.to_owned()).is_some() {
            return Err(twice("topics", source));
        }
    }
    if map.len() > TOPICS_MOST {
        return Err(Error::invalid(format!(
            "`topics` names {} topics, and may name {TOPICS_MOST}",
            map.len()
        ))
        .with_hint("send the others with another replay: `WHERE _topic IN (...)`"));
    }
    Ok(Topics(map))
}

/// The pairs of a map, each of a source and a target.
fn pairs<'a>(option: &str, value: &'a str) -> Result<Vec<(&'a str, &'a str)>> {
    let pairs = value.split(',').map(|text| {
        let pair = text.split_once(':');
        let pair = pair.map(|(source, target)| (source.trim(), target.trim()));
        pair.ok_or_else(|| {
            let text = text.trim();
            Error::invalid(format!(
                "{option} = `{value}`: `{text}` is no pair of a source and a target"
            ))
            .with_hint("write pairs like `source:target`, with commas between")
        })
    });
    pairs.collect()
}

fn twice(option: &str, source: &str) -> Error {
    Error::invalid(format!(
        "the map of `{option}` says twice where `{source}` goes"
    ))
}

fn is_topic(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let sized = (1..=TOPIC_BYTES_MAX).contains(&name.len());
    sized && !matches!(name, "." | "..") && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_partition_is_a_word_or_a_map_that_says_once_where_each_goes() {
        assert_eq!(partition("Same").unwrap(), Partition::Same);
        assert_eq!(partition("key").unwrap(), Partition::Key);
        let map = partition("0:3, 1 : 3,2:0").unwrap();
        assert_eq!(
            map,
            Partition::Map(BTreeMap::from([(0, 3), (1, 3), (2, 0)]))
        );
        assert_eq!(map.of(1).unwrap(), Some(3));
        let error = map.of(7).unwrap_err().to_string();
        assert!(error.ends_with("lacks the source's partition 7"), "{error}");
        for (bad, told) in [
            ("map", "is not known"),
            ("", "is not known"),
            ("0:1,", "`` is no pair"),
            ("0:1, 2", "`2` is no pair"),
            ("0:", "`` is no number"),
            ("0:-1", "`-1` is no number"),
            ("0:1:2", "`1:2` is no number"),
            ("0:2147483648", "is no number"),
            ("0:1, 0:1", "twice where `0` goes"),
        ] {
            let error = partition(bad).unwrap_err().to_string();
            assert!(error.contains(told), "{bad}: {error}");
        }
    }

    #[test]
    fn a_topic_goes_where_the_map_says_or_to_the_destinations_own() {
        let map = topics("orders:orders_copy, payments : copies,refunds:copies").unwrap();
        assert_eq!(map.of("orders"), Some("orders_copy"));
        assert_eq!(map.of("orders_copy"), None);
        assert_eq!(
            map.targets().into_iter().collect::<Vec<_>>(),
            ["copies", "orders_copy"]
        );
        assert_eq!(
            map.to_string(),
            "`orders` to `orders_copy`, `payments` to `copies`, `refunds` to `copies`"
        );
        assert!(Topics::default().is_empty() && !map.is_empty());
        let long = format!("a:{}", "b".repeat(TOPIC_BYTES_MAX + 1));
        for (bad, told) in [
            ("", "`` is no pair"),
            ("orders", "`orders` is no pair"),
            ("orders:", "`` can't be a topic's name"),
            ("a:b:c", "`b:c` can't be a topic's name"),
            ("a b:c", "`a b` can't be"),
            ("a:..", "`..` can't be"),
            (&long, "can't be a topic's name"),
            ("a:b, a:c", "twice where `a` goes"),
        ] {
            let error = topics(bad).unwrap_err().to_string();
            assert!(error.contains(told), "{bad}: {error}");
        }
        let map = |count: usize| {
            let pairs: Vec<String> = (0..count).map(|n| format!("s{n}:t")).collect();
            topics(&pairs.join(","))
        };
        assert!(map(TOPICS_MOST).is_ok());
        assert!(map(TOPICS_MOST + 1).is_err());
    }
}
