//! What Kafka has already of events that may come again: their marks, read back from the ends of
//! the topics.
//!
//! The memory of a process ends with it, but every record carries its event's mark, so the next
//! process reads the marks where they can't be wrong. That comes before the first event with a mark
//! is sent to a topic, and again after Kafka left it open whether it took one. Calls with marks
//! wait meanwhile, those without don't.
//!
//! What it can't know: what another collector sends to the same topic afterwards, and what a dead
//! process had sent and Kafka takes only after the next one has looked, which it doesn't do in its
//! first second.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eddy_engine::Clock;
use tokio::sync::Semaphore;

use super::produce::ID;
use super::seen::Mark;
use super::{Collector, CollectorOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Bounds, KafkaConfig, Newest};

/// Keys and values that are read back of a topic at most.
const BYTES: usize = 256 << 20;
/// How long reading may take. Whoever is asked to wait for longer wouldn't.
const WITHIN: Duration = Duration::from_secs(20);
/// A topic's share of the marks, however many topics there are.
const SHARE_LEAST: usize = 1_000;
/// How old a process is before it looks: what the one before it had on the wire is there by then.
const SETTLED: Duration = Duration::from_secs(1);
/// Topics that are read at once, each by a client of its own.
const AT_ONCE: usize = 2;

/// Reads marks back.
pub(super) struct Recall {
    kafka: KafkaConfig,
    clock: Clock,
    /// On the process's clock.
    opened: Duration,
    keep: Duration,
    most: usize,
    topics: Mutex<HashMap<String, Arc<Topic>>>,
    reading: Semaphore,
    /// Clients that Kafka didn't answer: the next one would only say once more that it is away.
    unanswered: Mutex<Vec<Newest>>,
}

/// A topic that is read, or was.
#[derive(Debug, Default)]
struct Topic {
    /// Whose turn it is to read it. Who waits for it goes with its request.
    turn: Arc<tokio::sync::Mutex<()>>,
    known: AtomicBool,
}

impl Recall {
    pub(super) fn new(kafka: &KafkaConfig, options: &CollectorOptions, clock: Clock) -> Self {
        Self {
            kafka: kafka.clone(),
            opened: clock.monotonic(),
            clock,
            keep: options.keys_for,
            most: options.records_max / 2,
            topics: Mutex::default(),
            reading: Semaphore::new(AT_ONCE),
            unanswered: Mutex::default(),
        }
    }

    /// Reads the topic unless that was done: after this `seen` knows its newest marks.
    ///
    /// # Errors
    /// `Unavailable` when Kafka can't tell just now.
    pub(super) async fn look(&self, collector: &Collector, topic: &str) -> Result<()> {
        let asked = Arc::clone(self.topics().entry(topic.to_owned()).or_default());
        if asked.known.load(Ordering::Acquire) {
            return Ok(());
        }
        let turn = Arc::clone(&asked.turn).lock_owned().await;
        if asked.known.load(Ordering::Acquire) {
            return Ok(());
        }
        // A task of its own: what was begun is of use to the next one, too.
        let (collector, topic) = (collector.clone(), topic.to_owned());
        let looked = tokio::spawn(async move {
            let _turn = turn;
            let read = collector.0.recall.read(&collector, &topic).await;
            asked.known.store(read.is_ok(), Ordering::Release);
            read
        });
        looked.await.unwrap_or_else(|error| {
            let text = "reading back a topic broke off";
            Err(Error::new(ErrorKind::Internal, text).with_source(error))
        })
    }

    /// Whether the topic was read, and nothing was left open since.
    pub(super) fn knows(&self, topic: &str) -> bool {
        let topics = self.topics();
        let topic = topics.get(topic);
        topic.is_some_and(|topic| topic.known.load(Ordering::Acquire))
    }

    /// Reads the topic again next time, since it may have what nobody here knows of.
    pub(super) fn forget(&self, topic: &str) {
        self.topics().remove(topic);
    }

    async fn read(&self, collector: &Collector, topic: &str) -> Result<()> {
        let closed = |_| Error::unavailable("the collector is closed");
        let _one = self.reading.acquire().await.map_err(closed)?;
        let age = self.clock.monotonic().saturating_sub(self.opened);
        self.clock.sleep(SETTLED.saturating_sub(age)).await;
        let snapshot = collector.0.collections.current().await?;
        let topics = snapshot.collections.values().map(|one| &one.topic);
        let share = share(self.most, topics.collect::<BTreeSet<_>>().len());
        let keep_ms = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
        let bounds = Bounds {
            since_ms: (self.clock.now_us() / 1_000).saturating_sub(keep_ms),
            records: share,
            bytes: BYTES,
            within: WITHIN,
        };
        let (reader, name) = (collector.clone(), topic.to_owned());
        let read = move || reader.0.recall.marks(&name, bounds);
        let read = tokio::task::spawn_blocking(read);
        let read = read.await.map_err(|error| {
            let text = "reading back a topic broke off";
            Error::new(ErrorKind::Internal, text).with_source(error)
        })?;
        let now = self.clock.monotonic();
        match read {
            Ok((marks, is_whole)) => {
                let number = marks.len();
                collector.0.seen.recall(now, newest_first(marks));
                tracing::info!(
                    topic,
                    number,
                    is_whole,
                    "what was taken before is known again"
                );
                Ok(())
            }
            // It is made with the first event.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == ErrorKind::Invalid => {
                tracing::warn!(
                    topic,
                    %error,
                    "what was taken before can't be read back, so what comes again may be there \
                     twice; allow READ on the topic"
                );
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Marks with their records' times, and whether they are all that are young enough. Blocks.
    fn marks(&self, topic: &str, bounds: Bounds) -> Result<(Vec<(i64, Mark)>, bool)> {
        let unanswered = || {
            self.unanswered
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let known = unanswered().pop();
        let newest = match known {
            Some(newest) => newest,
            None => Newest::new(&self.kafka, self.clock.clone())?,
        };
        let mut marks = Vec::new();
        let read = newest.read(topic, ID, bounds, &mut |id, time| {
            marks.extend(Mark::read(id).map(|mark| (time, mark)));
        });
        if read.as_ref().is_err_and(Error::is_unavailable) {
            unanswered().push(newest);
        }
        Ok((marks, read?))
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<String, Arc<Topic>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many marks a topic may bring back, of so many for all topics.
fn share(most: usize, topics: usize) -> usize {
    (most / topics.max(1)).max(SHARE_LEAST).min(most)
}

fn newest_first(mut marks: Vec<(i64, Mark)>) -> impl Iterator<Item = Mark> {
    marks.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    marks.into_iter().map(|(_, mark)| mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_share_what_is_brought_back_and_the_newest_come_first() {
        assert_eq!(share(250_000, 1), 250_000);
        assert_eq!(share(250_000, 5), 50_000);
        assert_eq!(share(250_000, 10_000), SHARE_LEAST);
        assert_eq!(share(10, 2), 10);
        let mark = |text: &'static str| Mark::of([text.as_bytes()]);
        let marks = vec![(1, mark("a")), (3, mark("b")), (2, mark("c"))];
        let sorted: Vec<Mark> = newest_first(marks).collect();
        assert_eq!(sorted, [mark("b"), mark("c"), mark("a")]);
    }
}
