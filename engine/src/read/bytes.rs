//! What rows take in memory.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;

/// What an array takes beside its values: the array itself, its buffers' heads and what they are
/// rounded up by. With a few rows to a batch it is most of the batch.
const ARRAY_BYTES: usize = 448;

/// The bytes of a batch in memory, without what its buffers hold for others.
pub(crate) fn bytes_of(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns
        .map(|array| array_bytes(array, 0, array.len()))
        .sum()
}

/// The bytes of some of an array's rows.
fn array_bytes(array: &dyn Array, first: usize, rows: usize) -> usize {
    let nulls = array.nulls().map_or(0, |_| rows.div_ceil(8));
    let values = match array.data_type() {
        DataType::Null => 0,
        DataType::Boolean => rows.div_ceil(8),
        DataType::Utf8 => texts(array.as_string::<i32>().value_offsets(), first, rows),
        DataType::Binary => texts(array.as_binary::<i32>().value_offsets(), first, rows),
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|array| array_bytes(array, first, rows)).sum()
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let [begin, end] = ends(list.value_offsets(), first, rows);
            (rows + 1) * size_of::<i32>() + array_bytes(list.values(), begin, end - begin)
        }
        other => match other.primitive_width() {
            Some(width) => rows * width,
            // The whole buffers, for others too.
            None => array.get_array_memory_size(),
        },
    };
    ARRAY_BYTES + nulls + values
}

fn texts(offsets: &[i32], first: usize, rows: usize) -> usize {
    let [begin, end] = ends(offsets, first, rows);
    (rows + 1) * size_of::<i32>() + (end - begin)
}

/// Where the elements of some rows begin and end.
fn ends(offsets: &[i32], first: usize, rows: usize) -> [usize; 2] {
    let at = |row: usize| offsets.get(row).map_or(0, |offset| *offset as usize);
    let begin = at(first);
    [begin, at(first + rows).max(begin)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray, StructArray};
    use arrow::datatypes::{Field, Int64Type};

    use super::*;

    #[test]
    fn a_slice_counts_its_own_rows_and_nothing_of_its_neighbours() {
        let long = "x".repeat(1_000);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["abc", &long, "d"]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
        let lists = [Some(vec![Some(1); 2]), None, Some(vec![Some(7); 90])];
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
        let field = |name: &str, array: &ArrayRef| {
            Arc::new(Field::new(name, array.data_type().clone(), true))
        };
        let inner = StructArray::from(vec![
            (field("texts", &texts), Arc::clone(&texts)),
            (field("numbers", &numbers), numbers),
        ]);
        let batch = RecordBatch::try_from_iter([
            ("object", Arc::new(inner) as ArrayRef),
            ("lists", Arc::new(lists)),
        ])
        .unwrap();
        // The struct, its texts, its numbers; the list and its elements.
        let heads = 5 * ARRAY_BYTES;
        let first = (2 * 4 + 3) + (8 + 1) + (2 * 4 + 1) + 2 * 8;
        assert_eq!(bytes_of(&batch.slice(0, 1)), heads + first);
        let second = (2 * 4 + 1_000) + (8 + 1) + (2 * 4 + 1);
        assert_eq!(bytes_of(&batch.slice(1, 1)), heads + second);
        let third = (2 * 4 + 1) + (8 + 1) + (2 * 4 + 1) + 90 * 8;
        let all = heads + first + second + third;
        // Ends and nulls are shared.
        assert_eq!(bytes_of(&batch), all - 2 * 2 * 4 - 2 * 2);
    }
}
