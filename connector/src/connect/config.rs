//! The flat configuration of an `EddySink`: `topics` or `topics.regex` is all it needs.
//!
//! A wrong value is refused with the key, the value and what is allowed; an unknown key is warned
//! about and ignored, as Connect does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eddy_engine::LakeOptions;
use eddy_engine::elide::Raw;
use eddy_engine::layout::Layout;
use eddy_engine::partition::Partitioning;
use eddy_engine::redact::Redaction;
use eddy_engine::schema::Detect;
use eddy_engine::schema::Limits;
use eddy_engine::shred::Converter;
use eddy_engine::write::CutPolicy;
use fancy_regex::Regex;

use crate::convert::ConversionSettings;
use crate::error::{Error, Result};
use crate::kafka::{check_reserved, is_internal};
use crate::transform::{Chain, whole_pattern};
use class::Class;
use home::{Home, warn_of_unknown};

mod aiven;
mod class;
mod confluent;
mod convert;
pub mod def;
mod detect;
mod encryption;
mod errors;
mod flat;
mod foreign;
mod home;
mod null_values;
mod partition;
pub(super) mod properties;
mod provider;
mod redact;
mod rolling;
mod secrets;
mod sides;
mod upkeep;

pub use encryption::Encryption;
pub use errors::{DeadLetterTopic, ErrorPolicy, Tolerance};
pub use provider::{Providers, Unknown};
pub(super) use secrets::{Secrets, read_resolved};
pub use upkeep::Upkeep;

/// The checked configuration of one connector.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    /// The connector's name, which owns its tables (P2) and names its group `connect-<name>`.
    pub name: String,
    /// The topics it records.
    pub topics: Topics,
    /// `topics.dir`: the folder of the lake that holds its tables.
    pub topics_dir: String,
    /// `tasks.max`: the tasks of one process, each a thread and a member of the group.
    pub tasks_max: usize,
    /// Where a table without any position begins.
    pub start: StartAt,
    /// The connector's own lake, if it has one: the bucket that another sink's configuration names.
    pub lake: Option<LakeOptions>,
    /// Whose habits its tables' files follow.
    pub layout: Layout,
    /// `partition.*`: how its tables' files are partitioned.
    pub partitioning: Arc<Partitioning>,
    /// `flush.*`, `rotate.*`: what makes a task commit what it has.
    pub cut: CutPolicy,
    /// How the engine reads values that no converter does: `value.converter` is `auto` or `json`.
    pub converter: Converter,
    /// `key.converter`, `value.converter`, `header.converter` and their keys.
    pub(crate) conversion: ConversionSettings,
    /// `value.raw`: whether records keep their text (`keep`), or only what their columns don't say
    /// (`elide`).
    pub raw: Raw,
    /// `transforms`, `predicates`: what changes records before they fill columns.
    pub(crate) transforms: Option<Arc<Chain>>,
    /// `errors.*`: what becomes of records that can't be decoded or transformed.
    pub errors: ErrorPolicy,
    /// `encryption.*`: with what files are encrypted.
    pub encryption: Option<Encryption>,
    /// `redact.*`: what records lose before anything of them lands.
    pub redaction: Option<Arc<Redaction>>,
    /// `value.detect`: what is looked for in strings, `timestamps`, `decimals` or both.
    pub detect: Detect,
    /// `limits.leaves`, `limits.keys`, `limits.depth`.
    pub limits: Limits,
    /// What to do when the broker and the table don't fit together.
    pub policies: Policies,
    /// `compact`, `retention.ms`, ...: what is done to the tables off the hot path.
    pub upkeep: Upkeep,
    /// `consumer.override.*`, without the prefix.
    pub consumer: BTreeMap<String, String>,
    /// `producer.override.*`, without the prefix: for the dead-letter topic.
    pub producer: BTreeMap<String, String>,
}

/// Which topics a connector records.
#[derive(Debug, Clone)]
pub enum Topics {
    /// `topics`: these; one that doesn't exist yet is waited for.
    Named(BTreeSet<String>),
    /// `topics.regex`: every topic whose whole name matches, now or later; Java's syntax.
    Matching(Box<Regex>),
}

impl Topics {
    /// Whether `topic` is recorded. A pattern takes none of Kafka's own topics, as that of a Java
    /// client doesn't.
    pub fn includes(&self, topic: &str) -> bool {
        match self {
            Self::Named(names) => names.contains(topic),
            // A pattern that gives up (catastrophic backtracking) matches nothing.
            Self::Matching(regex) => !is_internal(topic) && regex.is_match(topic).unwrap_or(false),
        }
    }
}

/// Where a table without any position begins (P3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// At the log start.
    Earliest,
    /// With what comes from now on.
    Latest,
}

/// What to do when the broker and the table don't fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies {
    /// `position.reset`.
    pub position_reset: PositionReset,
    /// `topic.recreated`.
    pub topic_recreated: TopicRecreated,
}

/// `position.reset`: the broker no longer has the table's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionReset {
    /// The partition stops with a clear state.
    Fail,
    /// It goes on at the log start; what was missed is recorded as lost.
    Earliest,
    /// It goes on at the log end; what was missed is recorded as lost.
    Latest,
}

/// `topic.recreated`: the topic was deleted and made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicRecreated {
    /// Its partitions stop with a clear state.
    Fail,
    /// The table goes on with the new incarnation from its log start.
    New,
}

const RAW: [(&str, Raw); 2] = [("keep", Raw::Keep), ("elide", Raw::Elide)];
const OVERRIDE: &str = "consumer.override.";
const PRODUCER: &str = "producer.override.";

impl ConnectorConfig {
    /// Reads and checks the flat map of the connector `name`, and warns of keys that mean nothing.
    ///
    /// # Errors
    /// `Invalid`, naming the key, its value and what is allowed.
    pub fn parse(name: &str, map: &BTreeMap<String, String>) -> Result<Self> {
        warn_of_unknown(name, Class::read(&Reader { name, map })?, map);
        Self::check(name, map)
    }

    /// Reads and checks the flat map of the connector `name`, and tells nobody.
    ///
    /// # Errors
    /// As [`ConnectorConfig::parse`].
    pub(super) fn check(name: &str, map: &BTreeMap<String, String>) -> Result<Self> {
        let reader = Reader { name, map };
        let class = Class::read(&reader)?;
        if name.is_empty() {
            return Err(Error::invalid("a connector has an empty `name`"));
        }
        let mut consumer = reader.client(OVERRIDE)?;
        let reset = consumer.remove("auto.offset.reset");
        let topics = reader.topics()?;
        let home = Home::read(&reader, class)?;
        let conversion = convert::read(&reader)?;
        Ok(Self {
            name: name.to_owned(),
            errors: errors::read(&reader, &topics)?,
            topics,
            topics_dir: home.topics_dir,
            lake: home.lake,
            layout: home.layout,
            tasks_max: reader.number("tasks.max", 1, 1, 1_000)?,
            start: reader.start(reset.as_deref())?,
            partitioning: home.partitioning,
            cut: home.cut,
            converter: conversion.by_engine(),
            conversion,
            raw: reader.choice("value.raw", &RAW, Raw::Keep)?,
            transforms: Chain::read(name, null_values::with_handler(&reader, class)?.as_ref())?
                .map(Arc::new),
            redaction: redact::read(&reader)?,
            encryption: encryption::read(&reader, class)?,
            detect: detect::read(&reader)?,
            limits: reader.limits()?,
            policies: Policies {
                position_reset: reader.choice(
                    "position.reset",
                    &[
                        ("fail", PositionReset::Fail),
                        ("earliest", PositionReset::Earliest),
                        ("latest", PositionReset::Latest),
                    ],
                    PositionReset::Fail,
                )?,
                topic_recreated: reader.choice(
                    "topic.recreated",
                    &[("fail", TopicRecreated::Fail), ("new", TopicRecreated::New)],
                    TopicRecreated::Fail,
                )?,
            },
            // Who goes by folders would see the rows of a compacted file twice.
            upkeep: upkeep::read(&reader, class == Class::Eddy)?,
            consumer,
            producer: reader.client(PRODUCER)?,
        })
    }

    /// The consumer group of the connector's tasks, named as Connect names it.
    pub fn group(&self) -> String {
        self.consumer
            .get("group.id")
            .cloned()
            .unwrap_or_else(|| format!("connect-{}", self.name))
    }
}

struct Reader<'a> {
    name: &'a str,
    map: &'a BTreeMap<String, String>,
}

impl Reader<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.map
            .get(key)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// A client's keys: those that begin with `prefix`, without it.
    fn client(&self, prefix: &str) -> Result<BTreeMap<String, String>> {
        let keys = self.map.iter();
        let keys = keys.filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, value)));
        let keys: BTreeMap<_, _> = keys.map(|(k, v)| (k.to_owned(), v.clone())).collect();
        check_reserved(keys.keys()).map(|()| keys)
    }

    /// `start`, else what the consumer's own key says.
    fn start(&self, reset: Option<&str>) -> Result<StartAt> {
        let starts = [("earliest", StartAt::Earliest), ("latest", StartAt::Latest)];
        if self.text("start").is_some() {
            return self.choice("start", &starts, StartAt::Earliest);
        }
        match reset.map(str::trim) {
            None | Some("earliest") => Ok(StartAt::Earliest),
            Some("latest") => Ok(StartAt::Latest),
            Some(other) => {
                let key = format!("{OVERRIDE}auto.offset.reset");
                Err(self.wrong(&key, other, "`earliest` or `latest`"))
            }
        }
    }

    fn wrong(&self, key: &str, value: &str, allowed: &str) -> Error {
        Error::invalid(format!(
            "connector `{}`: `{key}` is `{value}`; allowed is {allowed}",
            self.name
        ))
    }

    fn number(&self, key: &str, default: usize, least: usize, most: usize) -> Result<usize> {
        let Some(text) = self.text(key) else {
            return Ok(default);
        };
        text.parse()
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.wrong(key, text, &format!("a whole number from {least} to {most}")))
    }

    fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)], default: T) -> Result<T> {
        let Some(text) = self.text(key) else {
            return Ok(default);
        };
        let found = choices
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<String> = choices
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            self.wrong(key, text, &names.join(" or "))
        })
    }

    fn limits(&self) -> Result<Limits> {
        let limits = Limits::default();
        Ok(Limits {
            leaves: self.number("limits.leaves", limits.leaves, 1, 1_000_000)?,
            keys: self.number("limits.keys", limits.keys, 1, 1_000_000)?,
            depth: self.number("limits.depth", limits.depth, 1, Limits::DEPTH_MAX)?,
        })
    }

    fn topics(&self) -> Result<Topics> {
        match (self.text("topics"), self.text("topics.regex")) {
            (Some(list), None) => {
                let names: BTreeSet<String> = list
                    .split(',')
                    .map(str::trim)
                    .filter(|topic| !topic.is_empty())
                    .map(str::to_owned)
                    .collect();
                for topic in &names {
                    check_topic(topic).map_err(|allowed| self.wrong("topics", topic, allowed))?;
                }
                if names.is_empty() {
                    return Err(self.wrong("topics", list, "a list of topics"));
                }
                Ok(Topics::Named(names))
            }
            (None, Some(pattern)) => {
                // Java matches the whole name.
                let regex = whole_pattern(pattern).map_err(|error| {
                    self.wrong("topics.regex", pattern, "a Java pattern")
                        .with_source(error)
                })?;
                Ok(Topics::Matching(Box::new(regex)))
            }
            (Some(_), Some(_)) => Err(Error::invalid(format!(
                "connector `{}`: `topics` and `topics.regex` are both set; keep one",
                self.name
            ))),
            (None, None) => Err(Error::invalid(format!(
                "connector `{}`: neither `topics` nor `topics.regex` is set",
                self.name
            ))),
        }
    }

    fn topics_dir(&self) -> Result<String> {
        let dir = self.text("topics.dir").unwrap_or("topics");
        let dir = &dir.replace("{name}", &as_folder(self.name));
        let fits = dir
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != ".." && !part.starts_with('_'));
        if !fits {
            let allowed = "a relative path whose parts don't begin with `_` or `.`";
            return Err(self.wrong("topics.dir", dir, allowed));
        }
        Ok(dir.to_owned())
    }
}

/// A connector's name as a folder's: each of its own, whatever characters it has.
fn as_folder(name: &str) -> String {
    let mut folder = String::new();
    for byte in name.bytes() {
        match byte {
            b'.' | b'_' if folder.is_empty() => folder.push_str(&format!("~{byte:02x}")),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                folder.push(char::from(byte));
            }
            _ => folder.push_str(&format!("~{byte:02x}")),
        }
    }
    folder
}

pub(crate) fn check_topic(topic: &str) -> Result<(), &'static str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.len() > 249 || topic == "." || topic == ".." || !topic.chars().all(legal) {
        return Err("up to 249 letters, digits, `.`, `_` and `-` each");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
