//! Java's regular expressions in the syntax of `fancy-regex`.
//!
//! Most of it is the same, look-arounds, possessive quantifiers and named groups too. What differs
//! is written otherwise here: Java's classes are of ASCII unless asked, `\Q...\E` quotes, and the
//! POSIX classes have names that begin with `p`.

use fancy_regex::Regex;

/// What matches a whole text as a pattern of Java's does.
///
/// # Errors
/// What is wrong with the pattern.
pub(crate) fn whole(pattern: &str) -> Result<Regex, Box<fancy_regex::Error>> {
    let translated = translate(pattern);
    // `a)|(b` is a pattern only in the parentheses around it.
    Regex::new(&translated).map_err(Box::new)?;
    Regex::new(&format!(r"\A(?:{translated})\z")).map_err(Box::new)
}

/// The same pattern for `fancy-regex`.
pub(in super::super) fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut depth = 0_usize;
    while let Some(first) = rest.chars().next() {
        if first == '\\' {
            let (text, after) = escape(rest, depth > 0);
            out.push_str(&text);
            rest = after;
            continue;
        }
        match first {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        out.push(first);
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    out
}

/// What an escape at the start of `rest` becomes, and what comes after it.
fn escape(rest: &str, in_class: bool) -> (String, &str) {
    if let Some(quoted) = rest.strip_prefix(r"\Q") {
        let (text, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
        return (fancy_regex::escape(text).into_owned(), after);
    }
    for (escape, class) in CLASSES {
        if let Some(after) = rest.strip_prefix(escape) {
            return (format!("[{class}]"), after);
        }
    }
    for (letter, negated) in [(r"\p{", ""), (r"\P{", "^")] {
        let Some((name, after)) = rest
            .strip_prefix(letter)
            .and_then(|rest| rest.split_once('}'))
        else {
            continue;
        };
        if let Some((_, class)) = POSIX.iter().find(|(posix, _)| *posix == name) {
            return (format!("[{negated}{class}]"), after);
        }
        // Java writes `IsAlphabetic` and `javaLowerCase` where others write the property alone.
        let property = name.strip_prefix("Is").unwrap_or(name);
        return (format!("{letter}{property}}}"), after);
    }
    if let Some(after) = rest.strip_prefix(r"\Z") {
        return (r"\z".to_owned(), after);
    }
    let mut characters = rest.chars();
    let length: usize = characters.by_ref().take(2).map(char::len_utf8).sum();
    let (escaped, after) = rest.split_at(length);
    match escaped.strip_prefix('\\') {
        // In a class `\b` is nothing in Java either; a lone `[` in one must stay escaped.
        Some(plain) if !in_class && plain.chars().all(|c| matches!(c, '/' | '"' | '\'' | ',')) => {
            (plain.to_owned(), after)
        }
        _ => (escaped.to_owned(), after),
    }
}

const CLASSES: [(&str, &str); 10] = [
    (r"\d", "0-9"),
    (r"\D", "^0-9"),
    (r"\w", "a-zA-Z0-9_"),
    (r"\W", "^a-zA-Z0-9_"),
    (r"\s", r" \t\n\x0B\f\r"),
    (r"\S", r"^ \t\n\x0B\f\r"),
    (
        r"\h",
        r" \t\xA0\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}",
    ),
    (r"\v", r"\n\x0B\f\r\x85\u{2028}\u{2029}"),
    (r"\R", r"\n\x0B\f\r\x85\u{2028}\u{2029}"),
    (
        r"\H",
        r"^ \t\xA0\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}",
    ),
];

const POSIX: [(&str, &str); 13] = [
    ("Lower", "a-z"),
    ("Upper", "A-Z"),
    ("ASCII", r"\x00-\x7F"),
    ("Alpha", "a-zA-Z"),
    ("Digit", "0-9"),
    ("Alnum", "a-zA-Z0-9"),
    ("Punct", r"!-/:-@\[-`{-~"),
    ("Graph", "!-~"),
    ("Print", " -~"),
    ("Blank", r" \t"),
    ("Cntrl", r"\x00-\x1F\x7F"),
    ("XDigit", "0-9a-fA-F"),
    ("Space", r" \t\n\x0B\f\r"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn javas_patterns_match_what_they_match_in_java() {
        for (pattern, matching, other) in [
            (r"(\d+)-\w+", "12-ab", "١٢-ab"),
            (r"\Qa.b\E.*", "a.bc", "axbc"),
            (r"\Qa.b", "a.b", "axb"),
            (r"[\w.]+", "a.b_c", "é"),
            (r"[^\d]+", "abc", "a1"),
            (r"\p{Alpha}+\p{Digit}", "ab1", "äb1"),
            (r"\p{IsAlphabetic}+", "äb", "1"),
            (r"\P{Upper}+", "abc", "aBc"),
            (r"(?<name>a)\k<name>", "aa", "ab"),
            (r"a++b", "aab", "aa"),
            (r"(?i)ABC", "abc", "abd"),
            (r"[a-z&&[^b]]+", "ac", "ab"),
            (r"(?!internal\.)[a-z.]+(?<!\.tmp)", "orders.v", "internal.a"),
            (r"\/api\/.*", "/api/x", "api"),
        ] {
            let regex = whole(pattern).unwrap();
            assert!(regex.is_match(matching).unwrap(), "{pattern} {matching}");
            assert!(!regex.is_match(other).unwrap(), "{pattern} {other}");
        }
    }

    #[test]
    fn a_pattern_must_be_one_by_itself() {
        for pattern in ["(", "a)|(b", "["] {
            assert!(whole(pattern).is_err(), "{pattern}");
        }
    }
}
