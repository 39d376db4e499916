//! What open tables and the files of a cut take of the worker's memory beside their rows.

use arrow::datatypes::Schema;

/// As measured: its log's state and the kernel's, the tree of its columns, empty buffers.
const TABLE_BYTES: usize = 16 << 10;
/// The same for each column, nested ones and structs too: the kernel alone has each four times.
const COLUMN_BYTES: usize = 2_560;

/// The bytes of a table with these columns.
pub(super) fn standing_bytes(schema: &Schema) -> usize {
    TABLE_BYTES + schema.flattened_fields().len() * COLUMN_BYTES
}

/// A file's name, its values and its line in the log, as estimated from their texts.
const FILE_BYTES: usize = 1 << 10;
/// A column's bounds in a file's statistics, in the file's list and in the line of the log.
const BOUNDS_BYTES: usize = 128;

/// The bytes of one more file of a cut, whose rows have these columns.
pub(super) fn file_bytes(schema: &Schema) -> usize {
    FILE_BYTES + schema.flattened_fields().len() * BOUNDS_BYTES
}
