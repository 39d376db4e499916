//! What stands behind the colon of a field: a value, a comparison or a range.

use super::reader::{QUOTE_IT, Reader, Run, Wrong, fuzzy, plain};
use super::tree::{Bound, Piece, Test, small};

impl Reader {
    /// One value of the field `path`.
    pub(super) fn value(&mut self, path: &[String]) -> Result<Test, Wrong> {
        let from = self.at;
        if let Some('[' | '{') = self.peek() {
            return self.range();
        }
        for (operator, low, inclusive) in [
            (">=", true, true),
            ("<=", false, true),
            (">", true, false),
            ("<", false, false),
        ] {
            if self.is_at(operator) {
                self.at += operator.len();
                let text = self.bound(from)?;
                let bound = Some(Bound { text, inclusive });
                return Ok(match low {
                    true => Test::Between(bound, None),
                    false => Test::Between(None, bound),
                });
            }
        }
        if self.peek() == Some('=') {
            self.at += 1;
            return self.bound(from).map(Test::Exactly);
        }
        if self.peek() == Some('"') {
            let text = self.quoted()?;
            return Ok(Test::Like(vec![Piece::Text(small(&text))]));
        }
        let run = self.run(false)?;
        if run.is_empty() {
            return Err(Wrong {
                at: from,
                message: format!("`{}:` has no value", path.join(".")),
                hint: "write it right behind the colon, or quote all of it to look for its words",
            });
        }
        fuzzy(&run, from)?;
        let like = like(run);
        Ok(match like.as_slice() {
            [Piece::Any] => Test::Exists,
            _ => Test::Like(like),
        })
    }

    /// A value that is taken as it is.
    fn bound(&mut self, from: usize) -> Result<String, Wrong> {
        let text = match self.peek() {
            Some('"') => return self.quoted(),
            _ => plain(&self.run(false)?),
        };
        match text.is_empty() {
            true => Err(Wrong {
                at: from,
                message: "a comparison has no value".to_owned(),
                hint: "write `field:>=10`, without blanks",
            }),
            false => Ok(text),
        }
    }

    /// `[a TO b]`, `{a TO b}`.
    fn range(&mut self) -> Result<Test, Wrong> {
        const HINT: &str = "write `field:[10 TO 20]`, `{` and `}` for bounds that are left out, \
                            `*` for no bound";
        let from = self.at;
        let broken = |message: &str| Wrong {
            at: from,
            message: message.to_owned(),
            hint: HINT,
        };
        let low_inclusive = self.peek() == Some('[');
        self.at += 1;
        let low = self.end_of_range()?;
        if !self.take(&["TO"]) {
            return Err(broken("this range has no ` TO `"));
        }
        let high = self.end_of_range()?;
        self.blanks();
        let high_inclusive = match self.peek() {
            Some(']') => true,
            Some('}') => false,
            _ => return Err(broken("this range is not closed")),
        };
        self.at += 1;
        let bound = |text: Option<String>, inclusive| text.map(|text| Bound { text, inclusive });
        match (bound(low, low_inclusive), bound(high, high_inclusive)) {
            (None, None) => Ok(Test::Exists),
            (low, high) => Ok(Test::Between(low, high)),
        }
    }

    fn end_of_range(&mut self) -> Result<Option<String>, Wrong> {
        self.blanks();
        if self.peek() == Some('"') {
            return self.quoted().map(Some);
        }
        let from = self.at;
        let mut run = Run::new();
        while let Some(letter) = self.peek().filter(|one| !one.is_whitespace()) {
            if "]}".contains(letter) {
                break;
            }
            run.push(self.letter(letter)?);
        }
        match run.as_slice() {
            [] => Err(Wrong {
                at: from,
                message: "a range has two ends".to_owned(),
                hint: "write `field:[10 TO 20]`, or `*` for no bound",
            }),
            [('*', false)] => Ok(None),
            run => Ok(Some(plain(run))),
        }
    }

    /// The names of a field, parted by dots that aren't escaped.
    pub(super) fn path(&self, run: &[(char, bool)], from: usize) -> Result<Vec<String>, Wrong> {
        let wrong = |message: &str| {
            Err(Wrong {
                at: from,
                message: message.to_owned(),
                hint: QUOTE_IT,
            })
        };
        if run
            .iter()
            .any(|letter| matches!(letter, ('*' | '?', false)))
        {
            return wrong("a field's name has no wildcards");
        }
        let names: Vec<String> = run
            .split(|letter| *letter == ('.', false))
            .map(plain)
            .collect();
        match names.iter().any(String::is_empty) {
            true => wrong("a field's name is missing"),
            false => Ok(names),
        }
    }
}

/// A value in small letters, with its wildcards.
fn like(run: Run) -> Vec<Piece> {
    let mut like: Vec<Piece> = Vec::new();
    for (letter, escaped) in run {
        match (letter, escaped, like.last_mut()) {
            ('*', false, Some(Piece::Any)) => {}
            ('*', false, _) => like.push(Piece::Any),
            ('?', false, _) => like.push(Piece::One),
            (letter, _, Some(Piece::Text(text))) => text.extend(letter.to_lowercase()),
            (letter, _, _) => like.push(Piece::Text(letter.to_lowercase().collect())),
        }
    }
    like
}
