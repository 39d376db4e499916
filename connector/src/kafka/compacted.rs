//! Small compacted topics that hold a state: made, and read from their beginning to their end.

use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::Message as _;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::error::{Error, Result};
use crate::kafka::client::ClientLog;
use crate::kafka::config::KafkaConfig;

/// How long making a topic may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A key and its value, as text.
pub(crate) type KeyValue = (String, Option<String>);

/// Makes `topic` with one partition, compacted, unless it is there.
///
/// # Errors
/// `Unavailable` without an answer, `Invalid` where the cluster doesn't allow it.
pub(crate) async fn make_compacted(
    config: &KafkaConfig,
    topic: &str,
    replication: i32,
    clock: &Clock,
) -> Result<()> {
    let mut client = config.client()?;
    client.remove("group.id");
    client.remove("group.instance.id");
    let doing = || format!("topic `{topic}` can't be made");
    let admin: AdminClient<ClientLog> = client
        .create_with_context(ClientLog::new(clock.clone(), "topics"))
        .map_err(|error| Error::kafka(doing(), error))?;
    let new = NewTopic::new(topic, 1, TopicReplication::Fixed(replication))
        .set("cleanup.policy", "compact");
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
    let made = admin
        .create_topics([&new], &options)
        .await
        .map_err(|error| Error::kafka(doing(), error))?;
    match made.into_iter().next() {
        Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => {
            Err(Error::kafka(doing(), KafkaError::AdminOp(code)))
        }
        _ => Ok(()),
    }
}

/// Every record of partition 0 of `topic` as of now, in order. Blocks.
///
/// # Errors
/// `Unavailable` when not all of them came within `timeout`.
pub(crate) fn read_all(
    config: &KafkaConfig,
    topic: &str,
    timeout: Duration,
    clock: &Clock,
) -> Result<Vec<KeyValue>> {
    let mut client = config.client()?;
    client.remove("group.instance.id");
    client.set("group.id", "eddy-state");
    client.set("enable.auto.commit", "false");
    client.set("isolation.level", "read_committed");
    client.set("enable.partition.eof", "true");
    let doing = || format!("topic `{topic}` can't be read");
    let consumer: BaseConsumer<ClientLog> = client
        .create_with_context(ClientLog::new(clock.clone(), "state"))
        .map_err(|error| Error::kafka(doing(), error))?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)
        .and_then(|()| consumer.assign(&list))
        .map_err(|error| Error::kafka(doing(), error))?;
    let until = clock.monotonic() + timeout;
    let mut records = Vec::new();
    while clock.monotonic() < until {
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(records),
            Some(Err(error)) => {
                // librdkafka goes on by itself where it can.
                tracing::debug!(%error, topic, "reading the state");
            }
            Some(Ok(message)) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                if let Some(key) = message.key() {
                    records.push((text(key), message.payload().map(text)));
                }
            }
        }
    }
    let whom = config.bootstrap_servers().unwrap_or_default();
    Err(Error::unavailable(format!(
        "{} at `{whom}` in time",
        doing()
    )))
}
