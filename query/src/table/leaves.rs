//! Conditions on fields of structs as conditions on columns of their own: pruning by the log's
//! statistics knows leaves, DataFusion's knows columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::ScalarFunction;

use super::filters::named;

/// Between the names of a leaf's path; no column's name has it.
const STEP: char = '\u{1f}';

/// The path of a leaf that [`flat`] made a column of.
pub(super) fn path(column: &str) -> impl Iterator<Item = &str> {
    column.split(STEP)
}

/// `filters` over leaves, and those leaves' columns; `schema` has the columns that `filters` name.
pub(super) fn flat(filters: &[Expr], schema: &Schema) -> Result<(Vec<Expr>, SchemaRef)> {
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    let mut flat = Vec::with_capacity(filters.len());
    for filter in filters {
        let changed = filter.clone().transform_down(|expr| {
            let Some((name, data_type)) = leaf(&expr, schema) else {
                return Ok(Transformed::no(expr));
            };
            if !fields.iter().any(|field| *field.name() == name) {
                fields.push(Arc::new(Field::new(&name, data_type, true)));
            }
            let jump = TreeNodeRecursion::Jump;
            Ok(Transformed::new(named(&name), true, jump))
        })?;
        flat.push(changed.data);
    }
    Ok((flat, Arc::new(Schema::new(fields))))
}

/// The path and type of the leaf that `get_field(column, 'a', ...)` reads.
fn leaf(expr: &Expr, schema: &Schema) -> Option<(String, DataType)> {
    let (name, data_type) = reached(expr, schema)?;
    (name.contains(STEP) && !data_type.is_nested()).then_some((name, data_type))
}

fn reached(expr: &Expr, schema: &Schema) -> Option<(String, DataType)> {
    match expr {
        Expr::Column(column) => {
            let field = schema.field_with_name(&column.name).ok()?;
            Some((column.name.clone(), field.data_type().clone()))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "get_field" => {
            let (of, names) = args.split_first()?;
            let (mut path, mut data_type) = reached(of, schema)?;
            for name in names {
                let Expr::Literal(ScalarValue::Utf8(Some(name)), _) = name else {
                    return None;
                };
                let DataType::Struct(fields) = &data_type else {
                    return None;
                };
                let (_, field) = fields.find(name)?;
                path.push(STEP);
                path.push_str(name);
                data_type = field.data_type().clone();
            }
            Some((path, data_type))
        }
        _ => None,
    }
}
