//! Erasure: the rows that a request names leave the table, and after the grace time their bytes
//! leave the store.
//!
//! ```text
//! look at every file -> record who the rows are -> rewrite without them -> one version    P15, E1
//!      ^ again, until no file is left that was not looked at   -> checkpoint -> receipt
//! a day later: Keeper cleans below that checkpoint, pins or not -> the receipt is complete P16
//! ```
//!
//! A compaction that moves rows meanwhile makes the commit fail or a new file appear; either way
//! the rows are looked at where they are then. What holds a row besides its file goes with it: the
//! bounds in old commits and checkpoints, bloom filters in files and in packs, files that a writer
//! uploaded and never committed (their journal's sweep). Rows that are not committed yet are the
//! caller's to commit first. Records of what left (`crate::read::retired`) hold offsets, never
//! values.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{BooleanArray, RecordBatch};
use uuid::Uuid;

use crate::commit::{Cut, DataFile, Rewrite, TableLog};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::maintain::receipt::{self, Receipt};
use crate::maintain::retain::commit_leaving;
use crate::maintain::scan::Scan;
use crate::maintain::without::{Without, check_journals, check_stored, without};
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::write::forget_journals;

/// Files that one commit rewrites. Tests get by with few files.
const AT_ONCE: usize = if cfg!(test) { 4 } else { 64 };

/// How often the table is looked through anew because others changed it meanwhile.
const ROUNDS: u32 = if cfg!(test) { 10 } else { 100 };

/// Which rows of `batch` are to be erased: true for those.
pub type Matches<'a> = dyn Fn(&RecordBatch) -> Result<BooleanArray> + 'a;

/// A request to erase rows.
pub struct Erasure<'a> {
    /// Names the request; the same id is the same request, however often it is made.
    pub id: Uuid,
    /// What the receipt calls it. It stays, so it should hold nothing that is to be erased.
    pub reference: String,
    /// The columns, by their names at the root, that `matches` looks at; partition columns may be
    /// among them.
    pub columns: Vec<String>,
    /// Whether a file may hold such rows; what it says no to isn't read.
    pub may_match: &'a dyn Fn(&DataFile) -> bool,
    /// Which rows of a batch with `columns`, as the table has them, are meant.
    pub matches: &'a Matches<'a>,
}

/// Erases the rows of `table` that are committed by now and match. Call again with the same id
/// after an error: what was done is done. Once its receipt says that the newest version is free of
/// the rows, the request is over: the receipt is answered and nothing more goes.
///
/// # Errors
/// `Unavailable` when the store does not answer, or others changed the table all the while;
/// `NotFound` when there is no such table; what `matches` says; `Fenced` when `halt` was set.
pub fn erase(
    lake: &Lake,
    table: &TablePath,
    erasure: &Erasure<'_>,
    halt: &AtomicBool,
) -> Result<Receipt> {
    check_stored(
        lake,
        table,
        "from which nothing can be erased; remove the objects themselves",
    )?;
    let mut looked = BTreeSet::new();
    let mut begun = false;
    let mut lost = 0;
    while lost < ROUNDS {
        let snapshot = Snapshot::load(lake, table, None)?
            .ok_or_else(|| Error::not_found(format!("there is no table `{}`", table.topic())))?;
        if !begun && let Some(done) = receipt::begin(lake, table, erasure, snapshot.version)? {
            return Ok(done);
        }
        begun = true;
        let pending = snapshot
            .files
            .iter()
            .filter(|file| !looked.contains(&file.path));
        let pending: Vec<Arc<DataFile>> = pending.cloned().collect();
        if pending.is_empty() {
            let mut log = TableLog::open(lake, table)?.ok_or_else(|| {
                Error::not_found(format!("there is no table `{}`", table.topic()))
            })?;
            // Without one, an idle table's log would never be cleaned below the erasure.
            log.checkpoint()?;
            return receipt::commit(lake, table, erasure.id, &log);
        }
        match round(lake, table, erasure, &snapshot, &pending, &mut looked, halt) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Fenced && !halt.load(Ordering::Relaxed) => {
                tracing::info!(topic = table.topic(), %error, "an erasure looks again");
                lost += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::unavailable(format!(
        "table `{}` changed all the while; call again",
        table.topic()
    )))
}

/// Looks at `pending` until a commit's worth of files has matches, and commits these.
fn round(
    lake: &Lake,
    table: &TablePath,
    erasure: &Erasure<'_>,
    snapshot: &Snapshot,
    pending: &[Arc<DataFile>],
    looked: &mut BTreeSet<String>,
    halt: &AtomicBool,
) -> Result<()> {
    let mut found = Vec::new();
    for file in pending {
        if halt.load(Ordering::Relaxed) {
            return Err(Error::fenced(
                "the erasure was given up because the process ends",
            ));
        }
        let matching = match (erasure.may_match)(file) {
            true => {
                let scan = Scan::open(lake, table, snapshot, file)?;
                scan.matching(&erasure.columns, erasure.matches)?
            }
            false => None,
        };
        match matching {
            Some(rows) => found.push((Arc::clone(file), rows)),
            None => {
                looked.insert(file.path.clone());
            }
        }
        if found.len() >= AT_ONCE {
            break;
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let leaving = found.iter().map(|(file, _)| file.path.as_str());
    check_journals(lake, table, snapshot, leaving)?;
    rewrite(lake, table, erasure, snapshot, found)
}

/// One version without the rows of `found` that are true.
fn rewrite(
    lake: &Lake,
    table: &TablePath,
    erasure: &Erasure<'_>,
    snapshot: &Snapshot,
    found: Vec<(Arc<DataFile>, BooleanArray)>,
) -> Result<()> {
    let Without { made, gone } = without(lake, table, snapshot, &found)?;
    let removes = found.into_iter().map(|(file, _)| file).collect();
    let cut = Cut {
        id: lake.clock().new_id(),
        begun_us: lake.clock().now_us(),
        files: made.files,
        apart: Vec::new(),
        moves: Vec::new(),
        rewrite: Some(Rewrite {
            removes,
            planned_at: snapshot.version,
            data_change: true,
        }),
        operation: "DELETE",
    };
    let reason = receipt::reason(erasure.id);
    let version = commit_leaving(lake, table, &cut, &reason, gone, snapshot)?;
    forget_journals(lake, &made.journals);
    tracing::info!(
        topic = table.topic(),
        version,
        erasure = %erasure.id,
        "rows were erased from the table's newest version"
    );
    Ok(())
}
