//! Protobuf: a registered file compiled (`file`), and messages by it (`message`, `known`).
//!
//! | Protobuf | here |
//! |---|---|
//! | a field that knows whether it was set, and wasn't | null |
//! | another one that wasn't set | its default: nobody can tell |
//! | oneof `x` | an object `x_0` of the member that was set, as Connect has it |
//! | enum | text, or its number with `int.for.enums` |
//! | unsigned of 64 bits | the number that it is |
//! | `google.protobuf.Timestamp` | a moment; one between two microseconds is text |
//! | `google.type.Date`, `TimeOfDay` | a day, text as ISO 8601 writes it |
//! | `confluent.type.Decimal` | an exact number |
//! | map | an object, without keys of text a list of keys and values |

mod connect;
mod file;
mod known;
mod message;

pub(super) use file::Compiled;

/// The options of the converter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProtobufOptions {
    /// `int.for.enums`.
    pub(crate) int_for_enums: bool,
    /// `wrapper.for.nullables`: a wrapper's field is the value that it wraps, or null.
    pub(crate) wrapper_for_nullables: bool,
    /// `wrapper.for.raw.primitives`: the same of a whole message.
    pub(crate) wrapper_for_raw: bool,
    /// `generate.index.for.unions`: a oneof's name ends with its number.
    pub(crate) index_for_unions: bool,
    /// `flatten.unions`: a oneof's members are fields of their message.
    pub(crate) flatten_unions: bool,
}

impl Default for ProtobufOptions {
    fn default() -> Self {
        Self {
            int_for_enums: false,
            wrapper_for_nullables: false,
            wrapper_for_raw: true,
            index_for_unions: true,
            flatten_unions: false,
        }
    }
}

#[cfg(test)]
mod tests;
