//! Views for other engines: the columns that SQL shows here, made there of what is stored.
//!
//! A key of several types is one column of text, as in Eddy's own SQL, with its alternates beside
//! it by their names; inside structs and lists too. Rows with `_error` are left out. The text is
//! made from the table's columns as they are, so a table that grew needs its view anew.

mod dialect;
mod expression;
#[cfg(test)]
mod tests;
mod types;

use arrow::datatypes::{FieldRef, Fields, Schema};
use eddy_engine::schema::{logical, partition_columns};

pub use dialect::Dialect;
use expression::Expressions;

/// `CREATE VIEW name` in an engine's SQL, over the table that stores `schema` and that the engine
/// knows as `source` ([`Dialect::source`]).
pub fn create_view(dialect: Dialect, name: &str, source: &str, schema: &Schema) -> String {
    let mut expressions = Expressions::new(dialect);
    let table = |column: &str| format!("{}.{}", dialect.name("t"), dialect.name(column));
    let mut columns = Vec::new();
    for column in shown(schema.fields()) {
        let expression = match &column.made_of {
            MadeOf::Text(alternates) => {
                let alternates = alternates.iter();
                let texts = alternates
                    .map(|field| expressions.text(&table(field.name()), field.data_type()));
                dialect.first(&texts.collect::<Vec<_>>())
            }
            MadeOf::Field(field) => {
                let stored = table(field.name());
                let folded = expressions.folded(&stored, field.data_type());
                folded.unwrap_or(stored)
            }
        };
        columns.push(format!("  {expression} AS {}", dialect.name(&column.name)));
    }
    for name in partition_columns(schema) {
        columns.push(format!("  {} AS {}", table(&name), dialect.name(&name)));
    }
    format!(
        "CREATE OR REPLACE VIEW {} AS\nSELECT\n{}\nFROM {source} AS {}\nWHERE {} IS NULL;\n",
        dialect.name(name),
        columns.join(",\n"),
        dialect.name("t"),
        table("_error"),
    )
}

/// A column or field as it is shown.
struct Shown {
    name: String,
    made_of: MadeOf,
}

enum MadeOf {
    /// The text of whichever has a value.
    Text(Vec<FieldRef>),
    /// A stored field.
    Field(FieldRef),
}

/// The fields of a struct, or the columns of a table, as they are shown: in their order, a key of
/// several types as one before its alternates.
fn shown(fields: &Fields) -> Vec<Shown> {
    let drifted = logical(fields);
    let mut all = Vec::with_capacity(fields.len());
    for field in fields {
        if let Some(column) = drifted.iter().find(|column| column.name == *field.name()) {
            let alternates = column.alternates.iter();
            all.push(Shown {
                name: column.name.clone(),
                made_of: MadeOf::Text(alternates.map(|one| FieldRef::clone(&one.field)).collect()),
            });
        }
        let mut alternates = drifted.iter().flat_map(|column| &column.alternates);
        let beside = alternates.find(|one| one.field.name() == field.name());
        all.push(Shown {
            name: beside.map_or_else(|| field.name().clone(), |one| one.name.clone()),
            made_of: MadeOf::Field(FieldRef::clone(field)),
        });
    }
    all
}
