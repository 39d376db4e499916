//! Values by reference: they are checked as what they stand for, as Connect does, and shown as they
//! were posted, as Connect doesn't. No answer tells what a reference stands for.

use std::collections::BTreeMap;

use super::infos::Infos;
use super::{Defaults, Posted};
use crate::connect::config::{Providers, Secrets, Unknown};

/// A configuration with its references resolved.
pub(super) struct Resolved {
    /// What they stand for stands in their place; what can't be resolved is as it was.
    pub(super) posted: Posted,
    secrets: Secrets,
    /// The keys whose references can't be resolved, and why.
    missing: BTreeMap<String, String>,
}

impl Resolved {
    /// Resolves what the worker's providers know.
    pub(super) fn new(posted: &Posted, providers: &Providers) -> Self {
        let (mut given, mut resolved) = (BTreeMap::new(), BTreeMap::new());
        let mut missing = BTreeMap::new();
        for (key, value) in posted {
            let Some(value) = value.as_ref().filter(|value| value.contains("${")) else {
                continue;
            };
            given.insert(key.clone(), value.clone());
            match providers.resolve_text(value, Unknown::Keep) {
                Ok(text) => drop(resolved.insert(key.clone(), text)),
                Err(why) => drop(missing.insert(key.clone(), why.to_string())),
            }
        }
        let secrets = Secrets::between(&given, &resolved);
        let mut posted = posted.clone();
        let found = resolved.into_iter().map(|(key, text)| (key, Some(text)));
        posted.extend(found);
        Self {
            posted,
            secrets,
            missing,
        }
    }

    /// Whether nothing is given by reference, so that there is nothing to hide.
    pub(super) fn is_as_posted(&self) -> bool {
        self.secrets.is_empty() && self.missing.is_empty()
    }

    /// Everything that `as_posted`, which knows no secret, lists, with the errors of `checked`, the
    /// same with what references stand for; those that may tell of it in other words.
    pub(super) fn veil(&self, posted: &Posted, mut as_posted: Infos, checked: &Infos) -> Infos {
        as_posted.forget_errors(|key| {
            let given = posted.get(key).cloned().flatten();
            given.filter(|_| self.secrets.has(key))
        });
        for (key, why) in checked.blamed() {
            if self.missing.contains_key(key) {
                continue;
            }
            // A key that only what is referred to makes one, such as a transform's, is told of
            // where that is given.
            let is_known = as_posted.lists(key) || posted.contains_key(key);
            let at = if is_known {
                Some(key)
            } else {
                self.secrets.first()
            };
            let Some(at) = at else {
                continue;
            };
            let why = match posted.get(at).cloned().flatten() {
                Some(given) if self.secrets.has(at) => format!(
                    "Invalid value {given} for configuration {at}: what it refers to doesn't fit"
                ),
                _ if self.secrets.may_be_in(why) => format!(
                    "Invalid value for configuration {at}: it doesn't fit what others refer to"
                ),
                _ => why.to_owned(),
            };
            as_posted.blame_once(at, why);
        }
        for (key, why) in &self.missing {
            let given = posted.get(key).cloned().flatten().unwrap_or_default();
            let why = format!("Invalid value {given} for configuration {key}: {why}");
            as_posted.blame_once(key, why);
        }
        as_posted
    }
}

/// The class that `posted` names, by reference too.
pub(super) fn class_name(name: &str, defaults: &Defaults) -> String {
    let resolved = defaults.providers.resolve_text(name, Unknown::Keep);
    resolved.unwrap_or_else(|_| name.to_owned())
}
