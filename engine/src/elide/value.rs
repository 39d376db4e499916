//! `_value` of rows, whatever is stored of it: the one place where its bytes come from.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, RecordBatch, StringArray,
};
use arrow::datatypes::{Fields, Schema};
use arrow::record_batch::RecordBatchOptions;
use hashbrown::HashMap;

use super::node::{Column, Node};
use super::program::Program;
use crate::error::{Error, Result};
use crate::schema::{VALUE, VALUE_SHAPE, identify};

/// Makes the bytes of rows with the columns of one schema.
#[derive(Debug)]
pub struct Values {
    root: Node,
    value: Option<usize>,
    shape: Option<usize>,
}

impl Values {
    /// For rows with these columns, whose metadata says what they are; without `_value_shape`
    /// among them, all bytes are stored.
    pub fn new(fields: &Fields) -> Self {
        let place = |name| fields.iter().position(|field| field.name() == name);
        let shape = place(VALUE_SHAPE);
        Self {
            root: match shape {
                Some(_) => Node::of_fields(fields),
                None => Node::Other,
            },
            value: place(VALUE),
            shape,
        }
    }

    /// For rows as a file has them, whose columns are known by their names in the table (P11).
    ///
    /// # Errors
    /// `Data` when the file has a column that the table doesn't have so.
    pub fn of_file(file: &Schema, table: &Schema) -> Result<Self> {
        Ok(Self::new(identify(file, table)?.fields()))
    }

    /// The bytes of each row: those that are stored, or else those that its shape makes of its
    /// other columns; null where there is neither. `arrays` are in the order of the fields.
    ///
    /// # Errors
    /// `Data` when a row's shape doesn't fit its columns, or the rows have 2 GiB and more.
    pub fn of(&self, arrays: &[ArrayRef]) -> Result<BinaryArray> {
        let stored = column(arrays, self.value)?;
        let stored = stored.as_binary_opt::<i32>().ok_or_else(wrong)?;
        let Some(shapes) = self.shapes(arrays)? else {
            return Ok(stored.clone());
        };
        let columns = Column::of_arrays(arrays);
        let mut writer = Rows::new(&self.root, &columns, shapes);
        let mut values = BinaryBuilder::with_capacity(stored.len(), stored.value_data().len());
        let mut held = 0_usize;
        for row in 0..stored.len() {
            let value = match (stored.is_valid(row), shapes.is_valid(row)) {
                (true, _) => stored.value(row),
                (false, true) => writer.row(row).ok_or_else(|| unfit(shapes.value(row)))?,
                (false, false) => {
                    values.append_null();
                    continue;
                }
            };
            held += value.len();
            if i32::try_from(held).is_err() {
                return Err(Error::data(format!(
                    "the values of `{}` rows together have 2 GiB and more; ask for fewer",
                    stored.len()
                )));
            }
            values.append_value(value);
        }
        Ok(values.finish())
    }

    /// The rows with their whole bytes, and the shapes of those that have one.
    ///
    /// # Errors
    /// As [`Values::of`].
    pub(crate) fn whole(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        match self.value.filter(|_| self.shape.is_some()) {
            Some(value) => with_column(batch, value, Arc::new(self.of(batch.columns())?)),
            None => Ok(batch.clone()),
        }
    }

    /// The rows as they are stored: of those that have bytes and a shape, the shape if it makes
    /// the same bytes of the columns that are here, and else the bytes.
    ///
    /// # Errors
    /// `Internal` for a batch with other columns.
    pub(crate) fn settled(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let (Some(value), Some(shape)) = (self.value, self.shape) else {
            return Ok(batch.clone());
        };
        let arrays = batch.columns();
        let Some(shapes) = self.shapes(arrays)? else {
            return Ok(batch.clone());
        };
        let stored = column(arrays, Some(value))?;
        let stored = stored.as_binary_opt::<i32>().ok_or_else(wrong)?;
        let columns = Column::of_arrays(arrays);
        let mut writer = Rows::new(&self.root, &columns, shapes);
        let mut keeps = vec![true; stored.len()];
        for (row, keeps) in keeps.iter_mut().enumerate() {
            if stored.is_valid(row) && shapes.is_valid(row) {
                *keeps = writer.row(row) != Some(stored.value(row));
            }
        }
        let pairs = || keeps.iter().copied().enumerate();
        let values: BinaryArray = pairs()
            .map(|(row, keeps)| (keeps && stored.is_valid(row)).then(|| stored.value(row)))
            .collect();
        let kept: StringArray = pairs()
            .map(|(row, keeps)| {
                let shaped = !keeps || stored.is_null(row);
                (shaped && shapes.is_valid(row)).then(|| shapes.value(row))
            })
            .collect();
        let batch = with_column(batch, value, Arc::new(values))?;
        with_column(&batch, shape, Arc::new(kept))
    }

    /// `None` when no row has one.
    fn shapes<'a>(&self, arrays: &'a [ArrayRef]) -> Result<Option<&'a StringArray>> {
        if self.shape.is_none() {
            return Ok(None);
        }
        let shapes = column(arrays, self.shape)?;
        let shapes = shapes.as_string_opt::<i32>().ok_or_else(wrong)?;
        Ok((shapes.null_count() < shapes.len()).then_some(shapes))
    }
}

/// Writes the rows of one batch by their shapes.
struct Rows<'a> {
    root: &'a Node,
    columns: &'a [Column<'a>],
    shapes: &'a StringArray,
    programs: HashMap<&'a str, Option<Program>>,
    out: Vec<u8>,
}

impl<'a> Rows<'a> {
    fn new(root: &'a Node, columns: &'a [Column<'a>], shapes: &'a StringArray) -> Self {
        Self {
            root,
            columns,
            shapes,
            programs: HashMap::new(),
            out: Vec::new(),
        }
    }

    /// The bytes of a row that has a shape; `None` when it doesn't fit.
    fn row(&mut self, row: usize) -> Option<&[u8]> {
        let shape = self.shapes.value(row);
        let program = self.programs.entry(shape).or_insert_with(|| {
            // Once for all rows of the batch that share it.
            Program::compile(shape.as_bytes(), self.root)
        });
        self.out.clear();
        program
            .as_ref()?
            .write(self.columns, row, &mut self.out)
            .map(|()| self.out.as_slice())
    }
}

pub(super) fn with_column(batch: &RecordBatch, at: usize, array: ArrayRef) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    if let Some(column) = columns.get_mut(at) {
        *column = array;
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let schema: Arc<Schema> = batch.schema();
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

fn column(arrays: &[ArrayRef], at: Option<usize>) -> Result<&ArrayRef> {
    at.and_then(|at| arrays.get(at))
        .ok_or_else(|| Error::internal(format!("rows without their column `{VALUE}`")))
}

fn wrong() -> Error {
    Error::data(format!(
        "`{VALUE}` or `{VALUE_SHAPE}` has another type than Eddy writes"
    ))
}

fn unfit(shape: &str) -> Error {
    let shape: String = shape.chars().take(200).collect();
    Error::data(format!(
        "the shape `{shape}` doesn't fit its row; the file was changed by something else"
    ))
}
