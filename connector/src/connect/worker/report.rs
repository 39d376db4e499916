//! What this worker tells the others of what runs here, and hears of what runs there.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::status::{due, forgotten};
use super::{Inner, lock};
use crate::connect::state::{Entry, Group};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{KafkaConfig, Outgoing, Producer, ProducerOptions, Tail, Told};

/// The longest that anybody waits for news of the others; also how often this worker looks at
/// itself.
const LOOK: Duration = Duration::from_millis(250);

/// Writes the status topic.
pub(super) struct Reporter {
    producer: Producer,
    topic: String,
    runtime: Mutex<Runtime>,
}

impl Reporter {
    /// Makes the client.
    ///
    /// # Errors
    /// `Invalid` for settings that librdkafka refuses.
    pub(super) fn new(group: &Group, clock: &eddy_engine::Clock) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "no runtime").with_source(error))?;
        let options = ProducerOptions {
            in_flight_records: 1_000,
            in_flight_bytes: 16 << 20,
        };
        let kafka: KafkaConfig = group
            .kafka
            .clone()
            .with("delivery.timeout.ms", "10000")
            .with("request.timeout.ms", "5000")
            .with("linger.ms", "0");
        Ok(Self {
            producer: Producer::new(&kafka, options, clock.clone())?,
            topic: group.status.clone(),
            runtime: Mutex::new(runtime),
        })
    }

    /// Writes entries, in their order for each key. Blocks.
    fn put(&self, entries: &[Entry]) -> Result<()> {
        lock(&self.runtime).block_on(async {
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
                sent.push(self.producer.send(&record).await?);
            }
            for delivery in sent {
                delivery.wait().await?;
            }
            Ok(())
        })
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
