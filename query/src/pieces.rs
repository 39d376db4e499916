//! Batches a few rows at a time: what is made of rows (text, messages) then needs little memory,
//! however wide they are.

use arrow::array::RecordBatch;

/// How much memory rows may have that are worked on at once.
const ROWS_BYTES: usize = 1 << 20;
/// Rows that are worked on at once however much memory their batch has.
const ROWS_LEAST: usize = 16;

/// The rows of a batch in pieces.
pub(crate) fn pieces(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> + use<'_> {
    let bytes = batch.get_array_memory_size().max(1);
    let share = batch.num_rows().saturating_mul(ROWS_BYTES) / bytes;
    let step = share.clamp(ROWS_LEAST, batch.num_rows().max(ROWS_LEAST));
    (0..batch.num_rows())
        .step_by(step)
        .map(move |from| batch.slice(from, step.min(batch.num_rows() - from)))
}
