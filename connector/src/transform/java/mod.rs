//! What configurations write as Java reads it: dates, regular expressions, numbers.

mod date;
mod date_parse;
mod date_pattern;
pub(super) mod number;
pub(super) mod pattern;
mod replacement;

pub(super) use date_pattern::DatePattern;
pub(super) use replacement::Replacement;
