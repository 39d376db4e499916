//! Which options hold secrets, how they are shown, and how references to them are resolved.
//!
//! A reference (`${env:NAME}`, `${file:/path}`) stays one until the moment a destination is opened;
//! what it stands for is never stored, shown or logged.

use std::collections::BTreeMap;

use eddy_connector::{Providers, Unknown};

use super::packed::digest_of_ids;
use crate::error::{Error, Result};

/// Stands where a secret would.
pub(crate) const HIDDEN: &str = "***";

/// Parts of option names whose values nobody but the destination may see.
const WORDS: [&str; 9] = [
    "password",
    "secret",
    "token",
    "jaas",
    "credential",
    "passphrase",
    "private",
    "key.pem",
    "keystore.key",
];

/// The same of HTTP headers.
const HEADER_WORDS: [&str; 5] = ["auth", "cookie", "key", "session", "signature"];

/// Whether the option's value is a secret, by its name or because it is a URL that holds one.
pub(crate) fn is_secret(key: &str, value: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let header = key.strip_prefix("header.");
    WORDS.iter().any(|word| key.contains(word))
        || key == "authorization"
        || key == "tls.identity"
        || key.ends_with("apikey")
        || header.is_some_and(|name| HEADER_WORDS.iter().any(|word| name.contains(word)))
        || has_user_info(value)
        || has_secret_parameter(value)
}

/// Whether the value is one reference and nothing else, but perhaps the scheme of an
/// `Authorization`.
pub(crate) fn is_reference(value: &str) -> bool {
    let schemes = ["Bearer ", "Basic ", "Token "];
    let credential = schemes.iter().find_map(|scheme| value.strip_prefix(scheme));
    credential
        .unwrap_or(value)
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|inner| {
            !inner.contains('}') && (inner.starts_with("env:") || inner.starts_with("file:"))
        })
}

/// The options as they may be shown: secrets hidden, references as they are.
pub(crate) fn shown(options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    options
        .iter()
        .map(|(key, value)| {
            let hide = is_secret(key, value) && !is_reference(value);
            let value = if hide { HIDDEN } else { value.as_str() };
            (key.clone(), value.to_owned())
        })
        .collect()
}

/// The options with what their references stand for: `providers` look it up, which reads files.
///
/// # Errors
/// `Invalid` for a reference that can't be resolved; the message names it, never its value.
pub(crate) fn resolve(
    options: &BTreeMap<String, String>,
    providers: &Providers,
) -> Result<BTreeMap<String, String>> {
    providers
        .resolve(options, Unknown::Refuse)
        .map_err(|error| Error::invalid(error.to_string()))
}

/// A place as a target names it: as it is written and, where that is by reference, with some of the
/// digest of what it stands for, so that another one behind it isn't taken for the same.
pub(super) fn place(written: &str, resolved: &str) -> String {
    match written == resolved {
        true => format!("`{written}`"),
        false => {
            let digest = digest_of_ids([resolved]);
            format!("`{written}` ({})", digest.get(..8).unwrap_or_default())
        }
    }
}

fn has_user_info(value: &str) -> bool {
    value.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .is_some_and(|(user, _)| user.contains(':'))
    })
}

/// Whether it is a URL with a parameter such as `?token=...` that is no reference.
fn has_secret_parameter(value: &str) -> bool {
    let Some((_, query)) = value
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('?'))
    else {
        return false;
    };
    query.split('&').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = name.to_ascii_lowercase();
        let words = WORDS.iter().chain(&HEADER_WORDS).chain(&["sig"]);
        !value.is_empty()
            && !is_reference(value)
            && words.into_iter().any(|word| name.contains(word))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn secrets_are_hidden_and_references_shown() {
        let options = BTreeMap::from(
            [
                ("bootstrap.servers", "127.0.0.1:9092"),
                ("sasl.password", "hunter2"),
                ("ssl.key.password", "${env:KEY_PASSWORD}"),
                ("sasl.jaas.config", "... password=\"hunter2\";"),
                ("dsn", "amqp://user:hunter2@host/"),
                ("half", "${env:A}hunter2"),
                ("sasl.oauthbearer.client.secret", "${env:A}hunter2"),
                ("header.Authorization", "Bearer ${env:A}"),
                ("header.X-Api-Key", "hunter2"),
                ("header.Cookie", "Bearer hunter2"),
                ("url", "https://h/?a=1&sig=hunter2"),
                ("url.by.reference", "https://h/?a={key}&token=${env:A}"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let shown = shown(&options);
        assert_eq!(shown["bootstrap.servers"], "127.0.0.1:9092");
        assert_eq!(shown["ssl.key.password"], "${env:KEY_PASSWORD}");
        assert_eq!(shown["header.Authorization"], "Bearer ${env:A}");
        assert!(shown["url.by.reference"].starts_with("https://"));
        for key in [
            "sasl.password",
            "sasl.jaas.config",
            "dsn",
            "sasl.oauthbearer.client.secret",
            "header.X-Api-Key",
            "header.Cookie",
            "url",
        ] {
            assert_eq!(shown[key], HIDDEN, "{key}");
        }
    }

    #[test]
    fn a_reference_is_resolved_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        let resolved = |value: &str| {
            let options = BTreeMap::from([("k".to_owned(), value.to_owned())]);
            resolve(&options, &Providers::default())
        };
        let value = format!("user:${{file:{}}};", path.display());
        assert_eq!(resolved(&value).unwrap()["k"], "user:hunter2;");
        assert_eq!(resolved("plain").unwrap()["k"], "plain");
        for bad in ["${env:EDDY_NOT_SET}", "${vault:x}", "${env:X"] {
            let error = resolved(bad).unwrap_err();
            assert!(error.to_string().contains("`k`"), "{error}");
        }
    }
}
