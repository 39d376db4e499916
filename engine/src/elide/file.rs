//! Which rows of a file give up their bytes.

use std::cmp::Reverse;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatchOptions;
use hashbrown::HashMap;

use super::node::{Column, Node};
use super::program::Program;
use super::shape::Shaper;
use crate::error::{Error, Result};
use crate::schema::{KIND, VALUE, VALUE_SHAPE};
use crate::shred::{Tape, Token};

/// A shape is worth it from so many bytes of values on for each byte of its own: it is in the
/// file's dictionary once and compresses as well as they do.
const GAIN: usize = 2;

/// The bytes of a file's shapes at most: what a dictionary holds.
const SHAPES_BYTES: usize = 1 << 20;

/// The bytes of all shapes that are looked at, before the frequent ones are known.
const SEEN_BYTES: usize = 16 << 20;

/// Whether a table with these columns can have a column for shapes: not when a key of its records
/// took that name before there were any.
pub(crate) fn is_possible(reserved: &Schema) -> bool {
    let mut fields = reserved.fields().iter();
    !fields.any(|field| {
        field.name().eq_ignore_ascii_case(VALUE_SHAPE) && field.metadata().contains_key(KIND)
    })
}

/// The column for shapes.
pub(crate) fn shape_field() -> Field {
    Field::new(VALUE_SHAPE, DataType::Utf8, true)
}

/// The rows of one file, as they are to be written: where a row's bytes are exactly what its shape
/// makes of its columns, they are left out and the shape stands beside.
///
/// # Errors
/// `Internal` for batches that the shredder did not make.
pub(crate) fn elide(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
    let roots: Vec<Node> = batches
        .iter()
        .map(|batch| Node::of_fields(batch.schema_ref().fields()))
        .collect();
    let mut seen = Seen::new();
    let mut rows = Vec::with_capacity(batches.len());
    for (batch, root) in batches.iter().zip(&roots) {
        rows.push(seen.look(batch, root)?);
    }
    seen.choose();
    let parts = batches.into_iter().zip(&roots).zip(rows);
    parts
        .map(|((batch, root), rows)| seen.without_bytes(batch, root, &rows))
        .collect()
}

/// The shapes of a file's rows.
struct Seen {
    shaper: Shaper,
    tape: Tape,
    ids: HashMap<Box<str>, usize>,
    /// By id.
    shapes: Vec<Seeing>,
    bytes: usize,
}

/// One shape.
struct Seeing {
    shape: Box<str>,
    /// The bytes that it stands for.
    value_bytes: usize,
    chosen: bool,
}

impl Seen {
    fn new() -> Self {
        Self {
            shaper: Shaper::new(),
            tape: Tape::default(),
            ids: HashMap::new(),
            shapes: Vec::new(),
            bytes: 0,
        }
    }

    /// The id of each row's shape.
    fn look(&mut self, batch: &RecordBatch, root: &Node) -> Result<Vec<Option<usize>>> {
        let values = values(batch)?;
        let errors = batch.column_by_name("_error");
        let columns = Column::of_arrays(batch.columns());
        let mut rows = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let good = errors.is_none_or(|errors| errors.is_null(row));
            let value = (good && values.is_valid(row)).then(|| values.value(row));
            let id = value.and_then(|value| self.id(value, (root, &columns), row));
            if let (Some(value), Some(shape)) = (value, id.and_then(|id| self.shapes.get_mut(id))) {
                shape.value_bytes += value.len();
            }
            rows.push(id);
        }
        Ok(rows)
    }

    fn id(&mut self, value: &[u8], columns: (&Node, &[Column<'_>]), row: usize) -> Option<usize> {
        self.tape.parse(value).ok()?;
        let tape = self.tape.entries.as_slice();
        if tape.first()?.token != Token::Object {
            return None;
        }
        let shape = self.shaper.shape((tape, value), columns, row)?;
        let shape = std::str::from_utf8(shape).ok()?;
        if let Some(id) = self.ids.get(shape) {
            return Some(*id);
        }
        if self.bytes + shape.len() > SEEN_BYTES {
            return None;
        }
        self.bytes += shape.len();
        let id = self.shapes.len();
        self.ids.insert(shape.into(), id);
        self.shapes.push(Seeing {
            shape: shape.into(),
            value_bytes: 0,
            chosen: false,
        });
        Some(id)
    }

    /// Chooses the shapes that pay, those first that stand for most.
    fn choose(&mut self) {
        let mut paying: Vec<&mut Seeing> = self
            .shapes
            .iter_mut()
            .filter(|one| one.value_bytes >= one.shape.len().saturating_mul(GAIN))
            .collect();
        paying.sort_by_key(|one| Reverse(one.value_bytes / one.shape.len().max(1)));
        let mut room = SHAPES_BYTES;
        for one in paying {
            let Some(left) = room.checked_sub(one.shape.len()) else {
                break;
            };
            room = left;
            one.chosen = true;
        }
    }

    /// The id of a row's shape, if it is chosen. A row from before the ways of its producer were
    /// known may have another by now.
    fn chosen(
        &mut self,
        value: &[u8],
        columns: (&Node, &[Column<'_>]),
        row: usize,
        id: usize,
    ) -> Option<usize> {
        let is_chosen = |seen: &Self, id: usize| seen.shapes.get(id).is_some_and(|one| one.chosen);
        if is_chosen(self, id) {
            return Some(id);
        }
        let id = self.id(value, columns, row)?;
        is_chosen(self, id).then_some(id)
    }

    fn without_bytes(
        &mut self,
        batch: RecordBatch,
        root: &Node,
        ids: &[Option<usize>],
    ) -> Result<RecordBatch> {
        let values = values(&batch)?;
        let columns = Column::of_arrays(batch.columns());
        let mut programs: HashMap<usize, Option<Program>> = HashMap::new();
        let mut out = Vec::new();
        let mut elided: Vec<Option<usize>> = Vec::with_capacity(ids.len());
        for (row, id) in ids.iter().enumerate() {
            let value = values.value(row);
            let id = id.and_then(|id| self.chosen(value, (root, &columns), row, id));
            let verified = id.filter(|id| {
                let shape = self.shapes.get(*id).map_or("", |one| &one.shape);
                let program = programs
                    .entry(*id)
                    .or_insert_with(|| Program::compile(shape.as_bytes(), root));
                out.clear();
                let program = program.as_ref();
                program.is_some_and(|one| one.write(&columns, row, &mut out).is_some())
                    && out == value
            });
            elided.push(verified);
        }
        if elided.iter().all(Option::is_none) {
            return Ok(batch);
        }
        let shapes: StringArray = elided
            .iter()
            .map(|id| Some(self.shapes.get((*id)?)?.shape.as_ref()))
            .collect();
        let kept: BinaryArray = (0..values.len())
            .map(|row| {
                let stays = shapes.is_null(row) && values.is_valid(row);
                stays.then(|| values.value(row))
            })
            .collect();
        with_shapes(&batch, Arc::new(kept), Arc::new(shapes))
    }
}

fn with_shapes(batch: &RecordBatch, kept: ArrayRef, shapes: ArrayRef) -> Result<RecordBatch> {
    let mut fields: Vec<_> = batch.schema_ref().fields().iter().cloned().collect();
    let mut arrays = batch.columns().to_vec();
    let value = fields
        .iter()
        .position(|field| field.name() == VALUE && !field.metadata().contains_key(KIND));
    if let Some(array) = value.and_then(|at| arrays.get_mut(at)) {
        *array = kept;
    }
    fields.push(Arc::new(shape_field()));
    arrays.push(shapes);
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        arrays,
        &options,
    )?)
}

fn values(batch: &RecordBatch) -> Result<&BinaryArray> {
    let values = batch.column_by_name(VALUE);
    values
        .and_then(|values| values.as_binary_opt::<i32>())
        .ok_or_else(|| Error::internal(format!("a batch without `{VALUE}`")))
}
