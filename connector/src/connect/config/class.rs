//! Which connector a configuration is of, by `connector.class` as Connect takes it.

use super::Reader;
pub(super) use super::def::simple_name;
use super::def::{self, Fate, Key, Kind};
use crate::connect::EDDY_SINK;
use crate::error::{Error, Result};

/// A class of connectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Eddy's own.
    Eddy,
    /// Confluent's S3 sink.
    Confluent,
    /// Aiven's S3 sink.
    Aiven,
}

/// The classes by their full names.
const CLASSES: [(&str, Class); 3] = [
    (EDDY_SINK, Class::Eddy),
    ("io.confluent.connect.s3.S3SinkConnector", Class::Confluent),
    (
        "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
        Class::Aiven,
    ),
];

const KEY: &str = "connector.class";

impl Class {
    /// The class that the configuration names; Eddy's own when it names none.
    pub(super) fn read(reader: &Reader<'_>) -> Result<Self> {
        let Some(text) = reader.text(KEY) else {
            return Ok(Self::Eddy);
        };
        Self::named(text).ok_or_else(|| {
            let known: Vec<&str> = CLASSES.iter().map(|(name, _)| *name).collect();
            let allowed = format!("`{}`, or the last part of one of these", known.join("`, `"));
            reader.wrong(KEY, text, &allowed)
        })
    }

    /// The key of its table that is called so.
    pub(super) fn key(self, name: &str) -> Option<&'static Key> {
        let (full, _) = CLASSES.iter().find(|(_, class)| *class == self)?;
        def::find(Kind::Sink, full)?.key(name)
    }

    /// Why the key does nothing, if it is one that doesn't.
    pub(super) fn ignores(self, name: &str) -> Option<&'static str> {
        match self.key(name)?.fate {
            Fate::Ignored(why) => Some(why),
            Fate::Used | Fate::Refused(..) => None,
        }
    }

    /// By its full name or one of Connect's short ones: the class without its package, and that
    /// without `Connector`.
    fn named(text: &str) -> Option<Self> {
        let found = CLASSES.iter().find(|(full, _)| {
            let simple = full.rsplit('.').next().unwrap_or(full);
            let short = simple.strip_suffix("Connector").unwrap_or(simple);
            [*full, simple, short].contains(&text)
        });
        found.map(|(_, class)| *class)
    }
}

/// Refuses the values that the class's table refuses.
pub(super) fn refuse(reader: &Reader<'_>, class: Class) -> Result<()> {
    for name in reader.map.keys() {
        let (Some(key), Some(value)) = (class.key(name), reader.text(name)) else {
            continue;
        };
        if let Some(why) = key.refuses(value) {
            return Err(not_built(reader, name, value, why));
        }
    }
    Ok(())
}

/// What a foreign configuration asks for and Eddy can't do yet: better refused than done otherwise.
pub(super) fn not_built(reader: &Reader<'_>, key: &str, value: &str, instead: &str) -> Error {
    Error::invalid(format!(
        "connector `{}`: `{key}` is `{value}`, which Eddy doesn't do; {instead}",
        reader.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_named_in_full_or_short() {
        for (name, class) in [
            (
                "io.confluent.connect.s3.S3SinkConnector",
                Some(Class::Confluent),
            ),
            ("S3SinkConnector", Some(Class::Confluent)),
            ("S3Sink", Some(Class::Confluent)),
            (
                "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
                Some(Class::Aiven),
            ),
            ("AivenKafkaConnectS3SinkConnector", Some(Class::Aiven)),
            ("AivenKafkaConnectS3Sink", Some(Class::Aiven)),
            ("EddySink", Some(Class::Eddy)),
            ("com.example.S3SinkConnector", None),
            ("s3sink", None),
        ] {
            assert_eq!(Class::named(name), class, "{name}");
        }
    }
}
