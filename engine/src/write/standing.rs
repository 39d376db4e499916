//! What an open table takes of the worker's memory however few rows it has.

use arrow::datatypes::Schema;

/// As measured: its log's state and the kernel's, the tree of its columns, empty buffers.
const TABLE_BYTES: usize = 16 << 10;
/// The same for each column, nested ones and structs too.
const COLUMN_BYTES: usize = 1_536;

/// The bytes of a table with these columns.
pub(super) fn standing_bytes(schema: &Schema) -> usize {
    TABLE_BYTES + schema.flattened_fields().len() * COLUMN_BYTES
}
