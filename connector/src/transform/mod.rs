//! Transforms: what Kafka Connect calls single message transforms, and the predicates they go by.
//!
//! ```text
//! configuration --settings, classes--> chain: [predicate?] transform, [predicate?] transform, ...
//! record --> chain --> record, nothing (it was filtered), or a failure that says which and why
//! ```
//!
//! A transform is built once from its options and is a pure function of the record from then on:
//! the same record makes the same answer, so what is read again after a crash lands where it did.
//! What a value needs of Connect's schemas, they change with it; without a schema they do what
//! Connect does for maps.
//!
//! | room | holds |
//! |---|---|
//! | `chain`, `classes`, `settings` | what is configured, by Connect's class names and options |
//! | `predicate` | what decides whether a transform is applied |
//! | `side`, `members`, `field_path`, `retype` | keys and values, structs and maps, and schemas |
//! | `java/` | patterns of dates, regular expressions and numbers as Java writes them |
//! | `jsonpath/` | the paths of Confluent's `Filter` |
//! | the rest | a transform each |
//!
//! The envelope of a row is the original record whatever transforms do (E7): they change the
//! columns that a record fills, whether it lands, and in which table.

mod cast;
mod chain;
mod classes;
mod drop_headers;
mod drop_part;
mod extract_field;
mod extract_topic;
mod failure;
mod field_path;
mod filter;
mod flatten;
mod header_from;
mod hoist_field;
mod insert_field;
mod insert_header;
mod java;
mod jsonpath;
mod mask_field;
mod members;
mod message_timestamp_router;
mod new_record_state;
mod predicate;
mod regex_router;
mod replace_field;
mod retype;
mod set_schema_metadata;
mod settings;
mod side;
#[cfg(test)]
mod tests;
mod timestamp_converter;
mod timestamp_router;
mod tombstone_handler;
mod value_to_key;

pub(crate) use chain::{Chain, Failed, is_key};
pub(crate) use failure::Failure;
pub(crate) use java::pattern::whole as whole_pattern;

use crate::data::ConnectRecord;

/// One step of a chain.
pub(crate) trait Transform: Send + Sync {
    /// What becomes of a record; `None` when it is dropped.
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure>;
}
