//! What the broker and the group want of a consumer, noted by librdkafka's callbacks.
//!
//! A callback only notes what happened; the consumer's owner acts on it in its own loop. Once the
//! consumer is closing nobody takes events, and a rebalance is answered on the spot.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use eddy_engine::Clock;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use crate::kafka::client::ClientLog;

/// What the broker or the group wants.
#[derive(Debug)]
pub(crate) enum ConsumerEvent {
    /// Partitions were given to this member: answer with `Consumer::assign`.
    Assigned(Vec<(String, i32)>),
    /// Partitions are taken away: answer with `Consumer::unassign`. When they are lost, others
    /// may own them already.
    Revoked {
        partitions: Vec<(String, i32)>,
        lost: bool,
    },
    /// A message came on the wrong queue and was thrown away: read the partition again.
    Strayed(String, i32),
    /// The group doesn't let it in; librdkafka goes on asking.
    Denied(String),
    /// The client can't go on; make a new one.
    Fatal { fenced: bool, message: String },
}

/// What librdkafka calls back.
pub(super) struct Context {
    log: ClientLog,
    events: Mutex<VecDeque<ConsumerEvent>>,
    closing: AtomicBool,
}

impl Context {
    pub(super) fn new(clock: Clock, group: &str) -> Self {
        Self {
            log: ClientLog::new(clock, group),
            events: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// From now on rebalances are answered here, with nothing taken over.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, VecDeque<ConsumerEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.log.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(error, reason);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let assigned = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::SeqCst) {
            let answered = if assigned {
                consumer.incremental_assign(&TopicPartitionList::new())
            } else {
                consumer.incremental_unassign(list)
            };
            if let Err(error) = answered {
                tracing::debug!(%error, "a rebalance while closing was not answered");
            }
            return;
        }
        let partitions = list
            .elements()
            .iter()
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect();
        self.lock().push_back(if assigned {
            ConsumerEvent::Assigned(partitions)
        } else {
            ConsumerEvent::Revoked {
                partitions,
                lost: consumer.assignment_lost(),
            }
        });
    }
}
