//! What a topic takes: the size of its largest batch.

use std::time::Duration;

use eddy_engine::Clock;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};

use crate::error::{Error, ErrorKind, Result};
use crate::kafka::admin::Admin;
use crate::kafka::client::ClientLog;
use crate::kafka::config::KafkaConfig;

/// How long the broker may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The bytes of the largest batch that the topic takes, as it came over the wire
/// (`max.message.bytes`); `None` where the broker doesn't tell: that takes a right
/// (DESCRIBE_CONFIGS), and the embedded one has no settings.
pub async fn batch_bytes_max(config: &KafkaConfig, topic: &str, clock: Clock) -> Option<usize> {
    match ask(config, topic, clock).await {
        Ok(known) => known,
        Err(error) => {
            tracing::debug!(topic, %error, "nobody tells how large a batch may be");
            None
        }
    }
}

async fn ask(config: &KafkaConfig, topic: &str, clock: Clock) -> Result<Option<usize>> {
    let mut client = config.client()?;
    let of_others = [
        "group.id",
        "group.instance.id",
        "isolation.level",
        // Goes with an idempotent producer only.
        "enable.gapless.guarantee",
    ];
    for key in of_others {
        client.remove(key);
    }
    let doing = || format!("the settings of topic `{topic}` can't be read");
    let (asking, own) = (config.clone(), clock.clone());
    let broker = move || Admin::new(&asking, own)?.broker(TIMEOUT);
    let broker = tokio::task::spawn_blocking(broker).await;
    let broker =
        broker.map_err(|error| Error::new(ErrorKind::Internal, doing()).with_source(error))??;
    let admin: AdminClient<ClientLog> = client
        .create_with_context(ClientLog::new(clock, "limits"))
        .map_err(|error| Error::kafka(doing(), error))?;
    let asked = ResourceSpecifier::Topic(topic);
    let options = AdminOptions::new()
        .request_timeout(Some(TIMEOUT))
        .broker_id(broker);
    let answers = admin
        .describe_configs([&asked], &options)
        .await
        .map_err(|error| Error::kafka(doing(), error))?;
    // Its thread ends within a tenth of a second, which nobody has to wait for.
    let dropped = std::thread::Builder::new().name("asked-limits".to_owned());
    if let Err(error) = dropped.spawn(move || drop(admin)) {
        tracing::warn!(%error, "a Kafka client was dropped at once");
    }
    // Where a right is missing there is an answer without entries.
    let told = answers.into_iter().next().and_then(std::result::Result::ok);
    let limit = told.as_ref().and_then(|told| told.get("max.message.bytes"));
    Ok(limit.and_then(|limit| limit.value.as_ref()?.parse().ok()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::kafka::EmbeddedBroker;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broker_without_settings_says_so_without_a_wait() {
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic("t", 1).unwrap();
        let error = ask(&broker.config(), "t", Clock::system()).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("UnsupportedFeature"), "{error}");
        let none = batch_bytes_max(&broker.config(), "t", Clock::system()).await;
        assert_eq!(none, None);
    }
}
