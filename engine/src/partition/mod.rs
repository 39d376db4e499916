//! How a table's files are partitioned: what the user says, and which partition a row belongs to.
//!
//! ```text
//! Partitioning -- parts: a field of the payload | a stretch of time --> columns, all of text
//!      |
//!      +- of a batch --> Placement: each row's partition, a value per column
//!      +- in the table's properties, as it was when the table was made
//! ```
//!
//! A row's partition follows from the row alone (its payload, its time, its arrival), so whoever
//! computes it, writer or query, gets the same. A table's partitioning is fixed when it is made:
//! its files would otherwise mean two things by one name.
//!
//! Names of columns: as the pattern of a time says (`dt`, `hour`), and the keys of a field put
//! together (`customer.tier` is `customer_tier`). The table's other columns step aside: a payload
//! field `region` of a table that is partitioned by it is the column `region_2`, with its type.
//!
//! How a partition's folder is called is `path/`'s, how its rows are written `write/`'s.

mod field;
mod pattern;
mod place;
mod spec;
mod stored;
#[cfg(test)]
mod tests;
mod time;

pub use field::FieldPath;
pub use pattern::Pattern;
pub use place::{Placement, Values};
pub use spec::{Part, Partitioning};
pub use time::{TimePart, Unit, Zone};

pub(crate) use stored::PROPERTY;
pub(crate) use time::{date_time, is_meant};
