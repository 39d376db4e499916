//! Avro: a registered schema as a plan (`schema`), and bytes by it (`decode`). For files of Avro,
//! `whole` puts those that it refers to into it.
//!
//! Records are read by the schema that they were written with, so nothing is resolved and nothing
//! is filled in: evolution is the table's, which has a column for every path and type. The schema
//! is read here and not by a library, because what is only read needs none of Avro's rules for
//! writers: a default that doesn't fit its type or a name with a dash must not cost a record.
//!
//! | Avro | here |
//! |---|---|
//! | `[null, T]` | T or null |
//! | another union | an object with one member, the branch's name, as Connect has it |
//! | enum, uuid | text |
//! | decimal | an exact number, beyond 38 digits JSON text |
//! | timestamps | a moment; one between two microseconds is text |
//! | local timestamps, times of day, duration | text as ISO 8601 writes it |
//! | map | an object |

mod connect;
mod decode;
mod schema;
mod whole;

pub(super) use connect::connect_schema;
pub(super) use decode::decode;
pub(crate) use schema::AvroOptions;
pub(super) use schema::Plan;
pub(super) use whole::whole;

#[cfg(test)]
mod tests;
