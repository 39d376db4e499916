//! Raw elision: a row whose JSON text can be made again from its columns, byte for byte, doesn't
//! keep it.
//!
//! ```text
//!               as it came                       as it is stored
//! _value        {"id": 7, "l": ["a"], "n": null}  null
//! _value_shape                                   {"id": l, "l": [*s, *], "n": null}
//! id, l         7, [a]                           7, [a]
//! ```
//!
//! What the columns don't say, the order of keys, the spacing, nulls, how a number or a text is
//! written, is the row's *shape* (`shape`, `form`), of which a topic has few: a dictionary in the
//! file. No shape is believed: a row gives up its bytes only after they were made from the very
//! arrays that are written and found equal (`file`), and again whenever it is written to another
//! file (`Values::settled`). Otherwise it keeps them, and E7 holds as without elision.
//!
//! Columns are found by their identities (P11), so a shape goes on fitting when names, the order
//! of columns or the schema around them change. Whoever wants `_value` asks [`Values`].
//!
//! Left out: rows with `_error`, texts whose strings have escapes that no known serialiser writes,
//! shapes that stand for too few rows (`file`).

#[cfg(test)]
mod dumps;
mod file;
mod form;
mod node;
mod program;
mod shape;
#[cfg(test)]
mod tests;
mod value;

#[cfg(test)]
pub(crate) use dumps::dumped;
pub(crate) use file::{elide, is_possible, shape_field};
pub use value::Values;

/// What is kept of the original text of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Raw {
    /// All of it, for any reader.
    #[default]
    Keep,
    /// What can't be made again from the columns. Files become smaller; readers other than Eddy
    /// find null in `_value` of the other rows, and their shape in `_value_shape`.
    Elide,
}

impl Raw {
    /// What the shapes of rows of so many bytes take beside them while a file is made: each is
    /// shorter than the text that it stands for, which is about half of a row.
    pub(crate) fn shapes_bytes(self, rows_bytes: usize) -> usize {
        match self {
            Self::Keep => 0,
            Self::Elide => rows_bytes / 2,
        }
    }
}
