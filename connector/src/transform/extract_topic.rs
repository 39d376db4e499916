//! Confluent's `ExtractTopic`: the topic that a field or a header names.

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::jsonpath::JsonPath;
use super::members::{get, kind_of};
use super::settings::Settings;
use super::side::Side;
use crate::data::ConnectRecord;
use crate::error::Result;

/// The transform.
#[derive(Debug)]
pub(super) struct ExtractTopic {
    source: Source,
    /// Records without a name keep their topic; else they are failures.
    skip: bool,
}

#[derive(Debug)]
enum Source {
    Whole(Side),
    Field(Side, String),
    Path(Side, JsonPath),
    Header(String),
}

impl ExtractTopic {
    /// From a key or value, or without a side from a header.
    ///
    /// # Errors
    /// `Invalid` for a header without a name, and a path that isn't one.
    pub(super) fn read(side: Option<Side>, settings: &Settings<'_>) -> Result<Self> {
        let formats = [("PLAIN", false), ("JSON_PATH", true)];
        let is_path = settings.choice("field.format", &formats, false)?;
        let source = match (side, settings.text("field")) {
            (None, _) => Source::Header(settings.required("field")?.to_owned()),
            (Some(side), None) => Source::Whole(side),
            (Some(side), Some(text)) if is_path => {
                let path = JsonPath::parse(text);
                Source::Path(
                    side,
                    path.map_err(|why| settings.wrong("field", text, &why))?,
                )
            }
            (Some(side), Some(text)) => Source::Field(side, text.to_owned()),
        };
        Ok(Self {
            source,
            skip: settings.flag("skip.missing.or.null", false)?,
        })
    }

    fn topic<'r>(&self, record: &'r ConnectRecord) -> Option<&'r Value> {
        let found = match &self.source {
            Source::Whole(side) => Some(&side.of(record).value),
            Source::Field(side, name) => match &side.of(record).value {
                Value::Object(members) => get(members, name),
                _ => None,
            },
            Source::Path(side, path) => path
                .find(&side.of(record).value)
                .and_then(|found| found.first().copied()),
            Source::Header(name) => {
                let mut headers = record.headers.iter().rev();
                headers
                    .find(|(header, _)| header == name)
                    .map(|(_, datum)| &datum.value)
            }
        };
        found.filter(|value| **value != Value::Null)
    }
}

impl Transform for ExtractTopic {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        match self.topic(&record) {
            Some(Value::Text(topic)) if !topic.is_empty() => record.topic = topic.clone(),
            Some(Value::Text(_)) | None if self.skip => {}
            Some(Value::Text(_)) | None => {
                return Err(Failure::data(
                    "the record names no topic to go to; let `skip.missing.or.null` be `true` \
                     where that may be",
                ));
            }
            Some(other) => {
                return Err(Failure::data(format!(
                    "a topic's name must be text but is {}",
                    kind_of(other)
                )));
            }
        }
        Ok(Some(record))
    }
}
