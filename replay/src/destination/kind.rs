//! The types of destination that there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Destination;
use super::file::File;
use super::http::Http;
use super::kafka::Kafka;
use super::rabbitmq::RabbitMq;
use super::sqs::Sqs;
use super::stdout::Stdout;
use crate::error::Result;
use crate::request::Options;

/// A type of destination: what its options may be, and how one is opened.
#[derive(Clone)]
pub(crate) enum Kind {
    /// A topic of a Kafka.
    Kafka(Kafka),
    /// Requests.
    Http(Http),
    /// Messages to an exchange of RabbitMQ.
    RabbitMq(RabbitMq),
    /// Messages to a queue of SQS.
    Sqs(Sqs),
    /// Files in the lake.
    File(File),
    /// Lines of this process.
    Stdout(Stdout),
    /// What the tests send to.
    #[cfg(test)]
    Fake(crate::testing::Fake),
}

impl Kind {
    /// The `type` of its definitions.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Kafka(_) => "kafka",
            Self::Http(_) => "http",
            Self::RabbitMq(_) => "rabbitmq",
            Self::Sqs(_) => "sqs",
            Self::File(_) => "file",
            Self::Stdout(_) => "stdout",
            #[cfg(test)]
            Self::Fake(_) => "fake",
        }
    }

    /// Whether the options (references not yet resolved) can be right, without connecting.
    ///
    /// # Errors
    /// `Invalid` for an option that is missing, not known or can't be right.
    pub(crate) fn validate(&self, options: &BTreeMap<String, String>) -> Result<()> {
        match self {
            Self::Kafka(kafka) => kafka.validate(options),
            Self::Http(http) => http.validate(options),
            Self::RabbitMq(rabbitmq) => rabbitmq.validate(options),
            Self::Sqs(sqs) => sqs.validate(options),
            Self::File(_) => File::validate(options),
            Self::Stdout(_) => Stdout::validate(options),
            #[cfg(test)]
            Self::Fake(_) => Ok(()),
        }
    }

    /// Opens a destination: `written` are the options as they stand, `options` the same with what
    /// their references stand for, `replay` is for whom.
    ///
    /// # Errors
    /// `Invalid` when the options can't be used.
    pub(crate) fn open(
        &self,
        written: &BTreeMap<String, String>,
        options: BTreeMap<String, String>,
        replay: &Options,
    ) -> Result<Arc<dyn Destination>> {
        match self {
            Self::Kafka(kafka) => kafka.open(written, options, replay),
            Self::Http(http) => http.open(written, &options, replay),
            Self::RabbitMq(rabbitmq) => rabbitmq.open(written, &options, replay),
            Self::Sqs(sqs) => sqs.open(written, &options, replay),
            Self::File(file) => file.open(written, &options, replay),
            Self::Stdout(stdout) => stdout.open(replay),
            #[cfg(test)]
            Self::Fake(fake) => Ok(Arc::new(fake.opened(written))),
        }
    }
}
