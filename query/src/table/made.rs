//! How columns of SQL are made of stored ones.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::Session;
use datafusion::common::{Result, ScalarValue};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use super::columns::Source;
use super::original::Original;
use super::view::{FILE, NUMBER, ROW};
use crate::functions::utf8_text;
use crate::logical::text_function;

/// A column of SQL over the stored columns of `schema`.
pub(super) fn made_of(
    state: &dyn Session,
    source: &Source,
    schema: &Schema,
) -> Result<Arc<dyn PhysicalExpr>> {
    let stored = |name: &str| -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Column::new_with_schema(name, schema)?))
    };
    let call = |function, arguments| -> Result<Arc<dyn PhysicalExpr>> {
        let config = Arc::new(state.config_options().clone());
        let call = ScalarFunctionExpr::try_new(function, arguments, schema, config)?;
        Ok(Arc::new(call))
    };
    let columns_of =
        |original: &Original| -> Result<Vec<_>> { original.stored().map(stored).collect() };
    match source {
        Source::Stored(name) => stored(name),
        Source::Partition(name) => stored(name),
        Source::File => stored(FILE),
        Source::Number => stored(NUMBER),
        Source::Row => stored(ROW),
        Source::TextOf(bytes) => call(utf8_text(), vec![stored(bytes)?]),
        Source::Original(original) => call(original.function(), columns_of(original)?),
        Source::OriginalText(original) => {
            let bytes = call(original.function(), columns_of(original)?)?;
            call(utf8_text(), vec![bytes])
        }
        Source::Drifted(drifted) => {
            let shapes = ScalarValue::Utf8(Some(drifted.shapes.clone()));
            let mut arguments: Vec<Arc<dyn PhysicalExpr>> = vec![Arc::new(Literal::new(shapes))];
            for name in &drifted.stored {
                arguments.push(stored(name)?);
            }
            call(text_function(), arguments)
        }
    }
}
