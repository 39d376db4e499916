//! A file's schema: the columns that its rows have, under the names that the table reserved.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use hashbrown::HashMap;

use super::kind::{Step, step};
use crate::{Error, Result};

/// The columns of `discovered` under the names, and in the order, of `reserved`.
///
/// # Errors
///
/// `Internal` when `discovered` has a column that `reserved` lacks: reserve it first (P11).
pub fn project(reserved: &Schema, discovered: &Schema) -> Result<Schema> {
    let fields = project_fields(reserved.fields(), discovered.fields())?;
    Ok(Schema::new_with_metadata(
        fields,
        reserved.metadata().clone(),
    ))
}

fn project_fields(reserved: &Fields, discovered: &Fields) -> Result<Fields> {
    let mut wanted: HashMap<Step<'_>, &FieldRef> = discovered
        .iter()
        .map(|field| (step(field), field))
        .collect();
    let mut fields = Vec::with_capacity(discovered.len());
    for field in reserved {
        let Some(source) = wanted.remove(&step(field)) else {
            continue;
        };
        if field.data_type() == source.data_type() {
            fields.push(Arc::clone(field));
            continue;
        }
        let data_type = project_type(field, source.data_type())?;
        fields.push(Arc::new(field.as_ref().clone().with_data_type(data_type)));
    }
    match wanted.into_values().next() {
        None => Ok(fields.into()),
        Some(field) => Err(unreserved(field)),
    }
}

fn project_type(reserved: &FieldRef, discovered: &DataType) -> Result<DataType> {
    match (reserved.data_type(), discovered) {
        (DataType::Struct(reserved), DataType::Struct(discovered)) => {
            Ok(DataType::Struct(project_fields(reserved, discovered)?))
        }
        (DataType::List(reserved), DataType::List(discovered)) => {
            let data_type = project_type(reserved, discovered.data_type())?;
            let element = reserved.as_ref().clone().with_data_type(data_type);
            Ok(DataType::List(Arc::new(element)))
        }
        (data_type, discovered) if data_type == discovered => Ok(data_type.clone()),
        (data_type, discovered) => Err(Error::internal(format!(
            "column `{}` is reserved as `{data_type}` and was discovered as `{discovered}`",
            reserved.name()
        ))),
    }
}

/// What to say about a column that the table doesn't have.
pub(crate) fn unreserved(field: &FieldRef) -> Error {
    Error::internal(format!(
        "column `{}` (key `{}`, kind `{}`) has no name in the table; reserve it first",
        field.name(),
        field.metadata().get(super::KEY).map_or("", String::as_str),
        field.metadata().get(super::KIND).map_or("", String::as_str),
    ))
}
