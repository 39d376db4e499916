//! What `/config/validate` answers: every key that a configuration has or could have, with its
//! value and what is wrong with it. Pure, but for what references stand for.
//!
//! `sink` checks what all sinks share, `nested` the keys of converters, transforms and
//! predicates, `overrides` those of clients; `references` hides what values by reference stand for;
//! `infos` is the answer and its JSON.

mod infos;
mod nested;
mod overrides;
mod references;
mod sink;

use std::collections::BTreeMap;

pub(super) use infos::{Infos, key_info};
pub(super) use overrides::unreadable;

use super::config::ConnectorConfig;
use super::config::Providers;
use super::config::def::{self, Checked, Class, Given, Key, Kind};

/// A configuration as it was posted; `None` is JSON's null.
pub(super) type Posted = BTreeMap<String, Option<String>>;

/// What the worker contributes.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    /// The worker's own group, which no connector may use.
    pub(super) group: String,
    /// The class of the worker's key converter.
    pub(super) key_converter: String,
    /// The class of the worker's value converter.
    pub(super) value_converter: String,
    /// The class of the worker's header converter.
    pub(super) header_converter: String,
    /// What values by reference are looked up in.
    pub(super) providers: Providers,
    /// The version of every class.
    pub(super) version: &'static str,
}

/// Why a configuration can't even be validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoClass(pub(super) String);

/// The class of the connector that `posted` names.
pub(super) fn class_of(posted: &Posted, defaults: &Defaults) -> Result<&'static Class, NoClass> {
    let Some(Some(name)) = posted.get("connector.class") else {
        let entries: Vec<String> = posted
            .iter()
            .map(|(key, value)| format!("{key}={}", value.as_deref().unwrap_or("null")))
            .collect();
        let entries = entries.join(", ");
        return Err(NoClass(format!(
            "Connector config {{{entries}}} contains no connector type"
        )));
    };
    def::find(Kind::Sink, &references::class_name(name, defaults)).ok_or_else(|| {
        let sinks = def::classes().iter().filter(|class| class.has(Kind::Sink));
        let names: Vec<&str> = sinks.map(|class| class.name.as_str()).collect();
        NoClass(format!(
            "Failed to find any class that implements Connector and which name matches {name}, \
             available connectors are: {}",
            names.join(", ")
        ))
    })
}

/// Validates `posted`, a configuration of `class`.
pub(super) fn validate(class: &Class, posted: &Posted, defaults: &Defaults) -> Infos {
    let as_posted = check(class, posted, defaults);
    let resolved = references::Resolved::new(posted, &defaults.providers);
    if resolved.is_as_posted() {
        return as_posted;
    }
    let checked = check(class, &resolved.posted, defaults);
    resolved.veil(posted, as_posted, &checked)
}

fn check(class: &Class, posted: &Posted, defaults: &Defaults) -> Infos {
    let mut infos = Infos::new(posted.get("connector.class").cloned().flatten());
    let rows = sink::check(posted, defaults);
    for (key, checked, recommended) in rows {
        infos.add(&key, key.name, checked, recommended);
    }
    nested::transforms(&mut infos, posted, defaults.version);
    nested::predicates(&mut infos, posted, defaults.version);
    for key in &class.keys {
        let mut checked = def::check(key, key.name, key.name, given(posted, key.name));
        if checked.errors.is_empty() {
            checked.errors.extend(refused(key, posted));
        }
        infos.add(key, key.name, checked, recommended(key));
    }
    overrides::check(&mut infos, posted, defaults);
    for side in ["header", "key", "value"] {
        nested::converter(&mut infos, posted, side);
    }
    nulls(&mut infos, posted);
    if infos.error_count() == 0 {
        as_a_whole(&mut infos, class, posted);
    }
    infos
}

/// What `posted` says about a key.
fn given<'a>(posted: &'a Posted, key: &str) -> Given<'a> {
    match posted.get(key) {
        None => Given::Missing,
        Some(None) => Given::Null,
        Some(Some(text)) => Given::Text(text),
    }
}

/// The words of a key that takes only some.
fn recommended(key: &Key) -> Vec<String> {
    match &key.rule {
        def::Rule::In(words) | def::Rule::InAnyCase(words) | def::Rule::Class(words) => {
            words.iter().map(|word| (*word).to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

/// Why what another sink's key asks for can't be had, in Connect's form.
fn refused(key: &Key, posted: &Posted) -> Option<String> {
    let text = posted.get(key.name)?.as_ref()?;
    let why = key.refuses(text)?;
    let name = key.name;
    Some(format!(
        "Invalid value {text} for configuration {name}: Eddy doesn't do that; {why}"
    ))
}

/// A null is no value, whatever the key.
fn nulls(infos: &mut Infos, posted: &Posted) {
    let why = "Null value can not be supplied as the configuration value.";
    for key in posted.iter().filter(|(_, value)| value.is_none()) {
        infos.blame(key.0, why.to_owned());
    }
}

/// What only shows once all keys are read together.
fn as_a_whole(infos: &mut Infos, class: &Class, posted: &Posted) {
    let texts: BTreeMap<String, String> = posted
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
        .collect();
    let name = texts.get("name").cloned().unwrap_or_default();
    if let Err(error) = ConnectorConfig::check(&name, &texts) {
        let why = error.to_string();
        let speaks_of = |key: &&Key| why.contains(&format!("`{}`", key.name));
        if let Some(key) = class.keys.iter().find(speaks_of) {
            infos.blame(key.name, why);
        } else if !def::sink_keys().iter().any(|key| speaks_of(&key)) {
            infos.blame("connector.class", why);
        }
        // What Connect lets pass of the keys that every sink has, the connector says as it starts.
    }
}

/// A value without a table behind it.
fn plain(value: &str) -> Checked {
    Checked {
        value: Some(value.to_owned()),
        errors: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
