//! The keys of what must never land.
//!
//! A rule that is passed over lets everything land, so unlike elsewhere an unknown key and an empty
//! value are refused. The key of hashes is in no message.

use std::collections::BTreeMap;
use std::sync::Arc;

use eddy_engine::redact::{Action, HashKey, Options, Redaction, Rule};

use super::Reader;
use crate::error::{Error, Result};

/// The keys of redaction.
const KNOWN: [&str; 6] = [
    "redact.drop",
    "redact.hash",
    "redact.mask",
    "redact.key",
    "redact.case",
    "redact.unparsed",
];

const LISTS: [(&str, Action); 3] = [
    ("redact.drop", Action::Drop),
    ("redact.hash", Action::Hash),
    ("redact.mask", Action::Mask(0)),
];

/// Reads and checks the keys; `None` without rules.
pub(super) fn read(reader: &Reader<'_>) -> Result<Option<Arc<Redaction>>> {
    refuse_what_would_be_passed_over(reader.name, reader.map)?;
    let mut rules = Vec::new();
    for (key, action) in LISTS {
        if let Some(list) = reader.text(key) {
            let read = Rule::parse_list(list, action);
            rules.extend(read.map_err(|wrong| Error::invalid(wrong_rule(reader, key, &wrong)))?);
        }
    }
    let hash_key = match reader.text("redact.key") {
        Some(key) => Some(hash_key(reader.name, key)?),
        None if reader.text("redact.hash").is_some() => {
            return Err(Error::invalid(format!(
                "connector `{}`: `redact.hash` needs a secret in `redact.key`, by reference as \
                 `${{file:PATH}}` or `${{env:NAME}}`",
                reader.name
            )));
        }
        None => None,
    };
    let options = Options {
        hash_key,
        ignore_case: reader.choice("redact.case", &[("exact", false), ("ignore", true)], false)?,
        keep_unparsed: reader.choice(
            "redact.unparsed",
            &[("withhold", false), ("keep", true)],
            false,
        )?,
    };
    if rules.is_empty() {
        return Ok(None);
    }
    let redaction = Redaction::new(rules, options);
    let named = |error| Error::invalid(format!("connector `{}`: {error}", reader.name));
    Ok(Some(redaction.map_err(named)?))
}

fn refuse_what_would_be_passed_over(name: &str, map: &BTreeMap<String, String>) -> Result<()> {
    let meant = |key: &&String| key.trim().to_lowercase().starts_with("redact");
    for key in map.keys().filter(meant) {
        if !KNOWN.contains(&key.as_str()) {
            return Err(Error::invalid(format!(
                "connector `{name}`: `{key}` is unknown; allowed is `{}`",
                KNOWN.join("`, `")
            )));
        }
        if map.get(key).is_none_or(|value| value.trim().is_empty()) {
            return Err(Error::invalid(format!(
                "connector `{name}`: `{key}` is empty; remove it if nothing is meant"
            )));
        }
    }
    Ok(())
}

fn wrong_rule(reader: &Reader<'_>, key: &str, wrong: &impl std::fmt::Display) -> String {
    format!("connector `{}`: `{key}` has {wrong}", reader.name)
}

fn hash_key(name: &str, text: &str) -> Result<HashKey> {
    HashKey::new(text.as_bytes()).ok_or_else(|| {
        Error::invalid(format!(
            "connector `{name}`: `redact.key` has fewer than {} bytes and could be guessed; make \
             one with `openssl rand -hex 32`",
            HashKey::LEAST_BYTES
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::connect::ConnectorConfig;
    use crate::error::Result;

    const SECRET: &str = "0123456789abcdef-secret";

    fn parse(entries: &[(&str, &str)]) -> Result<ConnectorConfig> {
        let entries = entries.iter().chain(&[("topics", "orders")]);
        let map = entries.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ConnectorConfig::parse("orders", &map.collect())
    }

    #[test]
    fn rules_are_read_and_nothing_is_redacted_without_them() {
        assert!(parse(&[]).unwrap().redaction.is_none());
        assert!(
            parse(&[("redact.key", SECRET)])
                .unwrap()
                .redaction
                .is_none()
        );
        let config = parse(&[
            ("redact.drop", "password, **.secret,\n key:token"),
            ("redact.hash", "customer.email, header:user"),
            ("redact.mask", "card.\"number.full\":4"),
            ("redact.key", SECRET),
            ("redact.case", "ignore"),
            ("redact.unparsed", "keep"),
        ]);
        let config = config.unwrap();
        assert!(config.redaction.is_some());
        assert!(
            !format!("{config:?}").contains(SECRET),
            "the key is shown to nobody"
        );
    }

    #[test]
    fn whatever_would_let_fields_land_by_mistake_is_refused_by_name() {
        let needles = |entries: &[(&str, &str)], needles: &[&str]| {
            let message = parse(entries).unwrap_err().to_string();
            for needle in needles {
                assert!(message.contains(needle), "{needle}: {message}");
            }
            assert!(!message.contains(SECRET), "{message}");
        };
        needles(
            &[("redact.drop", "a, $.b")],
            &["`orders`", "`redact.drop`", "`$.b`", "quotes"],
        );
        needles(
            &[("redact.hash", "a:4"), ("redact.key", SECRET)],
            &["`redact.hash`", "`a:4`"],
        );
        needles(
            &[("redact.mask", "a:400")],
            &["`redact.mask`", "`a:400`", "1 to 64"],
        );
        needles(
            &[("redact.drops", "a")],
            &["`redact.drops`", "`redact.drop`"],
        );
        needles(&[("Redact.Drop", "a")], &["`Redact.Drop`", "`redact.drop`"]);
        needles(&[("redact", "a")], &["`redact`", "`redact.drop`"]);
        needles(&[("redaction.drop", "a")], &["`redaction.drop`"]);
        needles(&[("redact.drop", " ")], &["`redact.drop`", "empty"]);
        needles(
            &[("redact.hash", "a")],
            &["`redact.hash`", "`redact.key`", "${file:PATH}"],
        );
        needles(
            &[("redact.key", "short secret"), ("redact.hash", "a")],
            &["16 bytes", "openssl"],
        );
        needles(
            &[("redact.case", "any"), ("redact.drop", "a")],
            &["`any`", "`ignore`"],
        );
        needles(
            &[("redact.unparsed", "x")],
            &["`redact.unparsed`", "`x`", "`withhold`"],
        );
        let error = parse(&[("redact.hash", "a"), ("redact.key", "short secret")]).unwrap_err();
        assert!(!error.to_string().contains("short secret"));
    }
}
