//! Reads the newest records of a topic, without a group: from its end backwards, piece by piece,
//! each piece larger than the one before, until a bound is met.
//!
//! What a bound cuts off is the oldest, whichever bound it is: nobody can tell ahead how many bytes
//! so many records have.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::admin::{Admin, Watermarks};
use super::client::ClientLog;
use super::config::KafkaConfig;
use super::native;
use crate::error::{Error, Result};

/// Records of the first piece; each next one has four times as many.
const PIECE: i64 = 4_096;
/// What librdkafka fetches ahead.
const QUEUED_KBYTES: &str = "16384";
/// How long one look for a message takes.
const LOOK: Duration = Duration::from_millis(100);

/// How far back is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Milliseconds since the Unix epoch; what is older is left out.
    pub(crate) since_ms: i64,
    /// Offsets of all partitions together.
    pub(crate) records: usize,
    /// Keys and values together.
    pub(crate) bytes: usize,
    /// How long it may take.
    pub(crate) within: Duration,
}

/// A reader of a topic's end. Its calls block.
pub(crate) struct Newest {
    admin: Admin,
    consumer: BaseConsumer<ClientLog>,
    clock: Clock,
}

/// What is left to be read of each partition.
type Ranges = BTreeMap<i32, Range<i64>>;

impl Newest {
    /// Makes the clients.
    ///
    /// # Errors
    /// `Invalid` for a configuration that librdkafka refuses.
    pub(crate) fn new(config: &KafkaConfig, clock: Clock) -> Result<Self> {
        let mut client = config.client()?;
        client.remove("group.instance.id");
        // librdkafka wants a group's name to assign partitions; the group is never joined.
        client.set("group.id", "eddy-newest");
        client.set("enable.auto.commit", "false");
        client.set("enable.partition.eof", "true");
        client.set("auto.offset.reset", "earliest");
        // Up to the end of what there is: an open transaction of somebody's hides nothing.
        client.set("isolation.level", "read_uncommitted");
        client.set("queued.max.messages.kbytes", QUEUED_KBYTES);
        client.set("fetch.wait.max.ms", "50");
        let consumer = client
            .create_with_context(ClientLog::new(clock.clone(), "newest"))
            .map_err(|error| Error::kafka("the Kafka client can't be made", error))?;
        let admin = Admin::new(config, clock.clone())?;
        Ok(Self {
            admin,
            consumer,
            clock,
        })
    }

    /// Tells `each` the last header called `name` of every record that has one, and the record's
    /// time in milliseconds since the Unix epoch. The answer is whether everything was read that
    /// is young enough.
    ///
    /// # Errors
    /// `NotFound` for no such topic, `Invalid` without the right to read it, `Unavailable` when no
    /// broker answers.
    pub(crate) fn read(
        &self,
        topic: &str,
        name: &str,
        bounds: Bounds,
        each: &mut dyn FnMut(&[u8], i64),
    ) -> Result<bool> {
        let until = self.clock.monotonic() + bounds.within;
        let mut left = self.ranges(topic, bounds.since_ms)?;
        let mut records = i64::try_from(bounds.records).unwrap_or(i64::MAX);
        let mut bytes = bounds.bytes;
        let mut size = PIECE;
        while left.values().any(|range| !range.is_empty()) {
            let piece = cut(&mut left, size.min(records));
            if piece.is_empty() {
                return Ok(false);
            }
            records -= length(&piece);
            size = size.saturating_mul(4);
            let mut within_bytes = |message: &BorrowedMessage<'_>| {
                let length = message.key_len() + message.payload_len();
                bytes = bytes.saturating_sub(length);
                if let Some(value) = last(message, name) {
                    let time = message.timestamp().to_millis();
                    each(value, time.unwrap_or(bounds.since_ms));
                }
                bytes > 0
            };
            if !self.piece(topic, piece, until, &mut within_bytes)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All that is young enough, as offsets.
    fn ranges(&self, topic: &str, since_ms: i64) -> Result<Ranges> {
        let described = self.admin.describe(&[topic])?;
        let partitions = described.first().map_or(0, |topic| topic.partitions);
        let partitions: Vec<i32> = (0..partitions).collect();
        let since = match since_ms {
            ..=0 => BTreeMap::new(),
            _ => self.admin.offsets_for_time(topic, &partitions, since_ms)?,
        };
        let marks = self.admin.watermarks(topic, &partitions)?;
        let range = |(partition, Watermarks { start, end })| {
            let since = since.get(&partition).copied().unwrap_or(start);
            (partition, since.max(start)..end)
        };
        Ok(marks.into_iter().map(range).collect())
    }

    /// Reads a piece; no when `each` wants no more of it or the time is over.
    fn piece(
        &self,
        topic: &str,
        mut piece: Ranges,
        until: Duration,
        each: &mut dyn FnMut(&BorrowedMessage<'_>) -> bool,
    ) -> Result<bool> {
        let failed =
            |error| Error::kafka(format!("the end of topic `{topic}` can't be read"), error);
        let mut list = TopicPartitionList::with_capacity(piece.len());
        for (partition, range) in &piece {
            let start = Offset::Offset(range.start);
            list.add_partition_offset(topic, *partition, start)
                .map_err(failed)?;
        }
        self.consumer.assign(&list).map_err(failed)?;
        let mut trouble = None;
        while !piece.is_empty() {
            match self.consumer.poll(LOOK) {
                Some(Ok(message)) => {
                    trouble = None;
                    let Some(range) = piece.get(&message.partition()) else {
                        continue;
                    };
                    let is_within = range.contains(&message.offset());
                    if message.offset() + 1 >= range.end {
                        piece.remove(&message.partition());
                    }
                    if is_within && !each(&message) {
                        return Ok(false);
                    }
                }
                // The end of what there is: the last offsets may hold no record.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    piece.remove(&partition);
                }
                Some(Err(error)) => {
                    let error = failed(error);
                    // What librdkafka mends by itself ends with the time, if it doesn't.
                    if !error.is_unavailable() {
                        return Err(error);
                    }
                    trouble = Some(error);
                }
                None => {}
            }
            if self.clock.monotonic() >= until {
                // A broker that went away meanwhile is no bound that was met.
                return trouble.map_or(Ok(false), Err);
            }
        }
        Ok(true)
    }
}

/// Cuts so many offsets off the ends of what is left, of each partition as many as there are of
/// others; none if that is less than one of each.
fn cut(left: &mut Ranges, size: i64) -> Ranges {
    let unread = left.values().filter(|range| !range.is_empty()).count();
    let share = size / i64::try_from(unread.max(1)).unwrap_or(i64::MAX);
    let mut piece = Ranges::new();
    for (partition, range) in left {
        let from = range.end.saturating_sub(share).max(range.start);
        if from < range.end {
            piece.insert(*partition, from..range.end);
            range.end = from;
        }
    }
    piece
}

fn length(piece: &Ranges) -> i64 {
    piece.values().map(|range| range.end - range.start).sum()
}

/// The last header of this name: those before it came with the record from elsewhere. The names of
/// others may be any bytes.
fn last<'a>(message: &'a BorrowedMessage<'_>, name: &str) -> Option<&'a [u8]> {
    let mut headers = native::Headers::new();
    native::Message::from(message).headers(&mut headers);
    let mut newest_first = headers.into_iter().rev();
    newest_first.find(|(own, _)| *own == name.as_bytes())?.1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kafka::{BatchProducer, EmbeddedBroker, Outgoing};

    #[test]
    fn pieces_come_from_the_ends_and_take_of_each_partition_the_same() {
        let mut left = Ranges::from([(0, 0..100), (1, 95..100), (2, 7..7)]);
        assert_eq!(cut(&mut left, 20), [(0, 90..100), (1, 95..100)].into());
        assert_eq!(cut(&mut left, 20), [(0, 70..90)].into());
        assert_eq!(cut(&mut left, 0), Ranges::new());
        assert_eq!(cut(&mut left, 1_000), [(0, 0..70)].into());
        assert!(left.values().all(Range::is_empty));
    }

    /// Numbers as headers, one of them without.
    async fn fill(broker: &EmbeddedBroker, numbers: Range<u32>) {
        let producer = BatchProducer::new(&broker.config(), Clock::system()).unwrap();
        let mut batch = producer.begin("t", numbers.len()).unwrap();
        for number in numbers {
            let text = number.to_string();
            let headers = [
                ("id", Some(&b"of another one"[..])),
                ("id", Some(text.as_bytes())),
                ("other", None),
            ];
            let record = Outgoing {
                topic: "t",
                partition: Some(i32::try_from(number % 2).unwrap()),
                key: None,
                value: Some(&[b'x'; 100]),
                headers: if number == 3 { &[] } else { &headers },
                timestamp_ms: Some(1_000 + i64::from(number)),
            };
            batch.add(&record).await;
        }
        assert!(batch.finish().await.unwrap().is_empty());
    }

    fn read(broker: &EmbeddedBroker, bounds: Bounds) -> (bool, Vec<i64>) {
        let newest = Newest::new(&broker.config(), Clock::system()).unwrap();
        let mut found = Vec::new();
        let whole = newest.read("t", "id", bounds, &mut |id, time| {
            let number: i64 = std::str::from_utf8(id).unwrap().parse().unwrap();
            assert_eq!(time, 1_000 + number);
            found.push(number);
        });
        found.sort_unstable();
        (whole.unwrap(), found)
    }

    #[test]
    fn a_broker_that_goes_away_meanwhile_is_told_and_is_no_end() {
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic("t", 1).unwrap();
        let clock = Clock::system();
        let newest = Newest::new(&broker.config(), clock.clone()).unwrap();
        drop(broker);
        let until = clock.monotonic() + Duration::from_secs(3);
        let read = newest.piece("t", Ranges::from([(0, 0..10)]), until, &mut |_| true);
        assert!(read.unwrap_err().is_unavailable());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_newest_are_read_and_every_bound_cuts_off_the_oldest() {
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic("t", 2).unwrap();
        let all = Bounds {
            since_ms: 0,
            records: 1_000_000,
            bytes: 1 << 30,
            within: Duration::from_secs(600),
        };
        assert_eq!(read(&broker, all), (true, Vec::new()));
        fill(&broker, 0..6_000).await;
        let expected: Vec<i64> = (0..6_000).filter(|number| *number != 3).collect();
        assert_eq!(read(&broker, all), (true, expected.clone()));
        let few = Bounds { records: 10, ..all };
        assert_eq!(read(&broker, few), (false, (5_990..6_000).collect()));
        let small = Bounds {
            // All of the first piece and less than a tenth of the next one.
            bytes: 4_200 * 100,
            ..all
        };
        let (whole, found) = read(&broker, small);
        assert!(!whole && found.len() < 4_300, "{}", found.len());
        assert!((1_904..6_000).all(|number| found.contains(&number)));
        let over = Bounds {
            within: Duration::ZERO,
            ..all
        };
        assert!(!read(&broker, over).0);
    }
}
