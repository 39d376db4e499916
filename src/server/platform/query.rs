//! A query of the old platform, read: which records, and in which order. Pure.
//!
//! ```text
//! client.payload.a:1 OR b: 2 AND batch.info.date_human: [FROM TO TO] ${ORDER_BY a AND SORT ASC}
//!   -> search_lenient('a:1 OR b:2') AND search_lenient('_timestamp:[FROM TO TO]'), by a
//! ```
//!
//! Its language is that of `search` but for names, blanks behind colons and what stands in `${}`.
//! Clients append the range of time without parentheses around what was there, and mean all of it.
//! Whatever a query holds becomes a text in quotes, or a name in quotes: nothing else.

use super::words::{name, words};

/// What clients append.
const RANGE: &str = "batch.info.date_human:";

/// What a query asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Asked {
    /// What is searched for, in the language of `search`; all of these have to hold.
    searches: Vec<String>,
    /// The names of the field that the order goes by, from the root.
    order_by: Option<Vec<String>>,
    /// Whether it begins with the smallest.
    pub(super) ascending: bool,
    /// The most records.
    pub(super) limit: Option<usize>,
}

/// Reads a query.
///
/// # Errors
/// Says what isn't understood, or has no meaning here.
pub(super) fn read(text: &str) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut rest = String::with_capacity(text.len());
    let mut letters = text.chars();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                rest.push(letter);
                rest.extend(letters.next());
            }
            '$' if !quoted && letters.as_str().starts_with('{') => {
                let (inside, behind) = letters
                    .as_str()
                    .split_once('}')
                    .ok_or("this `${` is not closed: end it with `}`")?;
                for modifier in inside.trim_start_matches('{').split(" AND ") {
                    asked.modify(modifier.trim())?;
                }
                letters = behind.chars();
                rest.push(' ');
            }
            letter => {
                quoted ^= letter == '"';
                rest.push(letter);
            }
        }
    }
    let (query, range) = parted(&rest);
    for part in [query, range.unwrap_or_default()] {
        let part = words(part)?;
        if !matches!(part.trim(), "" | "*" | "*:*") {
            asked.searches.push(part.trim().to_owned());
        }
    }
    Ok(asked)
}

/// The range of time that a client has appended, apart from what it was appended to.
fn parted(text: &str) -> (&str, Option<&str>) {
    let whole = (text, None);
    let Some(at) = text.rfind(RANGE) else {
        return whole;
    };
    let (before, range) = text.split_at_checked(at).unwrap_or((text, ""));
    let bounds = range.strip_prefix(RANGE).map(str::trim).unwrap_or_default();
    let bounds = bounds
        .strip_prefix('[')
        .and_then(|bounds| bounds.strip_suffix(']'));
    // Something else follows, so nobody has appended it.
    if bounds.is_none_or(|bounds| bounds.contains([']', '"'])) {
        return whole;
    }
    let before = before.trim_end();
    match before.strip_suffix("AND") {
        Some(query) if query.ends_with(char::is_whitespace) || query.is_empty() => {
            (query, Some(range))
        }
        None if before.is_empty() => ("", Some(range)),
        _ => whole,
    }
}

impl Asked {
    fn modify(&mut self, modifier: &str) -> Result<(), String> {
        let (word, value) = modifier
            .split_once(char::is_whitespace)
            .unwrap_or((modifier, ""));
        let value = value.trim();
        match (word, value) {
            ("ORDER_BY", field) if !field.is_empty() => {
                self.order_by = Some(name(field)?);
            }
            ("SORT", "ASC") => self.ascending = true,
            ("SORT", "DESC") => self.ascending = false,
            ("LIMIT", number) => {
                let limit = number.parse();
                self.limit = Some(limit.map_err(|_| "`LIMIT` takes a number of records")?);
            }
            ("UNIQUE", _) => {
                return Err("`UNIQUE` is not supported here: ask by SQL, with `GROUP BY`".into());
            }
            _ => {
                return Err(format!(
                    "`{modifier}` is not understood: `${{...}}` takes `ORDER_BY field`, \
                     `SORT ASC`, `SORT DESC` and `LIMIT number`, with ` AND ` between them"
                ));
            }
        }
        Ok(())
    }

    /// What SQL has behind `WHERE`.
    pub(super) fn condition(&self) -> String {
        let calls = self.searches.iter();
        let calls = calls.map(|text| format!("search_lenient({})", literal(text)));
        let calls: Vec<String> = calls.collect();
        match calls.is_empty() {
            true => "true".to_owned(),
            false => calls.join(" AND "),
        }
    }

    /// What SQL has behind `ORDER BY`: the newest first unless something else is asked for, and
    /// always so that pages don't overlap.
    pub(super) fn order(&self) -> String {
        let direction = if self.ascending { "ASC" } else { "DESC" };
        let by = self.order_by.as_ref().map(|names| {
            let names: Vec<String> = names.iter().map(|one| identifier(one)).collect();
            format!("{} {direction} NULLS LAST, ", names.join("."))
        });
        let by = by.unwrap_or_default();
        format!("{by}_timestamp {direction}, _partition {direction}, _offset {direction}")
    }

    /// Whether records are to come in an order, or so many at most.
    pub(super) fn is_modified(&self) -> bool {
        self.order_by.is_some() || self.limit.is_some() || self.ascending
    }
}

/// A text as SQL has it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as SQL has it.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
