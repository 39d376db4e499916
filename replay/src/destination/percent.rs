//! Any bytes as visible ASCII, and back by whoever reads them: `%` and two hexadecimal digits.

use std::fmt::Write as _;

/// Text with everything but letters, digits, `-`, `_`, `.` and `~` encoded.
pub(super) fn encoded(text: &str) -> String {
    encoded_bytes(text.as_bytes())
}

/// The same of any bytes.
pub(super) fn encoded_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(*byte));
        } else {
            // A string takes any text.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The text that a percent-encoded one stands for; `None` where it stands for none.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(from.get(..2)?, 16).ok()?);
        rest = from.get(2..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded_and_nonsense_is_not() {
        for text in ["", "a/b c%d", "\u{fc}\u{1f980}"] {
            assert_eq!(decoded(&encoded(text)).as_deref(), Some(text));
        }
        for bad in ["%", "%4", "%zz", "%FF", "a%\u{fc}"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }

    #[test]
    fn any_bytes_become_visible_ascii() {
        assert_eq!(encoded("order-42_a.b~"), "order-42_a.b~");
        assert_eq!(encoded("a/b,c=d %\r\n"), "a%2Fb%2Cc%3Dd%20%25%0D%0A");
        assert_eq!(encoded_bytes(&[0xff, 0x00]), "%FF%00");
    }
}
