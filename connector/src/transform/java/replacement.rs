//! The replacement of `Matcher.replaceFirst`: `$1`, `${name}`, and `\` before what stands for
//! itself.

use fancy_regex::{Captures, Regex};

/// A parsed replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Replacement(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
    Named(String),
}

impl Replacement {
    /// Parses the text, for the groups that `regex` has.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(in super::super) fn parse(text: &str, regex: &Regex) -> Result<Self, String> {
        let groups = regex.captures_len();
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let after = rest.get(first.len_utf8()..).unwrap_or_default();
            match first {
                '\\' => {
                    let next = after.chars().next();
                    let next = next.ok_or("a text that doesn't end in a lone backslash")?;
                    plain.push(next);
                    rest = after.get(next.len_utf8()..).unwrap_or_default();
                }
                '$' => {
                    let (part, left) = reference(after, groups, regex)?;
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(part);
                    rest = left;
                }
                other => {
                    plain.push(other);
                    rest = after;
                }
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// `text` with the first match of `regex` replaced. A pattern that gives up replaces nothing.
    pub(in super::super) fn first(&self, regex: &Regex, text: &str) -> String {
        let Ok(Some(found)) = regex.captures(text) else {
            return text.to_owned();
        };
        let Some(whole) = found.get(0) else {
            return text.to_owned();
        };
        let before = text.get(..whole.start()).unwrap_or_default();
        let after = text.get(whole.end()..).unwrap_or_default();
        format!("{before}{}{after}", self.expand(&found))
    }

    fn expand(&self, found: &Captures<'_>) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            // A group that took no part is empty, as in Java.
            Part::Group(group) => found.get(*group).map_or("", |group| group.as_str()),
            Part::Named(name) => found.name(name).map_or("", |group| group.as_str()),
        });
        parts.collect()
    }
}

/// The group that a `$` refers to, and what comes after.
fn reference<'t>(after: &'t str, groups: usize, regex: &Regex) -> Result<(Part, &'t str), String> {
    if let Some(named) = after.strip_prefix('{') {
        let closed = named.split_once('}');
        let (name, left) = closed.ok_or("a `${` with its `}`; write `\\$` for a dollar")?;
        if !regex.capture_names().flatten().any(|group| group == name) {
            return Err(format!(
                "groups that the pattern has; it has none named `{name}`"
            ));
        }
        return Ok((Part::Named(name.to_owned()), left));
    }
    let digit = |text: &str| text.chars().next().and_then(|c| c.to_digit(10));
    let Some(first) = digit(after) else {
        return Err("a number or `{name}` after `$`; write `\\$` for a dollar".to_owned());
    };
    let mut group = first as usize;
    if group >= groups {
        return Err(format!(
            "groups that the pattern has; it has no group `{group}`"
        ));
    }
    let mut left = after.get(1..).unwrap_or_default();
    // As many digits belong to the number as name a group that there is.
    while let Some(next) = digit(left) {
        let longer = group * 10 + next as usize;
        if longer >= groups {
            break;
        }
        group = longer;
        left = left.get(1..).unwrap_or_default();
    }
    Ok((Part::Group(group), left))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_match_is_replaced_as_in_java() {
        for (pattern, replacement, text, replaced) in [
            ("(.*)-(.*)", "$2-$1", "a-b", "b-a"),
            ("(.*)", "x-$0", "a", "x-a"),
            (
                "(?<db>[a-z]+)\\.(.*)",
                "${db}_$2",
                "shop.orders",
                "shop_orders",
            ),
            ("a(b)?c", "[$1]", "ac", "[]"),
            ("(a)", "$11", "a", "a1"),
            ("a", r"\$1", "a", "$1"),
            ("a", r"\\", "a", r"\"),
            ("a|ab", "x", "ab", "xb"),
            ("b", "x", "abcb", "axcb"),
            ("z", "x", "a", "a"),
        ] {
            let regex = Regex::new(pattern).unwrap();
            let parsed = Replacement::parse(replacement, &regex).unwrap();
            assert_eq!(
                parsed.first(&regex, text),
                replaced,
                "{pattern} {replacement}"
            );
        }
    }

    #[test]
    fn a_replacement_that_java_refuses_is_refused() {
        let regex = Regex::new("(a)").unwrap();
        for text in ["$", "$x", "$2", "${name}", "${", r"\"] {
            assert!(Replacement::parse(text, &regex).is_err(), "{text}");
        }
    }
}
