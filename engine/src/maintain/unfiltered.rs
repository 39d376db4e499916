//! Filters for files that came without: those of the hot path that compaction leaves as they are,
//! because they are large or alone, and those of others. A table with another sink's layout has
//! filters of compacted files alone: a pack tells files apart by their names.
//!
//! Nothing of such a file is changed; its filters are added beside it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;

use crate::commit::DataFile;
use crate::error::{Error, Result};
use crate::filter::{Chosen, FileFilters, Gather, SAMPLE, SLICE_ROWS, choose};
use crate::lake::Lake;
use crate::maintain::packs;
use crate::maintain::policy::Compaction;
use crate::path::TablePath;
use crate::read::Fetch;

/// Files whose filters go into one pack.
const FILES: usize = 64;

/// Rows of a batch; few, since a wide table's nulls take room too.
const BATCH_ROWS: usize = 1_024;

/// The columns that hold a record's text, or say that others do: of such rows there is no filter of
/// words before compaction has put their text together.
const TEXTS: [&str; 4] = ["_key", "_value", "_headers", "_value_shape"];

/// The files that are due for filters at `now_ms`: those without that compaction has no use for.
/// Pure.
pub(super) fn due<'a>(
    files: &'a [Arc<DataFile>],
    filtered: &BTreeSet<&str>,
    policy: &Compaction,
    now_ms: i64,
) -> Vec<&'a Arc<DataFile>> {
    let due = files.iter().filter(|file| {
        let age_ms = u128::try_from(now_ms.saturating_sub(file.modified_ms)).unwrap_or(0);
        let least = if file.size < policy.small_bytes() {
            policy.quiet
        } else {
            policy.settle
        };
        age_ms >= least.as_millis() && !filtered.contains(file.path.as_str())
    });
    due.collect()
}

/// Adds the filters of the first of `files`, one pack of them, until `halt` is set. Answers how
/// many got them.
///
/// # Errors
/// `Unavailable`.
pub(super) fn add(
    lake: &Lake,
    table: &TablePath,
    files: &[&Arc<DataFile>],
    halt: &AtomicBool,
) -> Result<usize> {
    let (mut made, mut bytes) = (Vec::new(), 0);
    for file in files {
        let enough = made.len() >= FILES || bytes >= packs::HELD_BYTES;
        if enough || halt.load(Ordering::Relaxed) {
            break;
        }
        match of_file(lake, table, file) {
            Ok(filters) => {
                bytes += filters.bytes();
                made.push(filters);
            }
            Err(error) if error.is_unavailable() => return Err(error),
            Err(error) => {
                let (topic, path) = (table.topic(), &file.path);
                tracing::warn!(topic, path, %error, "a file stays without filters");
            }
        }
    }
    if !made.is_empty() {
        packs::add(lake, table, &made)?;
    }
    Ok(made.len())
}

/// Reads what the filters of `file` tell of.
fn of_file(lake: &Lake, table: &TablePath, file: &DataFile) -> Result<FileFilters> {
    let mut fetch = Fetch::of(lake, table, file);
    let options = ArrowReaderOptions::new()
        .with_skip_arrow_metadata(true)
        .with_page_index_policy(PageIndexPolicy::Optional);
    let (fetch, metadata) = lake.wait(async move {
        let metadata = ArrowReaderMetadata::load_async(&mut fetch, options).await;
        (fetch, metadata)
    })?;
    let source = Source {
        lake,
        fetch,
        metadata: metadata.map_err(unreadable)?,
    };
    let chosen = choose(&source.sample()?);
    let mut filters = Gather::new(&chosen, SLICE_ROWS);
    for group in 0..source.metadata.metadata().num_row_groups() {
        let mut rows = source.rows(group, &chosen)?;
        while let Some(batch) = rows.next()? {
            filters.add(&batch);
        }
        filters.end_row_group();
    }
    Ok(filters.finish(file.path.clone()))
}

/// An opened file.
struct Source<'a> {
    lake: &'a Lake,
    fetch: Fetch,
    metadata: ArrowReaderMetadata,
}

/// Rows on their way.
struct Rows<'a> {
    lake: &'a Lake,
    stream: Option<ParquetRecordBatchStream<Fetch>>,
}

impl<'a> Source<'a> {
    /// The file's first rows.
    fn sample(&self) -> Result<Vec<RecordBatch>> {
        let stream = self
            .builder()
            .with_batch_size(BATCH_ROWS)
            .with_limit(SAMPLE);
        let mut rows = Rows {
            lake: self.lake,
            stream: Some(stream.build()?),
        };
        let mut sample = Vec::new();
        while let Some(batch) = rows.next()? {
            sample.push(batch);
        }
        Ok(sample)
    }

    /// The rows of a row group, with the columns `chosen` and all text.
    fn rows(&self, group: usize, chosen: &[Chosen]) -> Result<Rows<'a>> {
        let builder = self.builder();
        let roots = builder.schema().fields().iter().enumerate();
        let roots = roots.filter(|(_, field)| {
            let is_chosen = |one: &Chosen| one.path.first() == Some(field.name());
            TEXTS.contains(&field.name().as_str()) || chosen.iter().any(is_chosen)
        });
        let roots: Vec<usize> = roots.map(|(at, _)| at).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let stream = builder
            .with_projection(mask)
            .with_row_groups(vec![group])
            .with_batch_size(BATCH_ROWS);
        Ok(Rows {
            lake: self.lake,
            stream: Some(stream.build()?),
        })
    }

    fn builder(&self) -> ParquetRecordBatchStreamBuilder<Fetch> {
        let fetch = self.fetch.clone();
        ParquetRecordBatchStreamBuilder::new_with_metadata(fetch, self.metadata.clone())
    }
}

impl Rows<'_> {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(mut stream) = self.stream.take() else {
            return Ok(None);
        };
        let (stream, batch) = self.lake.wait(async move {
            let batch = stream.try_next().await;
            (stream, batch)
        })?;
        self.stream = Some(stream);
        batch.map_err(unreadable)
    }
}

fn unreadable(error: ParquetError) -> Error {
    let text = "a file can't be read";
    match error {
        // What the store said, which may be another answer next time.
        ParquetError::External(source) => match source.downcast::<object_store::Error>() {
            Ok(error) => Error::from(*error),
            Err(source) => Error::unavailable(text).with_source(source),
        },
        error => Error::data(text).with_source(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p22_files_of_any_time_of_upload_are_due_or_not() {
        let policy = Compaction::default();
        for (modified_ms, many) in [(i64::MIN, 1), (0, 1), (i64::MAX, 0)] {
            let files = [Arc::new(DataFile {
                modified_ms,
                ..DataFile::default()
            })];
            let due = due(&files, &BTreeSet::new(), &policy, 1_795_521_600_000);
            assert_eq!(due.len(), many, "{modified_ms}");
        }
    }
}
