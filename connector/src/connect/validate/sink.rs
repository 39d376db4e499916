//! What all sinks share: topics, converters, the dead-letter topic, the group.

use super::{Defaults, Posted, given};
use crate::connect::config::def::{self, Checked, Given, Key, Kind};
use crate::transform::whole_pattern;

/// A key that every sink has, its value, and what is proposed for it.
pub(super) type Row = (Key, Checked, Vec<String>);

/// Checks the keys that every sink has.
pub(super) fn check(posted: &Posted, defaults: &Defaults) -> Vec<Row> {
    let mut rows: Vec<Row> = def::sink_keys()
        .iter()
        .map(|key| row(key, posted, defaults))
        .collect();
    topics(&mut rows, posted);
    group(&mut rows, posted, defaults);
    rows
}

fn row(key: &Key, posted: &Posted, defaults: &Defaults) -> Row {
    let mut key = key.clone();
    let version = vec![defaults.version.to_owned()];
    match key.name {
        "key.converter" | "value.converter" | "header.converter" => {
            let (kind, default) = match key.name {
                "key.converter" => (Kind::Converter, &defaults.key_converter),
                "value.converter" => (Kind::Converter, &defaults.value_converter),
                _ => (Kind::HeaderConverter, &defaults.header_converter),
            };
            let checked = class(key.name, kind, default, given(posted, key.name));
            // The definition tells the worker's class; texts of tables live as long as the process.
            key.default = def::find_any(default).map(|class| class.name.as_str());
            (key, checked, names(kind))
        }
        name if name.ends_with("plugin.version") => {
            let of = name.trim_end_matches(".plugin.version");
            if !is_there(of, posted) {
                // A class that isn't there has no versions.
                key.default = None;
                let checked = def::check(&key, name, name, given(posted, name));
                return (key, checked, Vec::new());
            }
            key.default = Some(defaults.version);
            let checked = match given(posted, name) {
                Given::Missing => super::plain(defaults.version),
                given => def::check(&key, name, name, given),
            };
            (key, checked, version)
        }
        name => {
            let checked = def::check(&key, name, name, given(posted, name));
            (key, checked, Vec::new())
        }
    }
}

/// Whether what `of` names can be used, a converter or the connector.
fn is_there(of: &str, posted: &Posted) -> bool {
    let kind = match of {
        "connector" => return true,
        "header.converter" => Kind::HeaderConverter,
        _ => Kind::Converter,
    };
    match posted.get(of) {
        Some(Some(class)) => def::find(kind, class.trim()).is_some(),
        _ => true,
    }
}

/// Every class of a kind, by name.
pub(super) fn names(kind: Kind) -> Vec<String> {
    let all = def::classes().iter().filter(|class| class.has(kind));
    all.map(|class| class.name.clone()).collect()
}

/// A key whose value is a class of `kind`.
pub(super) fn class(name: &str, kind: Kind, default: &str, given: Given<'_>) -> Checked {
    let text = match given {
        Given::Missing => default,
        Given::Null => {
            return Checked::default();
        }
        Given::Text(text) => text,
    };
    let mut checked = Checked::default();
    let trimmed = text.trim();
    if let Some(class) = def::find(kind, trimmed) {
        checked.value = Some(class.name.clone());
    } else if let Some(other) = def::find_any(trimmed) {
        checked.value = Some(other.name.clone());
        checked.errors.push(format!(
            "Class class {} does not implement the {} interface",
            other.name,
            kind.interface()
        ));
    } else {
        checked.errors.push(format!(
            "Invalid value {text} for configuration {name}: Class {text} could not be found."
        ));
    }
    checked
}

fn blame(rows: &mut [Row], name: &str, why: &str) {
    if let Some((_, checked, _)) = rows.iter_mut().find(|(key, ..)| key.name == name) {
        checked.errors.push(why.to_owned());
    }
}

/// Exactly one of `topics` and `topics.regex`, and the dead-letter topic in neither.
fn topics(rows: &mut [Row], posted: &Posted) {
    let text = |key: &str| posted.get(key).cloned().flatten().unwrap_or_default();
    let (list, pattern) = (text("topics"), text("topics.regex"));
    let why = match (list.trim().is_empty(), pattern.trim().is_empty()) {
        (true, true) => Some("Must configure one of topics or topics.regex"),
        (false, false) => {
            Some("topics and topics.regex are mutually exclusive options, but both are set.")
        }
        _ => None,
    };
    if let Some(why) = why {
        blame(rows, "topics", why);
        blame(rows, "topics.regex", why);
    }
    let dead = text("errors.deadletterqueue.topic.name");
    let dead = dead.trim();
    if dead.is_empty() {
        return;
    }
    let topics = def::items(&list);
    if topics.iter().any(|topic| topic == dead) {
        let why = format!(
            "The DLQ topic '{dead}' may not be included in the list of topics ('topics=[{}]') \
             consumed by the connector",
            topics.join(", ")
        );
        blame(rows, "topics", &why);
    }
    let whole = whole_pattern(&pattern);
    if !pattern.is_empty() && whole.is_ok_and(|regex| regex.is_match(dead).unwrap_or(false)) {
        let why = format!(
            "The DLQ topic '{dead}' may not be matched by the regex for the topics \
             ('topics.regex={pattern}') consumed by the connector"
        );
        blame(rows, "topics.regex", &why);
    }
}

/// A sink whose group is the worker's would take its partitions for the workers'.
fn group(rows: &mut [Row], posted: &Posted, defaults: &Defaults) {
    if posted.contains_key("consumer.override.group.id") {
        return;
    }
    let Some(Some(name)) = posted.get("name") else {
        return;
    };
    if format!("connect-{name}") == defaults.group {
        let why = format!(
            "Consumer group for sink connector named {name} conflicts with Connect worker group {}",
            defaults.group
        );
        blame(rows, "name", &why);
    }
}
