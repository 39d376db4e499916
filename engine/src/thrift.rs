//! Thrift's compact protocol, as much of it as is written here: the Parquet crate keeps its own to
//! itself.

/// The types of fields.
pub(crate) const I32: u8 = 5;
pub(crate) const I64: u8 = 6;
pub(crate) const BINARY: u8 = 8;
pub(crate) const LIST: u8 = 9;
pub(crate) const STRUCT: u8 = 12;
/// A field whose type says that it is false.
pub(crate) const FALSE: u8 = 2;
/// Behind the last field of a structure.
pub(crate) const STOP: u8 = 0;

/// A field's header: `step` after the one before.
pub(crate) fn field(out: &mut Vec<u8>, step: u8, kind: u8) {
    out.push(step << 4 | kind);
}

/// A list's header.
pub(crate) fn list(out: &mut Vec<u8>, length: usize, kind: u8) {
    match u8::try_from(length) {
        Ok(length) if length < 15 => out.push(length << 4 | kind),
        _ => {
            out.push(0xf0 | kind);
            unsigned(out, length as u64);
        }
    }
}

/// Bytes, their number before them.
pub(crate) fn binary(out: &mut Vec<u8>, bytes: &[u8]) {
    unsigned(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// An integer of any width.
pub(crate) fn signed(out: &mut Vec<u8>, value: i64) {
    unsigned(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
