//! A table's partitioning in its properties: written when the table is made, and never changed.
//!
//! ```text
//! [{"field": ["customer", "tier"]},
//!  {"time": {"unit": "hour", "zone": "Europe/Berlin", "pattern": "...", "field": ["sent"]}}]
//! ```
//!
//! A table by day in UTC, as all were once, has no such property.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::partition::{FieldPath, Part, Partitioning, Pattern, TimePart, Unit, Zone};

/// The property's name.
pub(crate) const PROPERTY: &str = "eddy.partitioning";

impl Partitioning {
    /// The property's text; `None` where a table needs none.
    pub(crate) fn to_property(&self) -> Option<String> {
        let parts = self.parts().iter().map(|part| match part {
            Part::Field(path) => json!({"field": path.keys()}),
            Part::Time(time) => json!({"time": {
                "unit": unit_text(time.unit()),
                "zone": time.zone().to_string(),
                "pattern": time.pattern().to_string(),
                "field": time.field().map(FieldPath::keys),
            }}),
        });
        (*self != Self::by_day()).then(|| Value::Array(parts.collect()).to_string())
    }

    /// What a property says; `None`: there is none.
    ///
    /// # Errors
    /// `Data` for a text that says nothing to this version of Eddy.
    pub(crate) fn of_property(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else {
            return Ok(Self::by_day());
        };
        let unreadable = || {
            Error::data(format!(
                "the table's property `{PROPERTY}` says what this version of Eddy can't read: \
                 `{text}`"
            ))
        };
        let value: Value = serde_json::from_str(text).map_err(|_| unreadable())?;
        let parts = value.as_array().ok_or_else(unreadable)?;
        let parts: Option<Vec<Part>> = parts.iter().map(part).collect();
        Self::new(parts.ok_or_else(unreadable)?).map_err(|error| unreadable().with_source(error))
    }
}

fn part(value: &Value) -> Option<Part> {
    if let Some(keys) = value.get("field") {
        return Some(Part::Field(path(keys)?));
    }
    let time = value.get("time")?;
    let text = |key: &str| time.get(key)?.as_str();
    let field = match time.get("field") {
        None | Some(Value::Null) => None,
        Some(keys) => Some(path(keys)?),
    };
    let time = TimePart::stored(
        unit(text("unit")?)?,
        Zone::parse(text("zone")?).ok()?,
        Pattern::parse(text("pattern")?).ok()?,
        field,
    );
    Some(Part::Time(time.ok()?))
}

fn path(keys: &Value) -> Option<FieldPath> {
    let keys = keys.as_array()?.iter();
    let keys: Option<Vec<String>> = keys.map(|key| Some(key.as_str()?.to_owned())).collect();
    keys.map(FieldPath::new)
}

fn unit_text(unit: Unit) -> String {
    match unit {
        Unit::Span(span) => format!("{}ms", span.as_millis()),
        other => other.to_string(),
    }
}

fn unit(text: &str) -> Option<Unit> {
    Some(match text {
        "year" => Unit::Year,
        "month" => Unit::Month,
        "day" => Unit::Day,
        "hour" => Unit::Hour,
        span => Unit::Span(Duration::from_millis(
            span.strip_suffix("ms")?.parse().ok()?,
        )),
    })
}
