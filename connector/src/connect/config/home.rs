//! Where a connector's tables are and how their files are made, by its class; and the keys that
//! mean something to that class.

use std::collections::BTreeMap;
use std::sync::Arc;

use eddy_engine::LakeOptions;
use eddy_engine::layout::Layout;
use eddy_engine::partition::Partitioning;
use eddy_engine::write::CutPolicy;

use super::class::Class;
use super::{KNOWN, OVERRIDE, Reader};
use super::{aiven, confluent, detect, partition, redact, rolling, upkeep};
use crate::error::Result;

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

/// Names the keys that mean nothing, once.
pub(super) fn warn_of_unknown(name: &str, class: Class, map: &BTreeMap<String, String>) {
    let keys = map.keys().map(String::as_str);
    let unknown: Vec<&str> = keys.filter(|key| !is_known(class, key)).collect();
    if !unknown.is_empty() {
        let keys = unknown.join(", ");
        tracing::warn!(connector = name, keys, "unknown keys are ignored");
    }
}

fn is_known(class: Class, key: &str) -> bool {
    let always = [&KNOWN[..], &detect::KNOWN, &redact::KNOWN, &upkeep::KNOWN];
    let of_class = match class {
        Class::Eddy => [&partition::KNOWN[..], &rolling::KNOWN],
        Class::Confluent => [&confluent::KNOWN[..], &[]],
        Class::Aiven => [&aiven::KNOWN[..], &[]],
    };
    let listed = always.iter().chain(&of_class);
    listed.copied().any(|keys| keys.contains(&key)) || key.starts_with(OVERRIDE)
}
