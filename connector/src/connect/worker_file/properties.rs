//! Java's properties files: `key=value`, `key: value` or `key value`, with Java's escapes.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// The keys and values of a properties file; of a key given twice the last counts.
///
/// # Errors
/// `Invalid`, naming the line with a broken `\u` escape.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>> {
    let mut keys = BTreeMap::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut logical = line.trim_start().to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        // An odd number of backslashes at the end takes in the next line.
        while ends_with_a_backslash(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, next)) => logical.push_str(next.trim_start()),
                None => break,
            }
        }
        let (key, value) = split(&logical);
        let wrong = |why| Error::invalid(format!("line {}: {why}", number + 1));
        let key = unescape(key).map_err(wrong)?;
        keys.insert(key, unescape(value).map_err(wrong)?);
    }
    Ok(keys)
}

/// Whether one more backslash than escape each other stand at the end.
fn ends_with_a_backslash(line: &str) -> bool {
    let backslashes = line.len() - line.trim_end_matches('\\').len();
    backslashes % 2 == 1
}

/// Key and value: apart at the first `=`, `:` or blank that isn't escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.char_indices().find(|(_, c)| {
        let ends = !escaped && (matches!(c, '=' | ':') || c.is_whitespace());
        escaped = *c == '\\' && !escaped;
        ends
    });
    let Some((end, _)) = end else {
        return (line, "");
    };
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, value.trim_start())
}

fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok();
                let code = code.filter(|_| digits.len() == 4);
                let c = code.and_then(char::from_u32);
                plain.push(c.ok_or_else(|| format!("`\\u{digits}` is no character"))?);
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_and_values_are_read_as_java_reads_them() {
        let keys = parse(
            "# no\n! no\n\n a = b c \nd:e\nf g\nh\\=i\\:=j=k\nl=\\u00fc\\t\\\\\nm=n,\\\n   o\np\n",
        )
        .unwrap();
        let get = |key: &str| keys.get(key).map(String::as_str);
        assert_eq!(get("a"), Some("b c "));
        assert_eq!(get("d"), Some("e"));
        assert_eq!(get("f"), Some("g"));
        assert_eq!(get("h=i:"), Some("j=k"));
        assert_eq!(get("l"), Some("ü\t\\"));
        assert_eq!(get("m"), Some("n,o"));
        assert_eq!(get("p"), Some(""));
        assert_eq!(keys.len(), 7);
        assert!(parse("a=\\u12").is_err());
    }
}
