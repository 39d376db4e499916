//! The characters of a search, read one by one: blanks, quotes, backslashes.

/// A search that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Where, in characters from 0.
    pub(crate) at: usize,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: &'static str,
}

pub(super) const QUOTE_IT: &str = "quote it to look for its words: \"...\"";

/// Reads a search from its beginning.
pub(super) struct Reader {
    letters: Vec<char>,
    pub(super) at: usize,
    /// Terms so far.
    pub(super) terms: usize,
    /// Parentheses and `NOT` around this place.
    pub(super) depth: usize,
}

/// A run of characters, and which of them were escaped.
pub(super) type Run = Vec<(char, bool)>;

impl Reader {
    pub(super) fn new(text: &str) -> Self {
        Self {
            letters: text.chars().collect(),
            at: 0,
            terms: 0,
            depth: 0,
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    pub(super) fn peek_behind(&self) -> Option<char> {
        self.letters.get(self.at + 1).copied()
    }

    pub(super) fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    pub(super) fn wrong(&self, message: impl Into<String>, hint: &'static str) -> Wrong {
        Wrong {
            at: self.at,
            message: message.into(),
            hint,
        }
    }

    /// Takes an operator that stands by itself.
    pub(super) fn take(&mut self, operators: &[&str]) -> bool {
        self.blanks();
        for operator in operators {
            let end = self.at + operator.chars().count();
            let here = self.letters.get(self.at..end);
            let same = here.is_some_and(|here| here.iter().copied().eq(operator.chars()));
            let after = self.letters.get(end).copied();
            if same && after.is_none_or(|after| after.is_whitespace() || "()\"".contains(after)) {
                self.at = end;
                return true;
            }
        }
        false
    }

    /// Takes one character, the one behind a backslash where there is one.
    pub(super) fn letter(&mut self, letter: char) -> Result<(char, bool), Wrong> {
        if letter != '\\' {
            self.at += 1;
            return Ok((letter, false));
        }
        match self.peek_behind() {
            Some(escaped) => {
                self.at += 2;
                Ok((escaped, true))
            }
            None => Err(self.wrong(
                "nothing stands behind this backslash",
                "write \\\\ for the backslash itself",
            )),
        }
    }

    /// Characters up to a blank, a quote or a parenthesis; up to a colon where a name may end.
    pub(super) fn run(&mut self, to_colon: bool) -> Result<Run, Wrong> {
        let mut run = Run::new();
        while let Some(letter) = self.peek() {
            let ends =
                letter.is_whitespace() || "()\"".contains(letter) || to_colon && letter == ':';
            if ends {
                break;
            }
            run.push(self.letter(letter)?);
        }
        Ok(run)
    }

    pub(super) fn quoted(&mut self) -> Result<String, Wrong> {
        let from = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => {
                    return Err(Wrong {
                        at: from,
                        message: "this quote is not closed".to_owned(),
                        hint: "close it with \", or escape it: \\\"",
                    });
                }
                Some('"') => break,
                Some(letter) => text.push(self.letter(letter)?.0),
            }
        }
        self.at += 1;
        match self.peek() {
            Some('~' | '^') => Err(self.wrong(NOT_FUZZY, QUOTE_IT)),
            _ => Ok(text),
        }
    }

    /// Whether these characters stand here.
    pub(super) fn is_at(&self, text: &str) -> bool {
        let here = self.letters.get(self.at..self.at + text.chars().count());
        here.is_some_and(|here| here.iter().copied().eq(text.chars()))
    }
}

const NOT_FUZZY: &str = "`~` and `^` (fuzzy search, boosts) are not supported";

/// Refuses `roam~`, `roam~2` and `word^3`, which would quietly be something else.
pub(super) fn fuzzy(run: &[(char, bool)], from: usize) -> Result<(), Wrong> {
    let mut ending = run.iter().rev();
    let mark = ending.find(|(letter, _)| !letter.is_ascii_digit() && *letter != '.');
    match (mark, run.len()) {
        (Some(('~' | '^', false)), 2..) => Err(Wrong {
            at: from,
            message: NOT_FUZZY.to_owned(),
            hint: "escape it: \\~",
        }),
        _ => Ok(()),
    }
}

/// The characters of a run.
pub(super) fn plain(run: &[(char, bool)]) -> String {
    run.iter().map(|(letter, _)| *letter).collect()
}
