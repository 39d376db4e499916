//! The files of a cut: encoded and uploaded a few at a time, so that a cut of thousands of days
//! holds no more than a few of them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use bytes::Bytes;
use futures::future::try_join_all;

use crate::commit::DataFile;
use crate::elide::{Raw, elide, is_possible, shape_field};
use crate::encode::{Encoded, encode};
use crate::error::Result;
use crate::fault;
use crate::path::data_file;
use crate::schema::{decide, envelope_schema, grow, project, union};
use crate::write::day::{DayRows, by_day, day_text};
use crate::write::job::Run;
use crate::write::upload::{PART_BYTES, upload, write_journal};

/// Files that are uploaded at once, which hides the store's latency: a few when they are small, one
/// when it is large.
const UPLOADS_AT_ONCE: usize = 8;

impl Run {
    /// Writes one file per day. Columns are reserved before, so that every file is written under
    /// the names that won (P11), and the journal names every file before the first is uploaded: the
    /// files are as old as their journal, since whoever removes orphans goes by it (P14).
    pub(super) fn write_files(&mut self) -> Result<Vec<DataFile>> {
        let live = self.plan.live.iter();
        let batches: Vec<RecordBatch> =
            live.flat_map(|live| live.batches.iter().cloned()).collect();
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let batches = decide(&self.log.schema(), batches)?;
        let elides = self.plan.raw == Raw::Elide && is_possible(&self.log.schema());
        let mut discovered = columns(&batches);
        if elides {
            let shape = Schema::new(vec![shape_field()]);
            discovered = grow(&discovered, &shape).unwrap_or(discovered);
        }
        let reserved = self.until_settled("reserve columns", |run| run.log.reserve(&discovered))?;
        fault::point("before_encode");
        let days = by_day(&batches, self.lake.clock().now_us())?;
        let named: Vec<(String, DayRows)> = days
            .into_iter()
            .map(|(day, rows)| (data_file(&day_text(day), self.lake.clock().new_id()), rows))
            .collect();
        fault::point("before_upload");
        let begun_us = self.journal(&named)?;
        let (mut files, mut waiting) = (Vec::with_capacity(named.len()), Waiting::default());
        let batches: Arc<[RecordBatch]> = batches.into();
        for (path, rows) in named {
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
            files.push(data_file_of(path.clone(), &file, begun_us));
            waiting.push(path, file.bytes);
            if waiting.is_full() {
                self.upload(&std::mem::take(&mut waiting))?;
            }
        }
        self.upload(&waiting)?;
        fault::point("after_upload");
        Ok(files)
    }

    /// Answers when the files count as begun, in microseconds since the Unix epoch.
    fn journal(&mut self, named: &[(String, DayRows)]) -> Result<i64> {
        let names: Vec<String> = named.iter().map(|(path, _)| path.clone()).collect();
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

fn data_file_of(path: String, file: &Encoded, begun_us: i64) -> DataFile {
    let day = path
        .split_once('/')
        .and_then(|(folder, _)| folder.strip_prefix("dt="))
        .map(ToOwned::to_owned);
    DataFile {
        path,
        size: file.bytes.len() as u64,
        modified_ms: begun_us.div_euclid(1_000),
        partition_values: [("dt".to_owned(), day)].into(),
        rows: file.rows,
        stats_json: file.stats_json.clone(),
    }
}

/// Every column of `batches`, under provisional names.
fn columns(batches: &[RecordBatch]) -> Schema {
    let envelope = envelope_schema();
    let found = union(batches.iter().map(|batch| batch.schema_ref().as_ref()));
    grow(&envelope, &found).unwrap_or(envelope)
}
