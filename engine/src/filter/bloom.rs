//! A split-block bloom filter that begins large and is folded to what it turned out to hold.
//!
//! A hash picks one block of 256 bits by its upper bits and eight bits in it by its lower ones, as
//! in Parquet's own. The upper bits being a prefix, a filter of half as many blocks is each two
//! neighbours put together, and all hashes of one prefix lie beside each other: `pack` cuts many
//! filters along these prefixes.

/// Bytes of a block.
pub(crate) const BLOCK_BYTES: usize = 32;

/// A block: a bit is set in each word.
pub(crate) type Block = [u32; 8];

const SALT: [u32; 8] = [
    0x47B6_137B,
    0x4497_4D91,
    0x8824_AD5B,
    0xA2B7_289D,
    0x7054_95C7,
    0x2DF1_424B,
    0x9EFC_4947,
    0x5C6B_FB31,
];

/// A filter of 2^n blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bloom {
    blocks: Vec<Block>,
    bits: u8,
}

impl Bloom {
    /// An empty filter of 2^`bits` blocks, at most 2^31.
    pub(crate) fn new(bits: u8) -> Self {
        let bits = bits.min(31);
        Self {
            blocks: vec![[0; 8]; 1 << bits],
            bits,
        }
    }

    /// Takes a value in.
    pub(crate) fn insert(&mut self, hash: u64) {
        if let Some(block) = self.blocks.get_mut(place(hash, self.bits)) {
            for (word, bit) in block.iter_mut().zip(mask(hash)) {
                *word |= bit;
            }
        }
    }

    /// Whether a value may have been taken in; a no is certain.
    #[cfg(test)]
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        let block = self.blocks.get(place(hash, self.bits));
        block.is_none_or(|block| block_may_hold(block, hash))
    }

    /// The blocks, in order of the prefix that they stand for.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The number of blocks is two to the power of this.
    pub(crate) fn bits(&self) -> u8 {
        self.bits
    }

    /// The share of values that are not there and look as if they were.
    pub(crate) fn false_share(&self) -> f64 {
        let blocks = self.blocks.iter().map(|block| {
            let filled = block.iter().map(|word| f64::from(word.count_ones()) / 32.0);
            filled.product::<f64>()
        });
        let count = f64::from(u32::try_from(self.blocks.len()).unwrap_or(u32::MAX));
        blocks.sum::<f64>() / count
    }

    /// The smallest filter of the same values of which no more than `most` look present by chance,
    /// or this one.
    #[must_use]
    pub(crate) fn folded(mut self, most: f64) -> Self {
        while self.bits > 0 {
            let blocks = self.blocks.chunks(2).map(|pair| {
                let mut both = [0; 8];
                for block in pair {
                    for (word, more) in both.iter_mut().zip(block) {
                        *word |= more;
                    }
                }
                both
            });
            let half = Self {
                blocks: blocks.collect(),
                bits: self.bits - 1,
            };
            if half.false_share() > most {
                break;
            }
            self = half;
        }
        self
    }
}

/// The block that a hash falls into, of a filter with 2^`bits` of them.
pub(crate) fn place(hash: u64, bits: u8) -> usize {
    let prefix = hash.checked_shr(64 - u32::from(bits)).unwrap_or(0);
    usize::try_from(prefix).unwrap_or(usize::MAX)
}

/// Whether the value of `hash` may be in a filter whose block at [`place`] is this.
pub(crate) fn block_may_hold(block: &Block, hash: u64) -> bool {
    block
        .iter()
        .zip(mask(hash))
        .all(|(word, bit)| word & bit != 0)
}

fn mask(hash: u64) -> impl Iterator<Item = u32> {
    let low = u32::try_from(hash & u64::from(u32::MAX)).unwrap_or_default();
    SALT.into_iter()
        .map(move |salt| 1 << (low.wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::filter::hash::of_long;

    fn filled(values: i64) -> Bloom {
        let mut bloom = Bloom::new(13);
        (0..values).for_each(|value| bloom.insert(of_long(value)));
        bloom
    }

    #[test]
    fn what_was_taken_in_is_always_found_however_far_it_is_folded() {
        for values in [0, 1, 10, 20_000] {
            for most in [0.000_1, 0.01, 1.0] {
                let bloom = filled(values).folded(most);
                assert!((0..values).all(|value| bloom.may_hold(of_long(value))));
            }
        }
    }

    #[test]
    fn a_filter_is_as_large_as_its_values_need_and_seldom_wrong() {
        let mut before = 0;
        for values in [0, 10, 1_000, 80_000] {
            let bloom = filled(values).folded(0.01);
            assert!(bloom.blocks().len() >= before.max(1));
            before = bloom.blocks().len();
            let wrong = (1_000_000..1_020_000).filter(|value| bloom.may_hold(of_long(*value)));
            let wrong = wrong.count();
            assert!(wrong <= 260, "{wrong} of 20,000 with {values} values");
            let bits_each = bloom.blocks().len() * 256 / usize::try_from(values.max(13)).unwrap();
            assert!(bits_each <= 26, "{bits_each} bits a value of {values}");
        }
        assert_eq!(filled(0).folded(0.01).blocks().len(), 1);
    }
}
