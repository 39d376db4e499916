//! `search('some words')`: rows whose text holds each of these words.
//!
//! The text of a row is the record's: its key, its value and its headers, keys of JSON objects too.
//! A word is a run of letters and digits, whatever their case (`eddy_engine::filter`); for parts of
//! words there is `LIKE`. In the statement the function names no column; the pass over its names
//! (`names/search`) adds them, so that DataFusion sees a function of columns like any other. Here
//! is what it answers for a row. Filters only say which row groups aren't worth asking.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::datatypes::DataType;
use datafusion::common::cast::{as_binary_array, as_list_array};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use eddy_engine::filter::{Texts, each_word};

/// The function's name.
pub(crate) const NAME: &str = "search";

/// The columns that follow the words in a call.
pub(crate) const COLUMNS: [&str; 3] = ["_key", "_value", "_headers"];

/// The words of a search, each once.
pub(crate) fn words(text: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    each_word(text.as_bytes(), |word| {
        if !words.iter().any(|known: &Vec<u8>| known == word) {
            words.push(word.to_vec());
        }
        true
    });
    words
}

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
        let found = matching(&texts, &words(text), args.number_rows);
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

/// For each row whether it has all of `words`.
fn matching(texts: &Texts<'_>, words: &[Vec<u8>], rows: usize) -> BooleanArray {
    let mut missing: Vec<&[u8]> = Vec::with_capacity(words.len());
    let found = (0..rows).map(|row| {
        missing.clear();
        missing.extend(words.iter().map(Vec::as_slice));
        texts.each_word(row, |word| {
            missing.retain(|wanted| *wanted != word);
            !missing.is_empty()
        });
        Some(missing.is_empty())
    });
    found.collect()
}

#[cfg(test)]
mod tests;
