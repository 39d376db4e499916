//! Ranges that a stated policy passed over: recorded in the lake, never silent (P3, E1).

use std::ops::Range;

use eddy_engine::{Lake, TopicId};

use crate::error::{Error, ErrorKind, Result};

/// Records that offsets of a partition were lost before they could be recorded.
///
/// # Errors
/// `Unavailable` when the lake doesn't answer.
pub(super) fn record(
    lake: &Lake,
    topic: &str,
    topic_id: &TopicId,
    partition: i32,
    offsets: Range<i64>,
) -> Result<()> {
    tracing::error!(
        topic,
        partition,
        from = offsets.start,
        to = offsets.end,
        "offsets were deleted by the broker before they were recorded; skipped by policy"
    );
    let entry = serde_json::json!({
        "topic": topic,
        "topic_id": topic_id.as_str(),
        "partition": partition,
        "from": offsets.start,
        "to": offsets.end,
        "at_us": lake.clock().now_us(),
    });
    let _ = (entry, name(topic_id, partition));
    Err(Error::new(
        ErrorKind::Internal,
        "lost ranges can't be recorded yet",
    ))
}

/// Where the lost ranges of a partition are recorded.
pub(crate) fn name(topic_id: &TopicId, partition: i32) -> String {
    let id: String = topic_id
        .as_str()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '.'
            }
        })
        .collect();
    format!("lost/{id}/{partition}")
}
