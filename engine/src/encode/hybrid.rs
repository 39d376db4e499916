//! Parquet's hybrid of run lengths and bit packing, for levels, dictionary indexes.
//!
//! Rule: <https://parquet.apache.org/docs/file-format/data-pages/encodings/>, RLE = 3. A run of
//! eight or more of one value is a run length, what is shorter is packed in groups of eight.

/// Groups whose count still fits the one byte that is kept free for it.
const GROUPS_MOST: usize = 63;

/// Appends runs of values to a buffer.
pub(super) struct Hybrid<'a> {
    out: &'a mut Vec<u8>,
    /// Bits of a value.
    width: u32,
    group: [u32; 8],
    filled: usize,
    /// Where the header of the packed groups is, and how many groups follow it.
    packed: Option<(usize, usize)>,
}

impl<'a> Hybrid<'a> {
    /// Values of `width` bits, at most 32, behind what `out` has.
    pub(super) fn new(out: &'a mut Vec<u8>, width: u32) -> Self {
        Self {
            out,
            width,
            group: [0; 8],
            filled: 0,
            packed: None,
        }
    }

    /// `count` times `value`.
    #[inline]
    pub(super) fn push(&mut self, value: u32, mut count: usize) {
        while count > 0 && (self.filled > 0 || count < 8) {
            if let Some(slot) = self.group.get_mut(self.filled) {
                *slot = value;
            }
            self.filled += 1;
            count -= 1;
            if self.filled == 8 {
                self.pack();
            }
        }
        if count > 0 {
            self.close_packed();
            varint((count as u64) << 1, self.out);
            let bytes = value.to_le_bytes();
            let width = self.width.div_ceil(8) as usize;
            self.out
                .extend_from_slice(bytes.get(..width).unwrap_or(&bytes));
        }
    }

    /// Writes out what is still held.
    pub(super) fn finish(mut self) {
        if self.filled > 0 {
            for slot in self.group.iter_mut().skip(self.filled) {
                *slot = 0;
            }
            self.pack();
        }
        self.close_packed();
    }

    fn pack(&mut self) {
        self.filled = 0;
        if self.packed.is_some_and(|(_, groups)| groups == GROUPS_MOST) {
            self.close_packed();
        }
        let (at, groups) = self.packed.unwrap_or_else(|| {
            self.out.push(0);
            (self.out.len() - 1, 0)
        });
        self.packed = Some((at, groups + 1));
        let (mut bits, mut held) = (0_u64, 0);
        for value in self.group {
            bits |= u64::from(value) << held;
            held += self.width;
            while held >= 8 {
                self.out.push(bits as u8);
                bits >>= 8;
                held -= 8;
            }
        }
    }

    fn close_packed(&mut self) {
        if let Some((at, groups)) = self.packed.take()
            && let Some(header) = self.out.get_mut(at)
        {
            *header = ((groups << 1) | 1) as u8;
        }
    }
}

/// Appends an unsigned LEB128.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The bits that hold every value up to `most`.
pub(super) fn width_of(most: u32) -> u32 {
    u32::BITS - most.leading_zeros()
}
