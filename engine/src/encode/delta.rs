//! Parquet's packed deltas for integers and for the lengths of texts.
//!
//! Rule: <https://parquet.apache.org/docs/file-format/data-pages/encodings/>, DELTA_BINARY_PACKED =
//! 5: blocks of 128 deltas above the block's least one, in four miniblocks of 32, each packed with
//! as many bits as its largest needs.

use super::hybrid::varint;

const BLOCK: usize = 128;
const MINIBLOCK: usize = 32;

/// Appends `values`. With `narrow` they are 32-bit integers, whose deltas wrap at 32 bits.
pub(super) fn delta(values: &[i64], narrow: bool, out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint((BLOCK / MINIBLOCK) as u64, out);
    varint(values.len() as u64, out);
    let Some((&first, _)) = values.split_first() else {
        zigzag(0, out);
        return;
    };
    zigzag(first, out);
    let mut block = [0_i64; BLOCK];
    let mut previous = first;
    for chunk in values.get(1..).unwrap_or_default().chunks(BLOCK) {
        for (delta, &value) in block.iter_mut().zip(chunk) {
            *delta = value.wrapping_sub(previous);
            if narrow {
                *delta = i64::from(*delta as i32);
            }
            previous = value;
        }
        if let Some(deltas) = block.get_mut(..chunk.len()) {
            write_block(deltas, narrow, out);
        }
    }
}

fn write_block(deltas: &mut [i64], narrow: bool, out: &mut Vec<u8>) {
    let least = deltas.iter().copied().min().unwrap_or(0);
    zigzag(least, out);
    for delta in deltas.iter_mut() {
        *delta = delta.wrapping_sub(least);
        if narrow {
            *delta = i64::from(*delta as u32);
        }
    }
    let mut widths = [0_u8; BLOCK / MINIBLOCK];
    for (width, miniblock) in widths.iter_mut().zip(deltas.chunks(MINIBLOCK)) {
        let all = miniblock.iter().fold(0, |all, delta| all | *delta as u64);
        *width = (u64::BITS - all.leading_zeros()) as u8;
    }
    out.extend_from_slice(&widths);
    for (width, miniblock) in widths.iter().zip(deltas.chunks(MINIBLOCK)) {
        pack(miniblock, u32::from(*width), out);
    }
}

/// Packs up to 32 values, the missing ones as zeros.
fn pack(miniblock: &[i64], width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let end = out.len() + MINIBLOCK * width as usize / 8;
    let (mut bits, mut held) = (0_u128, 0);
    for &value in miniblock {
        bits |= u128::from(value as u64) << held;
        held += width;
        if held >= 64 {
            out.extend_from_slice(&(bits as u64).to_le_bytes());
            bits >>= 64;
            held -= 64;
        }
    }
    out.extend_from_slice(&(bits as u64).to_le_bytes());
    out.resize(end, 0);
}

fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)) as u64, out);
}
