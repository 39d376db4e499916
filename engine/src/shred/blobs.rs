//! A growing column of bytes as they came: keys and values of records.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, NullBufferBuilder};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};

use super::column::take_bytes;
use crate::Result;
use crate::spare::Spare;

/// The bytes of rows, null or empty where a record has them so.
#[derive(Debug)]
pub(super) struct Blobs {
    /// Where each begins, the end of the last included.
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    nulls: NullBufferBuilder,
}

impl Blobs {
    pub(super) fn new() -> Self {
        Self {
            offsets: vec![0],
            bytes: Vec::new(),
            nulls: NullBufferBuilder::new(0),
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

    /// The column; what is left is empty, with room for as much again.
    pub(super) fn finish(&mut self, spare: &Spare) -> Result<ArrayRef> {
        let mut next = Vec::with_capacity(self.offsets.len());
        next.push(0);
        let offsets = std::mem::replace(&mut self.offsets, next);
        Ok(Arc::new(BinaryArray::try_new(
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            take_bytes(&mut self.bytes, spare),
            self.nulls.finish(),
        )?))
    }
}
