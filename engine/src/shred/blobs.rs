//! Growing bytes: keys and values of records as they came, and what any column of texts has.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, NullBufferBuilder};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use crate::Result;
use crate::spare::{Spare, usual};

/// The most that is reserved for the bytes of a column before they come.
const RESERVED_BYTES: usize = 8 << 20;

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

    /// The column; what is left is empty, with room for what may come.
    pub(super) fn finish(&mut self, spare: &Spare) -> Result<ArrayRef> {
        let (rows, bytes) = &mut self.expected;
        *rows = usual(*rows, self.offsets.len());
        let mut next = Vec::with_capacity(*rows);
        next.push(0);
        let offsets = std::mem::replace(&mut self.offsets, next);
        Ok(Arc::new(BinaryArray::try_new(
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            take_bytes(&mut self.bytes, bytes, spare),
            self.nulls.finish(),
        )?))
    }
}

/// The bytes to be read, and a buffer in their place with room for `expected`: growing it step by
/// step would cost more than filling it.
pub(super) fn take_bytes(bytes: &mut Vec<u8>, expected: &mut usize, spare: &Spare) -> Buffer {
    *expected = usual(*expected, bytes.len());
    let next = (*expected + *expected / 8).min(RESERVED_BYTES);
    Buffer::from(spare.lend_all(bytes, next))
}
