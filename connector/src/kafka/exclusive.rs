//! Writing a topic of one partition that has one writer at a time.
//!
//! Whoever opens it takes the place of whoever had it: Kafka's transactions refuse the former
//! writer's next records (`Fenced`). So a writer that has read everything, decides, and whose
//! records are taken knows that nobody wrote in between.

use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, ErrorKind, Result};
use crate::kafka::client::ClientLog;
use crate::kafka::config::KafkaConfig;
use crate::kafka::transactions::told;

/// How long the broker may take for one step: whoever asked for a change waits for it.
const STEP: Duration = Duration::from_secs(15);

/// The writer, until another one is opened.
pub(crate) struct Exclusive {
    producer: FutureProducer<ClientLog>,
    topic: String,
    runtime: Runtime,
}

impl Exclusive {
    /// Becomes the topic's writer; records of the former one that weren't acknowledged are dropped.
    /// Blocks.
    ///
    /// # Errors
    /// `Unavailable` without an answer; `Invalid` where the cluster doesn't allow transactions.
    pub(crate) fn open(config: &KafkaConfig, topic: &str, clock: &Clock) -> Result<Self> {
        let mut client = config.client()?;
        for consumer_only in ["group.id", "group.instance.id", "isolation.level"] {
            client.remove(consumer_only);
        }
        let name = format!("{topic}-writer");
        client.set("transactional.id", &name);
        client.set("transaction.timeout.ms", "15000");
        client.set("delivery.timeout.ms", "15000");
        client.set("request.timeout.ms", "10000");
        client.set("linger.ms", "0");
        let failed = |error| told(&format!("`{topic}` can't be written as `{name}`"), error);
        let producer: FutureProducer<ClientLog> = client
            .create_with_context(ClientLog::new(clock.clone(), "state"))
            .map_err(failed)?;
        producer.init_transactions(STEP).map_err(failed)?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "no runtime").with_source(error))?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
            runtime,
        })
    }

    /// Writes records, all or none; answers the offset of the last. After an error another writer
    /// has to be opened. Blocks.
    ///
    /// # Errors
    /// `Fenced` when another writer was opened: nothing was written. `Unavailable` when nobody
    /// knows whether they are there.
    pub(crate) fn put(&self, records: &[(String, Option<String>)]) -> Result<i64> {
        let failed = |error| told(&format!("`{}` was not written", self.topic), error);
        self.producer.begin_transaction().map_err(failed)?;
        let mut last = None;
        for (key, value) in records {
            let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&self.topic)
                .partition(0)
                .key(key.as_bytes());
            record.payload = value.as_deref().map(str::as_bytes);
            let sent = self.producer.send_result(record);
            last = Some(sent.map_err(|(error, _)| failed(error))?);
        }
        self.producer.commit_transaction(STEP).map_err(failed)?;
        let Some(last) = last else { return Ok(-1) };
        match self.runtime.block_on(last) {
            Ok(Ok(delivery)) => Ok(delivery.offset),
            Ok(Err((error, _))) => Err(failed(error)),
            Err(_) => Err(Error::unavailable("the producer ended meanwhile")),
        }
    }
}
