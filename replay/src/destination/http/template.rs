//! The URL of a record: fixed, or with `{topic}`, `{partition}`, `{offset}`, `{key}` and
//! `{timestamp}` in its path or query. What is filled in stays one part of it, whatever it holds.

use std::fmt;

use reqwest_tls::Url;

use super::super::packed::Packed;
use super::super::percent;
use super::super::places::Places;
use crate::error::{Error, Result};

/// A URL, perhaps with places to fill.
#[derive(Clone)]
pub(super) struct Template {
    places: Places,
    /// With something in every place: what host it is, and how many segments its path has.
    sample: Url,
}

impl Template {
    /// Reads a URL. The error doesn't repeat it: it may come from a secret.
    ///
    /// # Errors
    /// `Invalid` when it is none that records can be sent to.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let places = Places::parse("url", text)?;
        let invalid = |what: &str| Err(Error::invalid(format!("`url` {what}")));
        let Ok(sample) = Url::parse(&places.sampled("x")) else {
            return invalid("is not a URL such as `https://host/path`");
        };
        if !matches!(sample.scheme(), "http" | "https") || sample.host_str().is_none() {
            return invalid("has to begin with `https://` or `http://` and a host");
        }
        if !sample.username().is_empty() || sample.password().is_some() {
            return invalid("may hold no user or password; set `header.Authorization`");
        }
        if sample.fragment().is_some() {
            return invalid("may have no `#`");
        }
        // However many slashes there are: what is filled in may not be part of the host.
        let other = Url::parse(&places.sampled("1"));
        let same = other.is_ok_and(|other| other.origin() == sample.origin());
        let fixed = same && places.beginning().splitn(4, '/').count() == 4;
        if places.varies() && !fixed {
            return invalid("may have `{...}` in its path and query only");
        }
        Ok(Self { places, sample })
    }

    /// Whether each record has a URL of its own.
    pub(super) fn varies(&self) -> bool {
        self.places.varies()
    }

    /// The host, as it stands in the URL.
    pub(super) fn host(&self) -> &str {
        self.sample.host_str().unwrap_or_default()
    }

    /// Where somebody has to answer: the URL itself, or the host alone where records have their
    /// own.
    pub(super) fn reachable(&self) -> Url {
        let mut url = self.sample.clone();
        if self.varies() {
            url.set_path("/");
            url.set_query(None);
        }
        url
    }

    /// The URL of a record.
    ///
    /// # Errors
    /// `Rejected` when the record lacks what a place needs, or would leave its place.
    pub(super) fn fill(&self, record: &Packed) -> Result<Url> {
        if !self.varies() {
            return Ok(self.sample.clone());
        }
        let encoded = |bytes: &[u8]| Ok(percent::encoded_bytes(bytes));
        let text = self.places.fill("the URL", record, encoded)?;
        let url = Url::parse(&text)
            .map_err(|_| Error::rejected("what it fills into the URL makes it none"))?;
        if url.origin() != self.sample.origin() {
            return Err(Error::rejected(
                "what it fills into the URL would lead to another host",
            ));
        }
        // A key `..` would climb: in a URL dots are dots however they are written.
        if url.path().matches('/').count() != self.sample.path().matches('/').count() {
            return Err(Error::rejected(
                "its key, as a part of the URL's path, would lead elsewhere",
            ));
        }
        Ok(url)
    }
}

/// Says how the URL is written, without what may be a secret: its query.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;

    use super::super::tests::packed;
    use super::*;

    fn keyed(key: Option<&[u8]>) -> Packed {
        Packed {
            key: key.map(Bytes::copy_from_slice),
            ..packed()
        }
    }

    #[test]
    fn what_a_record_fills_in_stays_one_part() {
        let template = Template::parse("https://h:1/a/{topic}/{key}?at={timestamp}&k={key}");
        let template = template.unwrap();
        let url = |key: &[u8]| template.fill(&keyed(Some(key))).unwrap().to_string();
        assert_eq!(url(b"42"), "https://h:1/a/orders/42?at=1500&k=42");
        assert_eq!(
            url(b"a/b?c#d&e \xff"),
            "https://h:1/a/orders/a%2Fb%3Fc%23d%26e%20%FF?at=1500&k=a%2Fb%3Fc%23d%26e%20%FF"
        );
        assert_eq!(url(b""), "https://h:1/a/orders/?at=1500&k=");
    }

    #[test]
    fn a_key_that_would_climb_and_one_that_is_missing_are_rejected() {
        let template = Template::parse("https://h/a/{key}/b").unwrap();
        for key in [Some(&b".."[..]), Some(b"."), None] {
            let error = template.fill(&keyed(key)).unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::Rejected, "{error}");
        }
        assert!(template.fill(&keyed(Some(b"..."))).is_ok());
    }

    #[test]
    fn urls_that_nothing_can_be_sent_to_are_refused_without_being_repeated() {
        for bad in [
            "",
            "hunter2",
            "ftp://h/",
            "https://",
            "https://u:hunter2@h/",
            "https://h/#a",
            "https://{key}/",
            "https://h{key}",
            "{key}",
            "https://h/{hunter2}",
            "https://h/{key",
            "https://h?k={key}",
            "https:///{key}/",
            "http:///0{key}01000001/admin",
        ] {
            let error = Template::parse(bad).unwrap_err();
            assert!(
                !format!("{error} {:?}", error.hint()).contains("hunter2"),
                "{error}"
            );
        }
        let fixed = Template::parse(" https://h ").unwrap();
        assert!(!fixed.varies());
        assert_eq!(fixed.fill(&packed()).unwrap().as_str(), "https://h/");
    }
}
