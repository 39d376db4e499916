//! One rewrite: the rows of many small files in a few large ones, in order, and nothing else
//! changed (`dataChange = false`, invariant 4).
//!
//! ```text
//! footers -> shapes -> merge in order -> encode, upload -> filters -> one version {removes, adds}
//!                                        (P14)             (P14)      (P9, P15)
//! ```
//!
//! A crash before the version leaves files that the upload journal names; after it, journals whose
//! commit landed. Whoever does it twice at once loses at P15 and leaves such files too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::datatypes::{Schema, SchemaRef};

use crate::commit::{Cut, DataFile, Rewrite, TableLog};
use crate::error::{Error, Result};
use crate::fault;
use crate::lake::Lake;
use crate::maintain::input::{Input, key_for, look};
use crate::maintain::merge::{Merge, Part, leaves};
use crate::maintain::output::{FileLimits, Output};
use crate::maintain::packs;
use crate::maintain::plan::Bin;
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::schema::{envelope_schema, grow, project};
use crate::write::forget_journals;

/// Leaves up to which files of any shapes share one: below it a null costs next to nothing.
const NARROW_LEAVES: usize = 400;

/// How often a commit that the store leaves open is settled before the rewrite is left to the next
/// pass. It may still land, which is as good.
const ATTEMPTS: u32 = 5;

/// What rewrites did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// The versions made.
    pub rewrites: u64,
    /// The files that left the table.
    pub files_removed: u64,
    /// The files that came in their place.
    pub files_added: u64,
    /// Bytes of the files that were read.
    pub bytes_read: u64,
    /// Bytes of the files that were written.
    pub bytes_written: u64,
    /// The rows rewritten.
    pub rows: u64,
}

impl Compacted {
    pub(super) fn add(&mut self, other: Self) {
        self.rewrites += other.rewrites;
        self.files_removed += other.files_removed;
        self.files_added += other.files_added;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        self.rows += other.rows;
    }
}

/// What a rewrite may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The files made.
    pub(super) files: FileLimits,
    /// Decoded rows in memory.
    pub(super) memory_bytes: usize,
}

/// Rewrites the files of one bin, which are live in `snapshot`.
///
/// # Errors
/// `Fenced` when someone else changed one of the files meanwhile or `halt` was set: nothing is
/// changed. `Unavailable`, `NotFound`, `Data` as the log and the store say.
pub(super) fn compact(
    lake: &Lake,
    table: &TablePath,
    snapshot: &Snapshot,
    bin: &Bin,
    limits: Limits,
    halt: &AtomicBool,
) -> Result<Compacted> {
    let inputs = look(lake, table, bin, &snapshot.schema)?;
    let mut done = Compacted::default();
    for (inputs, target) in shapes(inputs, &snapshot.schema)? {
        if inputs.len() > 1 {
            done.add(rewrite(
                lake, table, snapshot, inputs, &target, limits, halt,
            )?);
        }
    }
    Ok(done)
}

fn rewrite(
    lake: &Lake,
    table: &TablePath,
    snapshot: &Snapshot,
    inputs: Vec<Input>,
    target: &SchemaRef,
    limits: Limits,
    halt: &AtomicBool,
) -> Result<Compacted> {
    let removes: Vec<Arc<DataFile>> = inputs.iter().map(|input| Arc::clone(&input.file)).collect();
    let Some(beside) = removes.first() else {
        return Ok(Compacted::default());
    };
    let key = key_for(lake, table, snapshot, &inputs)?;
    let mut output = Output::new(lake, table, target, beside, limits.files, true, key);
    let mut merge = Merge::new(lake, table, inputs, target, limits.memory_bytes);
    while let Some(part) = merge.next()? {
        if halt.load(Ordering::Relaxed) {
            return Err(Error::fenced(
                "the rewrite was given up because the process ends",
            ));
        }
        match part {
            Part::Rows(rows) => output.write(&rows)?,
            Part::Break => output.close()?,
        }
    }
    drop(merge);
    let mut made = output.finish()?;
    made.journals.extend(packs::put(lake, table, &made.filters));
    fault::point("after_compacted_upload");
    let cut = Cut {
        id: lake.clock().new_id(),
        begun_us: lake.clock().now_us(),
        files: made.files,
        apart: Vec::new(),
        moves: Vec::new(),
        rewrite: Some(Rewrite {
            removes,
            planned_at: snapshot.version,
            data_change: false,
        }),
        operation: "OPTIMIZE",
    };
    commit(lake, table, &cut)?;
    forget_journals(lake, &made.journals);
    Ok(summary(&cut))
}

/// Makes `cut` a version of the table.
///
/// # Errors
/// As [`TableLog::commit`].
pub(super) fn commit(lake: &Lake, table: &TablePath, cut: &Cut) -> Result<u64> {
    let mut log = TableLog::open(lake, table)?.ok_or_else(|| {
        Error::not_found(format!("table `{}` is gone from the lake", table.topic()))
    })?;
    let mut attempt = 1;
    loop {
        match log.commit(cut) {
            Ok(committed) => return Ok(committed.version),
            Err(error) if error.is_unavailable() && attempt < ATTEMPTS => {
                lake.clock()
                    .block(std::time::Duration::from_millis(200) * attempt);
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn summary(cut: &Cut) -> Compacted {
    let removes = cut.rewrite.iter().flat_map(|rewrite| &rewrite.removes);
    let count = |files: usize| u64::try_from(files).unwrap_or(u64::MAX);
    Compacted {
        rewrites: 1,
        files_removed: count(removes.clone().count()),
        files_added: count(cut.files.len()),
        bytes_read: removes.map(|file| file.size).sum(),
        bytes_written: cut.files.iter().map(|file| file.size).sum(),
        rows: cut.files.iter().map(|file| file.rows).sum(),
    }
}

/// Inputs that share their files, with the columns of these: a file holds what its rows have, so
/// files of many unlike shapes had better stay apart.
fn shapes(inputs: Vec<Input>, reserved: &Schema) -> Result<Vec<(Vec<Input>, SchemaRef)>> {
    let mut groups: Vec<(Vec<Input>, Schema, usize)> = Vec::new();
    for input in inputs {
        let own = leaves(input.schema.fields());
        let mut place = None;
        for (at, (_, union, widest)) in groups.iter().enumerate() {
            let grown = grow(union, &input.schema);
            let width = leaves(grown.as_ref().unwrap_or(union).fields());
            if width <= NARROW_LEAVES.max(own.max(*widest) / 2 * 3) {
                place = Some((at, grown));
                break;
            }
        }
        let Some((at, grown)) = place else {
            let union = grow(&envelope_schema(), &input.schema).unwrap_or_else(envelope_schema);
            groups.push((vec![input], union, own));
            continue;
        };
        if let Some((inputs, union, widest)) = groups.get_mut(at) {
            *widest = own.max(*widest);
            if let Some(grown) = grown {
                *union = grown;
            }
            inputs.push(input);
        }
    }
    groups
        .into_iter()
        .map(|(inputs, union, _)| Ok((inputs, Arc::new(project(reserved, &union)?))))
        .collect()
}
