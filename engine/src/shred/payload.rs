//! What fills a record's columns: its own bytes, or what somebody made of them.

use crate::value::Value;

/// What fills a record's columns. Its `_value` is its own bytes whatever this is (E7).
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// The record's bytes, as the [`Converter`](super::Converter) takes them.
    Original,
    /// What a decoder or transforms made of them. Only an object has columns; anything else lands
    /// with its envelope, as JSON that is no object does.
    Value(&'a Value),
    /// They can't be decoded: the stage and the reason, as they land in `_error` (P18).
    Failed(&'a str),
}
