//! Growing bytes: keys and values of records as they came, and what any column of texts has.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, NullBufferBuilder};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use crate::Result;
use crate::spare::{LEAST_BYTES, Spare, usual};

/// The most that is reserved for the bytes of a column before they come.
const RESERVED_BYTES: usize = 8 << 20;

/// A buffer that stays with its column: thousands of columns have several each.
const STAYS_BYTES: usize = 512;

/// The bytes of rows, null or empty where a record has them so.
#[derive(Debug)]
pub(super) struct Blobs {
    /// Where each begins, the end of the last included.
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    nulls: NullBufferBuilder,
    /// How many rows and bytes the next batch may have.
    expected: (usize, usize),
}

impl Blobs {
    pub(super) fn new() -> Self {
        Self {
            offsets: vec![0],
            bytes: Vec::new(),
            nulls: NullBufferBuilder::new(0),
            expected: (0, 0),
        }
    }

    #[inline]
    pub(super) fn append(&mut self, bytes: Option<&[u8]>) {
        if self.offsets.len() == 1 {
            self.reserve();
        }
        match bytes {
            Some(bytes) => {
                self.bytes.extend_from_slice(bytes);
                self.nulls.append_non_null();
            }
            None => self.nulls.append_null(),
        }
        // A batch is sealed before its bytes pass the offsets' range.
        self.offsets.push(self.bytes.len() as i32);
    }

    #[cold]
    fn reserve(&mut self) {
        let (rows, bytes) = self.expected;
        self.offsets.reserve(rows);
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(with_slack(bytes));
        }
    }

    /// The bytes of a row.
    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        let [begin, end] = *self.offsets.get(row..)?.first_chunk::<2>()?;
        let bytes = self.bytes.get(begin as usize..end as usize)?;
        self.nulls.is_valid(row).then_some(bytes)
    }

    /// The column of some of the rows, in this order.
    pub(super) fn rows(&self, rows: &[u32], spare: &Spare) -> Result<BinaryArray> {
        let get = |row: &u32| self.get(*row as usize);
        let total = rows.iter().filter_map(get).map(<[u8]>::len).sum();
        let mut bytes = spare.take(total);
        let mut offsets = Vec::with_capacity(rows.len() + 1);
        offsets.push(0);
        let mut nulls = NullBufferBuilder::new(rows.len());
        for row in rows {
            let found = get(row);
            bytes.extend_from_slice(found.unwrap_or_default());
            nulls.append(found.is_some());
            offsets.push(bytes.len() as i32);
        }
        Ok(BinaryArray::try_new(
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            Buffer::from(spare.lend(bytes)),
            nulls.finish(),
        )?)
    }

    /// Forgets the rows, keeps their memory for the next.
    pub(super) fn clear(&mut self) {
        self.offsets.truncate(1);
        self.bytes.clear();
        self.nulls.truncate(0);
    }

    /// The column; what is left is empty. Room for what may come is made when it comes: thousands
    /// of tables wait for their next row.
    pub(super) fn finish(&mut self, spare: &Spare) -> Result<ArrayRef> {
        let (rows, bytes) = &mut self.expected;
        *rows = usual(*rows, self.offsets.len());
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        Ok(Arc::new(BinaryArray::try_new(
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            take_bytes(&mut self.bytes, bytes, spare),
            self.nulls.finish(),
        )?))
    }
}

/// The bytes to be read. In their place is a buffer with room for `expected`, if that is a large
/// one: growing it step by step would cost more than filling it.
fn take_bytes(bytes: &mut Vec<u8>, expected: &mut usize, spare: &Spare) -> Buffer {
    *expected = usual(*expected, bytes.len());
    let next = Some(with_slack(*expected)).filter(|next| *next >= LEAST_BYTES);
    Buffer::from(spare.lend_all(bytes, next.unwrap_or(0)))
}

/// Room for about so many bytes.
pub(super) fn with_slack(bytes: usize) -> usize {
    (bytes + bytes / 8).min(RESERVED_BYTES)
}

/// The texts of a finished column. If it is alone, room for others comes with the first of them.
pub(super) fn take_texts(
    bytes: &mut Vec<u8>,
    expected: &mut usize,
    alone: bool,
    spare: &Spare,
) -> Buffer {
    if !alone {
        return take_bytes(bytes, expected, spare);
    }
    *expected = bytes.len();
    Buffer::from(spare.lend(taken(bytes, alone)))
}

/// A finished column's values; what is left is empty. If it is `alone`, a small buffer stays with
/// the column, which so grows to the same size once and not in each batch, and the array gets no
/// more than it needs.
pub(super) fn taken<T: Copy>(values: &mut Vec<T>, alone: bool) -> Vec<T> {
    if !alone || values.capacity() * size_of::<T>() > STAYS_BYTES {
        let mut all = std::mem::take(values);
        if alone && all.len() < all.capacity() / 2 {
            all.shrink_to_fit();
        }
        return all;
    }
    let own = values.as_slice().to_vec();
    values.clear();
    own
}

/// Where the texts of a finished column begin, or the elements of its lists.
pub(super) fn take_offsets(offsets: &mut Vec<i32>, alone: bool) -> OffsetBuffer<i32> {
    let taken = taken(offsets, alone);
    offsets.push(0);
    OffsetBuffer::new(ScalarBuffer::from(taken))
}
