//! The words and fields of an old query, in the language of `search`. Pure.
//!
//! The old platform kept an event within an envelope: `client.payload.user.id` is our `user.id`,
//! `batch.info.date_human` our `_timestamp`. Blanks may follow a colon there. All the rest is left
//! as it is, for `search` to read or to refuse.

/// Where an event was kept.
const PAYLOAD: &str = "client.payload.";

/// The same query with our names, and nothing between a colon and its value.
///
/// # Errors
/// Names a field that was the old platform's and has no counterpart.
pub(super) fn words(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if letter.is_whitespace() || matches!(letter, '(' | ')') {
            out.push(letter);
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            continue;
        }
        let (term, behind) = match letter {
            '"' => quoted(rest),
            _ => run(rest, true),
        };
        let Some(value) = behind.strip_prefix(':') else {
            out.push_str(term);
            rest = behind;
            continue;
        };
        let sign = term.len() - term.trim_start_matches(['+', '-', '!']).len();
        let (signs, field) = term.split_at_checked(sign).unwrap_or(("", term));
        out.push_str(signs);
        out.push_str(&written(field)?);
        out.push(':');
        let value = value.trim_start();
        let (value, behind) = match value.chars().next() {
            Some('[' | '{') => bounded(value),
            Some('(') => group(value),
            Some('"') => quoted(value),
            _ => compared(value, &mut out),
        };
        match field {
            "_exists_" => out.push_str(&written(value)?),
            _ => out.push_str(value),
        }
        rest = behind;
    }
    Ok(out)
}

/// The names of a field from the root, without escapes, under which it is found here.
///
/// # Errors
/// As [`words`].
pub(super) fn name(field: &str) -> Result<Vec<String>, String> {
    let mut names = vec![String::new()];
    let written = written(field)?;
    let mut letters = written.chars();
    while let Some(letter) = letters.next() {
        match (letter, names.last_mut()) {
            ('.', _) => names.push(String::new()),
            ('\\', Some(last)) => last.extend(letters.next()),
            (letter, Some(last)) => last.push(letter),
            (_, None) => {}
        }
    }
    match names.iter().any(String::is_empty) {
        true => Err(format!("`{field}` is not the name of a field")),
        false => Ok(names),
    }
}

/// A field as it is written here.
fn written(field: &str) -> Result<String, String> {
    if field == "batch.info.date_human" {
        return Ok("_timestamp".to_owned());
    }
    if let Some(field) = field.strip_prefix(PAYLOAD) {
        return Ok(field.to_owned());
    }
    let is_within = |envelope: &str| {
        let rest = field.strip_prefix(envelope);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    if is_within("client.metadata") {
        return Err(format!(
            "`{field}` can't be searched by its name: search for its value as a word, or ask by \
             SQL for `header('name')`"
        ));
    }
    if is_within("client.payload") || is_within("batch.info") {
        return Err(format!(
            "`{field}` has no counterpart here: name a field of the event, or \
             `batch.info.date_human`"
        ));
    }
    Ok(field.to_owned())
}

/// Parts a text in two behind the first letters that `ends` doesn't end, escapes skipped.
fn until(text: &str, mut ends: impl FnMut(char) -> bool) -> (&str, &str) {
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else if ends(letter) {
            return text.split_at_checked(at).unwrap_or((text, ""));
        }
    }
    (text, "")
}

/// A run of letters; it ends at a colon where it may be a name.
fn run(text: &str, to_colon: bool) -> (&str, &str) {
    until(text, |letter| {
        letter.is_whitespace() || matches!(letter, '(' | ')' | '"') || to_colon && letter == ':'
    })
}

/// A text in quotes, with them.
fn quoted(text: &str) -> (&str, &str) {
    let mut quotes = 0;
    until(text, |letter| {
        let ended = quotes == 2;
        quotes += i32::from(letter == '"');
        ended
    })
}

/// A range with its brackets.
fn bounded(text: &str) -> (&str, &str) {
    let (mut quotes, mut closed) = (false, false);
    until(text, |letter| {
        let ended = closed;
        quotes ^= letter == '"';
        // Each bound is included or not by itself.
        closed |= !quotes && matches!(letter, ']' | '}');
        ended
    })
}

/// Values in parentheses, with them.
fn group(text: &str) -> (&str, &str) {
    let (mut quotes, mut depth, mut closed) = (false, 0, false);
    until(text, |letter| {
        let ended = closed;
        quotes ^= letter == '"';
        match letter {
            '(' if !quotes => depth += 1,
            ')' if !quotes => depth -= 1,
            _ => {}
        }
        closed |= depth == 0;
        ended
    })
}

/// A value that may be compared: blanks behind `>` and the like are left out.
fn compared<'a>(text: &'a str, out: &mut String) -> (&'a str, &'a str) {
    let sign = text.len() - text.trim_start_matches(['<', '>', '=']).len();
    let (sign, value) = text.split_at_checked(sign).unwrap_or(("", text));
    out.push_str(sign);
    let value = if sign.is_empty() {
        value
    } else {
        value.trim_start()
    };
    match value.starts_with('"') {
        true => quoted(value),
        false => run(value, false),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_ours_and_blanks_behind_colons_go() {
        for (old, ours) in [
            ("late order", "late order"),
            ("status: failed", "status:failed"),
            ("client.payload.user.id:7", "user.id:7"),
            ("-client.payload.a:1 +b: 2", "-a:1 +b:2"),
            ("NOT (a: 1 OR b:  \"x y\")", "NOT (a:1 OR b:\"x y\")"),
            ("a: [1 TO 5} AND b:{* TO 2]", "a:[1 TO 5} AND b:{* TO 2]"),
            ("a:[\"]\" TO *] x", "a:[\"]\" TO *] x"),
            ("age: > 10 AND n:<=3", "age:>10 AND n:<=3"),
            ("n:>= \"1 2\" x", "n:>=\"1 2\" x"),
            ("status: (a OR b:c) d: 1", "status:(a OR b:c) d:1"),
            ("_exists_: client.payload.a", "_exists_:a"),
            ("batch.info.date_human: [A TO B]", "_timestamp:[A TO B]"),
            ("at:10:00 x:y:z", "at:10:00 x:y:z"),
            ("a\\:b:c \"q:\\\" r\" *:*", "a\\:b:c \"q:\\\" r\" *:*"),
            ("\"odd key\":1", "\"odd key\":1"),
            ("client:1 batch.size:2", "client:1 batch.size:2"),
            ("日本: 語", "日本:語"),
            ("a:", "a:"),
            ("\"open", "\"open"),
            ("a:(open", "a:(open"),
        ] {
            assert_eq!(words(old).unwrap(), ours, "{old}");
        }
    }

    #[test]
    fn what_was_the_platforms_alone_is_refused_by_name() {
        for old in [
            "client.metadata.topic:x",
            "a AND client.metadata['id']:x",
            "batch.info.request_id:1",
            "client.payload:x",
            "_exists_:client.metadata.x",
        ] {
            assert!(words(old).is_err(), "{old}");
        }
        assert_eq!(name("client.payload.a\\.b.c").unwrap(), ["a.b", "c"]);
        assert!(name("a..b").is_err() && name("client.metadata.x").is_err());
    }
}
