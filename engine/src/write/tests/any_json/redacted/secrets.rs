//! Secrets that can be told apart from everything else, in any spelling.

use super::super::values::{Meaning, Value};

/// What all texts among the secrets have in common, however they are written.
const TEXT: &str = "3cret-of-the-named-places";
/// The number among the secrets.
const NUMBER: i64 = 7_351_982_640_113;

/// Makes secrets, some with escapes.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    made: usize,
}

impl Secrets {
    /// The bytes of which some are wherever a secret is.
    pub(super) fn needles() -> [Vec<u8>; 4] {
        [
            TEXT.as_bytes().to_vec(),
            NUMBER.to_string().into_bytes(),
            NUMBER.to_le_bytes().to_vec(),
            (NUMBER as f64).to_le_bytes().to_vec(),
        ]
    }

    pub(super) fn next(&mut self) -> String {
        self.made += 1;
        format!("S{TEXT} {}", self.made)
    }

    pub(super) fn next_value(&mut self) -> Value {
        let text = self.next();
        let quoted = format!("\"{text}\"");
        Value {
            text: match self.made % 2 {
                0 => quoted,
                _ => quoted.replacen('S', "\\u0053", 1),
            },
            meaning: Meaning::Text(text),
        }
    }

    pub(super) fn next_number(&mut self) -> Value {
        Value {
            meaning: Meaning::Integer(NUMBER.into()),
            text: NUMBER.to_string(),
        }
    }
}
