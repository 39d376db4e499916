//! Which column of a file an expression of a scan is, if it is one.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

/// The function by which fields of structs are read.
const FIELD: &str = "get_field";

/// A column that a scan reads of each file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The column, and the fields in it down to the one that is read.
    pub(super) path: Vec<String>,
    /// The same and the type that it is read as, as text.
    pub(super) name: Arc<str>,
}

/// The columns of a projection over a table whose first `stored` columns are in files; `None` where
/// something in it is none of them.
pub(super) fn wanted(
    projection: &ProjectionExprs,
    table: &Schema,
    stored: usize,
) -> Option<Vec<Wanted>> {
    let one = |expr: &Arc<dyn PhysicalExpr>| {
        let path = path(expr, stored)?;
        let data_type = expr.data_type(table).ok()?;
        let name = format!("{path:?} {data_type}").into();
        Some(Wanted { path, name })
    };
    projection.iter().map(|each| one(&each.expr)).collect()
}

fn path(expr: &Arc<dyn PhysicalExpr>, stored: usize) -> Option<Vec<String>> {
    if let Some(column) = expr.downcast_ref::<Column>() {
        // Behind those come the ones that a file has as a whole, and those that the reader makes.
        return (column.index() < stored).then(|| vec![column.name().to_owned()]);
    }
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let [column, fields @ ..] = call.args() else {
        return None;
    };
    if call.name() != FIELD {
        return None;
    }
    let mut path = path(column, stored)?;
    for field in fields {
        let field = field.downcast_ref::<Literal>()?;
        match field.value() {
            ScalarValue::Utf8(Some(name)) | ScalarValue::Utf8View(Some(name)) => {
                path.push(name.clone());
            }
            _ => return None,
        }
    }
    Some(path)
}
