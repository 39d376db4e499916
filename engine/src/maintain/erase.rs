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
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use uuid::Uuid;

use crate::commit::{Cut, DataFile, Rewrite, TableLog};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::FileFilters;
use crate::lake::Lake;
use crate::maintain::output::{FileLimits, Made, Output};
use crate::maintain::packs;
use crate::maintain::receipt::{self, Receipt};
use crate::maintain::retain::commit_leaving;
use crate::maintain::scan::{self, Scan};
use crate::maintain::uploads::Journals;
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::read::filtered::{self, Kind};
use crate::read::retired::Gone;
use crate::write::forget_journals;

/// Files that one commit rewrites.
const AT_ONCE: usize = 64;

/// How often the table is looked through anew because others changed it meanwhile.
const ROUNDS: u32 = 100;

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
    check_stored(lake, table)?;
    let mut looked = BTreeSet::new();
    let mut begun = false;
    for _ in 0..ROUNDS {
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
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::unavailable(format!(
        "table `{}` changed all the while; call again",
        table.topic()
    )))
}

/// What is stored beside the table can't be looked into, and a receipt must not say that it was.
fn check_stored(lake: &Lake, table: &TablePath) -> Result<()> {
    let (of, name) = (lake.clone(), table.clone());
    let kept = lake.wait(async move { filtered::kept(&of, &name, Kind::Stored).await })??;
    match kept.is_empty() {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "records of `{}` are in objects of another format beside the table, from which nothing \
             can be erased; remove the objects themselves",
            table.topic()
        ))),
    }
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
            true => Scan::open(lake, table, snapshot, file)?.matching(erasure)?,
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
    check_journals(lake, table, snapshot, &found)?;
    rewrite(lake, table, erasure, snapshot, found)
}

/// A file leaves the table only once no upload journal names it ([`Journals`]).
fn check_journals(
    lake: &Lake,
    table: &TablePath,
    snapshot: &Snapshot,
    found: &[(Arc<DataFile>, BooleanArray)],
) -> Result<()> {
    let mut journals = Journals::read(lake)?;
    journals.sweep(lake, table, Some(snapshot))?;
    let named = journals.names(table);
    if found
        .iter()
        .any(|(file, _)| named.contains(file.path.as_str()))
    {
        return Err(Error::unavailable(
            "a file with matches is still named by an upload journal; call again later",
        ));
    }
    Ok(())
}

/// One version without the rows of `found` that are true.
fn rewrite(
    lake: &Lake,
    table: &TablePath,
    erasure: &Erasure<'_>,
    snapshot: &Snapshot,
    found: Vec<(Arc<DataFile>, BooleanArray)>,
) -> Result<()> {
    let id = lake.clock().new_id();
    let (mut gone, mut made) = (Vec::new(), Made::default());
    for (file, rows) in &found {
        let scan = Scan::open(lake, table, snapshot, file)?;
        let mut output: Option<Output> = None;
        let (mut erased, mut at) = (Gone::new(&file.path), 0);
        for batch in scan.batches(None)? {
            let batch = batch?;
            let matching = rows.slice(at, batch.num_rows());
            at += batch.num_rows();
            scan::note(&filter_record_batch(&batch, &matching)?, &mut erased)?;
            let kept = filter_record_batch(&batch, &arrow::compute::not(&matching)?)?;
            if kept.num_rows() == 0 {
                continue;
            }
            let target = batch.schema();
            let into = match output.take() {
                Some(output) => output,
                None => {
                    let limits = FileLimits::of(u64::MAX);
                    Output::new(lake, table, &target, file, limits, scan.is_sorted())
                }
            };
            output.insert(into).write(&kept)?;
        }
        gone.push(erased);
        if let Some(output) = output {
            let more = output.finish()?;
            made.files.extend(more.files);
            made.filters.extend(more.filters);
            made.journals.extend(more.journals);
        }
        let held: usize = made.filters.iter().map(FileFilters::bytes).sum();
        if held >= packs::HELD_BYTES {
            let filters = mem::take(&mut made.filters);
            made.journals.extend(packs::put(lake, table, &filters));
        }
    }
    made.journals.extend(packs::put(lake, table, &made.filters));
    let removes = found.into_iter().map(|(file, _)| file).collect();
    let cut = Cut {
        id,
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
    let version = commit_leaving(lake, table, &cut, &receipt::reason(erasure.id), gone)?;
    forget_journals(lake, &made.journals);
    tracing::info!(
        topic = table.topic(),
        version,
        erasure = %erasure.id,
        "rows were erased from the table's newest version"
    );
    Ok(())
}
