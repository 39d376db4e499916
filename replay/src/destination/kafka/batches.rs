//! How large the batches are in which a topic's records go out.
//!
//! A broker refuses a batch that is larger than its topic takes (`max.message.bytes`), and so each
//! of its records, also those that alone would fit. So the client makes none that large, as far as
//! the broker tells the limit. Where it doesn't, and where the limit was lowered since, a batch
//! that was refused ends the attempt, and the next one makes smaller ones: only a record that was
//! alone in its batch is too large itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use eddy_connector::kafka::{self, KafkaConfig};

use crate::error::Error;

/// What the client makes unless it is told.
const USUAL: usize = 1_000_000;
/// After the first refusal. Few topics take less, and it is still a batch.
const SMALL: usize = 16 << 10;
/// After the second: each record is a batch of its own.
const ALONE: usize = 1;
/// Topics of which something is remembered.
const LEARNED_MOST: usize = 1_000;
/// A broker that compresses anew may make a batch a little larger: by less than this part of it.
const MARGIN: usize = 16;

/// What was learned of topics by refusals, until the process ends; by server and topic, in bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Learned(Arc<Mutex<BTreeMap<String, usize>>>);

impl Learned {
    fn of(&self, place: &str) -> Option<usize> {
        let learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learned.get(place).copied()
    }

    fn note(&self, place: &str, bytes: usize) {
        let mut learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if learned.len() >= LEARNED_MOST && !learned.contains_key(place) {
            // They are learned again.
            learned.clear();
        }
        let known = learned.entry(place.to_owned()).or_insert(bytes);
        *known = bytes.min(*known);
    }
}

/// The batches of an opened topic. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Batches(Arc<Bound>);

#[derive(Debug)]
struct Bound {
    place: String,
    learned: Learned,
    /// Several records together have no more bytes than this, what is around them included.
    bytes: usize,
}

impl Batches {
    /// As large as the configuration wants them, and no larger than the topic takes (`limit`, if
    /// that is known) and than what was learned of it.
    pub(super) fn new(
        config: &KafkaConfig,
        topic: &str,
        limit: Option<usize>,
        learned: &Learned,
    ) -> Self {
        let servers = config.bootstrap_servers().unwrap_or_default();
        let place = format!("topic `{topic}` at `{servers}`");
        let wanted = config.get("batch.size");
        let wanted = wanted.and_then(|bytes| bytes.trim().parse().ok());
        let limit = limit.map(|limit| limit - limit / MARGIN);
        let bounds = [limit, learned.of(&place)].into_iter().flatten();
        let bytes = bounds.fold(wanted.unwrap_or(USUAL), usize::min);
        Self(Arc::new(Bound {
            place,
            learned: learned.clone(),
            bytes: bytes.max(ALONE),
        }))
    }

    /// Several records together have no more bytes.
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// The same of a client that makes none larger than `bytes`, for another topic's sake.
    pub(super) fn at_most(&self, bytes: usize) -> Self {
        Self(Arc::new(Bound {
            place: self.0.place.clone(),
            learned: self.0.learned.clone(),
            bytes: self.0.bytes.min(bytes),
        }))
    }

    /// The same configuration, of a client that makes such batches.
    pub(super) fn bound(&self, config: &KafkaConfig) -> KafkaConfig {
        config.clone().with("batch.size", self.0.bytes.to_string())
    }

    /// An error of a record of so many bytes that was in a batch.
    pub(super) fn refused(&self, bytes: usize, error: kafka::Error) -> Error {
        let smaller = self.smaller(bytes).filter(|_| error.says_too_large());
        let Some(smaller) = smaller else {
            return super::refused(error);
        };
        self.0.learned.note(&self.0.place, smaller);
        Error::unavailable(format!(
            "a batch was larger than {} takes; the next ones have {smaller} bytes at most, or one \
             record",
            self.0.place
        ))
    }

    /// How large batches should be if one with a record of so many bytes is too large; `None`: it
    /// was alone in it.
    fn smaller(&self, bytes: usize) -> Option<usize> {
        let mine = self.0.bytes;
        let in_company = mine > ALONE && bytes < mine;
        in_company.then_some(match mine > SMALL {
            true => SMALL,
            false => ALONE,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &[(&str, &str)]) -> KafkaConfig {
        let more = more.iter().chain(&[("bootstrap.servers", "h:1")]);
        let entries = more.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        KafkaConfig::new(entries.collect())
    }

    #[test]
    fn batches_are_no_larger_than_the_topic_takes() {
        let bytes = |more: &[(&str, &str)], limit| {
            let config = config(more);
            let batches = Batches::new(&config, "t", limit, &Learned::default());
            let told = batches.bound(&config);
            told.get("batch.size").map(str::to_owned)
        };
        let is = |bytes: usize| Some(bytes.to_string());
        assert_eq!(bytes(&[], None), is(USUAL));
        assert_eq!(bytes(&[], Some(1_048_588 << 4)), is(USUAL));
        assert_eq!(bytes(&[], Some(160_000)), is(150_000));
        assert_eq!(bytes(&[("batch.size", "5000")], Some(160_000)), is(5_000));
        assert_eq!(bytes(&[("batch.size", "5000000")], None), is(5_000_000));
        assert_eq!(bytes(&[], Some(0)), is(ALONE));
    }

    #[test]
    fn a_record_is_too_large_itself_only_where_it_was_alone() {
        let learned = Learned::default();
        let open = || Batches::new(&config(&[]), "t", None, &learned);
        let first = open();
        assert_eq!(first.smaller(USUAL), None, "none fits beside it");
        assert_eq!(first.smaller(10), Some(SMALL));
        first.0.learned.note(&first.0.place, SMALL);
        let second = open();
        assert_eq!(second.smaller(SMALL), None);
        assert_eq!(second.smaller(10), Some(ALONE));
        second.0.learned.note(&second.0.place, ALONE);
        // What another one learned of larger ones changes nothing.
        first.0.learned.note(&first.0.place, SMALL);
        let third = open();
        assert_eq!((third.smaller(10), third.smaller(0)), (None, None));
        let other = Batches::new(&config(&[]), "u", None, &learned);
        assert_eq!(other.0.bytes, USUAL, "it is another topic");
    }

    #[test]
    fn a_client_of_several_topics_makes_batches_that_each_of_them_takes() {
        let learned = Learned::default();
        let small = Batches::new(&config(&[]), "small", Some(160_000), &learned);
        let large = Batches::new(&config(&[]), "large", None, &learned).at_most(small.bytes());
        assert_eq!((small.bytes(), large.bytes()), (150_000, 150_000));
        // What is larger than any batch was alone, in whichever topic.
        assert_eq!(large.smaller(150_000), None);
        assert_eq!(large.smaller(149_999), Some(SMALL));
        large.0.learned.note(&large.0.place, SMALL);
        let again = |topic| Batches::new(&config(&[]), topic, None, &learned).bytes();
        assert_eq!((again("large"), again("small")), (SMALL, USUAL));
    }

    #[test]
    fn of_many_topics_little_is_remembered() {
        let learned = Learned::default();
        for number in 0..3 * LEARNED_MOST {
            learned.note(&number.to_string(), SMALL);
        }
        let known = learned.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(known.len() <= LEARNED_MOST);
    }
}
