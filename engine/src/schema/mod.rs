//! What a table's columns are, how they are named and how they grow: pure functions over Arrow
//! schemas.
//!
//! A column is (path, type); its name is only assigned when the table grows (P11). So a schema
//! here is an Arrow schema whose fields carry their *identity* in metadata: `eddy.key`, the JSON
//! key as it came, and `eddy.kind`, what the column holds. A path is never inferred from a name.
//!
//! ```text
//! {"subject": "a"}  {"subject": {"uri": "b"}}  {"n": [1, "x"]}
//!
//! subject           key subject, kind string
//! subject__object   key subject, kind object     struct<uri>
//! n                 key n, kind mixed            list<element: struct<long, string>>
//! ```
//!
//! Within one struct an identity is the key and the whole [`Shape`]: a list of strings and a list
//! of longs under one key are two columns. Members of a `mixed` list's struct have a kind and no
//! key; a struct's `_rescued` column has the kind `rescued` and no key; a list's `element` has no
//! metadata, because Delta's array type has no place for it. The envelope's fields are known by
//! name at the root.
//!
//! Reserving names in the log is left to `commit/`, making batches to `shred/`.

mod bind;
mod columns;
mod decide;
mod detect;
mod envelope;
mod grow;
mod identify;
mod kind;
mod logical;
mod names;
mod project;
#[cfg(any(test, feature = "testing"))]
pub mod rebuild;
#[cfg(test)]
mod tests;
mod union;

pub use bind::bind;
pub use columns::{Column, columns};
pub use decide::decide;
pub use detect::{Detect, detect};
pub use envelope::{ENVELOPE, KEY_FIELDS, PARTITION_COLUMN, RESCUED, VALUE, VALUE_SHAPE};
pub use envelope::{envelope_schema, partition_columns};
pub use grow::grow;
pub use kind::{DECIMAL_DIGITS, KEY, KIND, Kind, Limits, Shape, is_members};
pub use logical::{Alternate, Logical, logical};
pub use project::project;

pub(crate) use bind::bind_array;
pub(crate) use detect::{Detected, detected};
pub(crate) use envelope::{header_fields, with_partition_columns};
pub(crate) use identify::{identify, with_identities};
pub(crate) use kind::{Step, element_field, list_element, member_field, payload_field};
pub(crate) use kind::{rescued_field, step};
pub(crate) use names::Names;
pub(crate) use project::unreserved;
pub(crate) use union::union;
