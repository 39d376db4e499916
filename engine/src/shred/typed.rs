//! Values that are no JSON text on their way into the columns: written as one, beside a tape that
//! says of their types what JSON can't. The walk over it is the same as for records that came as
//! JSON, so the rules are. What finds no column is rescued as the text that stands here.

use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::json::{DEPTH_MAX, Tape};
use super::tape::{Entry, Token};
use super::text::plain_end;
use crate::moment;
use crate::schema::DECIMAL_DIGITS;
use crate::value::Value;

/// Why a value can't be taken.
pub(super) type Fault = String;

/// Integers from here on have more digits than a decimal.
const TOO_WIDE: u128 = 10_u128.pow(DECIMAL_DIGITS as u32);

/// The value written last.
#[derive(Debug, Default)]
pub(super) struct Typed {
    pub(super) text: Vec<u8>,
    pub(super) tape: Vec<Entry>,
    /// The containers that are open: their entries, and whether something in them decides a type.
    open: Vec<(usize, bool)>,
    raw: Tape,
}

impl Typed {
    /// Forgets the value.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.tape.clear();
        self.open.clear();
    }

    /// Writes a record's value.
    ///
    /// # Errors
    /// Why it can't be taken.
    pub(super) fn root(&mut self, value: &Value) -> Result<(), Fault> {
        self.value(value)
            .and_then(|()| self.check_size())
            .map_err(|fault| format!("value: {fault}"))
    }

    /// # Errors
    /// When the text is longer than a tape can say.
    pub(super) fn check_size(&self) -> Result<(), Fault> {
        match u32::try_from(self.text.len()) {
            Ok(_) => Ok(()),
            Err(_) => Err("4 GiB or more".to_owned()),
        }
    }

    /// Writes a value, within the container that is open.
    ///
    /// # Errors
    /// Why it can't be taken.
    pub(super) fn value(&mut self, value: &Value) -> Result<(), Fault> {
        match value {
            Value::Null => self.null(),
            Value::Boolean(value) => self.boolean(*value),
            Value::Integer(value) => self.integer(*value),
            Value::Double(value) => self.double(*value),
            Value::Decimal { unscaled, scale } => self.decimal(*unscaled, *scale),
            Value::Text(text) => self.text(text),
            Value::Binary(bytes) => self.binary(bytes),
            Value::Timestamp(us) => self.timestamp(*us),
            Value::Date(days) => self.date(*days),
            Value::Raw(json) => self.raw(json)?,
            Value::List(elements) => {
                self.begin(Token::List)?;
                for element in elements {
                    self.value(element)?;
                }
                self.end();
            }
            Value::Object(members) => {
                self.begin(Token::Object)?;
                for (key, value) in members {
                    self.key(key);
                    self.value(value)?;
                }
                self.end();
            }
        }
        Ok(())
    }

    pub(super) fn null(&mut self) {
        self.plain(Token::Null, 0, format_args!("null"));
    }

    pub(super) fn boolean(&mut self, value: bool) {
        let token = if value { Token::True } else { Token::False };
        self.plain(token, Entry::DECIDES, format_args!("{value}"));
    }

    pub(super) fn integer(&mut self, value: i128) {
        let token = if i64::try_from(value).is_ok() {
            Token::Integer
        } else if value.unsigned_abs() < TOO_WIDE {
            Token::Wide
        } else {
            Token::Huge
        };
        self.plain(token, Entry::DECIDES, format_args!("{value}"));
    }

    pub(super) fn double(&mut self, value: f64) {
        if value.is_finite() {
            // `Debug` finds the shortest text that reads back. No exponent of a double is extreme.
            self.plain(Token::Decimal, Entry::DECIDES, format_args!("{value:?}"));
            return;
        }
        let name = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        self.quoted(Token::NotFinite, |text| {
            text.extend_from_slice(name.as_bytes())
        });
    }

    pub(super) fn decimal(&mut self, unscaled: i128, scale: u8) {
        self.digits(&unscaled.to_string(), scale);
    }

    /// A decimal of any length: its digits, the last `scale` of them behind the point.
    pub(super) fn digits(&mut self, unscaled: &str, scale: u8) {
        let (sign, digits) = match unscaled.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", unscaled),
        };
        let fits = digits.len() <= DECIMAL_DIGITS.into() && scale <= DECIMAL_DIGITS;
        let token = if fits { Token::Scaled } else { Token::Huge };
        let scale = usize::from(scale);
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits
            .split_at_checked(digits.len() - scale)
            .unwrap_or((&digits, ""));
        let point = if scale == 0 { "" } else { "." };
        let text = format_args!("{sign}{whole}{point}{fraction}");
        self.plain(token, Entry::DECIDES, text);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.separate();
        self.quote(value, Entry::DECIDES);
    }

    pub(super) fn binary(&mut self, bytes: &[u8]) {
        self.quoted(Token::Binary, |text| {
            // Base64 is ASCII, and as long as it was said to be.
            let begin = text.len();
            text.resize(begin + bytes.len().div_ceil(3) * 4, 0);
            if let Some(into) = text.get_mut(begin..) {
                let _ = STANDARD.encode_slice(bytes, into);
            }
        });
    }

    pub(super) fn timestamp(&mut self, us: i64) {
        let moment = moment::timestamp(us);
        self.quoted(Token::Timestamp, |text| {
            text.extend_from_slice(moment.as_bytes())
        });
    }

    pub(super) fn date(&mut self, days: i32) {
        let day = moment::date(days);
        self.quoted(Token::Date, |text| text.extend_from_slice(day.as_bytes()));
    }

    /// A JSON text as it stands.
    fn raw(&mut self, json: &str) -> Result<(), Fault> {
        if let Err(fault) = self.raw.parse(json.as_bytes()) {
            let (reason, at) = (fault.reason, fault.at);
            return Err(format!("a raw value is no JSON: {reason} at byte {at}"));
        }
        self.separate();
        let (text, entries) = (self.text.len(), self.tape.len());
        self.check_size()?;
        self.text.extend_from_slice(json.as_bytes());
        let shifted = self
            .raw
            .entries
            .iter()
            .map(|entry| entry.shifted(text, entries));
        self.tape.extend(shifted);
        if self
            .raw
            .entries
            .first()
            .is_some_and(|root| root.has(Entry::DECIDES))
        {
            self.decide();
        }
        Ok(())
    }

    /// Opens an object or a list.
    ///
    /// # Errors
    /// When it would be too deep.
    pub(super) fn begin(&mut self, token: Token) -> Result<(), Fault> {
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        self.separate();
        self.open.push((self.tape.len(), false));
        let start = self.text.len();
        self.tape.push(Entry::new(token, start, start, 0, 0));
        self.text
            .push(if token == Token::Object { b'{' } else { b'[' });
        Ok(())
    }

    /// A key of the object that is open; its value follows.
    pub(super) fn key(&mut self, key: &str) {
        self.separate();
        self.quote(key, 0);
        self.text.push(b':');
    }

    /// Closes what was opened last.
    pub(super) fn end(&mut self) {
        let Some((opened, decides)) = self.open.pop() else {
            return;
        };
        let next = self.tape.len();
        let Some(entry) = self.tape.get_mut(opened) else {
            return;
        };
        let object = entry.token == Token::Object;
        self.text.push(if object { b'}' } else { b']' });
        let flags = if decides { Entry::DECIDES } else { 0 };
        *entry = Entry::new(
            entry.token,
            entry.start as usize,
            self.text.len(),
            next,
            flags,
        );
        if decides {
            self.decide();
        }
    }

    fn decide(&mut self) {
        if let Some((_, decides)) = self.open.last_mut() {
            *decides = true;
        }
    }

    /// A comma, where something stands before.
    fn separate(&mut self) {
        if !matches!(self.text.last(), None | Some(b'{' | b'[' | b':')) {
            self.text.push(b',');
        }
    }

    fn plain(&mut self, token: Token, flags: u8, value: std::fmt::Arguments<'_>) {
        self.separate();
        let start = self.text.len();
        // Writing to a vector can't fail.
        let _ = self.text.write_fmt(value);
        self.entry(token, start, self.text.len(), flags);
    }

    /// A text in quotes that needs no escapes.
    fn quoted(&mut self, token: Token, write: impl FnOnce(&mut Vec<u8>)) {
        self.separate();
        self.text.push(b'"');
        let start = self.text.len();
        write(&mut self.text);
        self.entry(token, start, self.text.len(), Entry::DECIDES);
        self.text.push(b'"');
    }

    fn quote(&mut self, value: &str, flags: u8) {
        let bytes = value.as_bytes();
        self.text.push(b'"');
        let (start, mut at, mut escaped) = (self.text.len(), 0, 0);
        loop {
            let end = plain_end(bytes, at);
            self.text
                .extend_from_slice(bytes.get(at..end).unwrap_or_default());
            let Some(byte) = bytes.get(end) else { break };
            escaped = Entry::ESCAPED;
            match byte {
                b'"' | b'\\' => self.text.extend_from_slice(&[b'\\', *byte]),
                control => {
                    let _ = write!(self.text, "\\u{control:04x}");
                }
            }
            at = end + 1;
        }
        self.entry(Token::Text, start, self.text.len(), flags | escaped);
        self.text.push(b'"');
    }

    fn entry(&mut self, token: Token, start: usize, end: usize, flags: u8) {
        if flags & Entry::DECIDES != 0 {
            self.decide();
        }
        let next = self.tape.len() + 1;
        self.tape.push(Entry::new(token, start, end, next, flags));
    }
}
