//! The schema registry: schemas by id, fetched once and kept.
//!
//! ```text
//! task -> Registry::get -> known? ----------------------------> found, or missing
//!              \-> a thread of its own -> client (HTTP) -> known
//! ```
//!
//! A task never waits longer than a moment: an answer that takes longer is asked for again later,
//! while the request goes on. What the registry says doesn't exist is remembered for a while (a
//! schema may arrive later than a record); that it doesn't answer is no verdict on any record, and
//! it is asked again with a growing wait. How many of both are kept is bounded.

mod auth;
mod cache;
mod client;
mod settings;
mod tls;

pub(super) use cache::{Answer, Registry};
pub(crate) use settings::{RegistrySettings, is_key};

/// A schema as the registry has it, with all that it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registered {
    /// Its id; a record may have named it otherwise.
    pub(super) id: Option<i32>,
    /// `AVRO`, `PROTOBUF` or `JSON`.
    pub(super) kind: String,
    /// Its text.
    pub(super) schema: String,
    /// The names and texts of those that it refers to, the innermost first.
    pub(super) references: Vec<(String, String)>,
}

#[cfg(test)]
pub(in crate::convert) mod tests;
