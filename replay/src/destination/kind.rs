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
use crate::error::{Error, Result};
use crate::request::{Options, Partition};

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
    /// `Invalid` when the options can't be used, and for a replay that maps topics or partitions
    /// where there are none.
    pub(crate) fn open(
        &self,
        written: &BTreeMap<String, String>,
        options: BTreeMap<String, String>,
        replay: &Options,
    ) -> Result<Arc<dyn Destination>> {
        if !self.has_topics() {
            maps_nothing(self.name(), replay)?;
        }
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

    /// Whether a record goes to a topic and a partition there.
    fn has_topics(&self) -> bool {
        match self {
            Self::Kafka(_) => true,
            Self::Http(_) | Self::RabbitMq(_) | Self::Sqs(_) | Self::File(_) | Self::Stdout(_) => {
                false
            }
            #[cfg(test)]
            Self::Fake(_) => true,
        }
    }
}

/// Refuses maps of topics and partitions: where there are none they would say nothing.
fn maps_nothing(kind: &str, replay: &Options) -> Result<()> {
    let maps_partitions = matches!(replay.partition, Partition::Map(_));
    let (option, what) = match replay.topics.is_empty() {
        false => ("topics", "topics"),
        true if maps_partitions => ("partition", "partitions"),
        true => return Ok(()),
    };
    let hint = match (option, kind) {
        ("topics", "http") => "leave it out; the `url` may have {topic}",
        ("topics", "rabbitmq") => "leave it out; the `routing.key` may have {topic}",
        _ => "leave it out; where each record is from goes with it",
    };
    Err(Error::invalid(format!(
        "`{option}` has no use: a destination of type `{kind}` has no {what} to choose from"
    ))
    .with_hint(hint))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn options(key: &str, value: &str) -> Options {
        Options::parse(&BTreeMap::from([(key.to_owned(), value.to_owned())])).unwrap()
    }

    #[test]
    fn what_maps_topics_or_partitions_is_refused_where_there_are_none() {
        for kind in ["http", "rabbitmq", "sqs", "file", "stdout"] {
            for (key, value) in [("topics", "a:b"), ("partition", "0:1")] {
                let error = maps_nothing(kind, &options(key, value)).unwrap_err();
                let told = error.to_string();
                assert!(told.contains(key) && told.contains(kind), "{told}");
                assert!(error.hint().unwrap().starts_with("leave it out"));
            }
            for word in ["same", "key"] {
                assert!(maps_nothing(kind, &options("partition", word)).is_ok());
            }
        }
    }
}
