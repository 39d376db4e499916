//! Text with places that each record fills: `{topic}`, `{partition}`, `{offset}`, `{key}` and
//! `{timestamp}`.

use std::borrow::Cow;

use super::packed::Packed;
use crate::error::{Error, Result};

/// A text, perhaps with places to fill.
#[derive(Clone)]
pub(super) struct Places(Vec<Part>);

#[derive(Clone)]
enum Part {
    Text(String),
    Place(Place),
}

/// What a record fills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Topic,
    Partition,
    Offset,
    Key,
    Timestamp,
}

const ALL: [(&str, Place); 5] = [
    ("topic", Place::Topic),
    ("partition", Place::Partition),
    ("offset", Place::Offset),
    ("key", Place::Key),
    ("timestamp", Place::Timestamp),
];

impl Places {
    /// Reads the text of an option. The error doesn't repeat it: it may come from a secret.
    ///
    /// # Errors
    /// `Invalid` for a `{` without end and for a place that isn't known.
    pub(super) fn parse(option: &str, text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text.trim();
        while let Some((before, from)) = rest.split_once('{') {
            let Some((name, after)) = from.split_once('}') else {
                return Err(Error::invalid(format!(
                    "`{option}` has a `{{` without `}}`"
                )));
            };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let Some((_, place)) = ALL.iter().find(|(known, _)| *known == name) else {
                return Err(Error::invalid(format!(
                    "`{option}` has a `{{...}}` that is not known"
                ))
                .with_hint(
                    "a record fills {topic}, {partition}, {offset}, {key} and {timestamp}",
                ));
            };
            parts.push(Part::Place(*place));
            rest = after;
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Whether records differ in it.
    pub(super) fn varies(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Place(_)))
    }

    /// What stands before the first place.
    pub(super) fn beginning(&self) -> &str {
        match self.0.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// The text with `sample` in every place.
    pub(super) fn sampled(&self, sample: &str) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Place(_) => sample,
        });
        parts.collect()
    }

    /// The text of a record; `write` makes text of what stands in a place. `what` is filled, as in
    /// `the URL`.
    ///
    /// # Errors
    /// `Rejected` when the record lacks what a place needs, and what `write` says.
    pub(super) fn fill(
        &self,
        what: &str,
        record: &Packed,
        write: impl Fn(&[u8]) -> Result<String>,
    ) -> Result<String> {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Place(place) => match place.of(record) {
                Some(bytes) => write(&bytes),
                None => {
                    let name = place.name();
                    Err(Error::rejected(format!(
                        "{what} needs a {name}, which it has not"
                    )))
                }
            },
        });
        parts.collect()
    }
}

impl Place {
    fn name(self) -> &'static str {
        let found = ALL.iter().find(|(_, place)| *place == self);
        found.map_or("", |(name, _)| name)
    }

    fn of(self, record: &Packed) -> Option<Cow<'_, [u8]>> {
        Some(match self {
            Self::Topic => Cow::Borrowed(record.topic.as_bytes()),
            Self::Partition => Cow::Owned(record.partition.to_string().into_bytes()),
            Self::Offset => Cow::Owned(record.offset.to_string().into_bytes()),
            Self::Key => Cow::Borrowed(record.key.as_deref()?),
            Self::Timestamp => Cow::Owned(record.timestamp_ms?.to_string().into_bytes()),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;

    use super::*;

    fn record(key: Option<&'static [u8]>) -> Packed {
        Packed {
            id: "r:id:3:42".to_owned(),
            replay: "r".to_owned(),
            topic: "orders".to_owned(),
            partition: 3,
            offset: 42,
            timestamp_ms: None,
            key: key.map(Bytes::from_static),
            value: None,
            headers: Vec::new(),
        }
    }

    fn fill(text: &str, key: Option<&'static [u8]>) -> Result<String> {
        let lossy = |bytes: &[u8]| Ok(String::from_utf8_lossy(bytes).into_owned());
        Places::parse("option", text)?.fill("the text", &record(key), lossy)
    }

    #[test]
    fn each_place_is_filled_and_the_rest_stays() {
        let filled = fill(" a.{topic}-{partition}}{offset}{key} ", Some(b"k")).unwrap();
        assert_eq!(filled, "a.orders-3}42k");
        assert_eq!(fill("", None).unwrap(), "");
        assert!(!Places::parse("option", "a").unwrap().varies());
    }

    #[test]
    fn what_a_record_lacks_is_told_and_what_is_no_place_is_refused_unrepeated() {
        let error = fill("{key}", None).unwrap_err().to_string();
        assert_eq!(error, "the text needs a key, which it has not");
        let error = fill("{timestamp}", None).unwrap_err().to_string();
        assert_eq!(error, "the text needs a timestamp, which it has not");
        for bad in ["{hunter2}", "{key", "{}"] {
            let error = fill(bad, Some(b"k")).unwrap_err().to_string();
            let told = error.starts_with("`option` has a `{") && !error.contains("hunter2");
            assert!(told, "{error}");
        }
    }
}
