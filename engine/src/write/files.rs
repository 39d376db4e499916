//! The files of a cut: encoded and uploaded a few at a time, so that a cut of thousands of
//! partitions holds no more than a few of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::try_join_all;
use object_store::path::Path;
use uuid::Uuid;

use crate::commit::DataFile;
use crate::elide::{Raw, elide, is_possible, shape_field};
use crate::encode::{Form, encode};
use crate::error::{Error, Result};
use crate::fault;
use crate::layout::{Format, file_of};
use crate::partition::Values;
use crate::path::{data_file, partition_folder, suffixed};
use crate::schema::{Detect, decide, detect, envelope_schema, grow, project, union};
use crate::write::assign::sealing;
use crate::write::gather::{PartitionRows, by_partition};
use crate::write::job::Run;
use crate::write::journal::{Named, write_journal_of};
use crate::write::upload::{PART_BYTES, create, upload};

/// Files that are uploaded at once, which hides the store's latency: a few when they are small, one
/// when it is large.
const UPLOADS_AT_ONCE: usize = 8;

/// Journals that are written at once.
const JOURNALS_AT_ONCE: usize = 16;

impl Run {
    /// Writes one file per partition, in a foreign layout one per rotation too. Columns are
    /// reserved before, so that every file is written under the names that won (P11), and the
    /// journal names every file before the first is uploaded: the files are as old as their
    /// journal, since whoever removes orphans goes by it (P14).
    pub(super) fn write_files(&mut self) -> Result<Vec<DataFile>> {
        let live = self.plan.live.iter();
        let batches: Vec<RecordBatch> =
            live.flat_map(|live| live.batches.iter().cloned()).collect();
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        sealing(&self.log, self.plan.key.as_ref())?;
        let elides = self.plan.raw == Raw::Elide && is_possible(&self.log.schema());
        let (batches, found, reserved) = self.reserve(batches, elides)?;
        fault::point("before_encode");
        let parts = by_partition(&batches, &std::mem::take(&mut self.plan.placements))?;
        let named = self.name(parts, &batches)?;
        fault::point("before_upload");
        let begun_us = self.journal(&named)?;
        let (mut files, mut waiting) = (Vec::with_capacity(named.len()), Waiting::default());
        let batches: Arc<[RecordBatch]> = batches.into();
        let form = self.form();
        // A file of all rows has all columns.
        let all = (named.len() == 1 && !elides).then(|| Arc::new(found));
        for part in named {
            let (rows, all) = (part.rows, all.clone());
            let (batches, reserved) = (Arc::clone(&batches), Arc::clone(&reserved));
            let (spare, form) = (self.lake.spare().clone(), form.clone());
            let encoded = self.lake.compute(move || {
                let mut rows = rows.gather(&batches)?;
                if elides {
                    rows = elide(rows)?;
                }
                let found = all.unwrap_or_else(|| Arc::new(columns(&rows)));
                let file_schema = Arc::new(project(&reserved, &found)?);
                encode(&rows, &file_schema, &form, &spare)
            });
            let file = encoded??;
            let data = DataFile {
                path: part.path,
                size: file.bytes.len() as u64,
                modified_ms: begun_us.div_euclid(1_000),
                partition_values: part.values,
                rows: file.rows,
                stats_json: file.stats_json,
            };
            self.finish_file(data, (part.partition, file.bytes), &mut waiting, &mut files)?;
        }
        self.upload(waiting, &mut files)?;
        fault::point("after_upload");
        Ok(files)
    }

    /// The batches with the types that their columns are to have, these columns, and the table's,
    /// which has them all.
    fn reserve(
        &mut self,
        mut batches: Vec<RecordBatch>,
        elides: bool,
    ) -> Result<(Vec<RecordBatch>, Schema, SchemaRef)> {
        let (known, looks) = (self.log.schema(), self.plan.detect);
        let mut found = columns(&batches);
        if !elides && looks == Detect::default() && grow(&known, &found).is_none() {
            // As nearly always: nothing is new.
            return Ok((batches, found, known));
        }
        batches = detect(&known, decide(&known, batches)?, looks)?;
        found = columns(&batches);
        if elides {
            found = union([&found, &Schema::new(vec![shape_field()])]);
        }
        let reserved = self.until_settled("reserve columns", |run| run.log.reserve(&found))?;
        Ok((batches, found, reserved))
    }

    /// Uploads what waits, if that is enough.
    pub(super) fn finish_file(
        &mut self,
        file: DataFile,
        (partition, bytes): (Option<i32>, Bytes),
        waiting: &mut Waiting,
        files: &mut Vec<DataFile>,
    ) -> Result<()> {
        waiting.push(files.len(), partition, bytes);
        files.push(file);
        match waiting.is_full() {
            true => self.upload(std::mem::take(waiting), files),
            false => Ok(()),
        }
    }

    /// How the files are written.
    fn form(&self) -> Form {
        match self.plan.layout.foreign().map(|foreign| &foreign.format) {
            Some(Format::Parquet(codec)) => Form {
                codec: *codec,
                mark: Some(self.plan.id),
                key: None,
            },
            Some(Format::Flat(_)) | None => Form {
                key: self.plan.key.clone(),
                ..Form::default()
            },
        }
    }

    pub(super) fn name(
        &self,
        parts: BTreeMap<Values, PartitionRows>,
        batches: &[RecordBatch],
    ) -> Result<Vec<Part>> {
        let Some(foreign) = self.plan.layout.foreign() else {
            let parts = parts.into_iter();
            return Ok(parts
                .map(|(values, rows)| self.part(values, rows))
                .collect());
        };
        let mut taken = BTreeSet::new();
        let named = parts.into_iter().map(|(values, rows)| {
            let first = rows.first_offset(batches)?;
            let file = file_of(&self.plan.topic, &values, first);
            let key = foreign.names.key(&file);
            let mut path = self.lake.logged(&self.plan.table, &key);
            // A template may name two files of one cut alike.
            if !taken.insert(path.clone()) {
                path = suffixed(&path, self.lake.clock().new_id());
            }
            Ok(Part {
                path,
                partition: Some(file.partition),
                values: BTreeMap::new(),
                rows,
            })
        });
        named.collect()
    }

    /// A new file for the rows of a partition.
    fn part(&self, values: Values, rows: PartitionRows) -> Part {
        let columns = self.log.partitioning().columns();
        let folder = partition_folder(columns, &values);
        Part {
            path: data_file(&folder, self.lake.clock().new_id()),
            partition: None,
            values: columns.iter().cloned().zip(values).collect(),
            rows,
        }
    }

    /// Answers when the files count as begun, in microseconds since the Unix epoch.
    pub(super) fn journal(&mut self, named: &[Part]) -> Result<i64> {
        let begun_us = self.lake.clock().now_us();
        let mut journals: BTreeMap<Option<i32>, Vec<String>> = BTreeMap::new();
        for part in named {
            journals
                .entry(part.partition)
                .or_default()
                .push(part.path.clone());
        }
        self.write_journals(journals, begun_us)?;
        Ok(begun_us)
    }

    /// Writes a journal for the files of each Kafka partition; in the native layout, for all.
    fn write_journals(
        &mut self,
        journals: BTreeMap<Option<i32>, Vec<String>>,
        begun_us: i64,
    ) -> Result<()> {
        let (mark, apart) = (self.plan.id, self.plan.layout.flat().is_some());
        let journals: Vec<_> = journals
            .into_iter()
            .map(|(partition, files)| match partition {
                None => (mark, None, files),
                Some(partition) => (self.lake.clock().new_id(), Some((partition, mark)), files),
            })
            .collect();
        let ids: Vec<Uuid> = journals.iter().map(|(id, _, _)| *id).collect();
        self.until_settled("journal an upload", |run| {
            let (lake, table) = (run.lake.clone(), run.plan.table.clone());
            let journals = journals.clone();
            let written = async move {
                let writes = journals.iter().map(|(id, foreign, files)| {
                    let named = Named {
                        files,
                        foreign: *foreign,
                        apart,
                        ..Named::default()
                    };
                    write_journal_of(&lake, &table, *id, named, begun_us)
                });
                let writes: Vec<_> = writes.collect();
                let mut writes = futures::stream::iter(writes).buffer_unordered(JOURNALS_AT_ONCE);
                while let Some(written) = writes.next().await {
                    written?;
                }
                Ok(())
            };
            run.lake.wait(written)?
        })?;
        self.journals.extend(ids);
        Ok(())
    }

    /// Uploads what waits. A foreign name that is taken gets a suffix, and the file its new name
    /// (P13).
    pub(super) fn upload(&mut self, waiting: Waiting, files: &mut [DataFile]) -> Result<()> {
        let mut left = waiting.files;
        while !left.is_empty() {
            let mut named = Vec::with_capacity(left.len());
            for (at, _, bytes) in &left {
                let path = files
                    .get(*at)
                    .map(|file| file.path.as_str())
                    .unwrap_or_default();
                named.push((*at, self.plan.table.object(path), bytes.clone()));
            }
            let taken = self.send(named)?;
            left.retain(|(at, _, _)| taken.contains(at));
            let mut journals: BTreeMap<Option<i32>, Vec<String>> = BTreeMap::new();
            for (at, partition, _) in &left {
                if let Some(file) = files.get_mut(*at) {
                    let path = suffixed(&file.path, self.lake.clock().new_id());
                    tracing::warn!(taken = file.path, %path, "a file's name is taken");
                    file.path.clone_from(&path);
                    journals.entry(*partition).or_default().push(path);
                }
            }
            if !journals.is_empty() {
                let begun_us = files.first().map_or(0, |file| file.modified_ms * 1_000);
                self.write_journals(journals, begun_us)?;
            }
        }
        Ok(())
    }

    /// Answers which of the files' names are taken.
    fn send(&mut self, named: Vec<(usize, Path, Bytes)>) -> Result<Vec<usize>> {
        let mark = self.plan.layout.foreign().map(|_| self.plan.id);
        let bare = self.plan.layout.flat().is_some();
        self.until_settled("upload files", |run| {
            let (lake, files) = (run.lake.clone(), named.clone());
            let sent = async move {
                let uploads = files.into_iter().map(|(at, object, bytes)| {
                    let lake = &lake;
                    async move {
                        let created = match mark {
                            Some(mark) => create(lake, &object, bytes, mark, bare).await?,
                            None => upload(lake, &object, bytes).await.map(|()| true)?,
                        };
                        Ok::<_, Error>((!created).then_some(at))
                    }
                });
                let sent = try_join_all(uploads).await?;
                Ok(sent.into_iter().flatten().collect())
            };
            run.lake.wait(sent)?
        })
    }
}

/// A file to be written: where it goes, its partition's values by column, its rows; in a foreign
/// layout the Kafka partition that they are of.
pub(super) struct Part {
    pub(super) path: String,
    pub(super) partition: Option<i32>,
    values: BTreeMap<String, Option<String>>,
    pub(super) rows: PartitionRows,
}

/// Encoded files on their way out: the place of each among the cut's, its Kafka partition in a
/// foreign layout, its bytes.
#[derive(Default)]
pub(super) struct Waiting {
    files: Vec<(usize, Option<i32>, Bytes)>,
    bytes: usize,
}

impl Waiting {
    fn push(&mut self, at: usize, partition: Option<i32>, bytes: Bytes) {
        self.bytes += bytes.len();
        self.files.push((at, partition, bytes));
    }

    fn is_full(&self) -> bool {
        self.files.len() >= UPLOADS_AT_ONCE || self.bytes >= PART_BYTES
    }
}

/// Every column of `batches`, under provisional names, and all of the envelope.
fn columns(batches: &[RecordBatch]) -> Schema {
    let batches = batches.iter().map(|batch| batch.schema_ref().as_ref());
    union(std::iter::once(&envelope_schema()).chain(batches))
}
