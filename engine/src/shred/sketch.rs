//! A sketch of a row's keys: rows of like keys have like sketches.
//!
//! Each path of the row sets one of its bits, so rows of the very same paths have the same sketch,
//! and of two sketches the share of common bits tells the share of common paths, as long as the row
//! has no more than some hundred.
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

/// Odd multipliers that spread a hash over all of its bits.
const SPREAD: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];

/// A bit for each path, several paths to a bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Sketch([u64; 4]);

impl Sketch {
    /// How many bits are set.
    pub(super) fn ones(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// How many bits both have.
    pub(super) fn common(&self, other: &Self) -> u32 {
        let words = self.0.iter().zip(&other.0);
        words.map(|(one, other)| (one & other).count_ones()).sum()
    }

    /// Takes in the hash of a path and of what is there.
    #[inline]
    fn set(&mut self, of_type: u64) {
        let hash = (of_type ^ (of_type >> 29)).wrapping_mul(SPREAD[0]);
        if let Some(word) = self.0.get_mut((hash >> 62) as usize) {
            *word |= 1 << ((hash >> 56) & 63);
        }
    }
}

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
        let mut sketch = Sketch::default();
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
                        let first = text.get(at);
                        if let Some(class) = class(first) {
                            sketch.set(path.wrapping_add(class));
                        }
                        if first == Some(&b'"') {
                            at = string_end(text, at + 1) + 1;
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
        let mut sketch = Sketch::default();
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
            sketch.set(of_type);
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
    let (first, last) = ends(key);
    let mixed = (path ^ first)
        .wrapping_mul(SPREAD[0])
        .rotate_left(31)
        .wrapping_add(last)
        .wrapping_mul(SPREAD[1]);
    (mixed ^ (mixed >> 31)).wrapping_add(key.len() as u64)
}

/// The bytes that a key begins and ends with; of short ones they overlap.
#[inline]
fn ends(key: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        let [first, last] = [first, last].map(|bytes| u64::from(u32::from_le_bytes(*bytes)));
        return (first, last);
    }
    let byte = |at: usize| u64::from(key.get(at).copied().unwrap_or(0));
    (byte(0) | byte(1) << 8 | byte(2) << 16, 0)
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
