//! A scan's filters in terms of what is stored: SQL's columns become stored ones, and what files
//! can't answer exactly is loosened or left out.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, lit};
use datafusion::physical_expr::PhysicalExpr;

use super::columns::{Source, SqlColumns, plain_type};
use super::needle::on_key_bytes;
use super::view::View;
use crate::logical::{loosen, text_function};

/// What of `filters` the files can be asked, each true wherever its filter is.
pub(super) fn for_files(view: &View, columns: &SqlColumns, filters: &[Expr]) -> Result<Vec<Expr>> {
    let mut asked = Vec::with_capacity(filters.len());
    for filter in filters {
        let stored = in_stored(columns, filter)?;
        let Some(filter) = stored.or_else(|| on_key_bytes(filter)) else {
            continue;
        };
        let schema = DFSchema::try_from(types(view, &filter))?;
        asked.extend(loosen(&filter, &schema));
    }
    Ok(asked)
}

/// A condition without what [`for_files`] adds to it: that a column it compares has a value.
pub(super) fn as_it_was(condition: &Expr) -> &Expr {
    match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And,
            right,
        }) if matches!(left.as_ref(), Expr::IsNotNull(_)) => right,
        other => other,
    }
}

/// The filter over stored columns; `None` for one on the text of key or value, of which the files
/// have only bytes.
fn in_stored(columns: &SqlColumns, filter: &Expr) -> Result<Option<Expr>> {
    let mut known = true;
    let text = text_function();
    let filter = filter.clone().transform(|expr| {
        let Expr::Column(column) = &expr else {
            return Ok(Transformed::no(expr));
        };
        let Some(found) = columns.get(&column.name) else {
            known = false;
            return Ok(Transformed::no(expr));
        };
        Ok(Transformed::yes(match &found.source {
            Source::Stored(name) => named(name),
            Source::Partition(name) => named(name),
            // Nor do they have bytes that are made of the columns.
            Source::TextOf(_)
            | Source::File
            | Source::Number
            | Source::Row
            | Source::Original(_)
            | Source::OriginalText(_) => {
                known = false;
                expr
            }
            Source::Drifted(drifted) => {
                let stored = drifted.stored.iter().map(|name| named(name));
                let shapes = std::iter::once(lit(drifted.shapes.clone()));
                Expr::ScalarFunction(ScalarFunction::new_udf(
                    Arc::clone(&text),
                    shapes.chain(stored).collect(),
                ))
            }
        }))
    })?;
    Ok(known.then_some(filter.data))
}

/// A column, whatever dots its name has.
pub(crate) fn named(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// The columns of a filter.
fn types(view: &View, filter: &Expr) -> Schema {
    let mut fields: Vec<Field> = Vec::new();
    for column in filter.column_refs() {
        let data_type = match view.schema.field_with_name(&column.name) {
            Ok(field) => plain_type(field.data_type()),
            Err(_) => DataType::Utf8,
        };
        fields.push(Field::new(&column.name, data_type, true));
    }
    Schema::new(fields)
}

/// The columns that conditions name.
pub(super) fn names<'a>(some: &'a [Expr], others: &'a [Expr]) -> Vec<&'a str> {
    let refs = some.iter().chain(others).flat_map(Expr::column_refs);
    refs.map(|column| column.name.as_str()).collect()
}

/// All of `exprs` over `schema`; `None` for none.
pub(super) fn physical(
    state: &dyn Session,
    exprs: &[Expr],
    schema: &SchemaRef,
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let Some(whole) = conjunction(exprs.iter().cloned()) else {
        return Ok(None);
    };
    let schema = DFSchema::try_from(Arc::clone(schema))?;
    state.create_physical_expr(whole, &schema).map(Some)
}
