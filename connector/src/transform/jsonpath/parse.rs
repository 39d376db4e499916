//! From text to the steps of a path.

use super::Step;
use super::condition_parse;

/// Text that is left to read.
pub(super) struct Rest<'t>(pub(super) &'t str);

/// The steps of a whole text. Without a `$` it begins at the root as well.
pub(super) fn path(text: &str) -> Result<Vec<Step>, String> {
    let text = text.trim();
    let mut rest = Rest(text.strip_prefix('$').unwrap_or(text));
    let mut steps = Vec::new();
    if !text.starts_with('$') {
        steps.push(Step::Names(vec![rest.name()?]));
    }
    steps.extend(rest.steps()?);
    match rest.0 {
        "" => Ok(steps),
        left => Err(format!("a JSON path; `{left}` at its end belongs to none")),
    }
}

impl<'t> Rest<'t> {
    /// As many steps as follow.
    pub(super) fn steps(&mut self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        loop {
            if self.take("..") {
                steps.push(Step::Descend);
                if self.0.starts_with('[') {
                    continue;
                }
                steps.push(self.member()?);
            } else if self.take(".") {
                if self.0.starts_with('[') {
                    continue;
                }
                steps.push(self.member()?);
            } else if self.take("[") {
                steps.push(self.bracket()?);
            } else {
                return Ok(steps);
            }
        }
    }

    fn member(&mut self) -> Result<Step, String> {
        if self.take("*") {
            return Ok(Step::All);
        }
        let name = self.name()?;
        match self.0.starts_with('(') {
            true => Err(format!("a JSON path without functions as `{name}()`")),
            false => Ok(Step::Names(vec![name])),
        }
    }

    /// A name without quotes.
    fn name(&mut self) -> Result<String, String> {
        let ends = |c: char| ".[]()=!<>&|~,'\"".contains(c) || c.is_whitespace();
        let end = self.0.find(ends).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at(end);
        self.0 = rest;
        match name {
            "" => Err("a JSON path with a name after each dot".to_owned()),
            name => Ok(name.to_owned()),
        }
    }

    fn bracket(&mut self) -> Result<Step, String> {
        self.blanks();
        if self.take("?") {
            self.blanks();
            self.expect("(")?;
            let condition = condition_parse::condition(self)?;
            self.expect(")")?;
            self.blanks();
            self.expect("]")?;
            return Ok(Step::If(condition));
        }
        if self.take("*") {
            self.expect("]")?;
            return Ok(Step::All);
        }
        if self.0.starts_with(['\'', '"']) {
            let mut names = vec![self.quoted()?];
            while self.comma() {
                names.push(self.quoted()?);
            }
            self.expect("]")?;
            return Ok(Step::Names(names));
        }
        let first = self.index();
        if self.take(":") {
            let last = self.index();
            self.expect("]")?;
            return Ok(Step::Slice(first, last));
        }
        let mut indexes = vec![first.ok_or(
            "a JSON path with numbers, names in quotes, `*` or \
                                            `?(...)` in its brackets",
        )?];
        while self.comma() {
            indexes.push(
                self.index()
                    .ok_or("a JSON path with a number after each comma")?,
            );
        }
        self.expect("]")?;
        Ok(Step::Indexes(indexes))
    }

    fn index(&mut self) -> Option<i64> {
        self.blanks();
        let after = self.0.strip_prefix('-').unwrap_or(self.0);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self
            .0
            .split_at_checked(self.0.len() - after.len() + digits)?;
        let number = number.parse().ok()?;
        self.0 = rest;
        self.blanks();
        Some(number)
    }

    /// A text in single or double quotes, with backslashes before what stands for itself.
    pub(super) fn quoted(&mut self) -> Result<String, String> {
        self.blanks();
        let mut characters = self.0.chars();
        let quote = characters.next().filter(|c| matches!(c, '\'' | '"'));
        let quote = quote.ok_or("a JSON path with names in quotes after commas")?;
        let mut text = String::new();
        while let Some(character) = characters.next() {
            if character == quote {
                self.0 = characters.as_str();
                self.blanks();
                return Ok(text);
            }
            match character {
                '\\' => text.extend(characters.next()),
                other => text.push(other),
            }
        }
        Err("a JSON path whose quotes come in pairs".to_owned())
    }

    pub(super) fn comma(&mut self) -> bool {
        self.blanks();
        let found = self.take(",");
        self.blanks();
        found
    }

    pub(super) fn blanks(&mut self) {
        self.0 = self.0.trim_start();
    }

    /// Whether the text goes on with `token`, which is taken then.
    pub(super) fn take(&mut self, token: &str) -> bool {
        match self.0.strip_prefix(token) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn expect(&mut self, token: &str) -> Result<(), String> {
        self.blanks();
        match self.take(token) {
            true => Ok(()),
            false => Err(format!("a JSON path with `{token}` before `{}`", self.0)),
        }
    }
}
