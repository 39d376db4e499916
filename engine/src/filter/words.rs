//! The words of a text: what `search('word')` looks for and what the filters of words hold. One
//! function for both, so that a filter never denies a word that a row has.
//!
//! A word is a run of letters and digits, in small letters; everything else parts words. A text
//! that begins as JSON does has its escapes undone (`caf\u00e9` is `café`, `a\nb` is two words), so
//! keys, strings, numbers, `true` and `null` are words alike. What isn't UTF-8 has none.

use arrow::array::{Array, AsArray, BinaryArray, ListArray, RecordBatch, StringArray, StructArray};

use crate::schema::{VALUE, VALUE_SHAPE};

/// Which characters are letters, and which are their small ones, is Unicode's; a filter that was
/// made by another edition of it is only asked for words that no edition sees otherwise.
pub(crate) const UNICODE: (u8, u8, u8) = char::UNICODE_VERSION;

/// Calls `found` with each word of `text`, in order; words may come again. `false` from it ends the
/// walk.
pub fn each_word(text: &[u8], mut found: impl FnMut(&[u8]) -> bool) {
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let escaped = is_json(text);
    let mut word = Word::default();
    let mut rest = text;
    loop {
        // Most of most texts is ASCII: its letters are taken run by run.
        let bytes = rest.as_bytes();
        let run = bytes.iter().position(|byte| !byte.is_ascii_alphanumeric());
        let (run, after) = rest
            .split_at_checked(run.unwrap_or(bytes.len()))
            .unwrap_or((rest, ""));
        let mut letters = after.chars();
        let next = letters.next();
        rest = letters.as_str();
        let letter = match next {
            Some('\\') if escaped => unescape(&mut rest),
            Some(other) if other.is_ascii() => None,
            other => other,
        };
        if let Some(letter) = letter.filter(|letter| letter.is_alphanumeric()) {
            word.add(run);
            // The small `İ` is an `i` with a mark, which is no letter.
            let small = letter.to_lowercase();
            word.text
                .extend(small.filter(|letter| letter.is_alphanumeric()));
        } else if !word.end(run, &mut found) {
            return;
        }
        if next.is_none() {
            return;
        }
    }
}

/// The part of a word that is already behind.
#[derive(Default)]
struct Word {
    text: String,
}

impl Word {
    fn add(&mut self, run: &str) {
        self.text
            .extend(run.chars().map(|letter| letter.to_ascii_lowercase()));
    }

    /// The word ends with `run`; what `found` says of it.
    fn end(&mut self, run: &str, found: &mut impl FnMut(&[u8]) -> bool) -> bool {
        let small = !run.bytes().any(|byte| byte.is_ascii_uppercase());
        if self.text.is_empty() && small {
            return run.is_empty() || found(run.as_bytes());
        }
        self.add(run);
        let goes_on = found(self.text.as_bytes());
        self.text.clear();
        goes_on
    }
}

/// Whether a text begins as a JSON object, list or string does. `[INFO] C:\new` doesn't.
fn is_json(text: &str) -> bool {
    let mut letters = text.trim_start().chars();
    let first = letters.next();
    let rest = letters.as_str().trim_start();
    match first {
        Some('"') => true,
        Some('{') => rest.starts_with(['"', '}']),
        Some('[') => {
            let literals = ["true", "false", "null"];
            rest.starts_with(|next: char| "\"{[]-".contains(next) || next.is_ascii_digit())
                || literals.iter().any(|literal| rest.starts_with(literal))
        }
        _ => false,
    }
}

/// What the escape after a backslash stands for, taken off `rest`; `None` for what parts words.
/// What is no escape stays.
fn unescape(rest: &mut &str) -> Option<char> {
    let letter = rest.chars().next()?;
    if !"\"\\/bfnrtu".contains(letter) {
        return None;
    }
    *rest = rest.get(1..).unwrap_or_default();
    if letter != 'u' {
        return None;
    }
    let unit = hex(rest)?;
    *rest = rest.get(4..).unwrap_or_default();
    if !(0xD800..0xDC00).contains(&unit) {
        return char::from_u32(unit);
    }
    let low = rest.strip_prefix("\\u").and_then(hex)?;
    if !(0xDC00..0xE000).contains(&low) {
        return None;
    }
    *rest = rest.get(6..).unwrap_or_default();
    char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
}

fn hex(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| all)
}

/// The columns that together are all text of their records; one that isn't there has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Texts<'a> {
    /// The records' keys.
    pub key: Option<&'a BinaryArray>,
    /// The records' values.
    pub value: Option<&'a BinaryArray>,
    /// The records' headers, whose keys and values are text too.
    pub headers: Option<&'a ListArray>,
}

/// Whether a row has a shape in the place of its bytes.
fn is_elided(batch: &RecordBatch) -> bool {
    let Some(shapes) = batch.column_by_name(VALUE_SHAPE) else {
        return false;
    };
    let values = batch.column_by_name(VALUE);
    let held = |row| values.is_some_and(|values| values.is_valid(row));
    (0..batch.num_rows()).any(|row| shapes.is_valid(row) && !held(row))
}

impl<'a> Texts<'a> {
    /// The columns of a batch that has the envelope; `None` when one is of another type than Eddy
    /// writes, or when a row's text has to be made of its columns first ([`crate::elide`]).
    pub fn of(batch: &'a RecordBatch) -> Option<Self> {
        if is_elided(batch) {
            return None;
        }
        let binary = |name: &str| match batch.column_by_name(name) {
            Some(column) => column.as_binary_opt().map(Some),
            None => Some(None),
        };
        Some(Self {
            key: binary("_key")?,
            value: binary("_value")?,
            headers: match batch.column_by_name("_headers") {
                Some(headers) => {
                    let headers: &ListArray = headers.as_list_opt()?;
                    key_and_value(headers.values().as_struct_opt()?)?;
                    Some(headers)
                }
                None => None,
            },
        })
    }

    /// Calls `found` with each word of row `row`, as [`each_word`] does.
    pub fn each_word(&self, row: usize, mut found: impl FnMut(&[u8]) -> bool) {
        self.each_text(row, |text| {
            let mut goes_on = true;
            each_word(text, |word| {
                goes_on = found(word);
                goes_on
            });
            goes_on
        });
    }

    /// Calls `found` with each text of row `row`: its key, its value, and each header's key and
    /// value. `false` from it ends the walk.
    pub fn each_text(&self, row: usize, mut found: impl FnMut(&[u8]) -> bool) {
        for column in [self.key, self.value].into_iter().flatten() {
            if column.is_valid(row) && !found(column.value(row)) {
                return;
            }
        }
        let Some(headers) = self.headers.filter(|headers| headers.is_valid(row)) else {
            return;
        };
        let headers = headers.value(row);
        let Some((keys, values)) = headers.as_struct_opt().and_then(key_and_value) else {
            return;
        };
        for at in 0..headers.len() {
            if keys.is_valid(at) && !found(keys.value(at).as_bytes()) {
                return;
            }
            if values.is_valid(at) && !found(values.value(at)) {
                return;
            }
        }
    }
}

fn key_and_value(headers: &StructArray) -> Option<(&StringArray, &BinaryArray)> {
    let keys = headers.column_by_name("key")?.as_string_opt()?;
    let values = headers.column_by_name("value")?.as_binary_opt()?;
    Some((keys, values))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    fn words(text: impl AsRef<[u8]>) -> Vec<String> {
        let mut words = Vec::new();
        each_word(text.as_ref(), |word| {
            words.push(String::from_utf8(word.to_vec()).unwrap());
            true
        });
        words
    }

    #[test]
    fn a_word_is_a_run_of_letters_and_digits_in_small_letters() {
        for (text, expected) in [
            ("", vec![]),
            (" -- !", vec![]),
            ("one", vec!["one"]),
            ("One two;THREE", vec!["one", "two", "three"]),
            ("a_b-c.d/e", vec!["a", "b", "c", "d", "e"]),
            ("user-42 1.5e3", vec!["user", "42", "1", "5e3"]),
            ("Grüße aus MÜNCHEN", vec!["grüße", "aus", "münchen"]),
            ("ΑΒΓ-日本語", vec!["αβγ", "日本語"]),
            ("xŸ İstanbul", vec!["xÿ", "istanbul"]),
            (r"C:\new", vec!["c", "new"]),
            (r"[INFO] C:\new", vec!["info", "c", "new"]),
            (r"{user} C:\new", vec!["user", "c", "new"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(words(b"ok \xff"), Vec::<String>::new(), "not text");
    }

    #[test]
    fn json_is_read_with_its_escapes_undone_keys_and_numbers_too() {
        for (text, expected) in [
            (
                r#"{"userId": 7, "on": true, "x": null}"#,
                vec!["userid", "7", "on", "true", "x", "null"],
            ),
            (
                r#" ["caf\u00e9\nnew", "\u00C9T\u00c9"]"#,
                vec!["café", "new", "été"],
            ),
            (
                r#"{"a": "\ud835\udc00b \ud800c \u12"}"#,
                vec!["a", "𝐀b", "c", "12"],
            ),
            (r#""quo\"ted\\path""#, vec!["quo", "ted", "path"]),
            (r#"{"broken": "\"#, vec!["broken"]),
            (r#"{"broken": "\Users"}"#, vec!["broken", "users"]),
            (r#"[true, "a\nb"]"#, vec!["true", "a", "b"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn whoever_has_heard_enough_is_told_no_more() {
        let mut heard = 0;
        each_word(b"one two three", |_| {
            heard += 1;
            heard < 2
        });
        assert_eq!(heard, 2);
    }

    /// Keys, strings and numbers, in the order of the text.
    fn of_meaning(json: &Json, found: &mut Vec<String>) {
        match json {
            Json::Object(members) => {
                for (key, value) in members {
                    found.extend(words(key));
                    of_meaning(value, found);
                }
            }
            Json::Array(elements) => elements.iter().for_each(|one| of_meaning(one, found)),
            Json::String(text) => found.extend(words(text)),
            other => found.extend(words(other.to_string())),
        }
    }

    fn any_json() -> impl Strategy<Value = Json> {
        // Not what begins as JSON does: in a text of its own an escape is one.
        let text =
            "[a-zA-Z0-9 _.,\\\\/\"\n\té\u{1F680}日Ǆσ-]{0,12}".prop_map(|text| format!(".{text}"));
        let leaf = prop_oneof![
            any::<i64>().prop_map(Json::from),
            any::<bool>().prop_map(Json::from),
            Just(Json::Null),
            text.clone().prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 20, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::vec((text.clone(), inner), 0..4)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_words_of_a_json_text_are_those_of_what_it_says(
            json in any_json(),
            escape in any::<bool>(),
        ) {
            let text = json!([json]).to_string();
            let text = if escape { escaped(&text) } else { text };
            let mut expected = Vec::new();
            of_meaning(&json, &mut expected);
            prop_assert_eq!(words(text), expected);
        }
    }

    /// The same JSON without any letter beyond ASCII.
    fn escaped(text: &str) -> String {
        let mut units = [0; 2];
        text.chars().fold(String::new(), |mut out, letter| {
            if letter.is_ascii() {
                out.push(letter);
            } else {
                for unit in letter.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            out
        })
    }
}
