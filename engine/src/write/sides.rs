//! What lies beside each file of a foreign layout: the keys of its records, or their headers, in
//! objects of their own. They come with the file's commit, and like it are only created.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;

use crate::commit::DataFile;
use crate::encode::{Form, encode};
use crate::error::Result;
use crate::flat::{Book, Order, column};
use crate::layout::Holds;
use crate::spare::Spare;
use crate::write::files::Part;
use crate::write::going::{Waiting, What};
use crate::write::job::Run;

impl Run {
    /// Writes the objects beside `named`, which began at a time, with the records in the order that
    /// the files have them in.
    pub(super) fn write_sides(
        &mut self,
        named: &[Part],
        batches: &Arc<[RecordBatch]>,
        (begun_us, order): (i64, Order),
    ) -> Result<Vec<DataFile>> {
        let sides: Arc<[Holds]> = self
            .plan
            .layout
            .sides()
            .iter()
            .map(|one| one.holds.clone())
            .collect();
        let (mut objects, mut waiting) = (Vec::new(), Waiting::new(What::Sides));
        for part in named.iter().filter(|part| !part.sides.is_empty()) {
            let (rows, batches) = (Arc::clone(&part.rows), Arc::clone(batches));
            let with = With {
                book: Arc::clone(&self.plan.book),
                id: self.plan.id,
                spare: self.lake.spare().clone(),
                order,
            };
            let sides = Arc::clone(&sides);
            let made = self.lake.compute(move || {
                let rows = rows.gather(&batches)?;
                sides
                    .iter()
                    .map(|side| with.object(side, &rows))
                    .collect::<Result<Vec<_>>>()
            });
            for (path, (bytes, records)) in part.sides.iter().zip(made??) {
                let object = DataFile {
                    path: path.clone(),
                    size: bytes.len() as u64,
                    modified_ms: begun_us.div_euclid(1_000),
                    rows: records,
                    ..DataFile::default()
                };
                let going = self.going(part, records, bytes);
                self.finish_file(object, going, &mut waiting, &mut objects)?;
            }
        }
        self.upload(waiting, &mut objects)?;
        Ok(objects)
    }
}

/// What an object is made with.
struct With {
    book: Arc<Book>,
    id: uuid::Uuid,
    spare: Spare,
    order: Order,
}

impl With {
    /// The object of the rows, and how many records it holds.
    fn object(&self, side: &Holds, rows: &[RecordBatch]) -> Result<(Bytes, u64)> {
        match side {
            Holds::Flat(flat) => flat.object(rows, self.order, (&self.book, self.id)),
            Holds::Column(part, codec) => {
                let rows = column(rows, *part)?;
                let form = Form {
                    codec: *codec,
                    mark: Some(self.id),
                    key: None,
                };
                let file = encode(
                    std::slice::from_ref(&rows),
                    rows.schema_ref(),
                    &form,
                    &self.spare,
                )?;
                Ok((file.bytes, file.rows))
            }
        }
    }
}
