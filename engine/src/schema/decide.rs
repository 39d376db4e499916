//! The types of a path's first cut, decided from all of its records.
//!
//! Integers and other numbers under one key are two columns while they are collected. Before the
//! table has a column for the integers they become one column of doubles, if every integer of the
//! cut is exact in a double; else both stay.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, is_not_null};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type, Schema};
use arrow::record_batch::RecordBatchOptions;
use hashbrown::{HashMap, HashSet};

use super::grow::grow;
use super::kind::{KIND, Kind, Shape, Step, step};
use super::union::union;
use crate::Result;

/// What a cut's batches become before their columns are reserved.
///
/// # Errors
///
/// `Internal` when a batch is not what the shredder makes.
pub fn decide(reserved: &Schema, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
    let found = union(batches.iter().map(|batch| batch.schema_ref().as_ref()));
    // What the table has a column for is decided.
    let Some(all) = grow(reserved, &found) else {
        return Ok(batches);
    };
    let mut open = Vec::new();
    find(
        all.fields(),
        Some(reserved.fields()),
        &mut Vec::new(),
        &mut open,
    );
    open.retain(|open| {
        let exact = |batch: &RecordBatch| {
            open.is_exact(batch.schema_ref().fields(), batch.columns(), &open.path)
        };
        batches.iter().all(exact)
    });
    if open.is_empty() {
        return Ok(batches);
    }
    batches.iter().map(|batch| convert(batch, &open)).collect()
}

fn convert(batch: &RecordBatch, open: &[Open]) -> Result<RecordBatch> {
    let mut fields = batch.schema_ref().fields().clone();
    let mut columns = batch.columns().to_vec();
    for open in open {
        (fields, columns) = open.convert(&fields, &columns, &open.path)?;
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        columns,
        &options,
    )?)
}

/// An owned [`Step`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Hop {
    Field(String, Shape),
    Member(Shape),
}

impl Hop {
    /// The identity of a payload's field.
    pub(super) fn of_field(field: &Field) -> Option<Self> {
        Self::of(step(field))
    }

    fn of(step: Step<'_>) -> Option<Self> {
        match step {
            Step::Field { key, shape } => Some(Self::Field(key.to_owned(), shape)),
            Step::Member(shape) => Some(Self::Member(shape)),
            Step::Rescued | Step::Named(_) => None,
        }
    }

    pub(super) fn is(&self, field: &Field) -> bool {
        Self::of(step(field)).as_ref() == Some(self)
    }
}

/// A key with integers and other numbers, whose type the table has not decided.
#[derive(Debug)]
struct Open {
    /// From the root to the struct that has the key.
    path: Vec<Hop>,
    key: String,
    /// Levels of list around the numbers.
    lists: u8,
}

fn find(fields: &Fields, reserved: Option<&Fields>, path: &mut Vec<Hop>, open: &mut Vec<Open>) {
    let here: HashSet<Step<'_>> = fields.iter().map(|field| step(field)).collect();
    let there = reserved.into_iter().flatten();
    let there: HashMap<Step<'_>, &FieldRef> = there.map(|field| (step(field), field)).collect();
    for field in fields {
        let found = step(field);
        if let Step::Field { key, shape } = found
            && shape.leaf == Kind::Long
            && !there.contains_key(&found)
        {
            let double = Shape {
                leaf: Kind::Double,
                ..shape
            };
            if here.contains(&Step::Field { key, shape: double }) {
                open.push(Open {
                    path: path.clone(),
                    key: key.to_owned(),
                    lists: shape.lists,
                });
            }
        }
        if let Some(nested) = struct_of(field.data_type())
            && let Some(hop) = Hop::of(found)
        {
            let reserved = there
                .get(&found)
                .and_then(|field| struct_of(field.data_type()));
            path.push(hop);
            find(nested, reserved, path, open);
            path.pop();
        }
    }
}

impl Open {
    fn shape(&self, leaf: Kind) -> Hop {
        let lists = self.lists;
        Hop::Field(self.key.clone(), Shape { lists, leaf })
    }

    /// Every integer at the path is a double too.
    fn is_exact(&self, fields: &Fields, columns: &[ArrayRef], path: &[Hop]) -> bool {
        let Some((hop, path)) = path.split_first() else {
            let long = self.shape(Kind::Long);
            return column(fields, columns, &long).is_none_or(|(_, column)| all_exact(column));
        };
        let Some((_, column)) = column(fields, columns, hop) else {
            return true;
        };
        let array = innermost(column);
        let DataType::Struct(fields) = array.data_type() else {
            return true;
        };
        self.is_exact(fields, array.as_struct().columns(), path)
    }

    /// The columns with the path's integers as doubles.
    fn convert(
        &self,
        fields: &Fields,
        columns: &[ArrayRef],
        path: &[Hop],
    ) -> Result<(Fields, Vec<ArrayRef>)> {
        let mut new_fields: Vec<FieldRef> = fields.iter().cloned().collect();
        let mut new_columns = columns.to_vec();
        if let Some((hop, path)) = path.split_first() {
            if let Some((at, column)) = column(fields, columns, hop) {
                let array = self.convert_nested(column, path)?;
                replace(&mut new_fields, &mut new_columns, at, array, None);
            }
            return Ok((new_fields.into(), new_columns));
        }
        let Some((at, long)) = column(fields, columns, &self.shape(Kind::Long)) else {
            return Ok((new_fields.into(), new_columns));
        };
        let mut array = cast(long, &doubles(long.data_type()))?;
        let double = column(fields, columns, &self.shape(Kind::Double));
        if let Some((_, double)) = double {
            array = zip(&is_not_null(long)?, &array, double)?;
        }
        let kind = (self.lists == 0).then_some(Kind::Double);
        replace(&mut new_fields, &mut new_columns, at, array, kind);
        if let Some((double, _)) = double {
            new_fields.remove(double);
            new_columns.remove(double);
        }
        Ok((new_fields.into(), new_columns))
    }

    fn convert_nested(&self, array: &ArrayRef, path: &[Hop]) -> Result<ArrayRef> {
        match array.data_type() {
            DataType::Struct(fields) => {
                let array = array.as_struct();
                let (fields, columns) = self.convert(fields, array.columns(), path)?;
                let nulls = array.nulls().cloned();
                Ok(Arc::new(StructArray::try_new_with_length(
                    fields,
                    columns,
                    nulls,
                    array.len(),
                )?))
            }
            DataType::List(element) => {
                let array = array.as_list::<i32>();
                let values = self.convert_nested(array.values(), path)?;
                let data_type = values.data_type().clone();
                let element = element.as_ref().clone().with_data_type(data_type);
                Ok(Arc::new(ListArray::try_new(
                    Arc::new(element),
                    array.offsets().clone(),
                    values,
                    array.nulls().cloned(),
                )?))
            }
            _ => Ok(Arc::clone(array)),
        }
    }
}

fn replace(
    fields: &mut [FieldRef],
    columns: &mut [ArrayRef],
    at: usize,
    array: ArrayRef,
    kind: Option<Kind>,
) {
    if let (Some(field), Some(column)) = (fields.get_mut(at), columns.get_mut(at)) {
        let mut new = field
            .as_ref()
            .clone()
            .with_data_type(array.data_type().clone());
        if let Some(kind) = kind {
            new.metadata_mut().insert(KIND.to_owned(), kind.to_string());
        }
        *field = Arc::new(new);
        *column = array;
    }
}

fn column<'a>(
    fields: &Fields,
    columns: &'a [ArrayRef],
    hop: &Hop,
) -> Option<(usize, &'a ArrayRef)> {
    let at = fields.iter().position(|field| hop.is(field))?;
    columns.get(at).map(|column| (at, column))
}

pub(super) fn struct_of(data_type: &DataType) -> Option<&Fields> {
    match data_type {
        DataType::Struct(fields) => Some(fields),
        DataType::List(element) => struct_of(element.data_type()),
        _ => None,
    }
}

pub(super) fn innermost(array: &ArrayRef) -> &ArrayRef {
    match array.as_list_opt::<i32>() {
        Some(list) => innermost(list.values()),
        None => array,
    }
}

fn all_exact(array: &ArrayRef) -> bool {
    match innermost(array).as_primitive_opt::<Int64Type>() {
        Some(longs) => longs.iter().flatten().all(crate::shred::is_exact),
        None => true,
    }
}

/// The type with doubles where it has longs.
fn doubles(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Int64 => DataType::Float64,
        DataType::List(element) => {
            let data_type = doubles(element.data_type());
            DataType::List(Arc::new(element.as_ref().clone().with_data_type(data_type)))
        }
        other => other.clone(),
    }
}
