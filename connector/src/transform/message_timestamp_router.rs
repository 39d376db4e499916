//! Confluent's `MessageTimestampRouter`: another topic for each stretch of time, by a field.

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::java::DatePattern;
use super::members::{get, kind_of};
use super::settings::Settings;
use super::timestamp_router::TopicFormat;
use crate::data::ConnectRecord;
use crate::error::Result;

/// The transform.
#[derive(Debug)]
pub(super) struct MessageTimestampRouter {
    topic: TopicFormat,
    keys: Vec<String>,
    format: DatePattern,
}

impl MessageTimestampRouter {
    /// # Errors
    /// `Invalid` without `message.timestamp.keys`, and for patterns that aren't any.
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self> {
        let key = "message.timestamp.format";
        let pattern = settings.raw(key).unwrap_or("yyyy-MM-dd'T'HH:mm:ss.SSSXXX");
        let keys = settings.required_list("message.timestamp.keys")?;
        Ok(Self {
            topic: TopicFormat::read(settings, "topic.timestamp.format")?,
            keys: keys.into_iter().map(str::to_owned).collect(),
            format: DatePattern::parse(pattern)
                .map_err(|why| settings.wrong(key, pattern, &why))?,
        })
    }

    /// The moment of the first key that is there, in milliseconds since the Unix epoch.
    fn moment(&self, value: &Value) -> Result<i64, Failure> {
        let Value::Object(members) = value else {
            return Err(Failure::data(format!(
                "choosing a topic by a field needs an object but found {}",
                kind_of(value)
            )));
        };
        let keys = self.keys.iter();
        let found = keys.filter_map(|key| get(members, key).map(|value| (key, value)));
        let mut found = found.filter(|(_, value)| **value != Value::Null);
        let Some((key, value)) = found.next() else {
            return Err(Failure::data(format!(
                "none of the fields `{}` is there to choose a topic by",
                self.keys.join("`, `")
            )));
        };
        let ms = match value {
            Value::Timestamp(us) => Some(us.div_euclid(1_000)),
            Value::Date(days) => Some(i64::from(*days) * 86_400_000),
            Value::Integer(ms) => i64::try_from(*ms).ok(),
            Value::Text(text) => self.format.read(text),
            _ => None,
        };
        ms.ok_or_else(|| {
            Failure::data(format!(
                "the field `{key}` is no timestamp, nor text of the form `{}`",
                self.format.text()
            ))
        })
    }
}

impl Transform for MessageTimestampRouter {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let ms = self.moment(&record.value.value)?;
        record.topic = self.topic.name(&record.topic, ms)?;
        Ok(Some(record))
    }
}
