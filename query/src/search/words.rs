//! Which rows have the words of a search: their texts are walked once, for all of its words.

use arrow::array::BooleanArray;
use eddy_engine::filter::{Texts, Wanted, each_word};

use super::probe::{Probe, says_what_it_means};
use super::tree::{Phrase, Piece, Tree, is_like, pieces};

/// A search for words, ready to be asked of rows.
pub(super) struct Words {
    root: Node,
    phrases: Vec<Sequence>,
}

/// A part of it; phrases by their number.
enum Node {
    Always,
    Has(usize),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
}

/// Words one behind the other.
struct Sequence {
    words: Vec<Pattern>,
    probe: Option<Probe>,
}

enum Pattern {
    Word(Vec<u8>),
    Like(Vec<Piece>),
}

impl Words {
    /// The words of `tree`; what it says of fields is taken for true.
    pub(super) fn new(tree: &Tree) -> Self {
        let mut phrases = Vec::new();
        let mut known = Vec::new();
        let root = Node::of(tree, &mut known);
        for phrase in known {
            phrases.push(Sequence::new(phrase));
        }
        Self { root, phrases }
    }

    /// For each row whether it is found.
    pub(super) fn matching(&self, texts: &Texts<'_>, rows: usize) -> BooleanArray {
        let mut found = vec![false; self.phrases.len()];
        // Bit `n`: the first `n + 1` words of the phrase end here.
        let mut begun = vec![0_u64; self.phrases.len()];
        let rows = (0..rows).map(|row| {
            found.fill(false);
            let mut missing = self.phrases.len();
            texts.each_text(row, |text| {
                let open = self.phrases.iter().zip(&found);
                if says_what_it_means(text)
                    && open
                        .into_iter()
                        .all(|(phrase, found)| *found || phrase.is_not_in(text))
                {
                    return true;
                }
                begun.fill(0);
                each_word(text, |word| {
                    let states = self.phrases.iter().zip(&mut begun).zip(&mut found);
                    for ((phrase, begun), found) in states {
                        if *found {
                            continue;
                        }
                        *begun = phrase.after(*begun, word);
                        if *begun >> (phrase.words.len() - 1) & 1 == 1 {
                            *found = true;
                            missing -= 1;
                        }
                    }
                    missing > 0
                });
                missing > 0
            });
            Some(self.root.holds(&found))
        });
        rows.collect()
    }
}

impl Node {
    fn of<'a>(tree: &'a Tree, phrases: &mut Vec<&'a Phrase>) -> Self {
        let mut each = |inner: &'a [Tree]| inner.iter().map(|one| Self::of(one, phrases)).collect();
        match tree {
            Tree::Everything | Tree::Field(_) => Self::Always,
            Tree::Words(phrase) => {
                let known = phrases.iter().position(|known| *known == phrase);
                Self::Has(known.unwrap_or_else(|| {
                    phrases.push(phrase);
                    phrases.len() - 1
                }))
            }
            Tree::All(inner) => Self::All(each(inner)),
            Tree::Any(inner) => Self::Any(each(inner)),
            Tree::Not(inner) => Self::Not(Box::new(Self::of(inner, phrases))),
        }
    }

    fn holds(&self, found: &[bool]) -> bool {
        match self {
            Self::Always => true,
            Self::Has(phrase) => found.get(*phrase).copied().unwrap_or(false),
            Self::All(inner) => inner.iter().all(|one| one.holds(found)),
            Self::Any(inner) => inner.iter().any(|one| one.holds(found)),
            Self::Not(inner) => !inner.holds(found),
        }
    }
}

impl Sequence {
    fn new(phrase: &Phrase) -> Self {
        let words = phrase.iter().map(|word| match word.contains(['*', '?']) {
            true => Pattern::Like(pieces(word)),
            false => Pattern::Word(word.as_bytes().to_vec()),
        });
        Self {
            words: words.collect(),
            probe: Probe::of(phrase),
        }
    }

    /// Whether a text that says what it means certainly hasn't got it.
    fn is_not_in(&self, text: &[u8]) -> bool {
        let probe = self.probe.as_ref();
        probe.is_some_and(|probe| !probe.is_in(text))
    }

    /// How far it is after one word more.
    fn after(&self, begun: u64, word: &[u8]) -> u64 {
        let reached = begun << 1 | 1;
        let mut after = 0;
        for (at, pattern) in self.words.iter().enumerate() {
            let bit = 1 << at;
            if reached & bit != 0 && pattern.is(word) {
                after |= bit;
            }
        }
        after
    }
}

impl Pattern {
    fn is(&self, word: &[u8]) -> bool {
        match self {
            Self::Word(wanted) => wanted == word,
            Self::Like(pieces) => std::str::from_utf8(word).is_ok_and(|word| is_like(word, pieces)),
        }
    }
}

/// What filters can tell of the rows that such a search finds.
pub(super) fn wanted(tree: &Tree) -> Wanted {
    match tree {
        Tree::Words(phrase) => {
            let whole = phrase.iter().filter(|word| !word.contains(['*', '?']));
            Wanted::all(whole.map(|word| Wanted::words(word)).collect())
        }
        Tree::All(inner) => Wanted::all(inner.iter().map(wanted).collect()),
        Tree::Any(inner) => Wanted::any(inner.iter().map(wanted).collect()),
        Tree::Everything | Tree::Field(_) | Tree::Not(_) => Wanted::Anything,
    }
}
