//! Why a transform can't do its work on a record.

use std::fmt;

/// A transform's failure on one record. The record is a dead letter, the others are unharmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    /// The field that it is about, where the message doesn't name it.
    field: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Argument,
}

impl Failure {
    /// The record is not what the transform needs.
    pub(crate) fn data(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Data,
            message: message.into(),
            field: None,
        }
    }

    /// The options don't fit the record: a field that its schema doesn't have.
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Argument,
            message: message.into(),
            field: None,
        }
    }

    /// The same about a field.
    #[must_use]
    pub(crate) fn of_field(mut self, name: &str) -> Self {
        self.field = Some(name.to_owned());
        self
    }

    /// The class of the exception that Connect throws in this place.
    pub(crate) fn exception(&self) -> &'static str {
        match self.kind {
            Kind::Data => "org.apache.kafka.connect.errors.DataException",
            Kind::Argument => "java.lang.IllegalArgumentException",
        }
    }

    /// What is wrong; Connect's own words where people look for them.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "the field `{field}`: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Failure {}
