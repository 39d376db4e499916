//! `as_of` and `wait_for` as requests write them.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::table::OffsetMap;

/// Which moment of the tables a query asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AsOfRequest {
    /// `{"version": N}`: the committed rows of that version.
    Version(u64),
    /// `{"time": "..."}`: the newest version of that time; microseconds since the epoch.
    Time(i64),
    /// `{"offsets": ...}`: rows below these offsets.
    Offsets(OffsetsOf),
}

/// Next offsets, of one table or by table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OffsetsOf {
    /// `{"0": N}`: of the query's only table.
    Only(OffsetMap),
    /// `{"orders": {"0": N}}`.
    Tables(BTreeMap<String, OffsetMap>),
}

impl AsOfRequest {
    /// Reads the JSON of a request. A whole position token is read by its offsets.
    pub(crate) fn read(json: &Json) -> Result<Self> {
        let object = json.as_object().ok_or_else(wrong_as_of)?;
        if object.contains_key("offsets") || object.contains_key("tables") {
            return Ok(Self::Offsets(OffsetsOf::read(json)?));
        }
        match (object.get("version"), object.get("time"), object.len()) {
            (Some(version), None, 1) => {
                Ok(Self::Version(version.as_u64().ok_or_else(wrong_as_of)?))
            }
            (None, Some(Json::String(time)), 1) => {
                let time = DateTime::parse_from_rfc3339(time).map_err(|error| {
                    Error::invalid(format!("`as_of.time` isn't RFC 3339: {error}"))
                })?;
                Ok(Self::Time(time.timestamp_micros()))
            }
            _ => Err(wrong_as_of()),
        }
    }
}

impl OffsetsOf {
    /// Reads `{"0": N}`, `{"table": {"0": N}}`, either under `offsets`, or a position token.
    pub(crate) fn read(json: &Json) -> Result<Self> {
        let object = json.as_object().ok_or_else(wrong_offsets)?;
        if let Some(offsets) = object.get("offsets") {
            return Self::read_map(offsets.as_object().ok_or_else(wrong_offsets)?);
        }
        if let Some(Json::Object(tables)) = object.get("tables") {
            let mut read = BTreeMap::new();
            for (table, token) in tables {
                let offsets = token.get("offsets").and_then(Json::as_object);
                read.insert(table.clone(), plain(offsets.ok_or_else(wrong_offsets)?)?);
            }
            return Ok(Self::Tables(read));
        }
        Self::read_map(object)
    }

    /// The offsets for one of a query's tables.
    pub(crate) fn of(&self, table: &str, tables: usize) -> Result<Option<&OffsetMap>> {
        match self {
            Self::Only(offsets) if tables == 1 => Ok(Some(offsets)),
            Self::Only(_) => Err(Error::invalid("the query reads several tables")
                .with_hint("give the offsets by table: `{\"orders\": {\"0\": 17}}`")),
            Self::Tables(all) => Ok(all.get(table)),
        }
    }

    fn read_map(object: &Map<String, Json>) -> Result<Self> {
        let nested = object.values().all(Json::is_object) && !object.is_empty();
        if !nested {
            return Ok(Self::Only(plain(object)?));
        }
        let mut tables = BTreeMap::new();
        for (table, offsets) in object {
            tables.insert(
                table.clone(),
                plain(offsets.as_object().ok_or_else(wrong_offsets)?)?,
            );
        }
        Ok(Self::Tables(tables))
    }
}

fn plain(object: &Map<String, Json>) -> Result<OffsetMap> {
    let mut offsets = OffsetMap::new();
    for (partition, next) in object {
        let partition: i32 = partition.parse().map_err(|_| wrong_offsets())?;
        let next = next.as_i64().filter(|next| *next >= 0);
        offsets.insert(partition, next.ok_or_else(wrong_offsets)?);
    }
    Ok(offsets)
}

fn wrong_as_of() -> Error {
    Error::invalid("`as_of` is not understood").with_hint(
        "write `{\"version\": 7}`, `{\"time\": \"2026-11-23T00:00:00Z\"}` or \
         `{\"offsets\": {\"0\": 17}}`",
    )
}

fn wrong_offsets() -> Error {
    Error::invalid("the offsets are not understood")
        .with_hint("write next offsets by partition: `{\"0\": 17, \"1\": 3}`")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_position_token_is_understood_as_as_of_and_as_wait_for() {
        let token = json!({"version": 4, "offsets": {"0": 17, "1": 3}});
        let offsets = OffsetsOf::Only(OffsetMap::from([(0, 17), (1, 3)]));
        assert_eq!(OffsetsOf::read(&token).unwrap(), offsets);
        assert_eq!(
            AsOfRequest::read(&token).unwrap(),
            AsOfRequest::Offsets(offsets)
        );
        let several = json!({"tables": {"a": {"version": 1, "offsets": {"0": 1}}}});
        assert_eq!(
            OffsetsOf::read(&several).unwrap(),
            OffsetsOf::Tables(BTreeMap::from([(
                "a".to_owned(),
                OffsetMap::from([(0, 1)])
            )]))
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for json in [
            json!(1),
            json!({"0": -1}),
            json!({"x": 1}),
            json!({"0": "1"}),
        ] {
            assert!(OffsetsOf::read(&json).is_err(), "{json}");
        }
        for json in [json!({}), json!({"version": "1"}), json!({"time": "now"})] {
            assert!(AsOfRequest::read(&json).is_err(), "{json}");
        }
    }
}
