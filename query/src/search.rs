//! `search('timeout user:42 -debug')`: the records that a person means.
//!
//! ```text
//! text --language--> tree --names/search--> search('timeout -debug', _key, _value, _headers)
//!                                           AND eddy_found('[test, where]', user)
//! ```
//!
//! Words are looked for in all text of a record: its key, its value and its headers, keys of JSON
//! objects too. A word is a run of letters and digits, whatever their case
//! (`eddy_engine::filter`). In the statement the function names no column; the pass over its names
//! adds them, so that DataFusion sees functions of columns like any others. Here is what they
//! answer for a row, true or false and never null, so that `NOT` means the other rows. Filters and
//! statistics only say which files and row groups aren't worth asking.

mod found;
mod implied;
mod language;
mod probe;
mod reader;
mod tree;
mod value;
mod wanted;
mod words;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::cast::{as_binary_array, as_list_array};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use eddy_engine::filter::{Texts, Wanted};

pub(crate) use found::{FOUND, Where, found_function};
pub(crate) use implied::implied;
pub(crate) use language::parse;
pub(crate) use tree::{Field, Test, Tree};
pub(crate) use wanted::is_time;

use words::Words;

use crate::error::Error;

/// The function's name.
pub(crate) const NAME: &str = "search";

/// The same, for searches whose fields nobody can be expected to know: one that the table doesn't
/// have holds nothing. In a statement it becomes what `search` becomes.
pub(crate) const LENIENT: &str = "search_lenient";

/// The columns that follow the words in a call.
pub(crate) const COLUMNS: [&str; 3] = ["_key", "_value", "_headers"];

/// The function.
pub(crate) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Search {
        signature: Signature::any(1 + COLUMNS.len(), Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Search {
    signature: Signature,
}

impl ScalarUDFImpl for Search {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((ColumnarValue::Scalar(text), columns)) = args.args.split_first() else {
            return exec_err!("`{NAME}` takes a constant text");
        };
        let Some(text) = text.try_as_str().flatten() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        };
        let columns: Result<Vec<_>> = columns
            .iter()
            .map(|column| column.to_array(args.number_rows))
            .collect();
        let columns = columns?;
        let [key, value, headers] = columns.as_slice() else {
            return exec_err!("`{NAME}` takes a text and a record's columns");
        };
        let texts = Texts {
            key: Some(as_binary_array(key)?),
            value: Some(as_binary_array(value)?),
            headers: Some(as_list_array(headers)?),
        };
        let found = Words::new(&read(text)?).matching(&texts, args.number_rows);
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

/// The tree of a search that was checked before.
fn read(text: &str) -> Result<Tree> {
    parse(text).map_err(|wrong| Error::invalid(wrong.message).into())
}

/// What filters can tell of the rows that a call finds.
pub(crate) fn wanted(text: &str) -> Wanted {
    parse(text).map_or(Wanted::Anything, |tree| words::wanted(&tree))
}

#[cfg(test)]
mod tests;
