//! The columns of many batches as one schema, each once.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use hashbrown::{HashMap, HashSet};

use super::kind::step;

/// Every column that one of `schemas` has, in the order of first appearance. Batches of one
/// shredder share most of their fields, which are then looked at once.
pub(crate) fn union<'a>(schemas: impl IntoIterator<Item = &'a Schema>) -> Schema {
    Schema::new(union_fields(schemas.into_iter().map(Schema::fields)))
}

fn union_fields<'a>(structs: impl Iterator<Item = &'a Fields>) -> Fields {
    let mut seen = HashSet::new();
    let mut at = HashMap::new();
    let mut columns: Vec<Vec<&FieldRef>> = Vec::new();
    for field in structs.flatten() {
        if !seen.insert(Arc::as_ptr(field)) {
            continue;
        }
        let index = *at.entry(step(field)).or_insert(columns.len());
        match columns.get_mut(index) {
            Some(same) => same.push(field),
            None => columns.push(vec![field]),
        }
    }
    columns
        .iter()
        .filter_map(|same| union_field(same))
        .collect()
}

/// One field for all appearances of a column.
fn union_field(same: &[&FieldRef]) -> Option<FieldRef> {
    let first = *same.first()?;
    let types: Vec<&DataType> = same.iter().map(|field| field.data_type()).collect();
    Some(match union_type(&types) {
        Some(data_type) => Arc::new(first.as_ref().clone().with_data_type(data_type)),
        None => FieldRef::clone(first),
    })
}

/// `None` when it is the first one's.
fn union_type(types: &[&DataType]) -> Option<DataType> {
    let (first, others) = types.split_first()?;
    if others.is_empty() {
        return None;
    }
    match first {
        DataType::Struct(_) => {
            let structs = types.iter().filter_map(|data_type| match data_type {
                DataType::Struct(fields) => Some(fields),
                _ => None,
            });
            Some(DataType::Struct(union_fields(structs)))
        }
        DataType::List(element) => {
            let elements = types.iter().filter_map(|data_type| match data_type {
                DataType::List(element) => Some(element.data_type()),
                _ => None,
            });
            let data_type = union_type(&elements.collect::<Vec<_>>())?;
            let element = element.as_ref().clone().with_data_type(data_type);
            Some(DataType::List(Arc::new(element)))
        }
        _ => None,
    }
}
