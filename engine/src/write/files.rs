//! The files of a cut: encoded and uploaded a few at a time, so that a cut of thousands of
//! partitions holds no more than a few of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use bytes::Bytes;
use futures::future::try_join_all;

use crate::commit::DataFile;
use crate::elide::{Raw, elide, is_possible, shape_field};
use crate::encode::encode;
use crate::error::Result;
use crate::fault;
use crate::partition::Values;
use crate::path::{data_file, partition_folder};
use crate::schema::{decide, detect, envelope_schema, grow, project, union};
use crate::write::gather::{PartitionRows, by_partition};
use crate::write::job::Run;
use crate::write::upload::{PART_BYTES, upload, write_journal};

/// Files that are uploaded at once, which hides the store's latency: a few when they are small, one
/// when it is large.
const UPLOADS_AT_ONCE: usize = 8;

impl Run {
    /// Writes one file per partition. Columns are reserved before, so that every file is written
    /// under the names that won (P11), and the journal names every file before the first is
    /// uploaded: the files are as old as their journal, since whoever removes orphans goes by it
    /// (P14).
    pub(super) fn write_files(&mut self) -> Result<Vec<DataFile>> {
        let live = self.plan.live.iter();
        let batches: Vec<RecordBatch> =
            live.flat_map(|live| live.batches.iter().cloned()).collect();
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let batches = decide(&self.log.schema(), batches)?;
        let batches = detect(&self.log.schema(), batches, self.plan.detect)?;
        let elides = self.plan.raw == Raw::Elide && is_possible(&self.log.schema());
        let mut discovered = columns(&batches);
        if elides {
            let shape = Schema::new(vec![shape_field()]);
            discovered = grow(&discovered, &shape).unwrap_or(discovered);
        }
        let reserved = self.until_settled("reserve columns", |run| run.log.reserve(&discovered))?;
        fault::point("before_encode");
        let parts = by_partition(&batches, &std::mem::take(&mut self.plan.placements))?;
        let named: Vec<Part> = parts
            .into_iter()
            .map(|(values, rows)| self.part(values, rows))
            .collect();
        fault::point("before_upload");
        let begun_us = self.journal(&named)?;
        let (mut files, mut waiting) = (Vec::with_capacity(named.len()), Waiting::default());
        let batches: Arc<[RecordBatch]> = batches.into();
        for part in named {
            let rows = part.rows;
            let (batches, reserved) = (Arc::clone(&batches), Arc::clone(&reserved));
            let spare = self.lake.spare().clone();
            let encoded = self.lake.compute(move || {
                let mut rows = rows.gather(&batches)?;
                if elides {
                    rows = elide(rows)?;
                }
                let file_schema = Arc::new(project(&reserved, &columns(&rows))?);
                encode(&rows, &file_schema, &spare)
            });
            let file = encoded??;
            files.push(DataFile {
                path: part.path.clone(),
                size: file.bytes.len() as u64,
                modified_ms: begun_us.div_euclid(1_000),
                partition_values: part.values,
                rows: file.rows,
                stats_json: file.stats_json,
            });
            waiting.push(part.path, file.bytes);
            if waiting.is_full() {
                self.upload(&std::mem::take(&mut waiting))?;
            }
        }
        self.upload(&waiting)?;
        fault::point("after_upload");
        Ok(files)
    }

    /// A new file for the rows of a partition.
    fn part(&self, values: Values, rows: PartitionRows) -> Part {
        let columns = self.log.partitioning().columns();
        let folder = partition_folder(columns, &values);
        Part {
            path: data_file(&folder, self.lake.clock().new_id()),
            values: columns.iter().cloned().zip(values).collect(),
            rows,
        }
    }

    /// Answers when the files count as begun, in microseconds since the Unix epoch.
    fn journal(&mut self, named: &[Part]) -> Result<i64> {
        let names: Vec<String> = named.iter().map(|part| part.path.clone()).collect();
        let begun_us = self.lake.clock().now_us();
        self.until_settled("journal an upload", |run| {
            let (lake, table) = (run.lake.clone(), run.plan.table.clone());
            let (id, names) = (run.plan.id, names.clone());
            let journal = async move { write_journal(&lake, &table, id, &names, begun_us).await };
            run.lake.wait(journal)?
        })?;
        self.journaled = true;
        Ok(begun_us)
    }

    fn upload(&mut self, waiting: &Waiting) -> Result<()> {
        if waiting.files.is_empty() {
            return Ok(());
        }
        self.until_settled("upload files", |run| {
            let (lake, files) = (run.lake.clone(), waiting.files.clone());
            let table = run.plan.table.clone();
            let sent = async move {
                let uploads = files.into_iter().map(|(path, bytes)| {
                    let (lake, object) = (&lake, table.object(&path));
                    async move { upload(lake, &object, bytes).await }
                });
                try_join_all(uploads).await.map(drop)
            };
            run.lake.wait(sent)?
        })
    }
}

/// A file to be written: where it goes, its partition's values by column, its rows.
struct Part {
    path: String,
    values: BTreeMap<String, Option<String>>,
    rows: PartitionRows,
}

/// Encoded files on their way out.
#[derive(Default)]
struct Waiting {
    files: Vec<(String, Bytes)>,
    bytes: usize,
}

impl Waiting {
    fn push(&mut self, path: String, bytes: Bytes) {
        self.bytes += bytes.len();
        self.files.push((path, bytes));
    }

    fn is_full(&self) -> bool {
        self.files.len() >= UPLOADS_AT_ONCE || self.bytes >= PART_BYTES
    }
}

/// Every column of `batches`, under provisional names.
fn columns(batches: &[RecordBatch]) -> Schema {
    let envelope = envelope_schema();
    let found = union(batches.iter().map(|batch| batch.schema_ref().as_ref()));
    grow(&envelope, &found).unwrap_or(envelope)
}
