//! What references of a configuration stand for, so that no answer, trace or log tells it. Pure.
//!
//! A text that was made of resolved values may hold one of them, in another case or a piece of it:
//! such a text is told in other words, and too many rather than one too few.

use std::collections::BTreeMap;

use super::provider::{Providers, Unknown};
use crate::error::{Error, Result};

/// Reads `given` with its references resolved. What is wrong with it becomes traces and answers,
/// which everybody reads: no error tells what a reference stands for.
///
/// # Errors
/// As `read`; `Invalid` for a reference that can't be resolved.
pub(in crate::connect) fn read_resolved<T>(
    given: &BTreeMap<String, String>,
    providers: &Providers,
    read: impl FnOnce(&BTreeMap<String, String>) -> Result<T>,
) -> Result<T> {
    let resolved = providers.resolve(given, Unknown::Keep)?;
    read(&resolved).map_err(|error| {
        match Secrets::between(given, &resolved).may_be_in(&error.to_string()) {
            false => error,
            true => Error::invalid(
                "what the configuration refers to doesn't fit; \
                 `/connector-plugins/{connectorType}/config/validate` says at which key",
            ),
        }
    })
}

/// Pieces that are shorter are in any text.
const PIECE_LEAST: usize = 3;

/// The values of a configuration that were given by reference, in small letters.
#[derive(Default)]
pub(in crate::connect) struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// What `resolved` has in place of what was `given`.
    pub(in crate::connect) fn between(
        given: &BTreeMap<String, String>,
        resolved: &BTreeMap<String, String>,
    ) -> Self {
        let changed = resolved
            .iter()
            .filter(|(key, value)| given.get(*key) != Some(*value));
        Self(
            changed
                .map(|(key, value)| (key.clone(), value.to_lowercase()))
                .collect(),
        )
    }

    /// Whether nothing was given by reference.
    pub(in crate::connect) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the value of `key` was.
    pub(in crate::connect) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The first key whose value was.
    pub(in crate::connect) fn first(&self) -> Option<&str> {
        self.0.keys().next().map(String::as_str)
    }

    /// Whether `text` may tell something of such a value.
    pub(in crate::connect) fn may_be_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.0.values().any(|secret| {
            let whole = secret.trim();
            let mut pieces = whole.split(|c: char| !c.is_alphanumeric());
            !whole.is_empty() && text.contains(whole)
                || pieces.any(|piece| piece.len() >= PIECE_LEAST && text.contains(piece))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn map(value: &str) -> BTreeMap<String, String> {
        let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        [("a", value), ("b", "plain")].map(pair).into()
    }

    #[test]
    fn a_text_with_a_secret_or_a_piece_of_it_is_known() {
        let secrets = Secrets::between(&map("${x:y}"), &map(" Red,Green x9 "));
        assert!(secrets.has("a") && !secrets.has("b"));
        assert_eq!(secrets.first(), Some("a"));
        for told in ["it is red", "GREEN,", "`red,green x9`"] {
            assert!(secrets.may_be_in(told), "{told}");
        }
        for silent in ["plain", "x9", ""] {
            assert!(!secrets.may_be_in(silent), "{silent}");
        }
        assert!(Secrets::between(&map("7"), &map("7")).is_empty());
        assert!(Secrets::between(&map("${x:y}"), &map("7")).may_be_in("from 7 on"));
        assert!(!Secrets::between(&map("${x:y}"), &map(" ")).may_be_in("a b"));
    }

    #[test]
    fn an_error_tells_no_secret_and_what_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("word");
        std::fs::write(&file, "sesame").unwrap();
        let given = map(&format!("${{file:{}}}", file.display()));
        let failed = |message: fn(&BTreeMap<String, String>) -> String| {
            let read = |map: &BTreeMap<_, _>| Err::<(), _>(Error::invalid(message(map)));
            let error = read_resolved(&given, &Providers::default(), read).unwrap_err();
            error.to_string()
        };
        let told = failed(|map| format!("`a` is `{}`", map["a"]));
        assert!(
            !told.contains("sesame") && told.contains("validate"),
            "{told}"
        );
        assert_eq!(
            failed(|map| format!("`b` is `{}`", map["b"])),
            "`b` is `plain`"
        );
    }
}
