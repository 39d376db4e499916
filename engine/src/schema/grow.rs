//! How a table grows: the union of two schemas by identity, with names for what is new.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use hashbrown::HashMap;

use super::envelope::{VALUE, partition_columns};
use super::kind::{Step, is_members, step};
use super::names::Names;

/// `reserved` with every column of `discovered` that it lacks, under a fresh name. Names that are
/// reserved never change (P11). `None` when there is nothing new.
pub fn grow(reserved: &Schema, discovered: &Schema) -> Option<Schema> {
    let root = || Names::of_table(&partition_columns(reserved));
    let fields = merge(reserved.fields(), discovered.fields(), &root)?;
    let (payload, named): (Vec<_>, Vec<_>) = fields
        .into_iter()
        .partition(|field| !matches!(step(field), Step::Named(_)));
    let (last, envelope): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|field| field.name() == VALUE);
    let fields: Vec<FieldRef> = payload.into_iter().chain(envelope).chain(last).collect();
    Some(Schema::new_with_metadata(
        fields,
        reserved.metadata().clone(),
    ))
}

fn merge(
    reserved: &Fields,
    discovered: &Fields,
    names: &dyn Fn() -> Names,
) -> Option<Vec<FieldRef>> {
    let known: HashMap<Step<'_>, usize> = reserved
        .iter()
        .enumerate()
        .map(|(index, field)| (step(field), index))
        .collect();
    let mut fields: Vec<FieldRef> = reserved.iter().cloned().collect();
    let mut changed = false;
    let mut new = Vec::new();
    for field in discovered {
        let Some(slot) = known.get(&step(field)).and_then(|&at| fields.get_mut(at)) else {
            new.push(field);
            continue;
        };
        if let Some(data_type) = merge_type(slot.data_type(), field.data_type()) {
            *slot = Arc::new(slot.as_ref().clone().with_data_type(data_type));
            changed = true;
        }
    }
    if !new.is_empty() {
        add(&mut fields, &new, names());
        changed = true;
    }
    changed.then_some(fields)
}

fn add(fields: &mut Vec<FieldRef>, new: &[&FieldRef], mut names: Names) {
    let mut siblings: HashMap<String, String> = HashMap::new();
    for field in fields.iter() {
        names.take(field.name());
        if let Step::Field { key, .. } = step(field) {
            siblings
                .entry(key.to_owned())
                .or_insert_with(|| field.name().clone());
        }
    }
    for field in new {
        let name = match step(field) {
            Step::Field { key, shape } => {
                let sibling = siblings.get(key).map(String::as_str);
                let name = names.field(key, shape, sibling);
                siblings
                    .entry(key.to_owned())
                    .or_insert_with(|| name.clone());
                name
            }
            Step::Member(shape) => names.member(shape),
            Step::Rescued | Step::Named(_) => field.name().clone(),
        };
        let fresh = Field::new(name, fresh_type(field.data_type()), true)
            .with_metadata(field.metadata().clone());
        fields.push(Arc::new(fresh));
    }
}

fn merge_type(reserved: &DataType, discovered: &DataType) -> Option<DataType> {
    match (reserved, discovered) {
        (DataType::Struct(reserved), DataType::Struct(discovered)) => {
            let fields = merge(reserved, discovered, &names_of(discovered))?;
            Some(DataType::Struct(fields.into()))
        }
        (DataType::List(reserved), DataType::List(discovered)) => {
            let data_type = merge_type(reserved.data_type(), discovered.data_type())?;
            let element = reserved.as_ref().clone().with_data_type(data_type);
            Some(DataType::List(Arc::new(element)))
        }
        _ => None,
    }
}

/// The type of a new column: its nested names are given anew, so that they don't depend on what
/// a writer had in mind.
fn fresh_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Struct(fields) => {
            let named = merge(&Fields::empty(), fields, &names_of(fields));
            DataType::Struct(named.map_or_else(Fields::empty, Fields::from))
        }
        DataType::List(element) => {
            let fresh = fresh_type(element.data_type());
            DataType::List(Arc::new(element.as_ref().clone().with_data_type(fresh)))
        }
        other => other.clone(),
    }
}

fn names_of(fields: &Fields) -> fn() -> Names {
    if is_members(fields) {
        Names::members
    } else {
        Names::object
    }
}
