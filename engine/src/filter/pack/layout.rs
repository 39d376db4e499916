//! Where what lies in a pack, and its footer. Pure.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::filter::bloom::{BLOCK_BYTES, Block, block_may_hold, place};
use crate::filter::gather::Of;
use crate::filter::hash;
use crate::filter::slices::{Allowed, Slices};
use crate::filter::words::UNICODE;

/// The first and the last bytes of a pack.
pub(crate) const MAGIC: &[u8; 8] = b"EDDYFLT1";

/// What stands behind the footer's text: its checksum, its length and the magic.
pub(crate) const TAIL_BYTES: usize = 8 + 4 + MAGIC.len();

/// About what one look reads of a member: little next to the time that a request takes.
const SECTION_BYTES: usize = 64 << 10;

/// The sections of a member are at most two to the power of this.
const CUTS_MOST: u8 = 20;

const SUM_BYTES: usize = 8;

/// What a pack says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Footer {
    /// The edition of Unicode by which its words were told apart.
    pub(crate) unicode: (u8, u8, u8),
    /// The files, in order; their slices are counted through.
    pub(crate) files: Vec<PackedFile>,
    /// The filters by what they tell of.
    pub(crate) members: Vec<Member>,
}

/// A file whose filters are in the pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackedFile {
    /// Relative to the table.
    pub(crate) path: String,
    /// Its row groups.
    pub(crate) row_groups: usize,
    /// How they are cut; packs from before they were have one filter for each row group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cut: Option<Slices>,
}

impl PackedFile {
    /// How many filters of each kind it may have.
    pub(crate) fn slices(&self) -> usize {
        self.cut.as_ref().map_or(self.row_groups, Slices::count)
    }

    /// What is allowed of each row group, by whether each slice `allows` rows of its own.
    pub(crate) fn allowed(&self, allows: impl Fn(usize) -> bool) -> Vec<Allowed> {
        match &self.cut {
            Some(cut) => cut.allowed(allows),
            None => (0..self.row_groups)
                .map(|group| match allows(group) {
                    true => Allowed::Whole,
                    false => Allowed::Nothing,
                })
                .collect(),
        }
    }
}

/// The filters of one column, or of words, of all slices that have one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// What they tell of.
    pub(crate) of: Of,
    /// Where its first section begins.
    pub(crate) at: u64,
    /// It has two to the power of this many sections.
    pub(crate) cuts: u8,
    /// For each slice: its filter has two to the power of this many blocks; `None` without one.
    pub(crate) filters: Vec<Option<u8>>,
}

/// The blocks of a filter with 2^`bits` of them that belong into section `section` of 2^`cuts`: one
/// block is in several sections where there are more of these than of blocks.
pub(crate) fn part(bits: u8, cuts: u8, section: usize) -> Range<usize> {
    match bits.checked_sub(cuts) {
        Some(each) => section << each..(section + 1) << each,
        None => {
            let block = section >> (cuts - bits);
            block..block + 1
        }
    }
}

/// Into how many sections, as a power of two, filters of these sizes are cut: until one is small,
/// or what lies in several of them would double the whole.
pub(crate) fn cuts_for(filters: &[Option<u8>]) -> u8 {
    let section_blocks = |cuts: u8| -> usize {
        let filters = filters.iter().flatten();
        filters.map(|bits| part(*bits, cuts, 0).len()).sum()
    };
    let total = section_blocks(0);
    (0..CUTS_MOST)
        .find(|cuts| {
            let finer = cuts + 1;
            section_blocks(*cuts) * BLOCK_BYTES <= SECTION_BYTES
                || section_blocks(finer) << finer > total * 2
        })
        .unwrap_or(CUTS_MOST)
}

impl Member {
    /// Bytes of each section.
    pub(crate) fn section_bytes(&self) -> usize {
        let blocks = |bits: &u8| part(*bits, self.cuts, 0).len();
        let blocks: usize = self.filters.iter().flatten().map(blocks).sum();
        blocks * BLOCK_BYTES + SUM_BYTES
    }

    /// The sections.
    pub(crate) fn sections(&self) -> usize {
        1 << self.cuts
    }

    /// Where sections lie in the object.
    pub(crate) fn range(&self, sections: Range<usize>) -> Range<u64> {
        let bytes = |sections: usize| {
            let bytes = sections.saturating_mul(self.section_bytes());
            self.at
                .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX))
        };
        bytes(sections.start)..bytes(sections.end)
    }

    /// The section that answers for a hash.
    pub(crate) fn section_of(&self, hash: u64) -> usize {
        place(hash, self.cuts)
    }

    /// Whether each slice may hold the value of `hash`, whose section this is; those without a
    /// filter may.
    ///
    /// # Errors
    /// `Data` when the section isn't what was written.
    pub(crate) fn answer(&self, section: &[u8], hash: u64) -> Result<Vec<bool>> {
        let blocks = self.checked(section)?;
        let mut at = 0;
        let mut answers = Vec::with_capacity(self.filters.len());
        for bits in &self.filters {
            let Some(bits) = *bits else {
                answers.push(true);
                continue;
            };
            let part = part(bits, self.cuts, self.section_of(hash));
            let block = at + place(hash, bits).saturating_sub(part.start);
            let block = blocks.get(block * BLOCK_BYTES..(block + 1) * BLOCK_BYTES);
            let block = block.and_then(read_block).ok_or_else(broken)?;
            answers.push(block_may_hold(&block, hash));
            at += part.len();
        }
        Ok(answers)
    }

    /// The blocks of a section, whose checksum is right.
    ///
    /// # Errors
    /// `Data` when it isn't.
    pub(crate) fn checked<'a>(&self, section: &'a [u8]) -> Result<&'a [u8]> {
        let (blocks, sum) = section.split_last_chunk::<SUM_BYTES>().ok_or_else(broken)?;
        let whole = section.len() == self.section_bytes();
        if !whole || hash::of_bytes(blocks) != u64::from_le_bytes(*sum) {
            return Err(broken());
        }
        Ok(blocks)
    }

    fn end(&self) -> u64 {
        self.range(0..self.sections()).end
    }
}

impl Footer {
    /// The footer of a pack that begins with these members, in this order. The second of a pair is
    /// the fewest sections, as a power of two.
    pub(crate) fn new(files: Vec<PackedFile>, members: Vec<(Of, u8, Vec<Option<u8>>)>) -> Self {
        let mut at = u64::try_from(MAGIC.len()).unwrap_or_default();
        let mut placed = Vec::with_capacity(members.len());
        for (of, least, filters) in members {
            let member = Member {
                of,
                at,
                cuts: cuts_for(&filters).max(least),
                filters,
            };
            at = member.end();
            placed.push(member);
        }
        Self {
            unicode: UNICODE,
            files,
            members: placed,
        }
    }

    /// Its text and what stands behind: the end of a pack.
    ///
    /// # Errors
    /// `Internal` when it can't be written.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let wrong = |error| Error::internal("a footer can't be written").with_source(error);
        let mut bytes = serde_json::to_vec(self).map_err(wrong)?;
        let length =
            u32::try_from(bytes.len()).map_err(|_| Error::internal("a pack has too many files"))?;
        bytes.extend(hash::of_bytes(&bytes).to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(MAGIC);
        Ok(bytes)
    }

    /// How long the footer's text is, by the last bytes of an object.
    ///
    /// # Errors
    /// `Data` when they are not those of a pack.
    pub(crate) fn length(end: &[u8]) -> Result<usize> {
        let (rest, magic) = end.split_last_chunk::<8>().ok_or_else(broken)?;
        let (_, length) = rest.split_last_chunk::<4>().ok_or_else(broken)?;
        if magic != MAGIC {
            return Err(broken());
        }
        usize::try_from(u32::from_le_bytes(*length)).map_err(|_| broken())
    }

    /// Reads a footer from its text with what stands behind, of an object of `size` bytes.
    ///
    /// # Errors
    /// `Data` when it isn't one.
    pub(crate) fn decode(bytes: &[u8], size: u64) -> Result<Self> {
        let length = Self::length(bytes)?;
        let (text, rest) = bytes.split_at_checked(length).ok_or_else(broken)?;
        let sum = rest.first_chunk::<8>().ok_or_else(broken)?;
        if hash::of_bytes(text) != u64::from_le_bytes(*sum) {
            return Err(broken());
        }
        let footer: Self =
            serde_json::from_slice(text).map_err(|error| broken().with_source(error))?;
        let slices = footer.files.iter().map(PackedFile::slices);
        let slices = slices.fold(0, usize::saturating_add);
        let fits = |member: &Member| {
            let small = |bits: &u8| *bits <= 31;
            member.cuts <= CUTS_MOST
                && member.filters.iter().flatten().all(small)
                && member.filters.len() == slices
                && member.end() <= size
        };
        let cut = |file: &PackedFile| {
            let cut = file.cut.as_ref();
            cut.is_none_or(|cut| cut.row_groups() == file.row_groups)
        };
        if footer.members.iter().all(fits) && footer.files.iter().all(cut) {
            Ok(footer)
        } else {
            Err(broken())
        }
    }

    /// About what it takes in memory, the paths twice since they are looked up too.
    pub(crate) fn memory_bytes(&self) -> usize {
        let files = self.files.iter().map(|file| file.path.len() * 2 + 100);
        let members = self
            .members
            .iter()
            .map(|member| member.filters.len() * 2 + 200);
        files.chain(members).sum()
    }
}

fn read_block(bytes: &[u8]) -> Option<Block> {
    let mut block = [0; 8];
    for (word, bytes) in block.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_le_bytes(*bytes.first_chunk()?);
    }
    Some(block)
}

fn broken() -> Error {
    Error::data("a pack of filters is broken")
}
