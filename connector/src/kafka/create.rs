//! Making a topic that a connector needs for itself.

use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

use crate::error::{Error, ErrorKind, Result};
use crate::kafka::client::ClientLog;
use crate::kafka::config::KafkaConfig;

/// How long the broker may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Makes the topic unless it exists, with `partitions` in `replication` copies (-1: as many as the
/// broker's default says).
///
/// # Errors
/// `Invalid` when the broker refuses it, saying why; `Unavailable` when none answers.
pub(crate) async fn ensure_topic(
    config: &KafkaConfig,
    topic: &str,
    partitions: i32,
    replication: i32,
    clock: Clock,
) -> Result<()> {
    let mut client = config.client()?;
    for consumer_only in ["group.id", "group.instance.id", "isolation.level"] {
        client.remove(consumer_only);
    }
    let doing = || format!("the topic `{topic}` can't be made");
    let admin: AdminClient<ClientLog> = client
        .create_with_context(ClientLog::new(clock, "topics"))
        .map_err(|error| Error::kafka(doing(), error))?;
    let copies = TopicReplication::Fixed(replication);
    let asked = NewTopic::new(topic, partitions, copies);
    let options = AdminOptions::new()
        .operation_timeout(Some(TIMEOUT))
        .request_timeout(Some(TIMEOUT));
    let answers = admin
        .create_topics(&[asked], &options)
        .await
        .map_err(|error| Error::kafka(doing(), error))?;
    match answers.into_iter().next() {
        None | Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code @ RDKafkaErrorCode::InvalidReplicationFactor))) => {
            Err(Error::invalid(format!(
                "{} in {replication} copies ({code}): there are fewer brokers; set the \
                 replication factor",
                doing()
            )))
        }
        // Whoever may not make topics may still have one that others made: writing will tell.
        Some(Err((
            _,
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed,
        ))) => Ok(()),
        Some(Err((_, code))) => Err(Error::new(
            ErrorKind::Unavailable,
            format!("{}: {code}", doing()),
        )),
    }
}
