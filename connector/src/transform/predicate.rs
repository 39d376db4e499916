//! What decides whether a transform is applied to a record.

use eddy_engine::Value;

use super::settings::JavaPattern;
use crate::data::ConnectRecord;

/// A predicate, by what it looks at.
#[derive(Debug)]
pub(super) enum Predicate {
    /// `TopicNameMatches`: the whole name, as transforms before have left it.
    TopicName(Box<JavaPattern>),
    /// `HasHeaderKey`: at least one header of the name.
    HasHeader(String),
    /// `RecordIsTombstone`: the value is null.
    Tombstone,
}

impl Predicate {
    /// Whether it holds for the record.
    pub(super) fn test(&self, record: &ConnectRecord) -> bool {
        match self {
            Self::TopicName(pattern) => pattern.matches(&record.topic),
            Self::HasHeader(name) => record.headers.iter().any(|(header, _)| header == name),
            Self::Tombstone => record.value.value == Value::Null,
        }
    }
}
