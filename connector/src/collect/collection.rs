//! What a collection is, and which names it may have: pure.

use serde::{Deserialize, Serialize};

use super::tokens::Hashed;
use crate::error::{Error, Result};

/// A name, a topic, and the tokens that open it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// What it is called.
    pub name: String,
    /// Where its events go.
    pub topic: String,
    /// Whether it takes events.
    pub state: State,
    /// The tokens that weren't revoked.
    pub tokens: Vec<Issued>,
    /// Whether it stands in the configuration file, and can't be changed but there.
    #[serde(skip)]
    pub declared: bool,
}

/// Whether a collection takes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It does.
    Active,
    /// Not for now.
    Paused,
    /// Not any more, and whoever lists collections should know that.
    Archived,
}

impl State {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Archived => "archived",
        }
    }
}

/// A token that was handed out. The token itself is known to its owner alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// By which it is found and revoked; the token begins with it.
    pub id: String,
    /// What it is recognised by.
    pub(super) hash: Hashed,
    /// Milliseconds since the Unix epoch, from which on it opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
    /// Events per second; without one there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Milliseconds since the Unix epoch.
    pub created_ms: i64,
}

/// Refuses a name that can't stand in a URL.
///
/// # Errors
/// `Invalid`, saying what may.
pub(super) fn check_name(name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts && name.len() <= 128 && name.chars().all(fits) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{name}` can't be a collection's name; use up to 128 letters, digits, `-`, `_` and `.`, \
         a letter or digit first"
    )))
}

/// Refuses a topic that Kafka would refuse.
///
/// # Errors
/// `Invalid`, saying what may be.
pub(super) fn check_topic(topic: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = topic.chars().all(fits) && topic.len() <= 249;
    if fits && !matches!(topic, "" | "." | "..") && !topic.starts_with("__") {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{topic}` can't be a collection's topic; use up to 249 letters, digits, `-`, `_` and `.`"
    )))
}

/// Refuses a rate that lets nothing through.
///
/// # Errors
/// `Invalid`.
pub(super) fn check_rate(rate: Option<u32>) -> Result<()> {
    match rate {
        Some(0) => Err(Error::invalid(
            "a rate of 0 lets nothing through; give events per second, or none",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_a_url_and_topics_fit_kafka() {
        assert!(check_name("web.clicks-2").is_ok());
        for wrong in ["", ".a", "a/b", "a b", "-a", "ä", &"a".repeat(129)] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
        assert!(check_topic("_clicks").is_ok());
        for wrong in ["", ".", "..", "__consumer_offsets", "a b", &"a".repeat(250)] {
            assert!(check_topic(wrong).is_err(), "{wrong}");
        }
        assert!(check_rate(Some(0)).is_err());
    }
}
