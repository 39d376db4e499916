//! Arrow's values as Postgres' clients take them, in text and in binary.

mod array;
mod kind;
mod moment;
mod numeric;
mod parameter;
mod row;
mod scalar;
mod sql_type;

pub(super) use kind::{Column, columns};
pub(super) use parameter::{Given, literal};
pub(super) use row::{Encoder, text_row};
pub(crate) use sql_type::{SqlType, format_type, known_types, sql_type};

#[cfg(test)]
mod tests;
