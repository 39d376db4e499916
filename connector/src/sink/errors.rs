//! What a failure means for a partition, a topic or the task.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use crate::error::{Error, ErrorKind, Result};
use crate::sink::run::Run;
use crate::sink::topic::Lane;

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
            self.park(topic, partition, "the broker does not have the position")?;
            if let Some(lane) = self.lane(topic, partition) {
                lane.cut = cut_at(text);
            }
            return Ok(());
        }
        tracing::warn!(topic, partition, %code, text, "reading again after an error");
        if let Some(lane) = self.lane(topic, partition) {
            lane.seek_at = Some(now + Duration::from_secs(1));
            lane.trouble = Some(text.to_owned());
        }
        Ok(())
    }

    fn lane(&mut self, topic: &str, partition: i32) -> Option<&mut Lane> {
        self.slots.get_mut(topic)?.lanes.get_mut(&partition)
    }
}

/// Where the log ends that the position was a position of, if librdkafka says that the broker has
/// another one now (KIP-320): below zero when nothing of it is left. It has no error code of its
/// own where it may not reset the position, only this text.
fn cut_at(text: &str) -> Option<i64> {
    let (_, after) = text.split_once("broker end offset is ")?;
    let end = after.find(|c: char| c != '-' && !c.is_ascii_digit());
    after.get(..end.unwrap_or(after.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_log_was_cut_is_read_from_what_librdkafka_says() {
        let cut = "Partition log truncation detected at offset 100 (leader epoch 5): broker end \
                   offset is 90 (offset leader epoch 5). Reset to INVALID.: Local: Partition log \
                   truncation detected (broker 1)";
        assert_eq!(cut_at(cut), Some(90));
        let gone = "No epoch found less or equal to offset 100 (leader epoch 5): broker end \
                    offset is -1 (offset leader epoch -1). Reset using configured policy.";
        assert_eq!(cut_at(gone), Some(-1));
        let expired = "fetch failed due to requested offset not available on the broker: \
                       Broker: Offset out of range (broker 1)";
        assert_eq!(cut_at(expired), None);
    }
}
