//! The least and the greatest text of a page or a column, and what may stand for them when they
//! are long: never a bound that excludes a value which is there.

use super::chunk::Bounds;

/// Bytes of a bound at most.
const LONGEST: usize = 64;

/// A bound as it is written down.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rounded {
    pub(super) bytes: Vec<u8>,
    /// It is a value that is there.
    pub(super) exact: bool,
}

/// The least and the greatest of some texts, in the order of their bytes.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct TextBounds<'a> {
    /// Each with its first sixteen bytes as a number, which nearly always decide: eight are often
    /// the same in all of a column, as in `did:plc:`.
    found: Option<[(u128, &'a [u8]); 2]>,
}

impl<'a> TextBounds<'a> {
    /// Takes more texts in.
    #[inline]
    pub(super) fn widen(&mut self, texts: impl Iterator<Item = &'a [u8]>) {
        for text in texts {
            let text = (prefix(text), text);
            let [least, greatest] = self.found.get_or_insert([text, text]);
            if text < *least {
                *least = text;
            } else if text > *greatest {
                *greatest = text;
            }
        }
    }

    /// Takes in what others have found.
    pub(super) fn merge(&mut self, others: Self) {
        self.widen(others.found.into_iter().flatten().map(|(_, text)| text));
    }

    /// The bounds cut to 64 bytes, the upper one rounded up; of `utf8` they are UTF-8 too. `None`
    /// without texts, or when nothing short lies above the greatest.
    pub(super) fn rounded(self, utf8: bool) -> Option<(Rounded, Rounded)> {
        let [(_, least), (_, greatest)] = self.found?;
        let low = cut(least, utf8);
        let high = if greatest.len() <= LONGEST {
            greatest.to_vec()
        } else {
            above(cut(greatest, utf8), utf8)?
        };
        let rounded = |bytes: Vec<u8>, exact| Rounded { bytes, exact };
        Some((
            rounded(low.to_vec(), low.len() == least.len()),
            rounded(high, greatest.len() <= LONGEST),
        ))
    }

    /// The same for a page index.
    pub(super) fn for_index(self, utf8: bool) -> Bounds {
        self.rounded(utf8)
            .map(|(least, greatest)| (least.bytes, greatest.bytes))
    }
}

#[inline]
fn prefix(text: &[u8]) -> u128 {
    if let Some(first) = text.first_chunk::<16>() {
        return u128::from_be_bytes(*first);
    }
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(text) {
        *to = *from;
    }
    u128::from_be_bytes(first)
}

fn cut(text: &[u8], utf8: bool) -> &[u8] {
    let mut end = text.len().min(LONGEST);
    let continues = |at: usize| text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    while utf8 && end > 0 && continues(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// Something of the same length that is greater than all that begins with `start`.
fn above(start: &[u8], utf8: bool) -> Option<Vec<u8>> {
    if !utf8 {
        let at = start.iter().rposition(|&byte| byte < u8::MAX)?;
        let mut bytes = start.get(..=at)?.to_vec();
        *bytes.last_mut()? += 1;
        return Some(bytes);
    }
    let text = std::str::from_utf8(start).ok()?;
    let (at, next) = text.char_indices().rev().find_map(|(at, char)| {
        let next = (char..=char::MAX).nth(1)?;
        (next.len_utf8() == char.len_utf8()).then_some((at, next))
    })?;
    let mut bytes = start.get(..at)?.to_vec();
    bytes.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bounds(texts: &[&[u8]], utf8: bool) -> Option<(Rounded, Rounded)> {
        let mut bounds = TextBounds::default();
        bounds.widen(texts.iter().copied());
        bounds.rounded(utf8)
    }

    #[test]
    fn texts_are_ordered_by_all_of_their_bytes() {
        let texts: [&[u8]; 6] = [b"same-start-b", b"same-start-a", b"same", b"", b"z\0", b"z"];
        let (least, greatest) = bounds(&texts, true).unwrap();
        assert_eq!((least.bytes.as_slice(), least.exact), (&b""[..], true));
        assert_eq!(
            (greatest.bytes.as_slice(), greatest.exact),
            (&b"z\0"[..], true)
        );
        assert_eq!(bounds(&[], true), None);
    }

    #[test]
    fn long_bounds_are_cut_to_what_holds_for_every_text() {
        let text = |end: &str, times| format!("{}{end}", "x".repeat(times));
        for long in [
            text("é", 63),
            text("\u{10ffff}", 62),
            text("z", 90),
            text("\u{d7ff}", 61),
        ] {
            let (least, greatest) = bounds(&[long.as_bytes()], true).unwrap();
            assert!(least.bytes.as_slice() <= long.as_bytes());
            assert!(greatest.bytes.as_slice() >= long.as_bytes());
            assert!(least.bytes.len() <= 64 && greatest.bytes.len() <= 64);
            let both = [&least, &greatest];
            assert!(
                both.iter()
                    .all(|bound| std::str::from_utf8(&bound.bytes).is_ok())
            );
            assert_eq!(greatest.exact, long.len() <= 64);
        }
        let (_, greatest) = bounds(&[&[[7].as_slice(), &[255; 80]].concat()], false).unwrap();
        assert_eq!(greatest.bytes, [8]);
        assert_eq!(bounds(&[&[255; 80]], false), None);
    }
}
