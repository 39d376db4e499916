//! A broker within the process, for trying things: librdkafka's mock cluster.
//!
//! It listens on 127.0.0.1 only, forgets everything when it stops, keeps 5 MiB per partition and
//! knows no transactions. Each start makes new topics with new ids. Whoever feeds it must hold back
//! while the sink lags (`load` does), or the broker drops records that nobody has read yet.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rdkafka::mocking::MockCluster;

use crate::error::{Error, Result};
use crate::kafka::config::KafkaConfig;

/// Partitions of a topic of which nobody says how many it has: librdkafka's own default.
const PARTITIONS: i32 = 4;

/// The broker; it stops when dropped.
pub struct EmbeddedBroker {
    bootstrap_servers: String,
    commands: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

struct Command {
    what: What,
    answer: Sender<Result<()>>,
}

enum What {
    /// A topic of so many partitions.
    Make { topic: String, partitions: i32 },
    /// The next batch is too large, or one of its records is refused.
    #[cfg(any(test, feature = "testing"))]
    Refuse { too_large: bool },
}

impl EmbeddedBroker {
    /// Starts the broker. Topics that a client writes to without making them get 4 partitions.
    ///
    /// # Errors
    /// `Internal` when librdkafka can't start it.
    pub fn start() -> Result<Self> {
        let (commands, received) = channel();
        let (started, start) = channel();
        // The cluster is bound to the thread that made it.
        let thread = std::thread::Builder::new()
            .name("embedded-broker".to_owned())
            .spawn(move || serve(&started, &received))
            .map_err(|error| failed("its thread can't be started").with_source(error))?;
        let bootstrap_servers = start.recv().map_err(|_| failed("its thread ended"))??;
        tracing::warn!(
            bootstrap_servers,
            "embedded broker started: for trying things only, it keeps 5 MiB per partition and \
             forgets everything when it stops"
        );
        Ok(Self {
            bootstrap_servers,
            commands: Some(commands),
            thread: Some(thread),
        })
    }

    /// Where clients on this machine reach it.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// The configuration of a client of this broker, which knows no static members.
    pub fn config(&self) -> KafkaConfig {
        KafkaConfig::default()
            .with("bootstrap.servers", self.bootstrap_servers.as_str())
            .with("group.instance.id", "")
    }

    /// Makes a topic with so many partitions, or as many as the broker's default says (-1: 4); one
    /// that exists is fine. Blocks until the broker has answered.
    ///
    /// # Errors
    /// `Internal` when the broker refuses.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<()> {
        self.command(What::Make {
            topic: topic.to_owned(),
            partitions: if partitions > 0 {
                partitions
            } else {
                PARTITIONS
            },
        })
    }

    /// Lets it refuse the next batch that a client writes, as too large.
    ///
    /// # Errors
    /// `Internal` when it has stopped.
    #[cfg(any(test, feature = "testing"))]
    pub fn refuse_next_batch(&self) -> Result<()> {
        self.command(What::Refuse { too_large: true })
    }

    /// Lets it refuse the next batch for what is in it, without saying which record it is.
    #[cfg(test)]
    pub(crate) fn refuse_next_records(&self) -> Result<()> {
        self.command(What::Refuse { too_large: false })
    }

    fn command(&self, what: What) -> Result<()> {
        let (answer, answered) = channel();
        let command = Command { what, answer };
        self.commands
            .as_ref()
            .and_then(|commands| commands.send(command).ok())
            .ok_or_else(|| failed("it has stopped"))?;
        answered.recv().map_err(|_| failed("it has stopped"))?
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.commands.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the embedded broker's thread panicked");
        }
    }
}

fn serve(started: &Sender<Result<String>>, commands: &Receiver<Command>) {
    let cluster = match MockCluster::new(1) {
        Ok(cluster) => cluster,
        Err(error) => {
            let _ = started.send(Err(failed("librdkafka refused").with_source(error)));
            return;
        }
    };
    if started.send(Ok(cluster.bootstrap_servers())).is_err() {
        return;
    }
    let make = |topic: &str, partitions: i32| {
        let made = cluster.create_topic(topic, partitions, 1);
        match made.map_err(|error| error.rdkafka_error_code()) {
            Err(code) if code != Some(rdkafka::error::RDKafkaErrorCode::TopicAlreadyExists) => {
                Err(failed(&format!("topic `{topic}` can't be made: {code:?}")))
            }
            _ => Ok(()),
        }
    };
    while let Ok(command) = commands.recv() {
        let answer = match command.what {
            What::Make { topic, partitions } => make(&topic, partitions),
            #[cfg(any(test, feature = "testing"))]
            What::Refuse { too_large } => {
                use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
                let error = match too_large {
                    true => RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
                    false => RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD,
                };
                cluster.request_errors(RDKafkaApiKey::Produce, &[error]);
                Ok(())
            }
        };
        let _ = command.answer.send(answer);
    }
}

fn failed(why: &str) -> Error {
    Error::new(
        crate::error::ErrorKind::Internal,
        format!("the embedded broker does not run: {why}"),
    )
}
