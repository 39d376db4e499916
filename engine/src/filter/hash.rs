//! The hash of a value or word, the same for whoever writes a filter and whoever asks it.
//!
//! It is stored in what it decides, so it never changes: another hash is another format
//! (`pack::layout`). It is not that of Parquet's own bloom filters, so that a value which looks
//! present in the one by chance doesn't in the other.

const MULTIPLIERS: [u64; 3] = [
    0x9E37_79B9_7F4A_7C15,
    0xD1B5_4A32_D192_ED03,
    0xABC9_8388_FB8F_AC03,
];

/// The hash of bytes: a text, a binary or a word.
pub(crate) fn of_bytes(bytes: &[u8]) -> u64 {
    let [first, second, third] = MULTIPLIERS;
    // With the length inside, the zeros that fill up the last word can't be mistaken for bytes.
    let mut hash = first
        ^ u64::try_from(bytes.len())
            .unwrap_or(u64::MAX)
            .wrapping_mul(third);
    for chunk in bytes.chunks(8) {
        let mut word = [0_u8; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        hash = folded(hash ^ u64::from_le_bytes(word), second).wrapping_add(first);
    }
    folded(hash ^ second, third)
}

/// The hash of a whole number.
pub(crate) fn of_long(value: i64) -> u64 {
    of_bytes(&value.to_le_bytes())
}

/// Both halves of the product, so that each bit of the factors reaches each of the result.
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let low = u64::try_from(product & u128::from(u64::MAX)).unwrap_or_default();
    low ^ u64::try_from(product >> 64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_hash_is_the_one_that_stored_filters_were_made_with() {
        assert_eq!(of_bytes(b""), 0x4F74_4584_D96A_6E10);
        assert_eq!(of_bytes(b"order"), 0xE7FF_DF1D_510D_D87A);
        assert_eq!(of_bytes("müller-0815".as_bytes()), 0xB98A_1F69_ED63_F6AC);
        assert_eq!(of_long(-7), 0xB687_8312_9479_EC76);
    }

    #[test]
    fn texts_that_differ_little_hash_far_apart() {
        let texts = (0..100_000).map(|n| format!("user-{n}"));
        let hashes: HashSet<u64> = texts.map(|text| of_bytes(text.as_bytes())).collect();
        assert_eq!(hashes.len(), 100_000);
        for bits in [7_u32, 32, 57] {
            // A tenth of the hashes for each tenth of the range, within a few percent.
            let mut counts = [0_u32; 128];
            for hash in &hashes {
                let at = usize::try_from(hash >> bits & 127).unwrap_or(0);
                counts[at] += 1;
            }
            let (least, most) = (counts.iter().min(), counts.iter().max());
            assert!(least > Some(&650) && most < Some(&920), "{counts:?}");
        }
        assert_ne!(of_bytes(b"a"), of_bytes(b"a\0"));
        assert_ne!(of_bytes(b"12345678"), of_bytes(b"12345678\0"));
    }
}
