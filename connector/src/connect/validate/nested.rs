//! The keys of converters, transforms and predicates, which stand under a prefix.

use std::collections::BTreeSet;

use super::infos::{Infos, Shown};
use super::sink::{class, names};
use super::{Posted, given};
use crate::connect::config::def::{self, Checked, Class, Fate, Given, Importance, Key, Kind, Rule};
use crate::connect::config::def::{Type, Width};

/// The keys of each transform that `transforms` names.
pub(super) fn transforms(infos: &mut Infos, posted: &Posted, version: &'static str) {
    for alias in aliases(posted, "transforms") {
        let prefix = format!("transforms.{alias}.");
        let group = format!("Transforms: {alias}");
        let mut rows = Rows {
            infos: &mut *infos,
            posted,
            prefix,
            group,
            order: 0,
        };
        let Some(class) = rows.class(&alias, "Transformation", Kind::Transformation, version)
        else {
            continue;
        };
        rows.keys(&class.keys);
        rows.keys(&conditions());
        let negate = posted.contains_key(&format!("transforms.{alias}.negate"));
        if negate && !posted.contains_key(&format!("transforms.{alias}.predicate")) {
            let why = format!(
                "Config 'transforms.{alias}.negate' was provided but there is no config \
                 'transforms.{alias}.predicate' defining a predicate to be negated."
            );
            infos.blame(&format!("transforms.{alias}.type"), why);
        }
    }
}

/// The keys of each predicate that `predicates` names.
pub(super) fn predicates(infos: &mut Infos, posted: &Posted, version: &'static str) {
    for alias in aliases(posted, "predicates") {
        let mut rows = Rows {
            infos: &mut *infos,
            posted,
            prefix: format!("predicates.{alias}."),
            group: format!("Predicates: {alias}"),
            order: 0,
        };
        if let Some(class) = rows.class(&alias, "Predicate", Kind::Predicate, version) {
            rows.keys(&class.keys);
        }
    }
}

/// The keys of the converter of `side`, where the connector names its class.
pub(super) fn converter(infos: &mut Infos, posted: &Posted, side: &str) {
    let name = format!("{side}.converter");
    let kind = match side {
        "header" => Kind::HeaderConverter,
        _ => Kind::Converter,
    };
    let Some(Some(text)) = posted.get(&name) else {
        return;
    };
    let Some(class) = def::find(kind, text.trim()) else {
        return;
    };
    for key in in_javas_order(&class.keys) {
        let full = format!("{name}.{}", key.name);
        let checked = match key.name {
            "converter.type" => super::plain(side),
            _ => def::check(key, key.name, key.name, given(posted, &full)),
        };
        let shown = Shown {
            name: &full,
            title: key.title,
            documentation: key.documentation,
            group: key.group,
            order: key.order,
        };
        infos.push(&full, shown.of(key), checked, Vec::new());
    }
}

fn aliases(posted: &Posted, key: &str) -> Vec<String> {
    let Some(Some(list)) = posted.get(key) else {
        return Vec::new();
    };
    if list.trim().is_empty() {
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let all = def::items(list).into_iter();
    all.filter(|alias| seen.insert(alias.clone())).collect()
}

struct Rows<'a> {
    infos: &'a mut Infos,
    posted: &'a Posted,
    prefix: String,
    group: String,
    order: i32,
}

impl Rows<'_> {
    /// `type` and `plugin.version`; the class, if there is one of `kind`.
    fn class(
        &mut self,
        alias: &str,
        word: &str,
        kind: Kind,
        version: &'static str,
    ) -> Option<&'static Class> {
        self.infos.group(&self.group.clone());
        let name = format!("{}type", self.prefix);
        let given = given(self.posted, &name);
        let checked = match given {
            Given::Missing => Checked {
                value: None,
                errors: vec![format!(
                    "Missing required configuration \"{name}\" which has no default value."
                )],
            },
            given => class(&name, kind, "", given),
        };
        let found = match given {
            Given::Text(text) => def::find(kind, text.trim()),
            _ => None,
        };
        let key = of_class("type", Type::Class, true, None);
        let title = format!("{word} type for {alias}");
        let documentation = format!("The class of the {} `{alias}`.", word.to_lowercase());
        self.push(&key, &title, &documentation, checked, names(kind));
        let key = of_class("plugin.version", Type::String, false, Some(version));
        let title = format!("{word} version for {alias}");
        let documentation = "The version of that class. Only the one that is built in exists.";
        let versions = vec![version.to_owned()];
        self.push(&key, &title, documentation, super::plain(version), versions);
        found
    }

    fn keys(&mut self, keys: &[Key]) {
        for key in keys {
            let full = format!("{}{}", self.prefix, key.name);
            let checked = def::check(key, &full, key.name, given(self.posted, &full));
            self.push(key, key.title, key.documentation, checked, Vec::new());
        }
    }

    fn push(
        &mut self,
        key: &Key,
        title: &str,
        documentation: &str,
        checked: Checked,
        recommended: Vec<String>,
    ) {
        let full = format!("{}{}", self.prefix, key.name);
        let shown = Shown {
            name: &full,
            title,
            documentation,
            group: Some(&self.group),
            order: self.order,
        };
        let definition = shown.of(key);
        self.order += 1;
        self.infos.push(&full, definition, checked, recommended);
    }
}

/// What every transform takes beside its own keys.
fn conditions() -> [Key; 2] {
    let mut negate = of_class("negate", Type::Boolean, false, Some("false"));
    negate.importance = Importance::Medium;
    negate.width = Width::None;
    negate.documentation = "Whether the transform sees the records that don't fit the predicate.";
    let mut predicate = of_class("predicate", Type::String, false, None);
    predicate.importance = Importance::Medium;
    predicate.width = Width::None;
    predicate.documentation = "The predicate that says which records the transform sees.";
    [negate, predicate]
}

fn of_class(name: &'static str, kind: Type, required: bool, default: Option<&'static str>) -> Key {
    Key {
        name,
        kind,
        default,
        required,
        rule: Rule::Any,
        importance: Importance::High,
        documentation: "",
        group: None,
        order: -1,
        width: Width::Long,
        title: name,
        dependents: Vec::new(),
        fate: Fate::Used,
    }
}

/// Connect lists a converter's keys in the order of a Java hash map of their names. No tool minds,
/// but the same answers are the simplest to compare.
fn in_javas_order(keys: &[Key]) -> Vec<&Key> {
    let buckets = (keys.len() * 4 / 3 + 1).next_power_of_two().max(16);
    let mask = u32::try_from(buckets - 1).unwrap_or(u32::MAX);
    let mut keys: Vec<&Key> = keys.iter().collect();
    keys.sort_by_key(|key| {
        let hash = key.name.encode_utf16().fold(0u32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(unit.into())
        });
        (hash ^ (hash >> 16)) & mask
    });
    keys
}
