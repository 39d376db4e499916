//! Classes: listed, their keys told, configurations validated.

use serde_json::{Value, json};

use super::answer::{Answer, Handled};
use super::body;
use super::connectors::nothing;
use super::{Api, Call, VERSION};
use crate::connect::config::def::{self, Class, Kind};
use crate::connect::validate::{self, NoClass, key_info};

impl Api {
    pub(super) fn plugins(&self, call: &Call) -> Answer {
        // Java's default, an empty value included, is to list connectors alone.
        let given = call
            .query("connectorsOnly")
            .filter(|value| !value.is_empty());
        let only = given.is_none_or(|value| value.eq_ignore_ascii_case("true"));
        let kinds: &[Kind] = match only {
            true => &[Kind::Sink],
            false => &[
                Kind::Sink,
                Kind::Transformation,
                Kind::Predicate,
                Kind::Converter,
                Kind::HeaderConverter,
            ],
        };
        let mut plugins = Vec::new();
        for kind in kinds {
            for class in def::classes().iter().filter(|class| class.has(*kind)) {
                plugins.push(json!({
                    "class": class.name,
                    "type": kind.as_str(),
                    "version": VERSION,
                }));
            }
        }
        Answer::ok(plugins)
    }

    pub(super) fn plugin_config(&self, plugin: &str, call: &Call) -> Handled {
        let unknown = || Answer::error(404, format!("Unknown plugin {plugin}."));
        let class = def::find_any(plugin).ok_or_else(unknown)?;
        check_version(class, call.query("version").as_deref())?;
        let mut keys: Vec<Value> = class.keys.iter().map(key_info).collect();
        if class.has(Kind::Sink) {
            keys.extend(def::sink_keys().iter().map(|key| {
                let mut key = key.clone();
                if key.name == "connector.plugin.version" {
                    key.default = Some(VERSION);
                }
                key_info(&key)
            }));
        }
        Ok(Answer::ok(keys))
    }

    pub(super) fn validate(&self, plugin: &str, call: &Call) -> Handled {
        let posted = body::config(&call.body)?.ok_or_else(nothing)?;
        if let Some(Some(class)) = posted.get("connector.class")
            && !short(class).ends_with(short(plugin))
        {
            return Err(Answer::error(
                400,
                format!("Included connector type {class} does not match request type {plugin}"),
            ));
        }
        // Connect passes this on as it caught it, and as a failure of its own.
        let class = validate::class_of(&posted, &self.defaults).map_err(|NoClass(why)| {
            let caught = "org.apache.kafka.connect.runtime.rest.errors.BadRequestException";
            Answer::error(500, format!("{caught}: {why}"))
        })?;
        check_range(posted.get("connector.plugin.version"))?;
        if let Some(why) = validate::unreadable(&posted) {
            let caught = "org.apache.kafka.common.config.ConfigException";
            return Err(Answer::error(400, format!("{caught}: {why}")));
        }
        let infos = validate::validate(class, &posted, &self.defaults);
        Ok(Answer::ok(infos.json()))
    }
}

/// A class without the word for what it is.
fn short(class: &str) -> &str {
    class
        .strip_suffix("Connector")
        .filter(|short| !short.is_empty())
        .unwrap_or(class)
}

/// A version, or a range of versions in brackets that close.
fn check_range(version: Option<&Option<String>>) -> Result<(), Answer> {
    let Some(Some(version)) = version else {
        return Ok(());
    };
    let (opens, closes) = (
        version.starts_with(['[', '(']),
        version.ends_with([']', ')']),
    );
    if opens == closes {
        return Ok(());
    }
    Err(Answer::error(500, format!("Unbounded range: {version}")))
}

/// Only the version that is built in exists.
fn check_version(class: &Class, asked: Option<&str>) -> Result<(), Answer> {
    match asked.map(str::trim) {
        None | Some("" | "latest" | VERSION) => Ok(()),
        Some(asked) => Err(Answer::error(
            400,
            format!(
                "Plugin {} not found that matches the version range {asked}, available versions: \
                 [{VERSION}]",
                class.name
            ),
        )),
    }
}
