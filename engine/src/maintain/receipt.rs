//! The receipt of an erasure: what went, when, and what Eddy can't erase.
//!
//! A numbered register per request (`crate::state`): 0 it was asked for, 1 no version from then on
//! holds the rows, 2 no object of the lake does.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::{Error as StoreError, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::commit::{GRACE, TableLog};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::maintain::clean::clean;
use crate::maintain::erase::Erasure;
use crate::maintain::packs::Packs;
use crate::maintain::uploads::Journals;
use crate::path::TablePath;
use crate::read::{Snapshot, retired};
use crate::state::Register;

/// What no erasure in the lake reaches.
const BEYOND: [&str; 4] = [
    "the records in Kafka, until its own retention or a tombstone removes them",
    "what was replayed or exported to other systems",
    "copies of the lake, other tables that record the topic, and versions that the bucket itself \
     keeps of removed objects",
    "rows that arrive after the erasure",
];

/// What became of a request to erase rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The request's id.
    pub id: String,
    /// What its maker calls it.
    pub reference: String,
    /// When it was made, in microseconds since the Unix epoch.
    pub requested_us: i64,
    /// The table's version then.
    pub requested_at_version: u64,
    /// When the newest version was free of the rows, in microseconds since the Unix epoch.
    pub erased_us: Option<i64>,
    /// The versions that removed them; older ones can be read until the rows are removed for good.
    /// One that was cleaned away before the erasure was finished is missing.
    pub versions: Vec<u64>,
    /// The rows.
    pub rows: u64,
    /// The files that held them, relative to the table.
    pub files: Vec<String>,
    /// The packs of filters that told of these files, by their names in the table's folder of them.
    #[serde(default)]
    pub filters: Vec<String>,
    /// When the last object that held them was gone, in microseconds since the Unix epoch.
    pub removed_us: Option<i64>,
    /// What Eddy can't erase.
    pub beyond: Vec<String>,
}

/// What the records of what left say of the rows of the request `id`.
pub(super) fn reason(id: Uuid) -> String {
    format!("erasure {id}")
}

/// The newest receipt of each request of `table`.
///
/// # Errors
/// `Unavailable`; `Data` for one that can't be read.
pub fn receipts(lake: &Lake, table: &TablePath) -> Result<Vec<Receipt>> {
    let (of, folder) = (lake.clone(), folder(table));
    let names = lake.wait(async move { Register::list(&of, &folder).await })??;
    let mut receipts = Vec::new();
    // What is called otherwise is the folder of a table whose `topics.dir` goes on at this name.
    let ids = names.iter().filter(|name| name.parse::<Uuid>().is_ok());
    for name in ids {
        receipts.extend(latest(lake, table, name)?.map(|(_, receipt)| receipt));
    }
    Ok(receipts)
}

/// Notes that the request was made, unless it is known already; answers the receipt of one whose
/// rows are gone, which would not tell what goes from now on.
pub(super) fn begin(
    lake: &Lake,
    table: &TablePath,
    erasure: &Erasure<'_>,
    version: u64,
) -> Result<Option<Receipt>> {
    let id = erasure.id.to_string();
    if let Some((_, known)) = latest(lake, table, &id)? {
        return Ok(known.erased_us.is_some().then_some(known));
    }
    let receipt = Receipt {
        id,
        reference: erasure.reference.clone(),
        requested_us: lake.clock().now_us(),
        requested_at_version: version,
        erased_us: None,
        versions: Vec::new(),
        rows: 0,
        files: Vec::new(),
        filters: Vec::new(),
        removed_us: None,
        beyond: BEYOND.map(str::to_owned).to_vec(),
    };
    put(lake, table, 0, &receipt)?;
    Ok(None)
}

/// Notes what left the table, from the records made before each commit.
pub(super) fn commit(lake: &Lake, table: &TablePath, id: Uuid, log: &TableLog) -> Result<Receipt> {
    let Some((number, mut receipt)) = latest(lake, table, &id.to_string())? else {
        return Err(Error::internal("an erasure has no receipt"));
    };
    if receipt.erased_us.is_some() {
        return Ok(receipt);
    }
    let (of, from) = (lake.clone(), table.clone());
    let records = lake.wait(async move { retired::records(&of, &from).await })??;
    let since = log.version().saturating_sub(receipt.requested_at_version);
    let since = usize::try_from(since).unwrap_or(usize::MAX);
    let history = log.history(since)?;
    // After days of interruption the first commits may have been cleaned away. What was recorded
    // for them is gone by now, whether or not they landed: the newest version is free of it.
    let live = match history.len() < since {
        true => Some(live_files(lake, table)?),
        false => None,
    };
    let mut left = Vec::new();
    let own = records.into_iter();
    for (commit, record) in own.filter(|(_, record)| record.reason == reason(id)) {
        let version = history.iter().find(|version| version.id == Some(commit));
        let is_live = |live: &BTreeSet<String>| record.paths().any(|path| live.contains(path));
        let forgotten = live.as_ref().is_some_and(|live| !is_live(live));
        receipt
            .versions
            .extend(version.map(|version| version.version));
        if version.is_some() || forgotten {
            left.push(record);
        }
    }
    receipt.versions.sort_unstable();
    receipt.rows = retired::rows(&left);
    let files: BTreeSet<&str> = left.iter().flat_map(retired::Record::paths).collect();
    receipt.files = files.into_iter().map(str::to_owned).collect();
    let packs = forget_filters(lake, table, &receipt.files)?;
    receipt.filters = packs.iter().map(Uuid::to_string).collect();
    receipt.erased_us = Some(lake.clock().now_us());
    put(lake, table, number + 1, &receipt)?;
    Ok(receipt)
}

/// Removes for good what erasures took out of the table longer ago than the grace time, whoever has
/// pinned it, and completes their receipts. Answers how many.
///
/// # Errors
/// `Unavailable`, `Data`: the rest is for the next call.
pub(super) fn complete(lake: &Lake, table: &TablePath) -> Result<u64> {
    let grace_us = i64::try_from(GRACE.as_micros()).unwrap_or(i64::MAX);
    let old = |receipt: &Receipt| {
        let erased = receipt.erased_us.filter(|_| receipt.removed_us.is_none());
        erased.is_some_and(|erased| lake.clock().now_us() - erased > grace_us)
    };
    let due: Vec<Receipt> = receipts(lake, table)?.into_iter().filter(old).collect();
    if due.is_empty() {
        return Ok(0);
    }
    clean(lake, table, GRACE, None)?;
    let mut journals = Journals::read(lake)?;
    let snapshot = Snapshot::load(lake, table, None)?;
    journals.sweep(lake, table, snapshot.as_ref())?;
    let oldest_us = journals.oldest_us(table);
    let mut completed = 0;
    for mut receipt in due {
        // A compaction that read the rows before they went and lost has uploaded them once more.
        // No commit takes files that are half as old as the grace time, so it gave up by then.
        let read_before_us = receipt.erased_us.unwrap_or_default() + grace_us / 2;
        if oldest_us.is_some_and(|oldest_us| oldest_us < read_before_us) {
            tracing::info!(
                topic = table.topic(),
                erasure = %receipt.id,
                "an upload that may hold erased rows is not settled yet"
            );
            continue;
        }
        // Filters that somebody was putting together meanwhile, which takes another grace time.
        let filters = forget_filters(lake, table, &receipt.files)?;
        let left = still_there(lake, table, &receipt.files)?;
        if !left.is_empty() || !filters.is_empty() {
            tracing::warn!(
                topic = table.topic(),
                erasure = %receipt.id,
                files = left.len(),
                filters = filters.len(),
                "erased rows are still in the store; the log has not been cleaned below them"
            );
            continue;
        }
        receipt.removed_us = Some(lake.clock().now_us());
        put(lake, table, 2, &receipt)?;
        tracing::info!(topic = table.topic(), erasure = %receipt.id, "erased rows are gone");
        completed += 1;
    }
    Ok(completed)
}

/// Sees to it that no pack of filters tells of `files` once the grace time has passed. Answers the
/// packs that do so far.
fn forget_filters(lake: &Lake, table: &TablePath, files: &[String]) -> Result<Vec<Uuid>> {
    let files: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    let replaced = Journals::read(lake)?.replaced(table);
    Packs::read(lake, table)?.forget(lake, table, &files, &replaced)
}

/// The files of the newest version.
fn live_files(lake: &Lake, table: &TablePath) -> Result<BTreeSet<String>> {
    let newest = Snapshot::load(lake, table, None)?;
    let files = newest.iter().flat_map(|newest| newest.files.iter());
    Ok(files.map(|file| file.path.clone()).collect())
}

fn still_there(lake: &Lake, table: &TablePath, files: &[String]) -> Result<BTreeSet<String>> {
    let mut left = BTreeSet::new();
    for path in files {
        let (store, location) = (Arc::clone(lake.store()), table.object(path));
        match lake.wait(async move { store.head(&location).await })? {
            Ok(_) => {
                left.insert(path.clone());
            }
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(left)
}

fn folder(table: &TablePath) -> String {
    format!("erasures/{}/{}", table.topics_dir(), table.topic())
}

fn register(lake: &Lake, table: &TablePath, id: &str) -> Register {
    Register::new(lake, format!("{}/{id}", folder(table)))
}

fn latest(lake: &Lake, table: &TablePath, id: &str) -> Result<Option<(u64, Receipt)>> {
    let register = register(lake, table, id);
    let Some((number, bytes)) = lake.wait(async move { register.latest().await })?? else {
        return Ok(None);
    };
    let receipt = serde_json::from_slice(&bytes).map_err(|error| {
        Error::data(format!("the receipt of erasure `{id}` can't be read")).with_source(error)
    })?;
    Ok(Some((number, receipt)))
}

fn put(lake: &Lake, table: &TablePath, number: u64, receipt: &Receipt) -> Result<()> {
    let text = serde_json::to_vec(receipt)
        .map_err(|error| Error::internal("a receipt can't be written").with_source(error))?;
    let register = register(lake, table, &receipt.id);
    match lake.wait(async move { register.put(number, text.into()).await })? {
        // Somebody else noted the same.
        Err(error) if error.kind() == ErrorKind::Fenced => Ok(()),
        put => put,
    }
}
