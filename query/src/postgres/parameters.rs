//! The parameters of a prepared statement: what types they have, and what values.

use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use pgwire::api::Type;
use pgwire::messages::extendedquery::Bind;

use super::value::{Given, columns, literal};
use crate::error::{Error, Result};
use crate::query::Description;
use crate::statement::Literal;

/// The types of all parameters: as the client said, else as they could be told, else text.
pub(super) fn types(given: &[Option<Type>], described: &Description) -> Vec<Type> {
    let numbers = described.placeholders.keys();
    let most = numbers
        .filter_map(|name| name.strip_prefix('$')?.parse::<u16>().ok())
        .max();
    let count = usize::from(most.unwrap_or(0)).max(given.len());
    (1..=count)
        .map(|number| {
            let said = given.get(number - 1).cloned().flatten();
            said.unwrap_or_else(|| {
                let told = described.placeholders.get(&format!("${number}"));
                told.and_then(Option::as_ref).map_or(Type::TEXT, of_arrow)
            })
        })
        .collect()
}

fn of_arrow(data_type: &DataType) -> Type {
    let schema = Schema::new(vec![Field::new("", data_type.clone(), true)]);
    let column = columns(&schema, &[]).ok().and_then(|mut all| all.pop());
    column.map_or(Type::TEXT, |column| column.sql_type())
}

/// The values of a `Bind`.
pub(super) fn literals(bind: &Bind, types: &[Type]) -> Result<Vec<Literal>> {
    let formats = &bind.parameter_format_codes;
    if formats.len() > 1 && formats.len() != bind.parameters.len() {
        return Err(Error::invalid(format!(
            "the client names {} formats for {} parameters",
            formats.len(),
            bind.parameters.len()
        )));
    }
    let values = bind.parameters.iter().enumerate();
    values
        .map(|(at, value)| {
            let format = match formats.as_slice() {
                [] => 0,
                [all] => *all,
                each => each.get(at).copied().unwrap_or(0),
            };
            literal(Given {
                number: at + 1,
                sql_type: types.get(at).unwrap_or(&Type::TEXT),
                binary: format == 1,
                bytes: value.as_ref().map(Bytes::as_ref),
            })
        })
        .collect()
}
