//! `_value` of tables that don't store it in every row: made again by the engine out of the columns
//! that a scan then has to read.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Fields, Schema};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use eddy_engine::elide::Values;
use eddy_engine::schema::{KIND, VALUE, VALUE_SHAPE};

use super::columns::plain_type;
use crate::error::Error;

/// What `_value` is made of.
#[derive(Debug)]
pub(crate) struct Original {
    /// Stored columns, with their identities.
    fields: Fields,
}

impl Original {
    /// `None` for a table that stores the bytes of all rows.
    pub(super) fn of(schema: &Schema) -> Option<Self> {
        let has = |name| schema.field_with_name(name).is_ok();
        if !has(VALUE) || !has(VALUE_SHAPE) {
            return None;
        }
        let fields = schema.fields().iter().filter(|field| {
            let payload = field.metadata().contains_key(KIND);
            payload || field.name() == VALUE || field.name() == VALUE_SHAPE
        });
        Some(Self {
            fields: fields.cloned().collect(),
        })
    }

    /// The names of the stored columns, in the order of the function's arguments.
    pub(super) fn stored(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.name().as_str())
    }

    /// The function of these columns that answers the bytes.
    pub(super) fn function(&self) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Function {
            fields: self.fields.clone(),
            signature: Signature::variadic_any(Volatility::Immutable),
        }))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    fields: Fields,
    signature: Signature,
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        "eddy_original"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.len() != self.fields.len() {
            return Err(Error::internal("a record's bytes are made of other columns").into());
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(args.args.len());
        for (value, field) in args.args.iter().zip(&self.fields) {
            let array = value.to_array(args.number_rows)?;
            let wanted = plain_type(field.data_type());
            arrays.push(match *array.data_type() == wanted {
                true => array,
                false => cast(&array, &wanted)?,
            });
        }
        let values = Values::new(&self.fields).of(&arrays).map_err(Error::from)?;
        Ok(ColumnarValue::Array(Arc::new(values)))
    }
}
