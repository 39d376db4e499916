//! A list of plain values as a Postgres array of one dimension.

use arrow::array::{Array, ArrayRef};
use bytes::{BufMut, BytesMut};

use super::kind::Kind;
use super::row::with_length;
use super::scalar;

/// Writes `{a,"b c",NULL}`.
pub(super) fn text(kind: Kind, elements: &ArrayRef, out: &mut BytesMut) {
    out.put_u8(b'{');
    let mut element = BytesMut::new();
    for row in 0..elements.len() {
        if row > 0 {
            out.put_u8(b',');
        }
        if elements.is_null(row) {
            out.put_slice(b"NULL");
            continue;
        }
        element.clear();
        scalar::text(kind, elements, row, &mut element);
        quoted(&element, out);
    }
    out.put_u8(b'}');
}

/// Writes dimensions, then each element with its length.
pub(super) fn binary(kind: Kind, elements: &ArrayRef, out: &mut BytesMut) {
    let length = i32::try_from(elements.len()).unwrap_or(i32::MAX);
    out.put_i32(i32::from(length > 0));
    out.put_i32(i32::from(elements.null_count() > 0));
    out.put_u32(kind.oid());
    if length == 0 {
        return;
    }
    out.put_i32(length);
    // Postgres counts from one.
    out.put_i32(1);
    for row in 0..elements.len() {
        if elements.is_null(row) {
            out.put_i32(-1);
        } else {
            with_length(out, |out| scalar::binary(kind, elements, row, out));
        }
    }
}

fn quoted(element: &[u8], out: &mut BytesMut) {
    let special = |byte: &u8| b"{},\"\\\x0b".contains(byte) || byte.is_ascii_whitespace();
    let plain = !element.is_empty()
        && !element.iter().any(special)
        && !element.eq_ignore_ascii_case(b"null");
    if plain {
        return out.put_slice(element);
    }
    out.put_u8(b'"');
    for byte in element {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}
