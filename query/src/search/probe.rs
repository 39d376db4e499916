//! Most texts don't have the words of a search, which a look for one word tells faster than taking
//! the text apart: only a text that has its letters, in any case, is worth that.

use memchr::{memchr2_iter, memmem};

use super::tree::Phrase;

/// Letters and digits, those that texts have least of first.
const RARE_FIRST: &[u8] = b"zqxj0987654321kvbwfgypmucdlhrtsnoiae";

/// The longest word of a phrase.
pub(super) struct Probe {
    word: Vec<u8>,
    /// The place of its rarest letter, which is looked for first.
    at: usize,
    rare: u8,
}

impl Probe {
    /// `None` for a phrase of wildcards.
    pub(super) fn of(phrase: &Phrase) -> Option<Self> {
        let whole = phrase.iter().filter(|word| !word.contains(['*', '?']));
        let word = whole.max_by_key(|word| word.len())?.as_bytes().to_vec();
        let rarity = |letter: u8| RARE_FIRST.iter().position(|one| *one == letter);
        let letters = word.iter().copied().enumerate();
        let (at, rare) = letters.min_by_key(|(_, letter)| rarity(*letter).unwrap_or(0))?;
        Some(Self { at, rare, word })
    }

    /// Whether a text that [`says_what_it_means`] may have the word.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let places = memchr2_iter(self.rare, self.rare.to_ascii_uppercase(), text);
        places
            .filter_map(|place| {
                let from = place.checked_sub(self.at)?;
                text.get(from..from + self.word.len())
            })
            .any(|here| here.eq_ignore_ascii_case(&self.word))
    }
}

/// Whether the words of a text stand in it letter by letter: no letter is written as an escape, and
/// none has another small letter than ASCII's.
pub(super) fn says_what_it_means(text: &[u8]) -> bool {
    text.is_ascii() && memmem::find(text, b"\\u").is_none()
}
