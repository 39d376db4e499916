//! Basic authentication: who may ask for anything, as with Connect's extension for it.
//!
//! Of each user a tag of name and password is kept, not the password. All users are compared with
//! whoever asks, each in a time that doesn't depend on what differs.

use std::fmt;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::answer::Answer;
use crate::connect::config::properties;
use crate::error::{Error, Result};

/// Who may ask.
#[derive(Clone)]
pub struct Users {
    key: hmac::Key,
    tags: Vec<hmac::Tag>,
}

impl Users {
    /// The users of a Java properties file, `name=password`.
    ///
    /// # Errors
    /// `Invalid` for a text without users: with Connect such a file lets everybody in.
    pub fn parse(text: &str) -> Result<Self> {
        // The key only makes the comparison safe: tags never leave the process.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"eddy connect users");
        let users = properties::parse(text);
        let known = users.iter();
        let tags: Vec<hmac::Tag> = known
            .map(|(name, password)| hmac::sign(&key, pair(name, password).as_bytes()))
            .collect();
        if tags.is_empty() {
            return Err(Error::invalid(
                "the file of users has none; a line is `name=password`",
            ));
        }
        Ok(Self { key, tags })
    }

    /// Refuses whoever isn't among them.
    pub(super) fn check(&self, headers: &HeaderMap) -> std::result::Result<(), Answer> {
        let given = headers.get(header::AUTHORIZATION);
        let given = given.and_then(|value| credentials(value.to_str().ok()?));
        let is_known = given.is_some_and(|(name, password)| self.has(&name, &password));
        match is_known {
            true => Ok(()),
            false => Err(Answer::unauthorized()),
        }
    }

    fn has(&self, name: &str, password: &str) -> bool {
        let given = pair(name, password);
        let verify = |tag: &hmac::Tag| hmac::verify(&self.key, given.as_bytes(), tag.as_ref());
        // No early end: it would tell how far down a user is.
        let mut found = false;
        for tag in &self.tags {
            found |= verify(tag).is_ok();
        }
        found
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("count", &self.tags.len())
            .finish_non_exhaustive()
    }
}

/// A name never has a colon where it is sent, so this is never that of two.
fn pair(name: &str, password: &str) -> String {
    format!("{}:{name}:{password}", name.len())
}

/// Name and password of a header `Basic BASE64`.
fn credentials(value: &str) -> Option<(String, String)> {
    let (method, encoded) = value.split_once(' ')?;
    if !method.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    (!name.is_empty()).then(|| (name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_a_user_with_its_own_password_is_let_in() {
        let users = Users::parse("# users\nann=p:w d\nbob=\\u00e9\n").unwrap();
        let status = |value: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            users
                .check(&headers)
                .map_or_else(|answer| answer.status, |()| 200)
        };
        let basic = |method: &str, pair: &str| format!("{method} {}", STANDARD.encode(pair));
        for (value, wanted) in [
            (Some(basic("Basic", "ann:p:w d")), 200),
            (Some(basic("BASIC", "bob:\u{e9}")), 200),
            (Some(basic("Basic", "bob:p:w d")), 401),
            (Some(basic("Basic", "ann:p")), 401),
            (Some(basic("Basic", "ann")), 401),
            (Some(basic("Basic", ":p:w d")), 401),
            (Some(basic("Bearer", "ann:p:w d")), 401),
            (Some("Basic ###".to_owned()), 401),
            (Some("Basic".to_owned()), 401),
            (None, 401),
        ] {
            assert_eq!(status(value.as_deref()), wanted, "{value:?}");
        }
        assert!(!format!("{users:?}").contains("p:w"));
        assert!(Users::parse("# nobody\n").is_err());
    }
}
