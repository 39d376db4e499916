//! A sketch of a row's keys: rows of like keys have like sketches.
//!
//! It is a MinHash (Broder 1997): of each of four hash functions the least value over all paths of
//! the row. Two rows agree in one with the probability of their Jaccard similarity, so an optional
//! key more or less rarely moves a row away from its like.
//!
//! A text is skimmed for its keys and not parsed: it is parsed once, into its columns, when its
//! turn comes. What is no JSON has some sketch too.
#![expect(
    clippy::indexing_slicing,
    reason = "tape indexes come from the tape, whose values lie within it"
)]

use super::json::DEPTH_MAX;
use super::tape::{Entry, Token};
use super::text::plain_end;

/// Odd multipliers that make four hashes of one.
const HASHES: [u64; 4] = [
    0x9e37_79b9_7f4a_7c15,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0xd6e8_feb8_6659_fd93,
];

/// Rows that share the first numbers are alike.
pub(super) type Sketch = [u32; HASHES.len()];

/// Makes sketches.
#[derive(Debug, Default)]
pub(super) struct Sketcher {
    open: Vec<Open>,
    /// Of each open container of a text the path around it and its own.
    paths: Vec<(u64, u64)>,
}

/// A container of a tape that the sketch is in.
#[derive(Debug)]
struct Open {
    end: u32,
    is_object: bool,
    path: u64,
}

impl Sketcher {
    /// The sketch of a text.
    pub(super) fn of_text(&mut self, text: &[u8]) -> Sketch {
        let mut sketch = [u32::MAX; HASHES.len()];
        self.paths.clear();
        let (mut around, mut path, mut at) = (0_u64, 0_u64, 0);
        while let Some(&byte) = text.get(at) {
            at += 1;
            match byte {
                b'"' => {
                    let begin = at;
                    let end = string_end(text, begin);
                    at = end + 1;
                    let colon = behind_blanks(text, at);
                    if text.get(colon) == Some(&b':') {
                        path = step(around, text.get(begin..end).unwrap_or_default());
                        at = behind_blanks(text, colon + 1);
                        if let Some(class) = class(text.get(at)) {
                            widen(&mut sketch, path.wrapping_add(class));
                        }
                    }
                }
                b'{' | b'[' if self.paths.len() < DEPTH_MAX => {
                    self.paths.push((around, path));
                    around = path.rotate_left(7) ^ 1;
                    path = around;
                }
                b'}' | b']' => (around, path) = self.paths.pop().unwrap_or_default(),
                _ => {}
            }
        }
        sketch
    }

    /// The sketch of a tape.
    pub(super) fn of_tape(&mut self, tape: &[Entry], text: &[u8]) -> Sketch {
        let mut sketch = [u32::MAX; HASHES.len()];
        self.open.clear();
        let mut at = 1;
        self.open.extend(tape.first().map(|root| Open {
            end: root.next,
            is_object: true,
            path: 0,
        }));
        while let Some(open) = self.open.last() {
            if at >= open.end as usize {
                self.open.pop();
                continue;
            }
            let mut path = open.path;
            if open.is_object {
                path = step(path, tape[at].of(text));
                at += 1;
            }
            let value = tape[at];
            if value.token == Token::Null {
                at += 1;
                continue;
            }
            let of_type = path.wrapping_add(value.token as u64);
            widen(&mut sketch, of_type);
            if matches!(value.token, Token::Object | Token::List) {
                self.open.push(Open {
                    end: value.next,
                    is_object: value.token == Token::Object,
                    path: path.rotate_left(7) ^ 1,
                });
            }
            at += 1;
        }
        sketch
    }
}

/// Takes the hash of a path and of what is there into a sketch.
#[inline]
fn widen(sketch: &mut Sketch, of_type: u64) {
    for (least, multiplier) in sketch.iter_mut().zip(HASHES) {
        let hash = (of_type ^ (of_type >> 29)).wrapping_mul(multiplier);
        *least = (*least).min((hash >> 32) as u32);
    }
}

/// Where the string ends that begins at `at`.
#[inline]
fn string_end(text: &[u8], mut at: usize) -> usize {
    loop {
        at = plain_end(text, at);
        match text.get(at) {
            Some(b'"') | None => return at,
            Some(b'\\') => at += 2,
            // No JSON, but it goes on.
            Some(_) => at += 1,
        }
    }
}

#[inline]
fn behind_blanks(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// What a value is by its first byte; nothing for null.
#[inline]
fn class(first: Option<&u8>) -> Option<u64> {
    Some(match first? {
        b'"' => 1,
        b'{' => 2,
        b'[' => 3,
        b't' | b'f' => 4,
        b'-' | b'0'..=b'9' => 5,
        _ => return None,
    })
}

/// The hash of a path continued by a key: of the key's ends and length, which tell keys apart well
/// enough for a sketch.
fn step(path: u64, key: &[u8]) -> u64 {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        u64::from_le_bytes(word)
    };
    let end = key.len().saturating_sub(8);
    let (first, last) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (word(key), word(&key[end..])),
    };
    let mixed = (path ^ first)
        .wrapping_mul(HASHES[0])
        .rotate_left(31)
        .wrapping_add(last)
        .wrapping_mul(HASHES[1]);
    (mixed ^ (mixed >> 31)).wrapping_add(key.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Sketch {
        Sketcher::default().of_text(text.as_bytes())
    }

    #[test]
    fn a_sketch_is_of_paths_and_kinds_and_of_no_values() {
        let one = of(r#"{"a":1,"b":{"c":"x\"y"},"d":[{"e":true},{"e":false}],"n":null}"#);
        let like = r#" { "d" : [ { "e" : false } ] , "b" : { "c" : "{:}[" } , "a" : -2.5 } "#;
        assert_eq!(one, of(like));
        for other in [
            r#"{"a":"1","b":[{"c":1}],"d":{"e":"true"}}"#,
            r#"{"A":1,"B":{"C":"x"},"D":[{"E":true}]}"#,
            r#"{"z":{"a":1,"b":{"c":"x"},"d":[{"e":true}]}}"#,
        ] {
            assert_ne!(one, of(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_json_has_a_sketch_too() {
        let deep = "[".repeat(1 << 16);
        for text in [
            "",
            "\"",
            "{\"",
            "{\"a\\",
            "}}]\"a\":",
            "\"a\"\n\u{1}:",
            &deep,
        ] {
            assert_eq!(of(text), of(text));
        }
    }
}
