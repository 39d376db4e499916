//! A connector's transforms in their order, each with its predicate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::Transform;
use super::classes;
use super::failure::Failure;
use super::predicate::Predicate;
use super::settings::Settings;
use crate::convert;
use crate::data::ConnectRecord;
use crate::error::{Error, Result};

/// The transforms of a connector.
pub(crate) struct Chain {
    steps: Vec<Step>,
    fingerprint: String,
}

struct Step {
    alias: String,
    class: String,
    transform: Box<dyn Transform>,
    condition: Option<Condition>,
}

struct Condition {
    predicate: Arc<Predicate>,
    negate: bool,
}

/// Which transform failed on a record, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// The transform's name in the configuration.
    pub(crate) alias: String,
    /// Its class, by Connect's full name.
    pub(crate) class: String,
    /// What is wrong.
    pub(crate) failure: Failure,
}

impl Chain {
    /// Reads `transforms` and `predicates` of a connector; `None` when it has no transforms.
    ///
    /// # Errors
    /// `Invalid`, naming connector, alias and what is wrong: a class that isn't known, an option.
    pub(crate) fn read(connector: &str, map: &BTreeMap<String, String>) -> Result<Option<Self>> {
        let aliases = aliases(connector, map, "transforms")?;
        let predicates = predicates(connector, map)?;
        let mut steps = Vec::with_capacity(aliases.len());
        for alias in &aliases {
            let prefix = format!("transforms.{alias}.");
            let settings = settings(connector, map, &prefix)?;
            let (class, transform) = classes::transform(&settings)?;
            steps.push(Step {
                alias: alias.clone(),
                class,
                transform,
                condition: condition(&settings, &predicates)?,
            });
        }
        let fingerprint = fingerprint(map);
        Ok((!steps.is_empty()).then_some(Self { steps, fingerprint }))
    }

    /// Stands for the configuration: other transforms have another one.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What becomes of a record; `None` when it is dropped.
    ///
    /// # Errors
    /// Says which transform failed and why.
    pub(crate) fn apply(
        &self,
        record: ConnectRecord,
    ) -> std::result::Result<Option<ConnectRecord>, Failed> {
        let mut current = record;
        for step in &self.steps {
            if step
                .condition
                .as_ref()
                .is_some_and(|condition| !condition.holds(&current))
            {
                continue;
            }
            match step.transform.apply(current) {
                Ok(Some(next)) => current = next,
                Ok(None) => return Ok(None),
                Err(failure) => {
                    return Err(Failed {
                        alias: step.alias.clone(),
                        class: step.class.clone(),
                        failure,
                    });
                }
            }
        }
        Ok(Some(current))
    }
}

impl Condition {
    fn holds(&self, record: &ConnectRecord) -> bool {
        self.predicate.test(record) != self.negate
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Options may hold what a user masks with.
        let steps = self.steps.iter().map(|step| (&step.alias, &step.class));
        f.debug_map().entries(steps).finish()
    }
}

/// Whether a key of a connector's configuration is one of transforms or predicates.
pub(crate) fn is_key(key: &str) -> bool {
    ["transforms", "predicates"].iter().any(|word| {
        key.strip_prefix(word)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// FNV-1a over the keys, which is the same everywhere and always.
fn fingerprint(map: &BTreeMap<String, String>) -> String {
    let keys = map
        .iter()
        .filter(|(key, _)| is_key(key) || convert::shapes_values(key));
    let text: Vec<String> = keys
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    let hash = text
        .concat()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{hash:016x}")
}

fn predicates(
    connector: &str,
    map: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Arc<Predicate>>> {
    let mut predicates = BTreeMap::new();
    for alias in aliases(connector, map, "predicates")? {
        let prefix = format!("predicates.{alias}.");
        let settings = settings(connector, map, &prefix)?;
        predicates.insert(alias, Arc::new(classes::predicate(&settings)?));
    }
    Ok(predicates)
}

fn condition(
    settings: &Settings<'_>,
    predicates: &BTreeMap<String, Arc<Predicate>>,
) -> Result<Option<Condition>> {
    let negate = settings.flag("negate", false)?;
    let Some(alias) = settings.text("predicate") else {
        return match negate {
            true => Err(settings.refuse("`negate` is set and there is no `predicate` to negate")),
            false => Ok(None),
        };
    };
    let predicate = predicates
        .get(alias)
        .ok_or_else(|| settings.wrong("predicate", alias, "a name that `predicates` lists"))?;
    Ok(Some(Condition {
        predicate: Arc::clone(predicate),
        negate,
    }))
}

fn settings<'a>(
    connector: &'a str,
    map: &'a BTreeMap<String, String>,
    prefix: &'a str,
) -> Result<Settings<'a>> {
    let mut settings = Settings {
        connector,
        prefix,
        class: "",
        map,
    };
    settings.class = settings.required("type")?;
    Ok(settings)
}

/// The names that `transforms` or `predicates` lists.
fn aliases(connector: &str, map: &BTreeMap<String, String>, key: &str) -> Result<Vec<String>> {
    let text = map.get(key).map_or("", String::as_str);
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(str::to_owned).collect();
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        None => Ok(names),
        Some(twice) => Err(Error::invalid(format!(
            "connector `{connector}`: `{key}` has the name `{twice}` twice; each needs its own"
        ))),
    }
}
