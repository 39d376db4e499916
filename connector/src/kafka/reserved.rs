//! Keys that only the process's own `[kafka]` may set: by them a client loads a library, runs a
//! command, or sends off what a file holds.
//!
//! librdkafka loads a plugin as soon as its key is set, before anything is checked, so who asks for
//! a connector or a destination must not get as far as that.

use crate::error::{Error, Result};

/// The keys. Which of them a build of librdkafka knows doesn't matter.
const KEYS: [&str; 8] = [
    "plugin.library.paths",
    "sasl.kerberos.kinit.cmd",
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.jwt.template.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "ssl.engine.id",
    "ssl.engine.location",
    "ssl.providers",
];

/// Refuses the keys that only the process's own configuration may set.
///
/// # Errors
/// `Invalid`, naming the key and no value.
pub fn check_reserved<'k>(keys: impl IntoIterator<Item = &'k String>) -> Result<()> {
    match keys.into_iter().find(|key| is_reserved(key)) {
        None => Ok(()),
        Some(key) => Err(Error::invalid(refusal(key))),
    }
}

/// Whether `key` is one of them.
pub(crate) fn is_reserved(key: &str) -> bool {
    KEYS.contains(&key.trim())
}

/// Why the key is refused.
pub(crate) fn refusal(key: &str) -> String {
    format!("`{key}` can't be set here: it may only stand in `[kafka]` of the process's own file")
}
