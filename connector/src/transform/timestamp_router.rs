//! `TimestampRouter`: another topic for each stretch of time.

use super::Transform;
use super::failure::Failure;
use super::java::DatePattern;
use super::settings::Settings;
use crate::data::ConnectRecord;
use crate::error::Result;

/// A topic's name with `${topic}` and `${timestamp}` in it.
#[derive(Debug)]
pub(super) struct TopicFormat {
    text: String,
    time: DatePattern,
}

impl TopicFormat {
    /// Reads `topic.format`, and the pattern of its times below `key`.
    pub(super) fn read(settings: &Settings<'_>, key: &str) -> Result<Self> {
        let pattern = settings.raw(key).unwrap_or("yyyyMMdd");
        Ok(Self {
            text: settings
                .text("topic.format")
                .unwrap_or("${topic}-${timestamp}")
                .to_owned(),
            time: DatePattern::parse(pattern).map_err(|why| settings.wrong(key, pattern, &why))?,
        })
    }

    /// The name for a moment in milliseconds since the Unix epoch.
    pub(super) fn name(&self, topic: &str, ms: i64) -> Result<String, Failure> {
        let time = self
            .time
            .format(ms)
            .ok_or_else(|| Failure::data(format!("the moment `{ms}` is in no calendar")))?;
        // In two steps, so that a topic that is named like the placeholder does no harm.
        let parts: Vec<String> = self
            .text
            .split("${topic}")
            .map(|part| part.replace("${timestamp}", &time))
            .collect();
        Ok(parts.join(topic))
    }
}

/// The transform.
#[derive(Debug)]
pub(super) struct TimestampRouter(TopicFormat);

impl TimestampRouter {
    /// # Errors
    /// `Invalid` for a pattern that isn't one.
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self> {
        Ok(Self(TopicFormat::read(settings, "timestamp.format")?))
    }
}

impl Transform for TimestampRouter {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let ms = record
            .timestamp_ms
            .ok_or_else(|| Failure::data("the record has no timestamp to choose a topic by"))?;
        record.topic = self.0.name(&record.topic, ms)?;
        Ok(Some(record))
    }
}
