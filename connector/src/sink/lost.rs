//! Ranges that a stated policy passed over: recorded in the lake, never silent (P3, E1).

use std::ops::Range;

use eddy_engine::state::Register;
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
    let register = Register::new(lake, name(topic_id, partition));
    let newest = lake.runtime().block_on(register.latest())?;
    let (number, mut entries) = match newest {
        Some((number, bytes)) => {
            let entries: Vec<serde_json::Value> =
                serde_json::from_slice(&bytes).map_err(|error| {
                    Error::new(ErrorKind::Data, "the recorded lost ranges can't be read")
                        .with_source(error)
                })?;
            (number + 1, entries)
        }
        None => (0, Vec::new()),
    };
    entries.push(serde_json::json!({
        "topic": topic,
        "topic_id": topic_id.as_str(),
        "partition": partition,
        "from": offsets.start,
        "to": offsets.end,
        "at_us": lake.clock().now_us(),
    }));
    let text = serde_json::Value::Array(entries).to_string();
    lake.runtime().block_on(register.put(number, text.into()))?;
    Ok(())
}

/// Where the lost ranges of a partition are recorded.
fn name(topic_id: &TopicId, partition: i32) -> String {
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
