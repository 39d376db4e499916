//! What this worker tells the others of what runs here, and hears of what runs there.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use eddy_engine::Clock;
use tokio::runtime::{Builder, Runtime};

use super::status::{due, forgotten};
use super::{Inner, lock};
use crate::connect::state::{Entry, Group};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{KafkaConfig, Outgoing, Producer, ProducerOptions, Tail, Told};

/// The longest that anybody waits for news of the others; also how often this worker looks at
/// itself.
const LOOK: Duration = Duration::from_millis(250);

const IN_FLIGHT: ProducerOptions = ProducerOptions {
    in_flight_records: 1_000,
    in_flight_bytes: 16 << 20,
};
/// How long a client stays that has nothing to write: its thread looks for news ten times a second,
/// for a millisecond of CPU time each.
const REST: Duration = Duration::from_secs(5);

/// Writes the status topic.
pub(super) struct Reporter {
    kafka: KafkaConfig,
    topic: String,
    clock: Clock,
    writer: Mutex<Writer>,
}

struct Writer {
    runtime: Runtime,
    /// While there is something to write, and since when there isn't.
    producer: Option<(Producer, Duration)>,
}

impl Reporter {
    /// Checks the settings; the client is made when there is something to write.
    ///
    /// # Errors
    /// `Invalid` for settings that librdkafka refuses.
    pub(super) fn new(group: &Group, clock: &Clock) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "no runtime").with_source(error))?;
        let kafka: KafkaConfig = group
            .kafka
            .clone()
            .with("delivery.timeout.ms", "10000")
            .with("request.timeout.ms", "5000")
            .with("linger.ms", "0");
        kafka.check()?;
        let producer = None;
        Ok(Self {
            kafka,
            topic: group.status.clone(),
            clock: clock.clone(),
            writer: Mutex::new(Writer { runtime, producer }),
        })
    }

    /// Writes entries, in their order for each key. Blocks.
    fn put(&self, entries: &[Entry]) -> Result<()> {
        let mut writer = lock(&self.writer);
        let producer = match writer.producer.take() {
            Some((producer, _)) => producer,
            None => Producer::new(&self.kafka, IN_FLIGHT, self.clock.clone())?,
        };
        let put = writer.runtime.block_on(self.send(&producer, entries));
        writer.producer = Some((producer, self.clock.monotonic()));
        put
    }

    async fn send(&self, producer: &Producer, entries: &[Entry]) -> Result<()> {
        let mut sent = Vec::new();
        for entry in entries {
            let record = Outgoing {
                topic: &self.topic,
                partition: None,
                key: Some(entry.key.as_bytes()),
                value: entry.value.as_deref().map(str::as_bytes),
                headers: &[],
                timestamp_ms: None,
            };
            sent.push(producer.send(&record).await?);
        }
        for delivery in sent {
            delivery.wait().await?;
        }
        Ok(())
    }

    /// Ends a client that has had nothing to write for a while.
    fn rest(&self) {
        let now = self.clock.monotonic();
        let mut writer = lock(&self.writer);
        let unused = |(_, used): &(Producer, Duration)| now.saturating_sub(*used) >= REST;
        if writer.producer.as_ref().is_some_and(unused) {
            writer.producer = None;
        }
    }
}

impl Inner {
    /// Follows the others' words and tells them of this worker, until it is halted.
    pub(super) fn report(&self, mut tail: Tail) {
        let clock = self.clock();
        let mut look_at = Duration::ZERO;
        let mut whole = false;
        while !self.halted() {
            match tail.next(LOOK) {
                Told::Nothing => {}
                Told::Whole => whole = true,
                Told::Record { key, value, .. } => self.hear(&key, value.as_deref()),
            }
            let now = clock.monotonic();
            if whole && now >= look_at {
                look_at = now + LOOK;
                self.tell_all();
                if let Some(reporter) = self.reporter.get() {
                    reporter.rest();
                }
            }
        }
        // Nobody has it any more, as far as this worker knows.
        self.tell_all();
    }

    fn hear(&self, key: &str, value: Option<&str>) {
        let forgotten = lock(&self.board).take(key, value);
        if let Some((name, topic)) = forgotten {
            self.forget_topics(&name, &BTreeSet::from([topic]));
        }
    }

    /// Tells of every connector what the others don't know.
    fn tell_all(&self) {
        if !self.folded.is_whole() {
            return;
        }
        let mut names = self.folded.read(crate::connect::state::Wanted::names);
        names.extend(lock(&self.board).names().cloned());
        names.sort();
        names.dedup();
        let mut entries = Vec::new();
        for name in names.iter().filter(|name| !self.file.contains_key(*name)) {
            self.look_at_topics(name);
            entries.extend(self.unsaid(name));
        }
        self.put_status(&entries);
    }

    /// Tells of one connector what the others don't know. Blocks.
    pub(super) fn tell(&self, name: &str) {
        if self.group.is_some() {
            self.put_status(&self.unsaid(name));
        }
    }

    /// Tells the others to forget that these topics had records. Blocks.
    pub(super) fn take_back_topics(&self, name: &str, topics: &BTreeSet<String>) -> Result<()> {
        match self.reporter.get() {
            Some(reporter) => reporter.put(&forgotten(name, topics)),
            None => Ok(()),
        }
    }

    fn unsaid(&self, name: &str) -> Vec<Entry> {
        let (owned, generation) = match self.halted() {
            true => self.owned_nothing(),
            false => self.ownership(),
        };
        let wanted = self.folded.read(|wanted| wanted.has(name));
        let local = wanted.then(|| match self.halted() {
            true => super::status::Local::default(),
            false => self.local(name),
        });
        let now_ms = self.clock().now_us() / 1_000;
        let board = lock(&self.board);
        let about = (generation, now_ms);
        due(&board, name, local.as_ref(), &owned, &self.worker, about)
    }

    fn put_status(&self, entries: &[Entry]) {
        let Some(reporter) = self.reporter.get().filter(|_| !entries.is_empty()) else {
            return;
        };
        if let Err(error) = reporter.put(entries) {
            tracing::debug!(%error, "what runs here is told later");
        }
    }
}
