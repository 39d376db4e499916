//! Pages of other sites that may use the API: `access.control.allow.origin` and `.methods`.
//!
//! As with the server under Connect an origin is a pattern for the whole of it, `*` is every one,
//! and a browser that asks what it may do is told that before anything else is asked of it.

use axum::http::{HeaderMap, HeaderValue, Method, header};
use fancy_regex::Regex;

use crate::error::{Error, Result};

/// What a page may do unless methods are given.
const METHODS: &str = "GET,POST,HEAD";
/// What a page may send along.
const HEADERS: &str = "Authorization,Content-Type";
/// How long a browser may remember what it was told.
const MAX_AGE_S: &str = "60";

/// The sites whose pages may ask; none by default.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    any: bool,
    patterns: Vec<Regex>,
    methods: Option<HeaderValue>,
}

impl Origins {
    /// Reads both keys; without origins the methods mean nothing.
    ///
    /// # Errors
    /// `Invalid` for an origin that is no pattern, and for methods that can't be sent.
    pub fn parse(origins: &str, methods: &str) -> Result<Self> {
        let list = origins.split(',').map(str::trim);
        let named: Vec<&str> = list.filter(|origin| !origin.is_empty()).collect();
        let pattern = |origin: &&str| {
            Regex::new(&format!("^(?:{origin})$")).map_err(|error| {
                let key = "access.control.allow.origin";
                Error::invalid(format!("`{key}` has `{origin}`, which is no pattern"))
                    .with_source(error)
            })
        };
        let methods = match methods.trim() {
            "" => HeaderValue::from_static(METHODS),
            methods => HeaderValue::from_str(methods).map_err(|_| {
                let key = "access.control.allow.methods";
                Error::invalid(format!("`{key}` is `{methods}`; it takes names of methods"))
            })?,
        };
        Ok(Self {
            any: named.contains(&"*"),
            patterns: named
                .iter()
                .filter(|origin| **origin != "*")
                .map(pattern)
                .collect::<Result<_>>()?,
            methods: Some(methods),
        })
    }

    /// The origin of the request, if it is one of these.
    pub(super) fn of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let text = origin.to_str().ok()?;
        let mut patterns = self.patterns.iter();
        let is_known = self.any || patterns.any(|pattern| pattern.is_match(text).unwrap_or(false));
        is_known.then_some(origin)
    }

    /// Whether a browser asks what a page may do.
    pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Tells the browser of the page from `origin` that it may read the answer, and, if it asks,
    /// what else it may.
    pub(super) fn mark(&self, answer: &mut HeaderMap, origin: HeaderValue, preflight: bool) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.insert(header::VARY, HeaderValue::from_static("Origin"));
        if preflight {
            let methods = self.methods.clone();
            let methods = methods.unwrap_or(HeaderValue::from_static(METHODS));
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            let more = HeaderValue::from_static(HEADERS);
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, more);
            let seconds = HeaderValue::from_static(MAX_AGE_S);
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn allows(origins: &Origins, origin: &'static str) -> bool {
        let headers = [(header::ORIGIN, HeaderValue::from_static(origin))];
        origins.of(&headers.into_iter().collect()).is_some()
    }

    #[test]
    fn only_the_pages_of_named_sites_may_ask() {
        let some = Origins::parse("https://a.example , https://[a-z]+\\.b\\.example", "").unwrap();
        assert!(allows(&some, "https://a.example"));
        assert!(allows(&some, "https://x.b.example"));
        assert!(!allows(&some, "https://a.example.evil"));
        assert!(!allows(&Origins::default(), "https://a.example"));
        assert!(!allows(
            &Origins::parse(" ", "PUT").unwrap(),
            "https://a.example"
        ));
        assert!(allows(
            &Origins::parse("*", "").unwrap(),
            "https://any.example"
        ));
        assert!(Origins::parse("(", "").is_err());
        assert!(Origins::parse("*", "GET\u{1}").is_err());
    }

    #[test]
    fn a_browser_that_asks_is_told_the_methods() {
        let origins = Origins::parse("*", "GET,PUT").unwrap();
        for preflight in [true, false] {
            let mut answer = HeaderMap::new();
            origins.mark(
                &mut answer,
                HeaderValue::from_static("https://a"),
                preflight,
            );
            let methods = answer.get(header::ACCESS_CONTROL_ALLOW_METHODS);
            assert_eq!(
                methods.is_some_and(|methods| methods == "GET,PUT"),
                preflight
            );
            assert_eq!(answer[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://a");
        }
    }
}
