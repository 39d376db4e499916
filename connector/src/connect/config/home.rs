//! Where a connector's tables are and how their files are made, by its class; and the keys that
//! mean something to that class.

use std::collections::BTreeMap;
use std::sync::Arc;

use eddy_engine::LakeOptions;
use eddy_engine::layout::Layout;
use eddy_engine::partition::Partitioning;
use eddy_engine::write::CutPolicy;

use super::class::{Class, refuse};
use super::{OVERRIDE, PRODUCER, Reader};
use super::{aiven, confluent, convert, def, partition, rolling};
use crate::connect::EDDY_SINK;
use crate::error::Result;
use crate::transform;

/// Where a connector's tables are, and how their files are called, divided and cut.
pub(super) struct Home {
    pub(super) topics_dir: String,
    pub(super) lake: Option<LakeOptions>,
    pub(super) layout: Layout,
    pub(super) partitioning: Arc<Partitioning>,
    pub(super) cut: CutPolicy,
}

impl Home {
    pub(super) fn read(reader: &Reader<'_>, class: Class) -> Result<Self> {
        refuse(reader, class)?;
        let foreign = match class {
            Class::Eddy => {
                return Ok(Self {
                    topics_dir: reader.topics_dir()?,
                    lake: None,
                    layout: Layout::Native,
                    partitioning: partition::read(reader)?,
                    cut: rolling::read(reader)?,
                });
            }
            Class::Confluent => confluent::read(reader)?,
            Class::Aiven => aiven::read(reader)?,
        };
        Ok(Self {
            topics_dir: foreign.topics_dir,
            lake: Some(foreign.lake),
            layout: Layout::Foreign(Arc::new(foreign.layout)),
            partitioning: Arc::new(Partitioning::none()),
            cut: foreign.cut,
        })
    }
}

/// Names the keys that mean nothing, once, and those that do nothing here, each with its reason.
pub(super) fn warn_of_unknown(name: &str, class: Class, map: &BTreeMap<String, String>) {
    let keys = map.keys().map(String::as_str);
    let unknown: Vec<&str> = keys.filter(|key| !is_known(class, key)).collect();
    if !unknown.is_empty() {
        let keys = unknown.join(", ");
        tracing::warn!(connector = name, keys, "unknown keys are ignored");
    }
    for (key, why) in map
        .keys()
        .filter_map(|key| Some((key, class.ignores(key)?)))
    {
        tracing::info!(connector = name, key, why, "a key has no effect");
    }
}

/// Whether the class reads the key, every sink has it, or it stands under a prefix that others
/// read.
fn is_known(class: Class, key: &str) -> bool {
    const PREFIXES: [&str; 5] = [
        OVERRIDE,
        PRODUCER,
        "admin.override.",
        "transforms.",
        "predicates.",
    ];
    let ours = def::find(def::Kind::Sink, EDDY_SINK).is_some_and(|class| class.key(key).is_some());
    let of_class = match class {
        Class::Eddy => ours,
        Class::Confluent | Class::Aiven => {
            class.key(key).is_some() || key == aiven::FLUSH || ours && !is_of_files(key)
        }
    };
    of_class
        || def::sink_keys().iter().any(|known| known.name == key)
        || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
        || convert::is_known(key)
        || transform::is_key(key)
}

/// A key of ours that says how files are called, divided and cut, which the other sinks' classes
/// say in their own way.
fn is_of_files(key: &str) -> bool {
    ["partition.", "rotate.", "flush.", "topics.dir"]
        .iter()
        .any(|prefix| key.starts_with(prefix))
}
