//! Java's `.properties` files: keys and values as text.

use std::collections::BTreeMap;

/// Every key of the text with its value; of a key that comes twice the last counts.
pub(crate) fn parse(text: &str) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    for line in logical_lines(text) {
        let end = key_end(&line);
        let (key, rest) = line.split_at(end);
        let rest = rest.trim_start_matches(BLANKS);
        let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
        entries.insert(unescape(key), unescape(rest.trim_start_matches(BLANKS)));
    }
    entries
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

/// Lines without comments and empty ones; those that end in a backslash with what follows them.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    for line in text.lines() {
        let line = line.trim_start_matches(BLANKS);
        if current.is_empty() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        match line.strip_suffix('\\').filter(|_| backslashes % 2 == 1) {
            Some(begun) => current.push_str(begun),
            None => {
                current.push_str(line);
                lines.push(std::mem::take(&mut current));
            }
        }
    }
    if !current.is_empty() {
        lines.push(current);
    }
    lines
}

/// Where the key ends: at the first `=`, `:` or blank without a backslash before it.
fn key_end(line: &str) -> usize {
    let mut escaped = false;
    for (at, character) in line.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' | ' ' | '\t' | '\u{c}' => return at,
            _ => {}
        }
    }
    line.len()
}

/// The text with its escapes undone, by halves of UTF-16: Java writes a `\uXXXX` for each.
fn unescape(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let character = match (character, rest.clone().next()) {
            ('\\', None) => break,
            ('\\', Some('u')) => {
                rest.next();
                let digits = rest.as_str().get(..4).unwrap_or_default();
                if let Ok(unit) = u16::from_str_radix(digits, 16) {
                    units.push(unit);
                    rest = rest.as_str().get(4..).unwrap_or_default().chars();
                    continue;
                }
                'u'
            }
            ('\\', Some(escaped)) => {
                rest.next();
                match escaped {
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    'f' => '\u{c}',
                    other => other,
                }
            }
            (plain, _) => plain,
        };
        units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_java_reads_it() {
        let text = "# comment\n! too\n\na=1\nb : two words \nc three\n  d\\ e=x\\=y\n\
                    long=one, \\\n    two\nempty=\nalone\nu=\\u00e9\\ud83d\\ude00\nt=a\\tb\\\\\n\
                    a=2\nurl=http://x:8081/?a=b";
        let entries = parse(text);
        for (key, value) in [
            ("a", "2"),
            ("b", "two words "),
            ("c", "three"),
            ("d e", "x=y"),
            ("long", "one, two"),
            ("empty", ""),
            ("alone", ""),
            ("u", "é😀"),
            ("t", "a\tb\\"),
            ("url", "http://x:8081/?a=b"),
        ] {
            assert_eq!(entries.get(key).map(String::as_str), Some(value), "{key}");
        }
        assert_eq!(entries.len(), 10);
    }
}
