//! A record that can't be decoded or transformed: at which stage, by which class, and why.

use crate::convert::{JSON, Later, Part};
use crate::transform::Failed;

/// The stages of a record's way that Connect names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    KeyConverter,
    ValueConverter,
    HeaderConverter,
    Transformation,
}

impl Stage {
    fn of(part: Part) -> Self {
        match part {
            Part::Key => Self::KeyConverter,
            Part::Value => Self::ValueConverter,
            Part::Header => Self::HeaderConverter,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::KeyConverter => "KEY_CONVERTER",
            Self::ValueConverter => "VALUE_CONVERTER",
            Self::HeaderConverter => "HEADER_CONVERTER",
            Self::Transformation => "TRANSFORMATION",
        }
    }
}

/// Why a record is a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Errant {
    pub(super) stage: Stage,
    /// The converter's or transform's class, by Connect's name.
    pub(super) class: String,
    /// The transform's name in the configuration.
    pub(super) alias: Option<String>,
    /// The class of the exception that Connect throws.
    pub(super) exception: &'static str,
    pub(super) message: String,
    /// The message and what it is about.
    pub(super) text: String,
}

impl Errant {
    /// A part of the record that its converter can't read.
    pub(super) fn unread(part: Part, class: &str, why: String) -> Self {
        let message = match class {
            // Connect's own words, as people look for them.
            JSON => "Converting byte[] to Kafka Connect data failed due to serialization error: "
                .to_owned(),
            _ => why.clone(),
        };
        Self {
            stage: Stage::of(part),
            class: class.to_owned(),
            alias: None,
            exception: "org.apache.kafka.connect.errors.DataException",
            message,
            text: why,
        }
    }

    /// What it waited for didn't come in the time that `errors.retry.timeout` gives.
    pub(super) fn late(later: Later) -> Self {
        Self {
            stage: Stage::of(later.part),
            class: later.class.to_owned(),
            alias: None,
            exception: "org.apache.kafka.connect.errors.RetriableException",
            text: format!("{}; `errors.retry.timeout` is over", later.why),
            message: later.why,
        }
    }

    /// As the row's `_error` says it.
    pub(super) fn reason(&self) -> String {
        let name = self.class.rsplit('.').next().unwrap_or(&self.class);
        let place = match &self.alias {
            Some(alias) => format!("{name} (`{alias}`)"),
            None => name.to_owned(),
        };
        format!("{}: {place}: {}", self.stage.as_str(), self.text)
    }

    /// As Connect's header says where it came from: the exception first.
    pub(super) fn trace(&self) -> String {
        let place = self
            .alias
            .as_deref()
            .map(|alias| format!("transforms.{alias}"));
        let place = place.as_deref().unwrap_or(self.stage.as_str());
        format!(
            "{}: {}\n\tat {} ({place})",
            self.exception, self.message, self.class
        )
    }
}

impl From<Failed> for Errant {
    fn from(failed: Failed) -> Self {
        Self {
            stage: Stage::Transformation,
            class: failed.class,
            alias: Some(failed.alias),
            exception: failed.failure.exception(),
            message: failed.failure.message().to_owned(),
            text: failed.failure.to_string(),
        }
    }
}
