//! The few scalar functions of our own: text of bytes, where they are text, and their length.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, Int64Array, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::cast::as_binary_array;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// `utf8_text(binary)`: the bytes as text when they are UTF-8, else null; nothing is replaced.
pub(crate) fn utf8_text() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(OfBytes::new(
        "utf8_text",
        DataType::Utf8,
        text,
    )))
}

/// `byte_length(binary)`: how many bytes, null for null.
pub(crate) fn byte_length() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(OfBytes::new(
        "byte_length",
        DataType::Int64,
        length,
    )))
}

/// A function of one binary column.
#[derive(Debug)]
struct OfBytes {
    name: &'static str,
    signature: Signature,
    returns: DataType,
    compute: fn(&BinaryArray) -> ArrayRef,
}

impl OfBytes {
    fn new(name: &'static str, returns: DataType, compute: fn(&BinaryArray) -> ArrayRef) -> Self {
        Self {
            name,
            signature: Signature::exact(vec![DataType::Binary], Volatility::Immutable),
            returns,
            compute,
        }
    }
}

impl PartialEq for OfBytes {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for OfBytes {}

impl std::hash::Hash for OfBytes {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for OfBytes {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        match arrays.as_slice() {
            [only] => Ok(ColumnarValue::Array((self.compute)(as_binary_array(only)?))),
            _ => datafusion::common::exec_err!("`{}` takes one argument", self.name),
        }
    }
}

fn text(bytes: &BinaryArray) -> ArrayRef {
    let mut texts = StringBuilder::with_capacity(bytes.len(), bytes.value_data().len());
    for value in bytes {
        texts.append_option(value.and_then(|value| std::str::from_utf8(value).ok()));
    }
    Arc::new(texts.finish())
}

fn length(bytes: &BinaryArray) -> ArrayRef {
    let lengths: Int64Array = bytes
        .iter()
        .map(|value| value.and_then(|value| i64::try_from(value.len()).ok()))
        .collect();
    Arc::new(lengths)
}
