//! Strings of a JSON text: where they end, and what their escapes mean.

/// Where the plain part ends that begins at `at`: at a quote, a backslash, a control character or
/// the end of the text. Eight bytes at a time.
#[inline]
pub(crate) fn plain_end(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let slash = word ^ (ONES * b'\\' as u64);
        // A byte's high bit is set where the byte is zero (quote, slash) or below 0x20. Borrows
        // only reach bytes above a true hit, and the lowest hit is what counts.
        let hit = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hit = hit & HIGH;
        if hit != 0 {
            return at + (hit.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = text.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            return at;
        }
        at += 1;
    }
    at
}

/// The texts are equal. Keys are short: a few words compared in place are quicker than a call. The
/// last word overlaps the one before.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if let (Some(left), Some(right)) = (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        return left == right && words(a).eq(words(b));
    }
    if let (Some(left), Some(right)) = (a.last_chunk::<4>(), b.last_chunk::<4>()) {
        return left == right && a.first_chunk::<4>() == b.first_chunk::<4>();
    }
    a.iter().eq(b)
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8; 8]> {
    text.as_chunks::<8>().0.iter()
}

/// The escapes of `span` (valid ones) have half a surrogate pair without its other half.
pub(crate) fn surrogates(span: &[u8]) -> bool {
    let mut at = 0;
    while let Some(&byte) = span.get(at) {
        if byte != b'\\' {
            at += 1;
            continue;
        }
        if span.get(at + 1) != Some(&b'u') {
            at += 2;
            continue;
        }
        match code_unit(span, at) {
            0xdc00..=0xdfff => return true,
            0xd800..=0xdbff => {
                if !matches!(low_surrogate(span, at + 6), Some(0xdc00..=0xdfff)) {
                    return true;
                }
                at += 12;
            }
            _ => at += 6,
        }
    }
    false
}

/// Appends the text that `span` stands for; its escapes are valid and its surrogates in pairs.
pub(crate) fn unescape(span: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < span.len() {
        let plain = plain_end(span, at);
        out.extend_from_slice(span.get(at..plain).unwrap_or_default());
        at = plain;
        if at >= span.len() {
            return;
        }
        let simple = match span.get(at + 1) {
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                at = unescape_unit(span, at, out);
                continue;
            }
            Some(&byte) => byte,
            None => return,
        };
        out.push(simple);
        at += 2;
    }
}

/// Appends the character of the `\u` escape at `at`; answers where the escape ends.
fn unescape_unit(span: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let unit = code_unit(span, at);
    let (code, end) = match (unit, low_surrogate(span, at + 6)) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
            (0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00), at + 12)
        }
        _ => (unit, at + 6),
    };
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    end
}

fn low_surrogate(span: &[u8], at: usize) -> Option<u32> {
    (span.get(at..at + 2) == Some(b"\\u")).then(|| code_unit(span, at))
}

/// The four hex digits of the escape at `at`.
fn code_unit(span: &[u8], at: usize) -> u32 {
    let digits = span.get(at + 2..at + 6).unwrap_or_default();
    digits.iter().fold(0, |unit, &digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            digit => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10),
        };
        (unit << 4) | u32::from(digit & 15)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn plain_text_ends_at_the_first_special_byte() {
        for length in 0..60 {
            for special in [b'"', b'\\', 0, 0x1f] {
                for at in 0..length {
                    let mut text = vec![b'a'; length];
                    text[at] = special;
                    assert_eq!(plain_end(&text, 0), at);
                }
            }
            let text = "é\u{7f} !~".repeat(length);
            assert_eq!(plain_end(text.as_bytes(), 0), text.len());
        }
    }

    #[test]
    fn texts_are_the_same_only_with_the_same_bytes() {
        for length in 0..40 {
            let text = vec![b'a'; length];
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &vec![b'a'; length + 1]));
            for at in 0..length {
                let mut other = text.clone();
                other[at] = b'b';
                assert!(!same(&text, &other));
            }
        }
    }

    #[test]
    fn escapes_become_the_characters_they_stand_for() {
        let mut out = Vec::new();
        unescape(br#"a\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\u0000z"#, &mut out);
        assert_eq!(out, "a\"\\/\u{8}\u{c}\n\r\té😀\0z".as_bytes());
        assert!(!surrogates(br"\ud83d\ude00"));
        for lone in [
            &br"\ud83d"[..],
            br"\ude00",
            br"\ud83d\u0041",
            br"\ud83d\n",
            br"\ud83d\ud83d",
        ] {
            assert!(surrogates(lone));
        }
    }
}
