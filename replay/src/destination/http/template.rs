//! The URL of a record: fixed, or with `{topic}`, `{partition}`, `{offset}`, `{key}` and
//! `{timestamp}` in its path or query. What is filled in stays one part of it, whatever it holds.

use std::fmt;

use reqwest_tls::Url;

use super::super::packed::Packed;
use super::super::percent;
use crate::error::{Error, Result};

/// A URL, perhaps with places to fill.
#[derive(Clone)]
pub(super) struct Template {
    parts: Vec<Part>,
    /// With something in every place: what host it is, and how many segments its path has.
    sample: Url,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Topic,
    Partition,
    Offset,
    Key,
    Timestamp,
}

impl Template {
    /// Reads a URL. The error doesn't repeat it: it may come from a secret.
    ///
    /// # Errors
    /// `Invalid` when it is none that records can be sent to.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let parts = parts(text)?;
        let invalid = |what: &str| Err(Error::invalid(format!("`url` {what}")));
        let Ok(sample) = Url::parse(&filled(&parts, |_| Ok("x".to_owned()))?) else {
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
        let fixed = match parts.first() {
            Some(Part::Text(text)) => text.splitn(4, '/').count() == 4,
            _ => false,
        };
        if parts.len() > 1 && !fixed {
            return invalid("may have `{...}` in its path and query only");
        }
        Ok(Self { parts, sample })
    }

    /// Whether each record has a URL of its own.
    pub(super) fn varies(&self) -> bool {
        self.parts.len() > 1
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
        let lacks = |what| Error::rejected(format!("the URL needs a {what}, which it has not"));
        let text = filled(&self.parts, |part| {
            Ok(match part {
                Part::Text(text) => text.clone(),
                Part::Topic => percent::encoded(&record.topic),
                Part::Partition => record.partition.to_string(),
                Part::Offset => record.offset.to_string(),
                Part::Key => {
                    percent::encoded_bytes(record.key.as_ref().ok_or_else(|| lacks("key"))?)
                }
                Part::Timestamp => record
                    .timestamp_ms
                    .ok_or_else(|| lacks("timestamp"))?
                    .to_string(),
            })
        })?;
        let url = Url::parse(&text)
            .map_err(|_| Error::rejected("what it fills into the URL makes it none"))?;
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

fn parts(text: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while let Some((before, from)) = rest.split_once('{') {
        let Some((name, after)) = from.split_once('}') else {
            return Err(Error::invalid("`url` has a `{` without `}`"));
        };
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(match name {
            "topic" => Part::Topic,
            "partition" => Part::Partition,
            "offset" => Part::Offset,
            "key" => Part::Key,
            "timestamp" => Part::Timestamp,
            _ => {
                return Err(
                    Error::invalid("`url` has a `{...}` that is not known").with_hint(
                        "a record fills {topic}, {partition}, {offset}, {key} and {timestamp}",
                    ),
                );
            }
        });
        rest = after;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

fn filled(parts: &[Part], fill: impl Fn(&Part) -> Result<String>) -> Result<String> {
    let filled = parts.iter().map(|part| match part {
        Part::Text(text) => Ok(text.clone()),
        place => fill(place),
    });
    filled.collect()
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
