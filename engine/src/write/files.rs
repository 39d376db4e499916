//! The files of a cut: named and encoded, and uploaded (`going`) a few at a time, so that a cut of
//! thousands of partitions holds no more than a few of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use crate::commit::DataFile;
use crate::elide::{Raw, elide, is_possible, shape_field};
use crate::encode::{Form, encode};
use crate::error::Result;
use crate::fault;
use crate::flat::{Apart, Order, classes};
use crate::layout::{Format, Holds, file_of};
use crate::partition::Values;
use crate::path::{data_file, partition_folder, suffixed};
use crate::read::filtered::Beside;
use crate::schema::{Detect, decide, detect, envelope_schema, grow, project, union};
use crate::write::assign::sealing;
use crate::write::gather::{PartitionRows, by_partition};
use crate::write::going::{Waiting, What};
use crate::write::job::Run;

impl Run {
    /// Writes one file per partition, in a foreign layout one per rotation too. Columns are
    /// reserved before, so that every file is written under the names that won (P11), and the
    /// journal names every file before the first is uploaded: the files are as old as their
    /// journal, since whoever removes orphans goes by it (P14).
    pub(super) fn write_files(&mut self) -> Result<(Vec<DataFile>, Option<Beside>)> {
        let live = self.plan.live.iter();
        let batches: Vec<RecordBatch> =
            live.flat_map(|live| live.batches.iter().cloned()).collect();
        if batches.is_empty() {
            return Ok((Vec::new(), None));
        }
        sealing(&self.log, self.plan.key.as_ref())?;
        let elides = self.plan.raw == Raw::Elide && is_possible(&self.log.schema());
        let (batches, found, reserved) = self.reserve(batches, elides)?;
        fault::point("before_encode");
        let parts = by_partition(&batches, &std::mem::take(&mut self.plan.placements))?;
        let parts = self.apart(parts, &batches, Vec::new())?;
        let named = self.name(parts, &batches)?;
        fault::point("before_upload");
        let begun_us = self.journal(&named, What::Files)?;
        let mut files = Vec::with_capacity(named.len());
        let mut waiting = Waiting::new(What::Files);
        let batches: Arc<[RecordBatch]> = batches.into();
        let form = self.form();
        // A file of all rows has all columns.
        let all = (named.len() == 1 && !elides).then(|| Arc::new(found));
        for part in &named {
            let (rows, all) = (Arc::clone(&part.rows), all.clone());
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
                path: part.path.clone(),
                size: file.bytes.len() as u64,
                modified_ms: begun_us.div_euclid(1_000),
                partition_values: part.values.clone(),
                rows: file.rows,
                stats_json: file.stats_json,
            };
            let going = self.going(part, file.rows, file.bytes);
            self.finish_file(data, going, &mut waiting, &mut files)?;
        }
        self.upload(waiting, &mut files)?;
        let sides = self.write_sides(&named, &batches, (begun_us, Order::Rows))?;
        fault::point("after_upload");
        let beside = (!sides.is_empty()).then(|| Beside {
            sides,
            ..Beside::default()
        });
        Ok((files, beside))
    }

    /// The rows of each file, of which those in files of their own are told apart by `more` than
    /// what the layout's objects beside them are.
    pub(super) fn apart(
        &self,
        parts: BTreeMap<Values, PartitionRows>,
        batches: &[RecordBatch],
        more: Vec<Apart>,
    ) -> Result<Vec<(Values, PartitionRows)>> {
        let sides = self.plan.layout.sides().iter();
        let sides = sides.flat_map(|side| match &side.holds {
            Holds::Flat(flat) => flat.apart(),
            Holds::Column(..) => Vec::new(),
        });
        let by: BTreeSet<Apart> = sides.chain(more).collect();
        let mut parts: Vec<_> = parts.into_iter().collect();
        for by in by {
            let of = |batch| classes(batch, by, &self.plan.book);
            let classes: Vec<_> = batches.iter().map(of).collect::<Result<_>>()?;
            let mut split = Vec::with_capacity(parts.len());
            for (values, rows) in parts {
                let rows = rows.split(&classes)?.into_iter();
                split.extend(rows.map(|rows| (values.clone(), rows)));
            }
            parts = split;
        }
        Ok(parts)
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
        parts: Vec<(Values, PartitionRows)>,
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
            let ends = rows.ends(batches)?;
            let file = file_of(&self.plan.topic, &values, ends.0);
            let mut free = |key: String| {
                let path = self.lake.logged(&self.plan.table, &key);
                // A template may name two files of one cut alike.
                match taken.insert(path.clone()) {
                    true => path,
                    false => suffixed(&path, self.lake.clock().new_id()),
                }
            };
            let path = free(foreign.names.key(&file));
            let sides = foreign.sides.iter();
            let sides = sides.map(|side| free(foreign.names.side(&file, &side.extension)));
            Ok(Part {
                path,
                sides: sides.collect(),
                partition: Some(file.partition),
                values: BTreeMap::new(),
                ends,
                rows: Arc::new(rows),
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
            sides: Vec::new(),
            partition: None,
            values: columns.iter().cloned().zip(values).collect(),
            ends: (0, 0),
            rows: Arc::new(rows),
        }
    }
}

/// A file to be written: where it goes, its partition's values by column, its rows; in a foreign
/// layout the Kafka partition that they are of, their first and last offset, and the names of what
/// lies beside it.
pub(super) struct Part {
    pub(super) path: String,
    pub(super) sides: Vec<String>,
    pub(super) partition: Option<i32>,
    values: BTreeMap<String, Option<String>>,
    pub(super) ends: (i64, i64),
    pub(super) rows: Arc<PartitionRows>,
}

/// Every column of `batches`, under provisional names, and all of the envelope.
fn columns(batches: &[RecordBatch]) -> Schema {
    let batches = batches.iter().map(|batch| batch.schema_ref().as_ref());
    union(std::iter::once(&envelope_schema()).chain(batches))
}
