//! A collection of the configuration file: `[collections.NAME]`.

use std::collections::BTreeMap;
use std::fmt;

use super::collection::{check_name, check_rate, check_topic};
use super::tokens::Token;
use crate::error::{Error, Result};

/// A shorter token could be guessed.
const TOKEN_LETTERS_LEAST: usize = 16;

/// A collection that the configuration file declares. Its tokens are the operator's secrets and
/// are stored nowhere; `Debug` hides them.
#[derive(Clone)]
pub struct Declared {
    pub(super) name: String,
    pub(super) topic: String,
    pub(super) tokens: Vec<(String, Token)>,
    pub(super) rate: Option<u32>,
    /// Partitions of its topic if that has to be made.
    pub(super) partitions: Option<i32>,
}

impl Declared {
    /// Reads the table of the collection `name`, whose references are resolved: `topic`, `token`
    /// and any `token.ID` beside it, `rate`, `partitions`.
    ///
    /// # Errors
    /// `Invalid`, naming the key that is missing, unknown or wrong; never a token.
    pub fn read(name: &str, keys: &BTreeMap<String, String>) -> Result<Self> {
        check_name(name)?;
        let mut read = Self {
            name: name.to_owned(),
            topic: String::new(),
            tokens: Vec::new(),
            rate: None,
            partitions: None,
        };
        for (key, value) in keys {
            match key.as_str() {
                "topic" => read.topic.clone_from(value),
                "rate" => read.rate = Some(number(name, key, value)?),
                "partitions" => read.partitions = Some(number(name, key, value)?),
                "token" => read.add("file", value)?,
                _ => match key.strip_prefix("token.") {
                    Some(id) if !id.is_empty() => read.add(id, value)?,
                    _ => {
                        return Err(Error::invalid(format!(
                            "`collections.{name}.{key}` is unknown; a collection has `topic`, \
                             `token`, `token.ID`, `rate` and `partitions`"
                        )));
                    }
                },
            }
        }
        if read.topic.is_empty() {
            return Err(Error::invalid(format!(
                "`collections.{name}.topic` is missing"
            )));
        }
        if read.tokens.is_empty() {
            return Err(Error::invalid(format!(
                "`collections.{name}.token` is missing; set it to a reference, such as \
                 `${{env:NAME}}`"
            )));
        }
        check_topic(&read.topic)?;
        check_rate(read.rate)?;
        Ok(read)
    }

    fn add(&mut self, id: &str, token: &str) -> Result<()> {
        let is_sendable = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.len() < TOKEN_LETTERS_LEAST || !is_sendable {
            return Err(Error::invalid(format!(
                "a token of collection `{}` needs {TOKEN_LETTERS_LEAST} visible ASCII letters or \
                 more (`openssl rand -hex 32` makes one)",
                self.name
            )));
        }
        self.tokens.push((id.to_owned(), Token::given(token)));
        Ok(())
    }
}

fn number<T: std::str::FromStr>(name: &str, key: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| {
        Error::invalid(format!(
            "`collections.{name}.{key}` is `{value}`; give a number"
        ))
    })
}

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Declared")
            .field("name", &self.name)
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(keys: &[(&str, &str)]) -> Result<Declared> {
        let keys = keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Declared::read("clicks", &keys.collect())
    }

    #[test]
    fn a_declared_collection_has_a_topic_and_tokens() {
        let secret = "0123456789abcdef";
        let keys = [
            ("topic", "t"),
            ("token", secret),
            ("token.next", "fedcba9876543210"),
        ];
        let read_back = read(&keys).unwrap();
        let ids: Vec<&str> = read_back.tokens.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["file", "next"]);
        assert!(!format!("{read_back:?}").contains(secret));
    }

    #[test]
    fn what_is_wrong_is_named_and_a_token_never_shown() {
        for (keys, named) in [
            (vec![("token", "0123456789abcdef")], "topic"),
            (vec![("topic", "t")], "token"),
            (vec![("topic", "t"), ("token", "hush")], "token"),
            (vec![("topic", "t"), ("tokn", "hush")], "tokn"),
            (vec![("topic", "t"), ("rate", "many")], "rate"),
        ] {
            let error = read(&keys).unwrap_err().to_string();
            assert!(error.contains(named) && !error.contains("hush"), "{error}");
        }
    }
}
