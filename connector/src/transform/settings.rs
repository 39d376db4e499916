//! The options of one transform or predicate, read with its alias in every error.

use std::collections::BTreeMap;

use fancy_regex::Regex;

use super::java::pattern;
use crate::error::{Error, Result};

/// The options below `transforms.<alias>.` or `predicates.<alias>.`.
#[derive(Clone, Copy)]
pub(super) struct Settings<'a> {
    /// The connector.
    pub(super) connector: &'a str,
    /// `transforms.mask.`: what stands before the options' names.
    pub(super) prefix: &'a str,
    /// The class, as it was configured.
    pub(super) class: &'a str,
    /// The connector's whole configuration.
    pub(super) map: &'a BTreeMap<String, String>,
}

impl<'a> Settings<'a> {
    /// The option as it was written; `None` where it is missing.
    pub(super) fn raw(&self, key: &str) -> Option<&'a str> {
        self.map
            .get(&format!("{}{key}", self.prefix))
            .map(String::as_str)
    }

    /// The option without blanks around it; `None` where it is missing or blank.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.raw(key).map(str::trim).filter(|text| !text.is_empty())
    }

    /// The option, which must be there and not blank.
    pub(super) fn required(&self, key: &str) -> Result<&'a str> {
        self.text(key).ok_or_else(|| self.missing(key))
    }

    /// The option, which must be there and may be blank.
    pub(super) fn required_raw(&self, key: &str) -> Result<&'a str> {
        self.raw(key).ok_or_else(|| self.missing(key))
    }

    /// A list with commas between; blanks around its items don't count.
    pub(super) fn list(&self, key: &str) -> Vec<&'a str> {
        let items = self.text(key).into_iter().flat_map(|text| text.split(','));
        items
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .collect()
    }

    /// A list with at least one item.
    pub(super) fn required_list(&self, key: &str) -> Result<Vec<&'a str>> {
        let list = self.list(key);
        match list.is_empty() {
            true => Err(self.missing(key)),
            false => Ok(list),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool> {
        self.choice(key, &[("true", true), ("false", false)], default)
    }

    /// One of several words, in any case.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        choices: &[(&str, T)],
        default: T,
    ) -> Result<T> {
        let Some(text) = self.text(key) else {
            return Ok(default);
        };
        let found = choices
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text));
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<String> = choices
                .iter()
                .map(|(word, _)| format!("`{word}`"))
                .collect();
            self.wrong(key, text, &words.join(" or "))
        })
    }

    /// `replace.null.with.default`.
    pub(super) fn replace_null(&self) -> Result<bool> {
        self.flag("replace.null.with.default", true)
    }

    /// A regular expression in Java's syntax.
    pub(super) fn pattern(&self, key: &str) -> Result<JavaPattern> {
        let text = self.required(key)?;
        let translated = pattern::translate(text);
        let compile = |regex: &str| {
            Regex::new(regex).map_err(|error| {
                self.wrong(key, text, "a regular expression of Java's")
                    .with_source(error)
            })
        };
        Ok(JavaPattern {
            anywhere: compile(&translated)?,
            whole: compile(&format!(r"\A(?:{translated})\z"))?,
        })
    }

    /// An error about the value of an option.
    pub(super) fn wrong(&self, key: &str, value: &str, allowed: &str) -> Error {
        Error::invalid(format!(
            "connector `{}`: `{}{key}` is `{value}`; it takes {allowed}",
            self.connector, self.prefix
        ))
    }

    /// An error about the options together.
    pub(super) fn refuse(&self, why: &str) -> Error {
        let alias = self.prefix.trim_end_matches('.');
        Error::invalid(format!(
            "connector `{}`: `{alias}` of class `{}`: {why}",
            self.connector, self.class
        ))
    }

    fn missing(&self, key: &str) -> Error {
        Error::invalid(format!(
            "connector `{}`: `{}{key}` is missing; `{}` needs it",
            self.connector, self.prefix, self.class
        ))
    }
}

/// A regular expression, for a whole text and for a part of one: Java's `matches` and `find`.
#[derive(Debug, Clone)]
pub(super) struct JavaPattern {
    pub(super) anywhere: Regex,
    pub(super) whole: Regex,
}

impl JavaPattern {
    /// Whether the whole text matches. A pattern that gives up (catastrophic backtracking) doesn't.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text).unwrap_or(false)
    }
}
