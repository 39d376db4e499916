//! Files made anew without some of their rows: what an erasure and a rewind commit in their place.

use std::mem;
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;

use crate::commit::DataFile;
use crate::error::{Error, Result};
use crate::filter::FileFilters;
use crate::lake::Lake;
use crate::maintain::output::{FileLimits, Made, Output};
use crate::maintain::packs;
use crate::maintain::scan::{self, Scan};
use crate::maintain::uploads::Journals;
use crate::path::TablePath;
use crate::read::Snapshot;
use crate::read::filtered::{self, Kind};
use crate::read::retired::Gone;

/// What became of files without some of their rows.
pub(super) struct Without {
    /// The files that hold the other rows.
    pub(super) made: Made,
    /// Who the rows are that these don't hold, file by file.
    pub(super) gone: Vec<Gone>,
}

/// Writes the rows of the files of `found`, which are live in `snapshot`, but for those that are
/// true. One file is in memory at a time.
///
/// # Errors
/// `Unavailable`, `NotFound`; `Data` for a file that can't be read.
pub(super) fn without(
    lake: &Lake,
    table: &TablePath,
    snapshot: &Snapshot,
    found: &[(Arc<DataFile>, BooleanArray)],
) -> Result<Without> {
    let (mut gone, mut made) = (Vec::new(), Made::default());
    for (file, rows) in found {
        let scan = Scan::open(lake, table, snapshot, file)?;
        let mut output: Option<Output> = None;
        let (mut left, mut at) = (Gone::new(&file.path), 0);
        for batch in scan.batches(None)? {
            let batch = batch?;
            let matching = rows.slice(at, batch.num_rows());
            at += batch.num_rows();
            scan::note(&filter_record_batch(&batch, &matching)?, &mut left)?;
            let kept = filter_record_batch(&batch, &arrow::compute::not(&matching)?)?;
            if kept.num_rows() == 0 {
                continue;
            }
            let target = batch.schema();
            let into = match output.take() {
                Some(output) => output,
                None => {
                    let limits = FileLimits::of(u64::MAX);
                    let key = scan.key(lake, table, snapshot)?;
                    Output::new(lake, table, &target, file, limits, scan.is_sorted(), key)
                }
            };
            output.insert(into).write(&kept)?;
        }
        gone.push(left);
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
    Ok(Without { made, gone })
}

/// What is stored beside the table can't be taken out of it: a receipt must not say that it was,
/// and records that come again would be there twice.
///
/// # Errors
/// `Invalid`, with `why`, when there is anything; as [`filtered::kept`].
pub(super) fn check_stored(lake: &Lake, table: &TablePath, why: &str) -> Result<()> {
    let (of, name) = (lake.clone(), table.clone());
    let kept = lake.wait(async move { filtered::kept(&of, &name, Kind::Stored).await })??;
    match kept.is_empty() {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "records of `{}` are in objects of another format beside the table, {why}",
            table.topic()
        ))),
    }
}

/// A file leaves the table only once no upload journal names it ([`Journals`]).
///
/// # Errors
/// `Unavailable` while one does.
pub(super) fn check_journals<'a>(
    lake: &Lake,
    table: &TablePath,
    snapshot: &Snapshot,
    leaving: impl IntoIterator<Item = &'a str>,
) -> Result<()> {
    let mut journals = Journals::read(lake)?;
    journals.sweep(lake, table, Some(snapshot))?;
    let named = journals.names(table);
    if leaving.into_iter().any(|path| named.contains(path)) {
        return Err(Error::unavailable(
            "a file whose rows are to go is still named by an upload journal; call again later",
        ));
    }
    Ok(())
}
