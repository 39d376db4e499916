//! What a search says: words and fields, joined by AND, OR and NOT.

use serde::{Deserialize, Serialize};

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    /// Every record.
    Everything,
    /// These words, one behind the other, in one of the record's texts.
    Words(Phrase),
    /// What a field holds.
    Field(Field),
    /// Each of them.
    All(Vec<Tree>),
    /// One of them.
    Any(Vec<Tree>),
    /// Not that.
    Not(Box<Tree>),
}

/// Words in small letters, where `*` stands for any letters and `?` for one; at least one word.
pub(crate) type Phrase = Vec<String>;

/// A condition on a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// The names from the root, as they were written.
    pub(crate) path: Vec<String>,
    /// Where it stands in the text, in characters from 0.
    pub(crate) at: usize,
    /// What it must be.
    pub(crate) test: Test,
}

/// What a value must be. Of a list one element must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Test {
    /// Anything but null.
    Exists,
    /// This, whatever its case.
    Like(Vec<Piece>),
    /// Exactly this text.
    Exactly(String),
    /// Between two bounds, one of which may be open.
    Between(Option<Bound>, Option<Bound>),
}

/// A part of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Piece {
    /// This text, in small letters.
    Text(String),
    /// `?`: any character.
    One,
    /// `*`: any text.
    Any,
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bound {
    /// The value, as it was written.
    pub(crate) text: String,
    /// It belongs to the range.
    pub(crate) inclusive: bool,
}

impl Bound {
    fn text(&self) -> &str {
        &self.text
    }
}

impl Test {
    /// What is written as values in it, wildcards apart.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let (low, high) = match self {
            Self::Exists => (None, None),
            Self::Like(like) => (whole(like), None),
            Self::Exactly(text) => (Some(text.as_str()), None),
            Self::Between(low, high) => (
                low.as_ref().map(Bound::text),
                high.as_ref().map(Bound::text),
            ),
        };
        low.into_iter().chain(high)
    }
}

/// The value that has no wildcards.
pub(crate) fn whole(like: &[Piece]) -> Option<&str> {
    match like {
        [] => Some(""),
        [Piece::Text(text)] => Some(text),
        _ => None,
    }
}

impl Tree {
    /// Whether it says anything of a field.
    pub(crate) fn names_fields(&self) -> bool {
        match self {
            Self::Everything | Self::Words(_) => false,
            Self::Field(_) => true,
            Self::All(inner) | Self::Any(inner) => inner.iter().any(Self::names_fields),
            Self::Not(inner) => inner.names_fields(),
        }
    }

    /// The text of a search for words alone, which says the same; without what it says of fields.
    pub(crate) fn text_of_words(&self) -> String {
        let joined = |inner: &[Self], with: &str| {
            let texts: Vec<String> = inner.iter().map(Self::text_of_words).collect();
            format!("({})", texts.join(with))
        };
        match self {
            Self::Everything | Self::Field(_) => "*".to_owned(),
            Self::Words(words) => words.join("-"),
            Self::All(inner) => joined(inner, " "),
            Self::Any(inner) => joined(inner, " OR "),
            Self::Not(inner) => format!("NOT {}", inner.text_of_words()),
        }
    }
}

/// Text in small letters, letter by letter: what a letter becomes doesn't depend on its neighbours.
pub(crate) fn small(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Whether `text` is made of these pieces.
pub(crate) fn is_like(text: &str, pieces: &[Piece]) -> bool {
    // The last `*`, and where the text went on behind it.
    let mut again: Option<(&[Piece], &str)> = None;
    let (mut pieces, mut rest) = (pieces, text);
    loop {
        let next = match pieces.split_first() {
            Some((Piece::Any, behind)) => {
                again = Some((behind, rest));
                Some((behind, rest))
            }
            Some((Piece::One, behind)) => {
                let mut letters = rest.chars();
                letters.next().map(|_| (behind, letters.as_str()))
            }
            Some((Piece::Text(text), behind)) => {
                let after = rest.strip_prefix(text.as_str());
                after.map(|after| (behind, after))
            }
            None if rest.is_empty() => return true,
            None => None,
        };
        (pieces, rest) = match (next, again.as_mut()) {
            (Some(next), _) => next,
            // The `*` takes one letter more.
            (None, Some((behind, from))) => {
                let mut letters = from.chars();
                if letters.next().is_none() {
                    return false;
                }
                *from = letters.as_str();
                (*behind, *from)
            }
            (None, None) => return false,
        };
    }
}

/// The pieces of a word in which `*` and `?` stand for letters.
pub(crate) fn pieces(word: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for letter in word.chars() {
        match (letter, pieces.last_mut()) {
            ('*', Some(Piece::Any)) => {}
            ('*', _) => pieces.push(Piece::Any),
            ('?', _) => pieces.push(Piece::One),
            (letter, Some(Piece::Text(text))) => text.push(letter),
            (letter, _) => pieces.push(Piece::Text(letter.to_string())),
        }
    }
    pieces
}
