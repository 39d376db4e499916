//! A group member that reads in batches, and whose callbacks are events.
//!
//! Its owner polls for events and reads batches from one and the same thread. A rebalance is only
//! noted by librdkafka's callback; the group goes on when the owner answers with `assign` or
//! `unassign`, so everything that a rebalance asks for happens in the owner's own loop.

mod again;

use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::error::{Error, Result};
use crate::kafka::config::KafkaConfig;
use crate::kafka::events::{ConsumerEvent, Context};
use crate::kafka::native::{self, Batch, Queue};

/// The most messages of one batch.
const BATCH: usize = 4096;

/// Who the member is.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerSettings {
    /// The consumer group.
    pub(crate) group: String,
    /// The member's lasting name: with it a restart goes on at once, without a rebalance.
    pub(crate) instance: Option<String>,
    /// What librdkafka may hold in its queues.
    pub(crate) queue_bytes: usize,
}

/// Where a partition starts to be read.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// The next offset and its leader epoch; `None` keeps the partition paused.
    pub(crate) start: Option<(i64, Option<i32>)>,
}

/// The consumer's place in a partition.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: Option<i32>,
}

/// The group member. The queue comes first, because it must be dropped before its client.
pub(crate) struct Consumer {
    queue: Queue,
    consumer: BaseConsumer<Context>,
    poll_interval_max: Duration,
}

impl Consumer {
    /// Makes the client; it joins the group once it subscribes.
    ///
    /// # Errors
    /// `Invalid` for a configuration that librdkafka refuses.
    pub(crate) fn new(
        config: &KafkaConfig,
        settings: &ConsumerSettings,
        clock: Clock,
    ) -> Result<Self> {
        let mut client = config.client()?;
        client.set("group.id", &settings.group);
        // An empty name in the configuration asks for a member without one.
        let dynamic = config
            .get("group.instance.id")
            .is_some_and(|name| name.trim().is_empty());
        match settings.instance.as_deref().filter(|_| !dynamic) {
            Some(instance) => client.set("group.instance.id", instance),
            None => client.remove("group.instance.id"),
        };
        for (key, value) in FIXED {
            client.set(key, value);
        }
        let next_generation = client.get("group.protocol") == Some("consumer");
        if !next_generation {
            client.set("partition.assignment.strategy", "cooperative-sticky");
        }
        let queue_kbytes = (settings.queue_bytes / 1024)
            .clamp(1024, 2_097_151)
            .to_string();
        let defaults = [("queued.max.messages.kbytes", queue_kbytes.as_str())];
        for (key, value) in defaults.into_iter().chain(DEFAULTS) {
            if client.get(key).is_none() {
                client.set(key, value);
            }
        }
        let poll_interval_max = client
            .get("max.poll.interval.ms")
            .and_then(|value| value.parse().ok())
            .unwrap_or(300_000);
        let context = Context::new(clock, &settings.group);
        let consumer: BaseConsumer<Context> = client
            .create_with_context(context)
            .map_err(|error| Error::kafka("the Kafka consumer can't be made", error))?;
        let queue = Queue::new(consumer.client(), BATCH).ok_or_else(|| {
            Error::new(
                crate::error::ErrorKind::Internal,
                "librdkafka gave no queue",
            )
        })?;
        let poll_interval_max = Duration::from_millis(poll_interval_max);
        Ok(Self {
            queue,
            consumer,
            poll_interval_max,
        })
    }

    /// How long the owner may go without polling.
    pub(crate) fn poll_interval_max(&self) -> Duration {
        self.poll_interval_max
    }

    /// Reads these topics from now on; none leaves the group.
    ///
    /// # Errors
    /// When librdkafka refuses.
    pub(crate) fn subscribe(&self, topics: &[String]) -> Result<()> {
        if topics.is_empty() {
            self.consumer.unsubscribe();
            return Ok(());
        }
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        self.consumer
            .subscribe(&topics)
            .map_err(|error| Error::kafka("the topics can't be subscribed", error))
    }

    /// Serves what is due and returns what happened. Must be called well within the longest poll
    /// interval, or the group throws the member out.
    pub(crate) fn events(&self) -> Vec<ConsumerEvent> {
        self.serve();
        let mut events = self.consumer.context().lock();
        events.drain(..).collect()
    }

    fn serve(&self) {
        if let Some(polled) = self.consumer.poll(Duration::ZERO) {
            self.note(polled.map(|message| (message.topic().to_owned(), message.partition())));
        }
    }

    fn note(&self, polled: KafkaResult<(String, i32)>) {
        let event = match polled {
            Ok((topic, partition)) => ConsumerEvent::Strayed(topic, partition),
            Err(KafkaError::MessageConsumptionFatal(code)) => {
                let reason = self.consumer.client().fatal_error();
                let (code, message) = reason.unwrap_or((code, String::new()));
                ConsumerEvent::Fatal {
                    fenced: code == RDKafkaErrorCode::FencedInstanceId,
                    message: format!("{code}: {message}"),
                }
            }
            Err(error)
                if error.rdkafka_error_code()
                    == Some(RDKafkaErrorCode::GroupAuthorizationFailed) =>
            {
                ConsumerEvent::Denied(format!("the group can't be joined: {error}"))
            }
            // Told to the context's log already; librdkafka goes on by itself.
            Err(_) => return,
        };
        self.consumer.context().lock().push_back(event);
    }

    /// Reads what has been fetched: waits up to `first` for a message, then up to `more` for a full
    /// batch.
    pub(crate) fn read(&mut self, first: Duration, more: Duration) -> Batch<'_> {
        self.queue.read(first, more)
    }

    /// Takes over partitions, each read from its seat.
    ///
    /// # Errors
    /// When librdkafka refuses.
    pub(crate) fn assign(&self, seats: &[Seat]) -> Result<()> {
        let refused = |error| Error::kafka("the partitions can't be assigned", error);
        let mut list = TopicPartitionList::with_capacity(seats.len());
        for seat in seats {
            if !self
                .queue
                .forward(self.consumer.client(), &seat.topic, seat.partition)
            {
                return Err(Error::new(
                    crate::error::ErrorKind::Internal,
                    format!("topic `{}` has no queue", seat.topic),
                ));
            }
            put(&mut list, seat).map_err(refused)?;
        }
        self.consumer.incremental_assign(&list).map_err(refused)?;
        let parked: Vec<(String, i32)> = seats
            .iter()
            .filter(|seat| seat.start.is_none())
            .map(|seat| (seat.topic.clone(), seat.partition))
            .collect();
        self.pause(&parked)
    }

    /// Gives partitions up; the group goes on.
    ///
    /// # Errors
    /// When librdkafka refuses.
    pub(crate) fn unassign(&self, partitions: &[(String, i32)]) -> Result<()> {
        self.consumer
            .incremental_unassign(&list_of(partitions))
            .map_err(|error| Error::kafka("the partitions can't be given up", error))
    }

    /// Gives up the member's place in the group, also one with a lasting name, at most for
    /// `within`. Blocks.
    pub(crate) fn leave(&self, within: Duration, clock: &Clock) {
        self.consumer.unsubscribe();
        let until = clock.monotonic() + within;
        loop {
            for event in self.events() {
                let answered = match event {
                    ConsumerEvent::Assigned(_) => self.assign(&[]),
                    ConsumerEvent::Revoked { partitions, .. } => self.unassign(&partitions),
                    _ => Ok(()),
                };
                if let Err(error) = answered {
                    tracing::debug!(%error, "a rebalance while leaving was not answered");
                }
            }
            let left = self
                .consumer
                .assignment()
                .is_ok_and(|held| held.count() == 0);
            if left || clock.monotonic() >= until {
                return;
            }
            clock.block(Duration::from_millis(10));
        }
    }

    /// Goes on at the seats' offsets and waits until librdkafka has thrown away what it had
    /// fetched. Parked partitions start to flow.
    ///
    /// # Errors
    /// `Unavailable` when a partition isn't being read: it has been begun again, so try again.
    pub(crate) fn seek(&self, seats: &[Seat]) -> Result<()> {
        if seats.is_empty() {
            return Ok(());
        }
        let refused = |error| Error::kafka("the consumer can't seek", error);
        let mut list = TopicPartitionList::with_capacity(seats.len());
        for seat in seats {
            put(&mut list, seat).map_err(refused)?;
        }
        let sought = self
            .consumer
            .seek_partitions(list, Duration::from_secs(10))
            .map_err(refused)?;
        let mut ended = Vec::new();
        for element in sought.elements() {
            match element.error() {
                Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::State) => {
                    ended.push((element.topic().to_owned(), element.partition()));
                }
                answered => answered.map_err(refused)?,
            }
        }
        if !ended.is_empty() {
            return self.begin_again(seats, &ended);
        }
        let flowing: Vec<(String, i32)> = seats
            .iter()
            .map(|seat| (seat.topic.clone(), seat.partition))
            .collect();
        self.consumer
            .resume(&list_of(&flowing))
            .map_err(|error| Error::kafka("the partitions can't be resumed", error))
    }

    /// Stops fetching partitions, which stay this member's.
    ///
    /// # Errors
    /// When librdkafka refuses.
    pub(crate) fn pause(&self, partitions: &[(String, i32)]) -> Result<()> {
        if partitions.is_empty() {
            return Ok(());
        }
        self.consumer
            .pause(&list_of(partitions))
            .map_err(|error| Error::kafka("the partitions can't be paused", error))
    }

    /// The next offsets; partitions of which nothing was read since the last seek are left out.
    pub(crate) fn places(&self, partitions: &[(String, i32)]) -> Vec<Place> {
        native::positions(self.consumer.client(), &mut list_of(partitions))
            .into_iter()
            .zip(partitions)
            .filter(|((offset, _), _)| *offset >= 0)
            .map(|((offset, leader_epoch), (topic, partition))| Place {
                topic: topic.clone(),
                partition: *partition,
                offset,
                leader_epoch,
            })
            .collect()
    }

    /// Tells the group how far the tables are: advisory, for lag tools. A refusal during a
    /// rebalance is fine, since the next commit says more.
    pub(crate) fn commit(&self, offsets: &[(String, i32, i64)], wait: bool) {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (topic, partition, offset) in offsets {
            let added = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
            if let Err(error) = added {
                tracing::debug!(%error, topic, "offset left out of the group's commit");
            }
        }
        if list.count() == 0 {
            return;
        }
        let mode = if wait {
            CommitMode::Sync
        } else {
            CommitMode::Async
        };
        if let Err(error) = self.consumer.commit(&list, mode) {
            tracing::debug!(%error, "the group did not take the offsets");
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // From here on the callback answers rebalances by itself, since nobody takes events.
        self.consumer.context().close();
    }
}

/// What the task relies on; an override would lose records.
const FIXED: [(&str, &str); 4] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("allow.auto.create.topics", "false"),
];

/// What Eddy sets unless the configuration says otherwise. The queue's back-off decides how long a
/// full queue stays unfilled; the broker sends a record larger than the fetch size anyway.
const DEFAULTS: [(&str, &str); 8] = [
    ("isolation.level", "read_committed"),
    ("fetch.queue.backoff.ms", "5"),
    ("queued.min.messages", "100000"),
    ("fetch.message.max.bytes", "4194304"),
    ("fetch.error.backoff.ms", "100"),
    ("receive.message.max.bytes", "134217728"),
    ("topic.metadata.refresh.interval.ms", "5000"),
    ("check.crcs", "true"),
];

fn put(list: &mut TopicPartitionList, seat: &Seat) -> KafkaResult<()> {
    let offset = seat
        .start
        .map_or(Offset::End, |(offset, _)| Offset::Offset(offset));
    list.add_partition_offset(&seat.topic, seat.partition, offset)?;
    if let Some((_, Some(epoch))) = seat.start {
        native::set_leader_epoch(list, &seat.topic, seat.partition, epoch);
    }
    Ok(())
}

fn list_of(partitions: &[(String, i32)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    list
}
