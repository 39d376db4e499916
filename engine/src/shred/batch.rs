//! From the tree's columns to Arrow arrays: only what the batch's rows have.
#![expect(
    clippy::indexing_slicing,
    reason = "ids are indexes into the tree's vectors, which only grow"
)]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, StructArray};
use arrow::datatypes::FieldRef;

use super::column::{Finished, Values};
use super::tree::{NONE, Tree};
use crate::Result;
use crate::schema::{element_field, member_field, payload_field, rescued_field};

/// Fields and arrays of one struct.
pub(super) type Columns = (Vec<FieldRef>, Vec<ArrayRef>);

impl Tree {
    /// Takes the columns of `object` that have values in these rows.
    pub(super) fn take_object(&mut self, object: u32, rows: usize) -> Result<Columns> {
        let mut columns = (Vec::new(), Vec::new());
        for index in 0..self.objects[object as usize].places.len() {
            let place = self.objects[object as usize].places[index];
            self.take_place(place, rows, false, &mut columns)?;
        }
        let rescued = self.objects[object as usize].rescued;
        if rescued != NONE && self.columns[rescued as usize].valid > 0 {
            self.take_rescued(rescued, rows, &mut columns)?;
        }
        Ok(columns)
    }

    fn take_place(
        &mut self,
        place: u32,
        rows: usize,
        even_empty: bool,
        columns: &mut Columns,
    ) -> Result<()> {
        for index in 0..self.places[place as usize].alternates.len() {
            let (shape, column) = self.places[place as usize].alternates[index];
            if self.columns[column as usize].valid == 0 && !even_empty {
                continue;
            }
            let array = self.take_column(column, rows)?;
            let is_member = self.places[place as usize].is_member();
            let key = &self.places[place as usize].key;
            let column = &mut self.columns[column as usize];
            let field = match column.field.take() {
                Some(field) if field.data_type() == array.data_type() => field,
                _ if is_member => member_field(&column.name, shape, array.data_type().clone()),
                _ => payload_field(&column.name, key, shape, array.data_type().clone()),
            };
            column.field = Some(Arc::clone(&field));
            columns.0.push(field);
            columns.1.push(array);
            if even_empty {
                break;
            }
        }
        Ok(())
    }

    fn take_rescued(&mut self, column: u32, rows: usize, columns: &mut Columns) -> Result<()> {
        columns.0.push(rescued_field());
        columns.1.push(self.take_column(column, rows)?);
        Ok(())
    }

    fn take_column(&mut self, column: u32, rows: usize) -> Result<ArrayRef> {
        let finished = self.columns[column as usize].finish(rows, self.grouped, &self.spare)?;
        Ok(match finished {
            Finished::Leaf(array) => array,
            Finished::Struct(nulls) => {
                let (fields, arrays) = match self.columns[column as usize].values {
                    Values::Members(place) => self.take_members(place, rows)?,
                    Values::Object(object) => self.take_some_object(object, rows)?,
                    _ => Columns::default(),
                };
                let fields = fields.into();
                Arc::new(StructArray::try_new_with_length(
                    fields, arrays, nulls, rows,
                )?)
            }
            Finished::List(offsets, nulls) => {
                let &Values::List {
                    domain, element, ..
                } = &self.columns[column as usize].values
                else {
                    return Err(crate::Error::internal("a list column without elements"));
                };
                let elements = std::mem::take(&mut self.domains[domain as usize]);
                let values = self.take_column(element, elements)?;
                let field = element_field(values.data_type().clone());
                Arc::new(ListArray::try_new(field, offsets, values, nulls)?)
            }
        })
    }

    fn take_members(&mut self, place: u32, rows: usize) -> Result<Columns> {
        let mut columns = Columns::default();
        self.take_place(place, rows, false, &mut columns)?;
        if columns.0.is_empty() {
            self.take_place(place, rows, true, &mut columns)?;
        }
        Ok(columns)
    }

    /// As [`Tree::take_object`], but with one column at least: Parquet has no struct without
    /// fields, and the rows may all be `{}`.
    fn take_some_object(&mut self, object: u32, rows: usize) -> Result<Columns> {
        let mut columns = self.take_object(object, rows)?;
        let mut index = 0;
        while columns.0.is_empty() && index < self.objects[object as usize].places.len() {
            let place = self.objects[object as usize].places[index];
            self.take_place(place, rows, true, &mut columns)?;
            index += 1;
        }
        if columns.0.is_empty() {
            let rescued = self.rescued(object);
            self.take_rescued(rescued, rows, &mut columns)?;
        }
        Ok(columns)
    }
}
