//! zstd at its fastest level, told how thoroughly to look for repetitions in a page.
//!
//! The level's own way is to look at every byte for one that begins there. In pages of events most
//! bytes are in long repetitions, found from any byte of theirs, or in ids, where there are none:
//! looking at half of the bytes takes a quarter less time, and with larger tables for what was seen
//! finds as much. Texts that hardly say anything new are the exception: what is missed there costs
//! much, and is looked for quickly anyway.

use std::io::Result;

use zstd::bulk;
use zstd::zstd_safe::{CParameter, ParamSwitch, compress_bound};

/// The fastest level that finds repetitions.
pub(super) const LEVEL: i32 = 1;

/// Smaller pages are left to the level's own way: tables would be too large for them.
const LARGE: usize = 256 << 10;

/// A page that becomes so many times smaller hardly says anything new.
const REPEATED: usize = 6;

/// How far back a repetition may be, as a power of two. Just so small that zstd does without a
/// branch that ids make it mispredict.
const WINDOW: u32 = 18;

/// Places of the table of what was seen, as a power of two: 128 KiB.
const TABLE: u32 = 15;

/// How repetitions are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// As the level has it.
    Usual,
    /// At every byte.
    Dense,
    /// At two of four.
    Sparse,
}

/// Compresses one page after the other.
pub(super) struct Zstd {
    compressor: bulk::Compressor<'static>,
    search: Search,
    /// The column's last large page was full of repetitions.
    repeats: bool,
}

impl Zstd {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            compressor: bulk::Compressor::new(LEVEL)?,
            search: Search::Usual,
            repeats: false,
        })
    }

    /// The next pages are another column's.
    pub(super) fn begin_column(&mut self) {
        self.repeats = false;
    }

    /// Puts what `plain` compresses to into `packed`, and nothing else.
    pub(super) fn compress(&mut self, plain: &[u8], packed: &mut Vec<u8>) -> Result<()> {
        let search = match plain.len() > LARGE {
            true if self.repeats => Search::Dense,
            true => Search::Sparse,
            false => Search::Usual,
        };
        if search != self.search {
            self.set(search)?;
        }
        packed.reserve(compress_bound(plain.len()));
        self.compressor.compress_to_buffer(plain, packed)?;
        if search != Search::Usual {
            self.repeats = packed.len() * REPEATED < plain.len();
        }
        Ok(())
    }

    fn set(&mut self, search: Search) -> Result<()> {
        // Zero is what the level has for a page of its size.
        let (window, table, step, literals) = match search {
            Search::Usual => (0, 0, 0, ParamSwitch::Auto),
            Search::Dense => (WINDOW, TABLE, 0, ParamSwitch::Auto),
            // Left to itself, zstd doesn't pack literals where it skips bytes.
            Search::Sparse => (WINDOW, TABLE, 3, ParamSwitch::Enable),
        };
        for parameter in [
            CParameter::WindowLog(window),
            CParameter::HashLog(table),
            CParameter::TargetLength(step),
            CParameter::LiteralCompressionMode(literals),
        ] {
            self.compressor.set_parameter(parameter)?;
        }
        self.search = search;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Lines with as many bytes of an id as said, and the same words in each.
    fn page(bytes: usize, id: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let mut text = Vec::new();
        while text.len() < bytes {
            for _ in 0..id {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text.push(b'a' + (state >> 59) as u8 % 26);
            }
            text.extend_from_slice(b"{\"kind\":\"commit\",\"operation\":\"create\"}");
        }
        text
    }

    fn pack(zstd: &mut Zstd, plain: &[u8]) -> (Search, usize) {
        let mut packed = Vec::new();
        zstd.compress(plain, &mut packed).unwrap();
        let back = zstd::bulk::decompress(&packed, plain.len()).unwrap();
        assert!(back == plain);
        (zstd.search, packed.len())
    }

    #[test]
    fn pages_come_back_however_repetitions_were_looked_for() {
        let mut zstd = Zstd::new().unwrap();
        let (ids, words) = (page(LARGE * 3, 60), page(LARGE * 3, 2));
        for plain in [&ids, &ids, &words, &words, &page(9, 1), &ids, &Vec::new()] {
            pack(&mut zstd, plain);
        }
    }

    #[test]
    fn a_column_that_hardly_says_anything_new_is_looked_through_byte_by_byte() {
        let mut zstd = Zstd::new().unwrap();
        let (ids, words) = (page(LARGE * 2, 60), page(LARGE * 2, 2));
        assert_eq!(pack(&mut zstd, &words).0, Search::Sparse);
        assert_eq!(pack(&mut zstd, &words).0, Search::Dense);
        zstd.begin_column();
        for _ in 0..3 {
            assert_eq!(pack(&mut zstd, &ids).0, Search::Sparse);
        }
        assert_eq!(pack(&mut zstd, &page(900, 2)).0, Search::Usual);
    }

    #[test]
    fn literals_are_packed_where_bytes_are_skipped() {
        let ids = page(LARGE * 2, 60);
        let (search, packed) = pack(&mut Zstd::new().unwrap(), &ids);
        assert_eq!(search, Search::Sparse);
        // Sixty of a line's 98 bytes are letters of 4.7 bits; unpacked ones would leave 60.
        assert!(packed * 98 < ids.len() * 44, "{packed} of {}", ids.len());
    }
}
