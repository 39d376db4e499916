//! How a column's value is written as JSON: the ways that serialisers of the world have, one letter
//! each. A value is never parsed here, and a form that doesn't give the bytes that came is not
//! taken, so a way that is missing costs space and nothing else.

use std::io::Write as _;

use crate::moment::write_timestamp;
use crate::schema::{DECIMAL_DIGITS, Kind};

/// Decimals of a number with a fixed count of them, at most: a double has no more digits.
const DECIMALS_MAX: u8 = 17;

/// One way to write values of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Boolean,
    Long,
    /// An integer beyond 64 bits.
    Decimal,
    Double(Double),
    Text(Text),
    /// A moment in UTC with so many digits of fraction, in quotes.
    Moment(u8),
    /// A decimal with so many digits of fraction, in quotes.
    Quoted(u8),
}

/// A way to write doubles. The first three have the fewest digits that come back as the same
/// number; they differ in when there is an exponent and in whether a whole number ends in `.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Double {
    /// ECMAScript's, which JavaScript and Go write: `1`, `0.000001`, `1e-7`, `1e+21`.
    Script,
    /// Python's: `1.0`, `1e-05`, `1e+16`.
    Python,
    /// Rust's serde_json: `1.0`, `0.00001`, `1e-6`, `1e+16`.
    Rust,
    /// All digits of an integer.
    Integer,
    /// So many decimals: `12.50`.
    Fixed(u8),
}

/// A way to write text: which characters are escaped besides those that must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// None.
    Minimal,
    /// Python: what isn't printable ASCII, as `\u00e9`.
    Ascii,
    /// Jackson: what isn't ASCII, as `\u00E9`; control characters with capitals too.
    AsciiCapitals,
    /// PHP: what isn't ASCII, and `/`.
    AsciiSlash,
    /// `/`.
    Slash,
    /// Go: `<`, `>`, `&` and the line ends of Unicode.
    Html,
}

impl Text {
    pub(super) const ALL: [Self; 6] = [
        Self::Minimal,
        Self::Ascii,
        Self::Slash,
        Self::AsciiSlash,
        Self::Html,
        Self::AsciiCapitals,
    ];
}

impl Form {
    /// A column of this kind has such values.
    pub(super) fn is_of(self, kind: Kind) -> bool {
        match self {
            Self::Boolean => kind == Kind::Boolean,
            Self::Long => kind == Kind::Long,
            Self::Decimal => kind == Kind::Decimal(0),
            Self::Double(_) => kind == Kind::Double,
            Self::Text(_) => kind == Kind::String,
            Self::Moment(_) => kind == Kind::Timestamp,
            Self::Quoted(_) => matches!(kind, Kind::Decimal(1..)),
        }
    }

    /// Writes what stands for a value of this form in a shape: no JSON value begins so.
    pub(super) fn mark(self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Boolean => b'b',
            Self::Long => b'l',
            Self::Decimal => b'w',
            Self::Double(Double::Script) => b'd',
            Self::Double(Double::Python) => b'p',
            Self::Double(Double::Rust) => b'r',
            Self::Double(Double::Integer) => b'i',
            Self::Double(Double::Fixed(decimals)) => return counted(b'x', decimals, out),
            Self::Moment(decimals) => return counted(b'm', decimals, out),
            Self::Quoted(decimals) => return counted(b'q', decimals, out),
            Self::Text(Text::Minimal) => b's',
            Self::Text(Text::Ascii) => b'a',
            Self::Text(Text::AsciiCapitals) => b'A',
            Self::Text(Text::AsciiSlash) => b'h',
            Self::Text(Text::Slash) => b'c',
            Self::Text(Text::Html) => b'g',
        });
    }

    /// The form whose mark `text` begins with, and the mark's length.
    pub(super) fn parse(text: &[u8]) -> Option<(Self, usize)> {
        let form = match text.first()? {
            b'b' => Self::Boolean,
            b'l' => Self::Long,
            b'w' => Self::Decimal,
            b'd' => Self::Double(Double::Script),
            b'p' => Self::Double(Double::Python),
            b'r' => Self::Double(Double::Rust),
            b'i' => Self::Double(Double::Integer),
            b's' => Self::Text(Text::Minimal),
            b'a' => Self::Text(Text::Ascii),
            b'A' => Self::Text(Text::AsciiCapitals),
            b'h' => Self::Text(Text::AsciiSlash),
            b'c' => Self::Text(Text::Slash),
            b'g' => Self::Text(Text::Html),
            mark @ (b'x' | b'm' | b'q') => {
                let digits = text
                    .get(1..)?
                    .iter()
                    .take_while(|byte| byte.is_ascii_digit());
                let end = 1 + digits.count();
                let decimals: u8 = std::str::from_utf8(text.get(1..end)?).ok()?.parse().ok()?;
                let (form, most) = match mark {
                    b'x' => (Self::Double(Double::Fixed(decimals)), DECIMALS_MAX),
                    b'm' => (Self::Moment(decimals), 6),
                    _ => (Self::Quoted(decimals), DECIMAL_DIGITS),
                };
                return (decimals <= most).then_some((form, end));
            }
            _ => return None,
        };
        Some((form, 1))
    }
}

/// A mark with a count of decimals.
fn counted(mark: u8, decimals: u8, out: &mut Vec<u8>) {
    out.push(mark);
    out.extend_from_slice(decimals.to_string().as_bytes());
}

/// The digits behind the point of a text.
pub(super) fn decimals(text: &[u8]) -> u8 {
    let point = text.iter().position(|byte| *byte == b'.');
    let behind = point.and_then(|point| text.get(point + 1..));
    let digits = behind.unwrap_or_default().iter();
    let count = digits.take_while(|byte| byte.is_ascii_digit()).count();
    u8::try_from(count).unwrap_or(u8::MAX)
}

/// Writes a moment in quotes.
pub(super) fn write_moment(us: i64, decimals: u8, out: &mut Vec<u8>) {
    let mut text = String::with_capacity(29);
    text.push('"');
    write_timestamp(us, decimals, &mut text);
    text.push('"');
    out.extend_from_slice(text.as_bytes());
}

/// Writes a decimal of that scale in quotes; `None` when it has more digits than are to be written.
pub(super) fn write_decimal(
    unscaled: i128,
    scale: u8,
    decimals: u8,
    out: &mut Vec<u8>,
) -> Option<()> {
    let power = 10_i128.checked_pow(u32::from(scale.checked_sub(decimals)?))?;
    if unscaled % power != 0 {
        return None;
    }
    let (unscaled, behind) = (unscaled / power, usize::from(decimals));
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = behind + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len() - behind)?;
    let sign = if unscaled < 0 { "-" } else { "" };
    write!(out, "\"{sign}{whole}.{fraction}\"").ok()
}

impl Double {
    /// The form of a fixed count of decimals that `text` has, a number without an exponent.
    pub(super) fn fixed(text: &[u8]) -> Option<Self> {
        let point = text.iter().position(|byte| *byte == b'.')?;
        let decimals = u8::try_from(text.len() - point - 1).ok()?;
        (decimals <= DECIMALS_MAX).then_some(Self::Fixed(decimals))
    }

    /// Writes a finite number.
    pub(super) fn write(self, value: f64, out: &mut Vec<u8>) {
        let size = value.abs();
        let plain = match self {
            Self::Script => size == 0.0 || (1e-6..1e21).contains(&size),
            Self::Python => size == 0.0 || (1e-4..1e16).contains(&size),
            Self::Rust => size == 0.0 || (1e-5..1e16).contains(&size),
            Self::Integer if value.fract() == 0.0 && size < 1e38 && size > 0.0 => {
                let _ = write!(out, "{}", value as i128);
                return;
            }
            Self::Integer => true,
            Self::Fixed(decimals) => {
                let _ = write!(out, "{value:.*}", usize::from(decimals));
                return;
            }
        };
        if !plain {
            return self.write_exponent(value, out);
        }
        let _ = write!(out, "{value}");
        if matches!(self, Self::Python | Self::Rust) && value.fract() == 0.0 {
            out.extend_from_slice(b".0");
        }
    }

    fn write_exponent(self, value: f64, out: &mut Vec<u8>) {
        let text = format!("{value:e}");
        let Some((digits, exponent)) = text.split_once('e') else {
            return out.extend_from_slice(text.as_bytes());
        };
        out.extend_from_slice(digits.as_bytes());
        out.push(b'e');
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => (b'-', exponent),
            None => (b'+', exponent),
        };
        out.push(sign);
        if self == Self::Python && exponent.len() < 2 {
            out.push(b'0');
        }
        out.extend_from_slice(exponent.as_bytes());
    }
}

impl Text {
    /// Writes `text` with its quotes.
    pub(super) fn write(self, text: &str, out: &mut Vec<u8>) {
        out.push(b'"');
        let mut begin = 0;
        let bytes = text.as_bytes();
        for (at, c) in text.char_indices() {
            if !self.escapes(c) {
                continue;
            }
            out.extend_from_slice(bytes.get(begin..at).unwrap_or_default());
            begin = at + c.len_utf8();
            self.escape(c, out);
        }
        out.extend_from_slice(bytes.get(begin..).unwrap_or_default());
        out.push(b'"');
    }

    fn escapes(self, c: char) -> bool {
        if matches!(c, '"' | '\\') || c < ' ' {
            return true;
        }
        match self {
            Self::Minimal => false,
            Self::Ascii => c > '~',
            Self::AsciiCapitals => !c.is_ascii(),
            Self::AsciiSlash => c == '/' || !c.is_ascii(),
            Self::Slash => c == '/',
            Self::Html => matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'),
        }
    }

    fn escape(self, c: char, out: &mut Vec<u8>) {
        let short = match c {
            '"' | '\\' | '/' => c as u8,
            '\u{8}' => b'b',
            '\u{c}' => b'f',
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = match self {
                        Self::AsciiCapitals => write!(out, "\\u{unit:04X}"),
                        _ => write!(out, "\\u{unit:04x}"),
                    };
                }
                return;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used)]

    use super::*;

    fn double(form: Double, value: f64) -> String {
        let mut out = Vec::new();
        form.write(value, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn text(form: Text, value: &str) -> String {
        let mut out = Vec::new();
        form.write(value, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn doubles_are_written_as_the_serialisers_of_each_language_write_them() {
        // What JSON.stringify, Python's json.dumps and serde_json answer.
        let known = [
            (1.0, "1", "1.0", "1.0"),
            (-0.5, "-0.5", "-0.5", "-0.5"),
            (0.1, "0.1", "0.1", "0.1"),
            (
                1e15,
                "1000000000000000",
                "1000000000000000.0",
                "1000000000000000.0",
            ),
            (1e16, "10000000000000000", "1e+16", "1e+16"),
            (1e20, "100000000000000000000", "1e+20", "1e+20"),
            (1.5e21, "1.5e+21", "1.5e+21", "1.5e+21"),
            (0.0001, "0.0001", "0.0001", "0.0001"),
            (0.00001, "0.00001", "1e-05", "0.00001"),
            (0.000001, "0.000001", "1e-06", "1e-6"),
            (1.5e-7, "1.5e-7", "1.5e-07", "1.5e-7"),
            (5e-324, "5e-324", "5e-324", "5e-324"),
            (0.0, "0", "0.0", "0.0"),
        ];
        for (value, script, python, rust) in known {
            assert_eq!(double(Double::Script, value), script);
            assert_eq!(double(Double::Python, value), python);
            assert_eq!(double(Double::Rust, value), rust);
            assert_eq!(rust, serde_json::to_string(&value).unwrap());
        }
        let long = (1_u64 << 60) as f64;
        assert_eq!(double(Double::Integer, long), "1152921504606846976");
        assert_eq!(double(Double::Fixed(2), 12.5), "12.50");
        assert_eq!(Double::fixed(b"12.50"), Some(Double::Fixed(2)));
        assert_eq!(Double::fixed(b"12"), None);
    }

    #[test]
    fn texts_are_escaped_as_each_way_says() {
        let odd = "a/\"\\\n\u{1f}\u{7f}é😀<&\u{2028}";
        let known = [
            (Text::Minimal, "\"a/\\\"\\\\\\n\\u001f\u{7f}é😀<&\u{2028}\""),
            (
                Text::Ascii,
                r#""a/\"\\\n\u001f\u007f\u00e9\ud83d\ude00<&\u2028""#,
            ),
            (
                Text::AsciiCapitals,
                "\"a/\\\"\\\\\\n\\u001F\u{7f}\\u00E9\\uD83D\\uDE00<&\\u2028\"",
            ),
            (
                Text::AsciiSlash,
                "\"a\\/\\\"\\\\\\n\\u001f\u{7f}\\u00e9\\ud83d\\ude00<&\\u2028\"",
            ),
            (Text::Slash, "\"a\\/\\\"\\\\\\n\\u001f\u{7f}é😀<&\u{2028}\""),
            (
                Text::Html,
                "\"a/\\\"\\\\\\n\\u001f\u{7f}é😀\\u003c\\u0026\\u2028\"",
            ),
        ];
        for (form, wanted) in known {
            assert_eq!(text(form, odd), wanted);
        }
    }

    #[test]
    fn a_mark_names_its_form_and_begins_no_json_value() {
        let mut forms = vec![Form::Boolean, Form::Long, Form::Decimal];
        forms.extend(Text::ALL.map(Form::Text));
        forms.extend([0, 3, 6].map(Form::Moment));
        forms.extend([1, 38].map(Form::Quoted));
        forms.extend([Double::Script, Double::Python, Double::Rust].map(Form::Double));
        forms.extend([Double::Integer, Double::Fixed(0), Double::Fixed(17)].map(Form::Double));
        for form in forms {
            let mut mark = Vec::new();
            form.mark(&mut mark);
            assert!(!b"{[\"-0123456789tfn*".contains(&mark[0]));
            mark.extend_from_slice(b",");
            assert_eq!(Form::parse(&mark), Some((form, mark.len() - 1)));
        }
    }
}
