//! Kafka's `Filter`, which drops what its predicate lets through to it, and Confluent's, which goes
//! by a condition on a record's key or value.

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::jsonpath::JsonPath;
use super::settings::Settings;
use super::side::Side;
use crate::data::ConnectRecord;
use crate::error::Result;

/// Kafka's.
#[derive(Debug)]
pub(super) struct Filter;

impl Transform for Filter {
    fn apply(&self, _record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        Ok(None)
    }
}

/// Confluent's.
#[derive(Debug)]
pub(super) struct Condition {
    side: Side,
    path: JsonPath,
    /// Those that the condition finds stay; else they go.
    include: bool,
    missing: Missing,
}

/// What becomes of a record that doesn't have what the condition looks at.
#[derive(Debug, Clone, Copy)]
enum Missing {
    Fail,
    Include,
    Exclude,
}

impl Condition {
    /// # Errors
    /// `Invalid` for a condition that is no JSON path, and unknown words.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        let text = settings.required("filter.condition")?;
        let path =
            JsonPath::parse(text).map_err(|why| settings.wrong("filter.condition", text, &why))?;
        settings.required("filter.type")?;
        let types = [("include", true), ("exclude", false)];
        let missing = [
            ("fail", Missing::Fail),
            ("include", Missing::Include),
            ("exclude", Missing::Exclude),
        ];
        Ok(Self {
            side,
            path,
            include: settings.choice("filter.type", &types, true)?,
            missing: settings.choice("missing.or.null.behavior", &missing, Missing::Fail)?,
        })
    }

    fn keeps(&self, value: &Value) -> Result<bool, Failure> {
        let found = match value {
            Value::Null => None,
            value => self.path.find(value),
        };
        match (found, self.missing) {
            (Some(found), _) => {
                let holds = found.iter().any(|value| **value != Value::Null);
                Ok(holds == self.include)
            }
            (None, Missing::Include) => Ok(true),
            (None, Missing::Exclude) => Ok(false),
            (None, Missing::Fail) => Err(Failure::data(format!(
                "the {} has nothing at `{}`; let `missing.or.null.behavior` be `include` or \
                 `exclude` where that may be",
                self.side.word(),
                self.path.text()
            ))),
        }
    }
}

impl Transform for Condition {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let keeps = self.keeps(&self.side.of(&record).value)?;
        Ok(keeps.then_some(record))
    }
}
