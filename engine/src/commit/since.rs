//! Since when a table has each of its columns: the schema's history.
//!
//! It is kept in the metadata of the columns themselves (`eddy.since`), in the log's schema text
//! only: so it outlives the commits that a cleanup removes, any tool that keeps metadata keeps it,
//! and the schemas that batches are compared with have nothing of it. A column inside of one that
//! came at the same time says nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

const SINCE: &str = "eddy.since";

/// When a column came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Since {
    /// The first version that has it.
    pub version: u64,
    /// When that version was made, in milliseconds since the Unix epoch, by the writer's clock.
    pub time_ms: i64,
}

impl Since {
    /// The time as RFC 3339.
    pub fn time(self) -> Option<String> {
        let time = DateTime::from_timestamp_millis(self.time_ms)?;
        Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    fn text(self) -> String {
        format!("{} {}", self.version, self.time_ms)
    }

    fn parse(text: &str) -> Option<Self> {
        let (version, time_ms) = text.split_once(' ')?;
        Some(Self {
            version: version.parse().ok()?,
            time_ms: time_ms.parse().ok()?,
        })
    }
}

/// The names from the root; the step into a list's elements is `element`.
type Names = Vec<String>;

/// Is part of the schema text, not of the columns' identities.
pub(super) fn is_since(metadata_key: &str) -> bool {
    metadata_key == SINCE
}

/// Marks what `after` has and `before`, the schema text of the version before, has not.
///
/// # Errors
/// `Data` when `before` is not JSON.
pub(super) fn stamp(before: &str, after: &mut Value, now: Since) -> Result<()> {
    let before = parse(before)?;
    stamp_type(Some(&before), after, now);
    Ok(())
}

/// Since when each column is there, by its names; without those that came with the table, or before
/// this was kept.
pub(crate) fn read(schema: &str) -> Result<BTreeMap<Names, Since>> {
    let mut found = BTreeMap::new();
    read_type(&parse(schema)?, &[], None, &mut found);
    Ok(found)
}

fn parse(schema: &str) -> Result<Value> {
    serde_json::from_str(schema)
        .map_err(|error| Error::data("the table's schema is not JSON").with_source(error))
}

fn stamp_type(before: Option<&Value>, after: &mut Value, now: Since) {
    if let Some(element) = after.get_mut("elementType") {
        let before = before.and_then(|before| before.get("elementType"));
        return stamp_type(before, element, now);
    }
    let known: BTreeMap<&str, &Value> = before.map(fields).unwrap_or_default();
    let fields = after.get_mut("fields").and_then(Value::as_array_mut);
    for field in fields.into_iter().flatten() {
        let name = field.get("name").and_then(Value::as_str);
        let before = name.and_then(|name| known.get(name).copied());
        let since = match before {
            Some(before) => before.pointer("/metadata/eddy.since").cloned(),
            None => Some(Value::String(now.text())),
        };
        if let Some(since) = since
            && let Some(metadata) = field.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.insert(SINCE.to_owned(), since);
        }
        // What is inside of a new column came with it.
        if let Some(before) = before
            && let Some(inner) = field.get_mut("type")
        {
            stamp_type(before.get("type"), inner, now);
        }
    }
}

fn fields(data_type: &Value) -> BTreeMap<&str, &Value> {
    let fields = data_type.get("fields").and_then(Value::as_array);
    fields
        .into_iter()
        .flatten()
        .filter_map(|field| Some((field.get("name")?.as_str()?, field)))
        .collect()
}

fn read_type(
    data_type: &Value,
    above: &[String],
    outer: Option<Since>,
    found: &mut BTreeMap<Names, Since>,
) {
    let path = |name: &str| above.iter().cloned().chain([name.to_owned()]).collect();
    if let Some(element) = data_type.get("elementType") {
        let path: Names = path("element");
        if let Some(outer) = outer {
            found.insert(path.clone(), outer);
        }
        return read_type(element, &path, outer, found);
    }
    for (name, field) in fields(data_type) {
        let metadata = field.get("metadata").and_then(Value::as_object);
        let since = metadata.and_then(own).or(outer);
        let path: Names = path(name);
        if let Some(since) = since {
            found.insert(path.clone(), since);
        }
        if let Some(inner) = field.get("type") {
            read_type(inner, &path, since, found);
        }
    }
}

fn own(metadata: &Map<String, Value>) -> Option<Since> {
    Since::parse(metadata.get(SINCE)?.as_str()?)
}
