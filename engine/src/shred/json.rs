//! A strict JSON parser (RFC 8259) into a [`Tape`]: one pass, no recursion, no allocation once the
//! tape has grown.
//!
//! It accepts exactly the standard's texts in UTF-8, up to [`DEPTH_MAX`] levels. Half a surrogate
//! pair (`"\ud800"`) is valid JSON and is accepted with a flag; numbers of any size are. What a
//! value becomes is left to `walk.rs`.

use super::tape::{Entry, Token};
use super::text::{plain_end, surrogates};

/// Deeper texts are refused, so that their tape stays as small as their use.
pub(crate) const DEPTH_MAX: usize = 1_000;

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: &'static str,
    /// Where in the text.
    pub(crate) at: usize,
}

/// The entries of the text parsed last.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    pub(crate) entries: Vec<Entry>,
    /// The containers that are open, and whether the one around each decides a type.
    open: Vec<(u32, bool)>,
}

impl Tape {
    /// Parses one complete JSON text.
    pub(crate) fn parse(&mut self, text: &[u8]) -> Result<(), Fault> {
        self.entries.clear();
        self.open.clear();
        if u32::try_from(text.len()).is_err() {
            return fault("a text of 4 GiB or more", 0);
        }
        if let Err(error) = simdutf8::compat::from_utf8(text) {
            return fault("invalid UTF-8", error.valid_up_to());
        }
        Parser {
            text,
            at: 0,
            tape: self,
            decides: false,
        }
        .text()
    }
}

/// What the parser expects next.
enum State {
    Value,
    /// A value, or the end of the list that was just opened.
    ValueOrEnd,
    /// A comma or the end of the container.
    Behind,
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    tape: &'a mut Tape,
    /// Something in the innermost open container decides a type.
    decides: bool,
}

impl Parser<'_> {
    fn text(mut self) -> Result<(), Fault> {
        let mut state = State::Value;
        loop {
            self.blanks();
            state = match state {
                State::Value => self.value()?,
                State::ValueOrEnd if self.peek() == b']' => self.close(),
                State::ValueOrEnd => self.value()?,
                State::Behind => match self.tape.open.last() {
                    Some(&(container, _)) => self.behind(container)?,
                    None if self.at == self.text.len() => return Ok(()),
                    None => return fault("something behind the value", self.at),
                },
            };
        }
    }

    #[inline]
    fn value(&mut self) -> Result<State, Fault> {
        let start = self.at;
        match self.peek() {
            b'"' => {
                self.string(Entry::DECIDES)?;
                self.decides = true;
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
                self.decides = true;
            }
            b'{' => return self.open_object(),
            b'[' => {
                self.open(Token::List)?;
                return Ok(State::ValueOrEnd);
            }
            b't' => {
                self.literal(b"true")?;
                self.push(Token::True, start, Entry::DECIDES);
                self.decides = true;
            }
            b'f' => {
                self.literal(b"false")?;
                self.push(Token::False, start, Entry::DECIDES);
                self.decides = true;
            }
            b'n' => {
                self.literal(b"null")?;
                self.push(Token::Null, start, 0);
            }
            _ => return self.unexpected("a value was expected"),
        }
        Ok(State::Behind)
    }

    fn open_object(&mut self) -> Result<State, Fault> {
        self.open(Token::Object)?;
        self.blanks();
        if self.peek() == b'}' {
            return Ok(self.close());
        }
        self.key()
    }

    fn open(&mut self, token: Token) -> Result<(), Fault> {
        if self.tape.open.len() >= DEPTH_MAX {
            return fault("nested deeper than 1000 levels", self.at);
        }
        let index = self.tape.entries.len() as u32;
        self.tape.open.push((index, self.decides));
        self.decides = false;
        self.push(token, self.at, 0);
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> State {
        self.at += 1;
        let next = self.tape.entries.len() as u32;
        if let Some((index, around)) = self.tape.open.pop()
            && let Some(entry) = self.tape.entries.get_mut(index as usize)
        {
            entry.end = self.at as u32;
            entry.next = next;
            if self.decides {
                entry.set(Entry::DECIDES);
            }
            self.decides |= around;
        }
        State::Behind
    }

    #[inline]
    fn behind(&mut self, container: u32) -> Result<State, Fault> {
        let entry = self.tape.entries.get(container as usize);
        let object = entry.is_some_and(|entry| entry.token == Token::Object);
        match (self.peek(), object) {
            (b',', true) => {
                self.at += 1;
                self.blanks();
                self.key()
            }
            (b',', false) => {
                self.at += 1;
                Ok(State::Value)
            }
            (b'}', true) | (b']', false) => Ok(self.close()),
            (_, true) => self.unexpected("`,` or `}` was expected"),
            (_, false) => self.unexpected("`,` or `]` was expected"),
        }
    }

    #[inline]
    fn key(&mut self) -> Result<State, Fault> {
        if self.peek() != b'"' {
            return self.unexpected("a key was expected");
        }
        self.string(0)?;
        self.blanks();
        if self.peek() != b':' {
            return self.unexpected("`:` was expected");
        }
        self.at += 1;
        Ok(State::Value)
    }

    #[inline]
    fn string(&mut self, mut flags: u8) -> Result<(), Fault> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            at = plain_end(self.text, at);
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    flags |= Entry::ESCAPED;
                    at = self.escape(at)?;
                }
                Some(_) => return fault("a control character in a string", at),
                None => return fault("the string has no end", start - 1),
            }
        }
        if flags & Entry::ESCAPED != 0 && surrogates(self.text.get(start..at).unwrap_or_default()) {
            flags |= Entry::LONE_SURROGATE;
        }
        let next = self.tape.entries.len() + 1;
        let entry = Entry::new(Token::Text, start, at, next, flags);
        self.tape.entries.push(entry);
        self.at = at + 1;
        Ok(())
    }

    /// Checks the escape at `at`; answers where it ends.
    fn escape(&self, at: usize) -> Result<usize, Fault> {
        match self.text.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => match self.text.get(at + 2..at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
                _ => fault("an invalid \\u escape", at),
            },
            _ => fault("an invalid escape", at),
        }
    }

    #[inline]
    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.peek() == b'-' {
            self.at += 1;
        }
        let first = self.at;
        match self.peek() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            _ => return self.unexpected("a digit was expected"),
        }
        let length = self.at - first;
        let mut token = match length {
            0..=18 => Token::Integer,
            19 if super::number::integer(self.text.get(start..self.at).unwrap_or_default())
                .is_some() =>
            {
                Token::Integer
            }
            19..=38 => Token::Wide,
            _ => Token::Huge,
        };
        let mut flags = Entry::DECIDES;
        if self.peek() == b'.' {
            token = Token::Decimal;
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            token = Token::Decimal;
            flags |= Entry::EXTREME;
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.some_digits()?;
        }
        if self.at - start > 300 {
            flags |= Entry::EXTREME;
        }
        self.push(token, start, flags);
        Ok(())
    }

    fn some_digits(&mut self) -> Result<(), Fault> {
        if !self.peek().is_ascii_digit() {
            return self.unexpected("a digit was expected");
        }
        self.digits();
        Ok(())
    }

    #[inline]
    fn digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Fault> {
        let end = self.at + word.len();
        if self.text.get(self.at..end) != Some(word) {
            return fault("an unknown word", self.at);
        }
        self.at = end;
        Ok(())
    }

    #[inline]
    fn push(&mut self, token: Token, start: usize, flags: u8) {
        let next = self.tape.entries.len() + 1;
        let entry = Entry::new(token, start, self.at, next, flags);
        self.tape.entries.push(entry);
    }

    /// The byte at hand; 0, which no JSON text has outside of strings, at the end.
    #[inline]
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn unexpected<T>(&self, reason: &'static str) -> Result<T, Fault> {
        if self.at >= self.text.len() {
            return fault("the text ends too early", self.at);
        }
        fault(reason, self.at)
    }
}

fn fault<T>(reason: &'static str, at: usize) -> Result<T, Fault> {
    Err(Fault { reason, at })
}
