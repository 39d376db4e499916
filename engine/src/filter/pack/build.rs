//! A pack of filters that are in memory.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::error::Result;
use crate::filter::bloom::{Block, Bloom};
use crate::filter::gather::{FileFilters, Of};
use crate::filter::hash;
use crate::filter::pack::layout::{Footer, MAGIC, PackedFile, part};

/// The bytes of a pack of `files`.
///
/// # Errors
/// `Internal` when it has too many.
pub(crate) fn build(files: &[FileFilters]) -> Result<Bytes> {
    let mut members: BTreeMap<&Of, Vec<Option<&Bloom>>> = BTreeMap::new();
    let slices = || files.iter().flat_map(|file| &file.slices);
    let count = slices().count();
    for (at, slice) in slices().enumerate() {
        for (of, bloom) in slice {
            let filters = members.entry(of).or_insert_with(|| vec![None; count]);
            if let Some(filter) = filters.get_mut(at) {
                *filter = Some(bloom);
            }
        }
    }
    let packed = files.iter().map(|file| PackedFile {
        path: file.path.clone(),
        row_groups: file.cut.row_groups(),
        cut: Some(file.cut.clone()),
    });
    let sizes = members.iter().map(|(of, filters)| {
        let bits = filters.iter().map(|filter| filter.map(Bloom::bits));
        ((*of).clone(), 0, bits.collect())
    });
    let footer = Footer::new(packed.collect(), sizes.collect());
    let mut bytes = MAGIC.to_vec();
    for (member, filters) in footer.members.iter().zip(members.values()) {
        for at in 0..member.sections() {
            let parts = filters.iter().flatten().map(|filter| {
                let part = part(filter.bits(), member.cuts, at);
                filter.blocks().get(part).unwrap_or_default()
            });
            let parts: Vec<u8> = parts.flat_map(block_bytes).collect();
            bytes.extend(section(parts));
        }
    }
    bytes.extend(footer.encode()?);
    Ok(bytes.into())
}

/// A section of these blocks, with its checksum.
pub(crate) fn section(mut blocks: Vec<u8>) -> Vec<u8> {
    let sum = hash::of_bytes(&blocks);
    blocks.extend(sum.to_le_bytes());
    blocks
}

fn block_bytes(blocks: &[Block]) -> impl Iterator<Item = u8> {
    blocks.iter().flatten().flat_map(|word| word.to_le_bytes())
}

#[cfg(test)]
mod tests;
