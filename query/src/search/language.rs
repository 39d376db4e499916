//! The language of a search: text to tree.
//!
//! ```text
//! timeout retry             both words, anywhere in the record, in any case
//! "connection refused"      these words, one behind the other; so is connection-refused
//! time* jo?n                `*` any letters, `?` one
//! a OR b, a AND b, NOT a, -a, +a, (a OR b) c
//! status:failed  user.name:jo?n*  note:"Late Order"      a field's whole value, in any case
//! id:=A-77                  exactly so
//! order:>=10  order:[10 TO 20}  _timestamp:[2026-11-01 TO *]
//! status:(failed OR late)   _exists_:field  field:*
//! \ before a character      takes its meaning away
//! ```
//!
//! AND binds closer than OR, and stands between words that have nothing between them. A term
//! without any letter or digit says nothing and is left out, so that pasted text can be searched.

use eddy_engine::filter::each_word;

use super::reader::{Reader, Wrong, fuzzy, plain};
use super::tree::{Field, Phrase, Piece, Test, Tree, small};

/// Terms of one search. Planning takes long for more.
const TERMS_MAX: usize = 200;
/// Parentheses in parentheses.
const DEPTH_MAX: usize = 40;
/// Words of one phrase.
pub(super) const PHRASE_MAX: usize = 64;

/// Reads a search.
pub(crate) fn parse(text: &str) -> Result<Tree, Wrong> {
    let mut reader = Reader::new(text);
    let found = reader.any(None)?;
    match (reader.peek(), found) {
        (Some(')'), _) => {
            Err(reader.wrong("this `)` closes nothing", "take it out or escape it: \\)"))
        }
        (_, Some(tree)) => Ok(tree),
        (_, None) => Err(Wrong {
            at: 0,
            message: "the text of `search` has no word".to_owned(),
            hint: "write words, as `search('late order')`, or fields, as `search('status:late')`",
        }),
    }
}

/// The field whose values stand in parentheses.
type Within<'a> = Option<&'a [String]>;

impl Reader {
    /// `a OR b`; `None` when there is nothing that says anything.
    fn any(&mut self, within: Within<'_>) -> Result<Option<Tree>, Wrong> {
        let mut all = Vec::new();
        let mut before = None;
        loop {
            let one = self.all(within)?;
            self.blanks();
            let operator = self.at;
            let goes_on = self.take(&["OR", "||"]);
            match (one, before) {
                (Some(one), _) => all.push(one),
                (None, Some(before)) => return Err(nothing_at(before, "OR")),
                (None, None) if goes_on => return Err(nothing_at(operator, "OR")),
                (None, None) => {}
            }
            if !goes_on {
                return Ok(joined(all, Tree::Any));
            }
            before = Some(operator);
        }
    }

    /// `a b`, `a AND b`.
    fn all(&mut self, within: Within<'_>) -> Result<Option<Tree>, Wrong> {
        let mut all = Vec::new();
        loop {
            self.blanks();
            let operator = self.at;
            let and = self.take(&["AND", "&&"]);
            if and && all.is_empty() {
                return Err(nothing_at(operator, "AND"));
            }
            self.blanks();
            let from = self.at;
            let ended = matches!(self.peek(), None | Some(')')) || self.take(&["OR", "||"]);
            self.at = from;
            if ended {
                return match and {
                    true => Err(nothing_at(operator, "AND")),
                    false => Ok(joined(all, Tree::All)),
                };
            }
            all.extend(self.one(within)?);
        }
    }

    /// A term, perhaps with `NOT`, `-` or `+` before it.
    fn one(&mut self, within: Within<'_>) -> Result<Option<Tree>, Wrong> {
        self.blanks();
        let from = self.at;
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(self.wrong(
                format!("a search has at most {TERMS_MAX} terms"),
                "write `x IN (...)` beside the search for many values",
            ));
        }
        let goes_on = |next: Option<char>| next.is_some_and(|next| !next.is_whitespace());
        let sign = self.peek().filter(|_| goes_on(self.peek_behind()));
        let negated = if self.take(&["NOT"]) {
            Some("NOT")
        } else if let Some(sign @ ('-' | '!' | '+')) = sign {
            self.at += 1;
            Some(if sign == '+' { "+" } else { "-" })
        } else {
            None
        };
        let Some(operator) = negated else {
            return self.term(within);
        };
        self.depth += 1;
        self.deep()?;
        let inner = if self.ended() {
            None
        } else {
            self.one(within)?
        };
        self.depth -= 1;
        match inner {
            Some(inner) if operator == "+" => Ok(Some(inner)),
            Some(inner) => Ok(Some(Tree::Not(Box::new(inner)))),
            // `--` and the like are no words at all.
            None if operator != "NOT" => Ok(None),
            None => Err(nothing_at(from, operator)),
        }
    }

    fn ended(&mut self) -> bool {
        self.blanks();
        matches!(self.peek(), None | Some(')'))
    }

    fn deep(&self) -> Result<(), Wrong> {
        match self.depth > DEPTH_MAX {
            true => Err(self.wrong(
                format!("a search nests at most {DEPTH_MAX} deep"),
                "take parentheses out",
            )),
            false => Ok(()),
        }
    }

    fn term(&mut self, within: Within<'_>) -> Result<Option<Tree>, Wrong> {
        let from = self.at;
        match self.peek() {
            Some('(') => return self.group(within),
            Some('"') => {
                let text = self.quoted()?;
                if self.peek() == Some(':') && within.is_none() {
                    self.at += 1;
                    return self.field(vec![text], from).map(Some);
                }
                return Ok(Some(match within {
                    None => self.phrase(words_of(&text), from)?,
                    Some(path) => {
                        let test = Test::Like(vec![Piece::Text(small(&text))]);
                        of_field(path, from, test)
                    }
                }));
            }
            _ => {}
        }
        if let Some(path) = within {
            let test = self.value(path)?;
            return Ok(Some(of_field(path, from, test)));
        }
        let run = self.run(true)?;
        if self.peek() == Some(':') {
            self.at += 1;
            if plain(&run) == "*" && self.peek() == Some('*') {
                self.at += 1;
                return Ok(Some(Tree::Everything));
            }
            let path = self.path(&run, from)?;
            return self.field(path, from).map(Some);
        }
        if !run.is_empty() && run.iter().all(|letter| *letter == ('*', false)) {
            return Ok(Some(Tree::Everything));
        }
        fuzzy(&run, from)?;
        match words_in(&run) {
            words if words.is_empty() => Ok(None),
            words => self.phrase(words, from).map(Some),
        }
    }

    fn group(&mut self, within: Within<'_>) -> Result<Option<Tree>, Wrong> {
        let from = self.at;
        self.at += 1;
        self.depth += 1;
        self.deep()?;
        let inner = self.any(within)?;
        self.depth -= 1;
        if self.peek() != Some(')') {
            return Err(Wrong {
                at: from,
                message: "this `(` is not closed".to_owned(),
                hint: "close it with `)`, or escape it: \\(",
            });
        }
        self.at += 1;
        Ok(inner)
    }

    fn phrase(&self, words: Phrase, from: usize) -> Result<Tree, Wrong> {
        let wrong = |message: String, hint| {
            Err(Wrong {
                at: from,
                message,
                hint,
            })
        };
        match words.len() {
            0 => wrong(
                "these quotes hold no word".to_owned(),
                "words are of letters and digits; for other characters there is `LIKE`",
            ),
            1..=PHRASE_MAX => Ok(Tree::Words(words)),
            _ => wrong(
                format!("a phrase has at most {PHRASE_MAX} words"),
                "part it into several",
            ),
        }
    }

    /// What follows `field:`.
    fn field(&mut self, path: Vec<String>, from: usize) -> Result<Tree, Wrong> {
        if path == ["_exists_"] {
            let start = self.at;
            let run = self.run(false)?;
            let path = self.path(&run, start)?;
            return Ok(of_field(&path, start, Test::Exists));
        }
        if self.peek() == Some('(') {
            let values = self.group(Some(path.as_slice()))?;
            return values.ok_or_else(|| Wrong {
                at: from,
                message: format!("`{}` has no value in its parentheses", path.join(".")),
                hint: "write `status:(failed OR late)`",
            });
        }
        let test = self.value(&path)?;
        Ok(of_field(&path, from, test))
    }
}

fn nothing_at(at: usize, operator: &str) -> Wrong {
    Wrong {
        at,
        message: format!("`{operator}` stands beside nothing"),
        hint: "write a term on each of its sides, or quote it to look for the word",
    }
}

fn of_field(path: &[String], at: usize, test: Test) -> Tree {
    Tree::Field(Field {
        path: path.to_vec(),
        at,
        test,
    })
}

fn joined(mut all: Vec<Tree>, join: impl Fn(Vec<Tree>) -> Tree) -> Option<Tree> {
    match all.len() {
        0 | 1 => all.pop(),
        _ => Some(join(all)),
    }
}

/// The words of a text that is no JSON, whatever it begins with.
fn words_of(text: &str) -> Phrase {
    let mut words = Phrase::new();
    each_word(format!(".{text}").as_bytes(), |word| {
        words.push(String::from_utf8_lossy(word).into_owned());
        true
    });
    words
}

/// The words of a term, in which wildcards are letters.
fn words_in(run: &[(char, bool)]) -> Phrase {
    let mut words = Phrase::new();
    let mut word = String::new();
    for (letter, escaped) in run {
        match letter {
            '*' | '?' if !escaped => word.push(*letter),
            letter if letter.is_alphanumeric() => {
                let small = letter.to_lowercase();
                word.extend(small.filter(|letter| letter.is_alphanumeric()));
            }
            _ if word.is_empty() => {}
            _ => words.push(std::mem::take(&mut word)),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests;
