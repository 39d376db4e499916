//! Logical columns: a key whose values came with several types is several columns in the files,
//! its alternates, and one column in SQL (P21).
//!
//! ```text
//! {"id": 7}  {"id": "seven"}  {"id": {"no": 7}}
//!
//! files   id long     id__string     id__object struct<no>     at most one has a value
//! SQL     id          7 | seven | {"no":7}                     text, unless the context says more
//!         id > 5, id + 1, sum(id)     a number context reads the numbers
//!         id.no                       field access reads the object
//!         id__long, id__string, ...   each alternate by its name; `*` leaves them out
//! ```
//!
//! Text is a string as it is, and anything else as JSON; moments, days and bytes, which JSON
//! doesn't have, are as in the JSON of an answer (RFC 3339, base64), without quotes. Numbers
//! compare, group and sort by their exact value: longs, decimals and doubles have no common type,
//! so what is compared is each of them with the same number (`literal`), or keys of bytes
//! (`number`). Which context a use is in is decided on the statement's tree (`crate::names`); the
//! functions of `functions` are what it is rewritten to. A filter then reaches the files in a
//! weaker form (`loosen`) that statistics understand; the exact one stays above.

mod functions;
mod literal;
mod loosen;
mod number;
mod shape;
#[cfg(test)]
mod tests;
mod text;

use arrow::datatypes::DataType;

pub(crate) use functions::{
    EITHER, JSON, NUMBER_KEY, SORT_KEY, SORT_TEXT, TEXT, TEXT_NUMBER_KEY, functions, text_function,
};
pub(crate) use literal::{Bound, Holds, Order, Test, test};
pub(crate) use loosen::loosen;
pub(crate) use number::{KEY_BYTES, Number, decimal_text};
pub(crate) use shape::Shape;
pub(crate) use text::{jsons, texts};

/// A column that holds part of a key's values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alternate {
    /// Its name in SQL.
    pub(crate) name: String,
    /// Its type; nested fields carry their identities.
    pub(crate) data_type: DataType,
}

/// A column of a relation that is several columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Drift {
    /// The columns; none when only the text is left of them.
    pub(crate) alternates: Vec<Alternate>,
}

/// The numbers that a column of this type holds.
pub(crate) fn holds(data_type: &DataType) -> Option<Holds> {
    match data_type {
        DataType::Int64 => Some(Holds::Long),
        DataType::Float64 => Some(Holds::Double),
        DataType::Decimal128(_, scale) => Some(Holds::Decimal(u8::try_from(*scale).ok()?)),
        _ => None,
    }
}
