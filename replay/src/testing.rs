//! What the crate's tests share: stored records, a row source over them, and a destination that
//! acknowledges, refuses and vanishes as told.

#![allow(clippy::unwrap_used)]

/// The HTTP server that the integration tests have.
#[allow(
    dead_code,
    unreachable_pub,
    reason = "it has what the integration tests need"
)]
#[allow(
    clippy::expect_used,
    reason = "a test that meets something unexpected ends there"
)]
#[path = "../../tests/it/harness/web.rs"]
pub(crate) mod web;

mod once;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use arrow::array::{
    BinaryBuilder, Int32Builder, Int64Builder, ListBuilder, RecordBatch, StringBuilder,
    StructBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Fields};
use async_trait::async_trait;
use eddy_engine::{Clock, Lake, LakeOptions};
use futures::future::FutureExt;
use tokio::sync::{Notify, oneshot};

use self::once::Log;
pub(crate) use self::source::{FakeSource, in_batches};
use crate::destination::{
    Checked, Delivery, Destination, Landed, Marked, Outgoing, Transactions, no_transactions,
};
use crate::error::{Error, Result};

/// One record as the lake holds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Stored {
    /// A record of nulls.
    pub(crate) fn new(partition: i32, offset: i64) -> Self {
        Self {
            topic: "orders".to_owned(),
            partition,
            offset,
            timestamp_ms: None,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// A record with everything; its value tells where it stands.
    pub(crate) fn full(partition: i32, offset: i64) -> Self {
        Self {
            timestamp_ms: Some(1_000 + offset),
            key: Some(format!("k{offset}").into_bytes()),
            value: Some(format!("{partition}/{offset}").into_bytes()),
            headers: vec![("h".to_owned(), Some(vec![0xff])), ("h".to_owned(), None)],
            ..Self::new(partition, offset)
        }
    }
}

/// The records as the row source's batch.
pub(crate) fn batch(records: &[Stored]) -> RecordBatch {
    let mut topic = StringBuilder::new();
    let mut topic_id = StringBuilder::new();
    let mut partition = Int32Builder::new();
    let mut offset = Int64Builder::new();
    let mut timestamp = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let mut timestamp_type = StringBuilder::new();
    let mut key = BinaryBuilder::new();
    let mut value = BinaryBuilder::new();
    let pair = Fields::from(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("value", DataType::Binary, true),
    ]);
    let mut headers = ListBuilder::new(StructBuilder::from_fields(pair.clone(), 0))
        .with_field(Field::new("element", DataType::Struct(pair), true));
    for record in records {
        topic.append_value(&record.topic);
        topic_id.append_value("id");
        partition.append_value(record.partition);
        offset.append_value(record.offset);
        timestamp.append_option(record.timestamp_ms.map(|ms| ms * 1_000));
        timestamp_type.append_value("create");
        key.append_option(record.key.as_deref());
        value.append_option(record.value.as_deref());
        for (name, bytes) in &record.headers {
            let pairs = headers.values();
            let names = pairs.field_builder::<StringBuilder>(0).unwrap();
            names.append_value(name);
            let values = pairs.field_builder::<BinaryBuilder>(1).unwrap();
            values.append_option(bytes.as_deref());
            pairs.append(true);
        }
        headers.append(true);
    }
    let columns: [(&str, arrow::array::ArrayRef); 9] = [
        ("_topic", Arc::new(topic.finish())),
        ("_topic_id", Arc::new(topic_id.finish())),
        ("_partition", Arc::new(partition.finish())),
        ("_offset", Arc::new(offset.finish())),
        ("_timestamp", Arc::new(timestamp.finish())),
        ("_timestamp_type", Arc::new(timestamp_type.finish())),
        ("_key", Arc::new(key.finish())),
        ("_value", Arc::new(value.finish())),
        ("_headers", Arc::new(headers.finish())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// A destination of the tests, and the kind that opens it.
#[derive(Clone)]
pub(crate) struct Fake(Arc<FakeInner>);

struct FakeInner {
    state: Mutex<FakeState>,
    arrived: Notify,
    /// What a definition with the option `beside` opens.
    beside: OnceLock<Fake>,
}

#[derive(Default)]
struct FakeState {
    received: Vec<Stored>,
    sent_at: Vec<Duration>,
    held: Vec<oneshot::Sender<Result<Landed>>>,
    hold: bool,
    down: u32,
    rejects: BTreeSet<(i32, i64)>,
    clock: Option<Clock>,
    partitions: i32,
    topic: String,
    cluster: Option<String>,
    /// The next offset of each partition, if it tells where records came to rest.
    ends: Option<BTreeMap<i32, i64>>,
    turns: bool,
    /// What is in transactions, if it takes records in some.
    log: Option<Log>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let state = FakeState {
            partitions: 16,
            topic: "target".to_owned(),
            ..FakeState::default()
        };
        Self(Arc::new(FakeInner {
            state: Mutex::new(state),
            arrived: Notify::new(),
            beside: OnceLock::new(),
        }))
    }

    /// The destination that a definition with the option `beside` is.
    pub(crate) fn beside(&self) -> Fake {
        self.0.beside.get_or_init(Fake::new).clone()
    }

    /// What a definition with these options opens.
    pub(crate) fn opened(&self, options: &BTreeMap<String, String>) -> Fake {
        match options.contains_key("beside") {
            true => self.beside(),
            false => self.clone(),
        }
    }

    /// From now on it tells where records come to rest.
    pub(crate) fn tell_offsets(&self) {
        self.state().ends = Some(BTreeMap::new());
    }

    /// It asks for the records of several partitions by turns.
    pub(crate) fn take_turns(&self) {
        self.state().turns = true;
    }

    fn state(&self) -> MutexGuard<'_, FakeState> {
        self.0.state.lock().unwrap()
    }

    /// From now on nothing is acknowledged; returns how many records had arrived.
    pub(crate) fn hold(&self, hold: bool) {
        self.state().hold = hold;
        self.0.arrived.notify_waiters();
    }

    /// The next `times` records find nobody.
    pub(crate) fn break_for(&self, times: u32) {
        self.state().down = times;
    }

    /// Records of this source are refused for good.
    pub(crate) fn reject(&self, partition: i32, offset: i64) {
        self.state().rejects.insert((partition, offset));
    }

    pub(crate) fn set_topic(&self, topic: &str, partitions: i32) {
        let mut state = self.state();
        state.topic = topic.to_owned();
        state.partitions = partitions;
    }

    /// It tells this cluster's id from now on.
    pub(crate) fn set_cluster(&self, id: &str) {
        self.state().cluster = Some(id.to_owned());
    }

    pub(crate) fn set_clock(&self, clock: Clock) {
        self.state().clock = Some(clock);
    }

    /// When each record arrived, on the clock that was set.
    pub(crate) fn sent_at(&self) -> Vec<Duration> {
        self.state().sent_at.clone()
    }

    pub(crate) fn received(&self) -> Vec<Stored> {
        self.state().received.clone()
    }

    /// Acknowledges what is held, the last first.
    pub(crate) fn release(&self) {
        let held = std::mem::take(&mut self.state().held);
        for answer in held.into_iter().rev() {
            let _ = answer.send(Ok(Landed::default()));
        }
    }

    /// Waits until `count` records have arrived.
    pub(crate) async fn wait_for(&self, count: usize) {
        loop {
            let arrived = self.0.arrived.notified();
            if self.state().received.len() >= count {
                return;
            }
            arrived.await;
        }
    }
}

#[async_trait]
impl Destination for Fake {
    fn target(&self) -> String {
        format!("fake topic `{}`", self.state().topic)
    }

    async fn check(&self) -> Result<Checked> {
        let target = self.target();
        let state = self.state();
        Ok(Checked {
            target,
            topic: Some(state.topic.clone()),
            cluster: state.cluster.clone(),
            partitions: Some(state.partitions),
            ..Checked::default()
        })
    }

    fn takes_turns(&self) -> bool {
        self.state().turns
    }

    fn has_transactions(&self) -> bool {
        self.state().log.is_some()
    }

    async fn in_transactions(
        &self,
        name: &str,
        _: &Checked,
    ) -> Result<(Arc<dyn Transactions>, Option<Marked>)> {
        let mut state = self.state();
        let target = format!("fake topic `{}`", state.topic);
        let log = state.log.as_mut().ok_or_else(|| no_transactions(&target))?;
        Ok(log.open(self, name))
    }

    async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery> {
        let (delivery, _) = self.take(record)?;
        Ok(delivery)
    }
}

impl Fake {
    /// Takes a record, and answers with what it has of it.
    fn take(&self, record: &Outgoing<'_>) -> Result<(Delivery, Option<Stored>)> {
        let headers = record.headers.iter();
        let received = Stored {
            topic: self.state().topic.clone(),
            partition: record.partition.unwrap_or(-1),
            offset: -1,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        };
        let mut state = self.state();
        if state.down > 0 {
            state.down -= 1;
            return Err(Error::unavailable("nobody answers"));
        }
        if state.rejects.contains(&place(&received)) {
            let refused = async { Err(Error::rejected("too large")) };
            return Ok((refused.boxed(), None));
        }
        if let Some(clock) = &state.clock {
            let now = clock.monotonic();
            state.sent_at.push(now);
        }
        let landed = state.ends.as_mut().map(|ends| {
            let end = ends.entry(received.partition).or_insert(0);
            *end += 1;
            Landed {
                partition: Some(received.partition),
                offset: Some(*end - 1),
            }
        });
        let landed = landed.unwrap_or_default();
        state.received.push(received.clone());
        let delivery = if state.hold {
            let (answer, waiting) = oneshot::channel();
            state.held.push(answer);
            async move {
                let gone = Error::unavailable("the connection is gone");
                waiting.await.unwrap_or(Err(gone))
            }
            .boxed()
        } else {
            async move { Ok(landed) }.boxed()
        };
        drop(state);
        self.0.arrived.notify_waiters();
        Ok((delivery, Some(received)))
    }
}

/// Where a record of [`Stored::full`] came from, read from its value.
pub(crate) fn place(record: &Stored) -> (i32, i64) {
    let value = record.value.clone().unwrap_or_default();
    let text = String::from_utf8(value).unwrap_or_default();
    let (partition, offset) = text.split_once('/').unwrap_or(("-1", "-1"));
    (
        partition.parse().unwrap_or(-1),
        offset.parse().unwrap_or(-1),
    )
}

/// A lake in a new folder.
pub(crate) fn lake(clock: Clock) -> (tempfile::TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let options = LakeOptions {
        url: format!("file://{}", folder.path().display()),
        options: BTreeMap::new(),
    };
    let lake = Lake::open(&options, clock).unwrap();
    (folder, lake)
}
