//! What a failure means for a partition, a topic or the task.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use crate::error::{Error, ErrorKind, Result};
use crate::sink::run::Run;

/// What librdkafka reported for a partition in place of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The broker does not have the position: a policy or a person decides.
    OutOfRange,
    /// Anything else passes or is shown; the partition is read again from where it was.
    Passing,
}

/// Sorts an error of a partition.
pub(super) fn trouble(code: RDKafkaErrorCode) -> Trouble {
    match code {
        RDKafkaErrorCode::AutoOffsetReset
        | RDKafkaErrorCode::OffsetOutOfRange
        | RDKafkaErrorCode::LogTruncation => Trouble::OutOfRange,
        _ => Trouble::Passing,
    }
}

/// How long to wait before a topic whose start could not be found is tried again. What a person has
/// to repair is tried too, so that the repair is enough.
pub(super) fn patience(error: &Error) -> Duration {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Fenced => Duration::from_secs(1),
        ErrorKind::NotFound => Duration::from_secs(3),
        _ => Duration::from_secs(10),
    }
}

impl Run<'_> {
    /// Handles what librdkafka reported in place of a message.
    pub(super) fn troubled(
        &mut self,
        topic: &str,
        partition: i32,
        code: RDKafkaErrorCode,
        text: &str,
    ) -> Result<()> {
        let now = self.clock.monotonic();
        let what = trouble(code);
        if let Trouble::OutOfRange = what {
            tracing::warn!(
                topic,
                partition,
                text,
                "the broker does not have the position"
            );
            return self.park(topic, partition, "the broker does not have the position");
        }
        tracing::warn!(topic, partition, %code, text, "reading again after an error");
        if let Some(lane) = self
            .slots
            .get_mut(topic)
            .and_then(|slot| slot.lanes.get_mut(&partition))
        {
            lane.seek_at = Some(now + Duration::from_secs(1));
        }
        Ok(())
    }
}
