//! Which tables a topic's records are sent to by transforms, as the lake remembers it (P19).
//!
//! A table is noted before its first row, with the offsets from which on it may have rows: a task
//! that starts again must read from the smallest position of all tables that may lack some. One
//! that has had nothing for long, and lacks nothing, is no longer minded; it is noted again, with
//! new offsets, when something comes for it.

use std::collections::{BTreeMap, BTreeSet};

use eddy_engine::state::Register;
use eddy_engine::{Lake, TopicId};
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};

/// As many attempts to note a table while other tasks note theirs.
const ATTEMPTS: usize = 32;

/// What is noted of one incarnation of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    /// What the transforms were when it was noted.
    pub(crate) transforms: String,
    /// The tables that are minded: per partition the offset below which they have no rows to come.
    pub(crate) minded: BTreeMap<String, BTreeMap<i32, i64>>,
    /// Every table that ever got records.
    pub(crate) tables: BTreeSet<String>,
}

/// The register of one incarnation of a topic. Its calls block.
#[derive(Debug)]
pub(crate) struct Routes {
    lake: Lake,
    register: Register,
}

impl Routes {
    /// The register of `topic` below `topics_dir`. Nothing is read or made.
    pub(crate) fn new(lake: &Lake, topics_dir: &str, topic: &str, id: &TopicId) -> Self {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let id: String = id
            .as_str()
            .chars()
            .map(|c| if legal(c) { c } else { '.' })
            .collect();
        let name = format!("routes/{topics_dir}/{topic}/{id}");
        Self {
            lake: lake.clone(),
            register: Register::new(lake, name),
        }
    }

    /// What is noted.
    ///
    /// # Errors
    /// `Unavailable`; `Data` for what can't be read.
    pub(crate) fn noted(&self) -> Result<Noted> {
        Ok(self.newest()?.map(|(_, noted)| noted).unwrap_or_default())
    }

    /// Changes what is noted, whatever others change meanwhile.
    ///
    /// # Errors
    /// `Unavailable`; nothing is known to have changed then.
    pub(crate) fn change(&self, change: impl Fn(&mut Noted)) -> Result<Noted> {
        for _ in 0..ATTEMPTS {
            let newest = self.newest()?;
            let number = newest.as_ref().map_or(0, |(number, _)| number + 1);
            let before = newest.map(|(_, noted)| noted).unwrap_or_default();
            let mut after = before.clone();
            change(&mut after);
            if after == before {
                return Ok(after);
            }
            let text = after.text(&self.lake.clock().new_id().to_string());
            let put = self.register.put(number, text.into());
            match self.lake.runtime().block_on(put) {
                Ok(()) => return Ok(after),
                Err(error) if error.kind() == eddy_engine::ErrorKind::Fenced => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::unavailable(
            "the tables of a topic could not be noted: other tasks were always faster",
        ))
    }

    fn newest(&self) -> Result<Option<(u64, Noted)>> {
        let newest = self.lake.runtime().block_on(self.register.latest())?;
        let Some((number, bytes)) = newest else {
            return Ok(None);
        };
        let noted = Noted::parse(&bytes).ok_or_else(|| {
            Error::new(
                ErrorKind::Data,
                "what is noted of a topic's tables can't be read",
            )
        })?;
        Ok(Some((number, noted)))
    }
}

impl Noted {
    /// The text of an object; `attempt` tells it from another's with the same content.
    fn text(&self, attempt: &str) -> String {
        let minded = self.minded.iter().map(|(table, floors)| {
            let floors = floors
                .iter()
                .map(|(partition, floor)| (partition.to_string(), *floor));
            let floors: BTreeMap<String, i64> = floors.collect();
            (table.clone(), json!(floors))
        });
        let minded: serde_json::Map<String, Value> = minded.collect();
        json!({
            "attempt": attempt,
            "transforms": self.transforms,
            "minded": minded,
            "tables": self.tables,
        })
        .to_string()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let mut minded = BTreeMap::new();
        for (table, floors) in value.get("minded")?.as_object()? {
            let floors = floors
                .as_object()?
                .iter()
                .map(|(partition, floor)| Some((partition.parse().ok()?, floor.as_i64()?)));
            minded.insert(table.clone(), floors.collect::<Option<_>>()?);
        }
        let tables = value.get("tables")?.as_array()?.iter();
        Some(Self {
            transforms: value.get("transforms")?.as_str()?.to_owned(),
            minded,
            tables: tables
                .map(|name| Some(name.as_str()?.to_owned()))
                .collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use eddy_engine::Clock;
    use eddy_engine::testing::disk_lake;

    use super::*;

    #[test]
    fn what_is_noted_comes_back_whoever_changed_it() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let guard = runtime.enter();
        let lake = disk_lake(folder.path(), Clock::system());
        drop(guard);
        let id = TopicId::new("a+/b");
        let (one, other) = (
            Routes::new(&lake, "topics", "orders", &id),
            Routes::new(&lake, "topics", "orders", &id),
        );
        assert_eq!(one.noted().unwrap(), Noted::default());
        let mind = |routes: &Routes, table: &str, partition: i32, floor: i64| {
            routes.change(|noted| {
                noted.tables.insert(table.to_owned());
                noted
                    .minded
                    .entry(table.to_owned())
                    .or_default()
                    .insert(partition, floor);
            })
        };
        mind(&one, "paid", 0, 7).unwrap();
        mind(&other, "paid", 1, 9).unwrap();
        let last = mind(&one, "open", 0, 0).unwrap();
        assert_eq!(other.noted().unwrap(), last);
        assert_eq!(
            last.minded.get("paid"),
            Some(&BTreeMap::from([(0, 7), (1, 9)]))
        );
        assert_eq!(last.tables.len(), 2);
    }
}
