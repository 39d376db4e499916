//! What must be true of a table whatever happened to its writers, checked from the lake alone.
//!
//! Every test that kills, delays or races something calls [`check`] afterwards. The numbers are
//! those of the invariants in the essay of [`crate::commit`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Fields, Schema};
use object_store::{Error as StoreError, ObjectStoreExt};

use crate::commit::actions::{self, Actions};
use crate::commit::columns;
use crate::commit::cut::DataFile;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::read::filtered::{self, Kind};
use crate::record::TopicId;
use crate::schema::{KEY, KIND, is_members};

mod rows;

use rows::{Offsets, Rewritten};

/// What a table holds, for a test to compare with what was produced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The newest version.
    pub version: u64,
    /// Each partition that the table knows.
    pub partitions: BTreeMap<(TopicId, i32), Held>,
    /// The table's files.
    pub files: usize,
}

/// What a table holds of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// The position: everything below is accounted.
    pub position: i64,
    /// The offset that the table began at, where the history still shows it.
    pub base: Option<i64>,
    /// The rows.
    pub rows: u64,
    /// The offsets of the rows as half-open ranges, in order.
    pub ranges: Vec<(i64, i64)>,
}

impl Report {
    /// All rows.
    pub fn rows(&self) -> u64 {
        self.partitions.values().map(|held| held.rows).sum()
    }
}

/// Asserts the invariants 1, 2, 3, 4, 7 and 11 on every version that the log still has, and reads
/// every file of the newest.
///
/// # Errors
/// `Data` for a broken invariant, `NotFound` when there is no such table, `Unavailable`.
pub fn check(lake: &Lake, table: &TablePath) -> Result<Report> {
    let newest = Snapshot::load(lake, table, None)?
        .ok_or_else(|| Error::not_found(format!("there is no table `{}`", table.topic())))?;
    let mut walk = Walk::default();
    for version in 0..=newest.version {
        if let Some(bytes) = actions::read(lake, table, version)? {
            let actions = Actions::parse(&bytes)?;
            walk.version(version, actions)
                .map_err(|what| broken(table, version, &what))?;
        }
    }
    if walk.first == Some(0) && walk.live.len() != newest.files.len() {
        return Err(broken(
            table,
            newest.version,
            "the log and the snapshot differ in files",
        ));
    }
    let mut sizes: BTreeMap<String, u64> = walk.every;
    sizes.extend(
        newest
            .files
            .iter()
            .map(|file| (file.path.clone(), file.size)),
    );
    sizes.extend(beside(lake, table, &walk.ids)?);
    check_sizes(lake, table, &sizes)?;
    for rewritten in &walk.rewrites {
        rows::check_rewrite(lake, table, rewritten, &newest.schema)?;
    }
    let mut report = Report {
        version: newest.version,
        partitions: BTreeMap::new(),
        files: newest.files.len(),
    };
    for (key, position) in newest.positions.iter() {
        let held = Held {
            position: position.offset,
            base: walk.bases.get(key).copied(),
            ..Held::default()
        };
        report.partitions.insert(key.clone(), held);
    }
    let offsets = rows::read_offsets(lake, table, &newest)?;
    account(offsets, &mut report).map_err(|what| broken(table, newest.version, &what))?;
    Ok(report)
}

/// The log from its oldest commit to the newest.
#[derive(Default)]
struct Walk {
    first: Option<u64>,
    last: Option<u64>,
    live: BTreeMap<String, u64>,
    rewrites: Vec<Rewritten>,
    every: BTreeMap<String, u64>,
    positions: BTreeMap<(TopicId, i32), (i64, i64)>,
    bases: BTreeMap<(TopicId, i32), i64>,
    names: BTreeMap<Vec<String>, String>,
    ids: BTreeSet<uuid::Uuid>,
}

impl Walk {
    fn version(&mut self, version: u64, actions: Actions) -> Result<(), String> {
        self.first.get_or_insert(version);
        if self.last.is_some_and(|last| last + 1 != version) {
            return Err("a version before it is missing".to_owned());
        }
        self.last = Some(version);
        if let Some(id) = actions.id
            && !self.ids.insert(id)
        {
            return Err(format!("payload `{id}` is there twice (P9)"));
        }
        self.moves(&actions)?;
        self.rewinds(version, &actions);
        self.rewrites(version, &actions)?;
        self.files(actions.removes, actions.adds)?;
        match actions.metadata {
            Some(metadata) => self.columns(&metadata.schema, &metadata.partition_columns),
            None => Ok(()),
        }
    }

    /// 2: (epoch, position) never decreases; each commit's ranges start at the previous position.
    fn moves(&mut self, actions: &Actions) -> Result<(), String> {
        for moved in &actions.moved {
            let key = (moved.topic_id.clone(), moved.partition);
            let before = self.positions.insert(key.clone(), (moved.epoch, moved.to));
            match (before, moved.from) {
                (None, None) => {
                    self.bases.insert(key, moved.to);
                }
                (Some((epoch, offset)), Some(from))
                    if (moved.epoch > epoch || from == offset)
                        && (moved.epoch, moved.to) >= (epoch, offset) =>
                {
                    // A rewind may go below where the table once began.
                    self.bases
                        .entry(key)
                        .and_modify(|base| *base = moved.to.min(*base));
                }
                // The log before was cleaned away.
                (None, Some(_)) if self.first != Some(0) => {}
                (before, from) => {
                    return Err(format!(
                        "invariant 2: partition `{}` of `{}` moved from {from:?} to `{}`, but was \
                         at (epoch, offset) {before:?}",
                        moved.partition, moved.topic_id, moved.to
                    ));
                }
            }
        }
        Ok(())
    }

    /// 1, after a rewind: of the files that it took out, all rows below its targets are in those
    /// that it brought, and no others (P5).
    fn rewinds(&mut self, version: u64, actions: &Actions) {
        let back = actions.moved.iter().filter_map(|moved| {
            let key = (moved.topic_id.clone(), moved.partition);
            let goes_back = moved.from.is_some_and(|from| moved.to < from);
            goes_back.then_some((key, moved.to))
        });
        let targets: BTreeMap<(TopicId, i32), i64> = back.collect();
        if !targets.is_empty() {
            self.rewrites.push(Rewritten::of(version, actions, targets));
        }
    }

    /// 4: what only stores rows otherwise keeps their number.
    fn rewrites(&mut self, version: u64, actions: &Actions) -> Result<(), String> {
        if actions.removes.is_empty() || actions.removes.iter().any(|gone| gone.data_change) {
            return Ok(());
        }
        let rows = actions.removes.iter().map(|gone| self.live.get(&gone.path));
        let before: Option<u64> = rows.map(|rows| rows.copied()).sum();
        let after: u64 = actions.adds.iter().map(|added| added.rows).sum();
        if before.is_some_and(|before| before != after) {
            return Err(format!(
                "invariant 4: a rewrite of {before:?} rows has `{after}`"
            ));
        }
        let nothing = BTreeMap::new();
        self.rewrites.push(Rewritten::of(version, actions, nothing));
        Ok(())
    }

    /// 4: removes name live files; and no file is added twice.
    fn files(&mut self, removes: Vec<actions::Removed>, adds: Vec<DataFile>) -> Result<(), String> {
        for removed in removes {
            if self.live.remove(&removed.path).is_none() && self.first == Some(0) {
                return Err(format!("invariant 4: `{}` was not live", removed.path));
            }
            self.every.remove(&removed.path);
        }
        for added in adds {
            if self.live.insert(added.path.clone(), added.rows).is_some() {
                return Err(format!("`{}` is added twice", added.path));
            }
            self.every.insert(added.path, added.size);
        }
        Ok(())
    }

    /// 7: a column's name never changes, and names are injective ignoring case.
    fn columns(&mut self, schema: &str, partition_columns: &[String]) -> Result<(), String> {
        let schema = columns::from_delta(schema, partition_columns).map_err(|e| e.to_string())?;
        let mut now = BTreeMap::new();
        identities(&schema, &mut now)?;
        for (identity, name) in &self.names {
            if now.get(identity) != Some(name) {
                return Err(format!(
                    "invariant 7: {identity:?} was `{name}` and is `{:?}`",
                    now.get(identity)
                ));
            }
        }
        self.names = now;
        Ok(())
    }
}

fn identities(schema: &Schema, found: &mut BTreeMap<Vec<String>, String>) -> Result<(), String> {
    walk(schema.fields(), &[], "", found)
}

/// A column's identity is the chain of keys and kinds from the root, lists' elements included: a
/// path alone would take the objects of a `list` and those of a `mixed` for one column.
fn walk(
    fields: &Fields,
    above: &[String],
    above_name: &str,
    found: &mut BTreeMap<Vec<String>, String>,
) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for field in fields {
        let name = format!("{above_name}\u{0}{}", field.name());
        if !names.insert(name.to_lowercase()) {
            return Err(format!(
                "invariant 7: two columns are named `{name}`, ignoring case"
            ));
        }
        let mut identity = above.to_vec();
        identity.push(format!(
            "{:?} {:?}",
            field.metadata().get(KEY),
            field.metadata().get(KIND)
        ));
        let mut data_type = field.data_type();
        while let DataType::List(element) = data_type {
            data_type = element.data_type();
            let shape = match data_type {
                DataType::Struct(members) if is_members(members) => "mixed".to_owned(),
                DataType::Struct(_) => "object".to_owned(),
                DataType::List(_) => "list".to_owned(),
                scalar => scalar.to_string(),
            };
            identity.push(format!("[{shape}]"));
        }
        if let DataType::Struct(children) = data_type {
            walk(children, &identity, &name, found)?;
        }
        found.insert(identity, name);
    }
    Ok(())
}

/// The objects beside the table, with their sizes as the records of the commits `landed` say.
fn beside(
    lake: &Lake,
    table: &TablePath,
    landed: &BTreeSet<uuid::Uuid>,
) -> Result<BTreeMap<String, u64>> {
    let (of, name) = (lake.clone(), table.clone());
    let kept = lake.wait(async move { filtered::kept(&of, &name, Kind::Stored).await })??;
    let kept = kept.into_iter().filter(|one| landed.contains(&one.id));
    Ok(kept.flat_map(|one| one.objects).collect())
}

/// 3 (and 11): every file of a version that can be read is there, with its logged size.
fn check_sizes(lake: &Lake, table: &TablePath, sizes: &BTreeMap<String, u64>) -> Result<()> {
    for (path, size) in sizes {
        let store = Arc::clone(lake.store());
        let location = table.object(path);
        match lake.wait(async move { store.head(&location).await })? {
            Ok(meta) if meta.size == *size => {}
            Ok(meta) => {
                return Err(Error::data(format!(
                    "invariant 3: `{path}` of table `{}` has `{}` bytes, its log says `{size}`",
                    table.topic(),
                    meta.size
                )));
            }
            Err(StoreError::NotFound { .. }) => {
                return Err(Error::data(format!(
                    "invariant 3: `{path}` of table `{}` is not there",
                    table.topic()
                )));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// 1: each offset at most once, and only between the partition's base and its position.
fn account(offsets: Offsets, report: &mut Report) -> Result<(), String> {
    for (key, mut offsets) in offsets {
        let place = format!("partition `{}` of `{}`", key.1, key.0);
        let held = report
            .partitions
            .get_mut(&key)
            .ok_or_else(|| format!("invariant 1: rows of {place}, which has no position"))?;
        offsets.sort_unstable();
        held.rows = offsets.len() as u64;
        for offset in offsets {
            match held.ranges.last_mut() {
                Some((_, end)) if *end == offset => *end += 1,
                Some((_, end)) if *end > offset => {
                    return Err(format!(
                        "invariant 1: offset `{offset}` of {place} is doubled"
                    ));
                }
                _ => held.ranges.push((offset, offset + 1)),
            }
        }
        let (first, last) = (held.ranges.first(), held.ranges.last());
        if last.is_some_and(|(_, end)| *end > held.position) {
            return Err(format!(
                "invariant 1: rows of {place} at or beyond its position"
            ));
        }
        if first.is_some_and(|(start, _)| held.base.is_some_and(|base| *start < base)) {
            return Err(format!("invariant 1: rows of {place} before its base"));
        }
    }
    Ok(())
}

fn broken(table: &TablePath, version: u64, what: &str) -> Error {
    Error::data(format!(
        "table `{}`, version `{version}`: {what}",
        table.topic()
    ))
}
