//! Rows among which a bench looks for few: narrow, with an id, a key and a word of their own, over
//! as many days as there are to be files.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::events::Seeded;
use super::s3::setting;

/// The `status` of one row of a million.
pub(crate) const RARE: u64 = 503;

/// 2026-01-05T12:00:00Z; the days go back from it.
const NOON_MS: i64 = 1_767_614_400_000;
const DAY_MS: i64 = 86_400_000;

/// 32 letters that say nothing of the row's number or time.
pub(crate) fn id(n: u64) -> String {
    letters(n.wrapping_mul(0x9E37_79B9_7F4A_7C15), 32)
}

pub(crate) fn key(n: u64) -> String {
    format!("key-{}", n * 7_919 % 100_000_007)
}

/// A word that one row has.
pub(crate) fn word(n: u64) -> String {
    letters(n.wrapping_mul(0xD1B5_4A32_D192_ED03), 9)
}

/// A word that many rows have.
pub(crate) fn common(at: u64) -> String {
    letters(at * 104_729 + 1, 6)
}

fn letters(seed: u64, length: usize) -> String {
    let mut letters = String::with_capacity(length);
    Seeded::new(seed | 1).id(&mut letters, length);
    letters
}

/// Rows on their way to Kafka, round the days, so that each commit has some of each.
pub(crate) struct Producing {
    producer: BaseProducer,
    topic: String,
    days: u64,
    vocabulary: Vec<String>,
    random: Seeded,
    next: u64,
    /// Bytes of JSON so far.
    pub(crate) bytes: u64,
}

impl Producing {
    pub(crate) fn new(topic: &str, days: u64) -> Self {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", setting("EDDY_TEST_KAFKA"))
            .set("linger.ms", "50")
            .set("acks", "all")
            .set("batch.size", "1000000")
            .set("compression.type", "lz4")
            .create()
            .unwrap();
        Self {
            producer,
            topic: topic.to_owned(),
            days,
            vocabulary: (0..5_000).map(common).collect(),
            random: Seeded::new(3),
            next: 0,
            bytes: 0,
        }
    }

    /// Produces the rows below `end` that were not produced yet.
    pub(crate) fn up_to(&mut self, end: u64) {
        for n in self.next..end {
            let value = self.value(n);
            self.bytes += value.len() as u64;
            let (key, day) = (key(n), i64::try_from(n % self.days).unwrap());
            let time_ms = NOON_MS - day * DAY_MS + i64::try_from(n / self.days).unwrap();
            let mut record = BaseRecord::to(&self.topic)
                .key(&key)
                .payload(&value)
                .timestamp(time_ms);
            while let Err((_, back)) = self.producer.send(record) {
                self.producer.poll(Duration::from_millis(20));
                record = back;
            }
            if n % 1_000 == 0 {
                self.producer.poll(Duration::ZERO);
            }
        }
        self.producer.flush(Duration::from_secs(120)).unwrap();
        self.next = end;
    }

    fn value(&mut self, n: u64) -> String {
        let mut text = word(n);
        while text.len() < 200 {
            let at = usize::try_from(self.random.below(5_000)).unwrap();
            text.push(' ');
            text.push_str(&self.vocabulary[at]);
        }
        text.push(' ');
        text.push_str(&common(n % 7));
        let status = if n % 999_983 == 5 { RARE } else { 200 + n % 3 };
        let level = if (n * 7_919).is_multiple_of(100) {
            "error"
        } else {
            "info"
        };
        let id = id(n);
        format!(r#"{{"n":{n},"id":"{id}","level":"{level}","status":{status},"text":"{text}"}}"#)
    }
}
