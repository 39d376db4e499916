//! `behavior.on.null.values` of Confluent's S3 sink: what becomes of records without a value.
//!
//! Without the key such a record is a row as any other, and no tombstone stops a connector. `write`
//! says the same; `ignore` and `fail` are a `TombstoneHandler` behind the other transforms, so a
//! dropped record is accounted for as any that a filter drops, and one that fails is a dead letter.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Reader;
use super::class::Class;
use crate::error::Result;

const KEY: &str = "behavior.on.null.values";
/// The transform's name, which no user's has by chance.
const ALIAS: &str = "behavior_on_null_values";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Behavior {
    Ignore,
    Write,
    Fail,
}

/// The configuration with the transform that the key means.
pub(super) fn with_handler<'a>(
    reader: &Reader<'a>,
    class: Class,
) -> Result<Cow<'a, BTreeMap<String, String>>> {
    let behaviors = [
        ("ignore", Behavior::Ignore),
        ("write", Behavior::Write),
        ("fail", Behavior::Fail),
    ];
    if class != Class::Confluent {
        return Ok(Cow::Borrowed(reader.map));
    }
    // A dead-letter topic hears of ignored ones, too, unless that is switched off.
    let flags = [("true", true), ("false", false)];
    let reports = reader.choice("report.null.values.to.dlq", &flags, true)?
        && reader.text("errors.deadletterqueue.topic.name").is_some();
    let behavior = match reader.choice(KEY, &behaviors, Behavior::Write)? {
        Behavior::Write => return Ok(Cow::Borrowed(reader.map)),
        Behavior::Ignore if !reports => "drop_silent",
        Behavior::Ignore | Behavior::Fail => "fail",
    };
    let mut map = reader.map.clone();
    let aliases = match reader.text("transforms") {
        Some(aliases) => format!("{aliases}, {ALIAS}"),
        None => ALIAS.to_owned(),
    };
    map.insert("transforms".to_owned(), aliases);
    for (option, value) in [("type", "TombstoneHandler"), ("behavior", behavior)] {
        map.insert(format!("transforms.{ALIAS}.{option}"), value.to_owned());
    }
    Ok(Cow::Owned(map))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use eddy_engine::Value;

    use super::super::ConnectorConfig;
    use super::super::tests::parse;
    use super::*;
    use crate::data::{ConnectRecord, Datum};

    fn config(entries: &[(&str, &str)]) -> Result<ConnectorConfig> {
        let mut all = vec![
            ("connector.class", "S3SinkConnector"),
            ("format.class", "ParquetFormat"),
            ("topics", "orders"),
            ("flush.size", "1000"),
            ("s3.bucket.name", "lake"),
            ("storage.class", "S3Storage"),
        ];
        all.extend_from_slice(entries);
        parse(&all)
    }

    fn null() -> Datum {
        Datum {
            schema: None,
            value: Value::Null,
        }
    }

    fn record() -> ConnectRecord {
        ConnectRecord {
            topic: "orders".to_owned(),
            partition: Some(0),
            offset: 7,
            timestamp_ms: None,
            key: null(),
            value: null(),
            headers: Vec::new(),
        }
    }

    /// Whether a tombstone stays, goes (`None`) or fails.
    fn tombstone(entries: &[(&str, &str)]) -> std::result::Result<Option<()>, String> {
        let config = config(entries).unwrap();
        let Some(chain) = &config.transforms else {
            return Ok(Some(()));
        };
        let applied = chain.apply(record());
        applied
            .map(|record| record.map(|_| ()))
            .map_err(|failed| failed.class)
    }

    #[test]
    fn a_tombstone_is_a_row_unless_the_key_says_otherwise() {
        let dead = ("errors.deadletterqueue.topic.name", "dead");
        let silent = ("report.null.values.to.dlq", "false");
        assert_eq!(tombstone(&[]), Ok(Some(())));
        assert_eq!(tombstone(&[(KEY, "WRITE")]), Ok(Some(())));
        assert_eq!(tombstone(&[(KEY, "ignore")]), Ok(None));
        assert_eq!(tombstone(&[(KEY, "ignore"), dead, silent]), Ok(None));
        for failing in [&[(KEY, "fail")][..], &[(KEY, "ignore"), dead]] {
            let class = tombstone(failing).unwrap_err();
            assert!(class.ends_with("TombstoneHandler"), "{class}");
        }
        let message = config(&[(KEY, "drop")]).unwrap_err().to_string();
        assert!(
            message.contains(KEY) && message.contains("`ignore`"),
            "{message}"
        );
    }

    #[test]
    fn the_handler_stands_behind_the_other_transforms() {
        let config = config(&[
            (KEY, "ignore"),
            ("transforms", "hoist"),
            ("transforms.hoist.type", "HoistField$Value"),
            ("transforms.hoist.field", "it"),
        ]);
        let chain = config.unwrap().transforms.unwrap();
        // What was hoisted is no tombstone any more.
        assert!(chain.apply(record()).unwrap().is_some());
    }
}
