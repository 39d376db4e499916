//! Small compacted topics that hold a state: how they are made. `tail` reads them.

use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::error::{Error, Result};
use crate::kafka::client::ClientLog;
use crate::kafka::config::KafkaConfig;

/// How long making a topic may take.
const TIMEOUT: Duration = Duration::from_secs(20);

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
