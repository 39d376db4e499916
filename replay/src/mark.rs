//! The headers that tell a replayed record from an original one.
//!
//! They are decimal text, so that every consumer can read them; `headers = 'strip'` and `'keep'`
//! leave them out.

use eddy_engine::Header;

use crate::request::Headers;
use crate::rows::Row;

/// The replay's id.
pub const REPLAY_ID: &str = "eddy-replay-id";
/// `topic:partition:offset` of the source record.
pub const SOURCE: &str = "eddy-source";
/// The source record's timestamp, milliseconds since the Unix epoch.
pub const SOURCE_TIMESTAMP: &str = "eddy-source-timestamp";

/// Whether a record is marked: as asked for, else when it goes back to the topic it came from,
/// where its consumers would take it for a new one, and when it `differs`: its value is another
/// one, or its replay never ends.
pub(crate) fn choose(
    asked: Option<Headers>,
    source: &str,
    target: Option<&str>,
    differs: bool,
) -> Headers {
    asked.unwrap_or(if differs || target == Some(source) {
        Headers::Mark
    } else {
        Headers::Keep
    })
}

/// Whether a replay sent this record to where it was recorded.
pub(crate) fn is_marked(headers: &[Header<'_>]) -> bool {
    headers.iter().any(|header| header.name == REPLAY_ID)
}

/// The texts of a record's marks.
pub(crate) struct Marks {
    source: String,
    timestamp: Option<String>,
}

impl Marks {
    pub(crate) fn new(row: &Row<'_>) -> Self {
        Self {
            source: format!("{}:{}:{}", row.topic, row.partition, row.offset),
            timestamp: row.timestamp_ms.map(|timestamp| timestamp.to_string()),
        }
    }

    /// Adds the marks behind the record's own headers, which stay as they are (E7).
    pub(crate) fn add<'a>(&'a self, replay_id: &'a str, headers: &mut Vec<Header<'a>>) {
        let mut add = |name, value: &'a str| {
            headers.push(Header {
                name,
                value: Some(value.as_bytes()),
            });
        };
        add(REPLAY_ID, replay_id);
        add(SOURCE, &self.source);
        if let Some(timestamp) = &self.timestamp {
            add(SOURCE_TIMESTAMP, timestamp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_goes_home_is_marked_unless_told_otherwise() {
        let choose = |asked, target, differs| choose(asked, "a", target, differs);
        assert_eq!(choose(None, Some("a"), false), Headers::Mark);
        assert_eq!(choose(None, Some("b"), false), Headers::Keep);
        assert_eq!(choose(None, Some("b"), true), Headers::Mark);
        assert_eq!(choose(Some(Headers::Keep), Some("a"), true), Headers::Keep);
        assert_eq!(choose(Some(Headers::Mark), None, false), Headers::Mark);
    }

    #[test]
    fn marks_stand_behind_the_headers_of_the_record() {
        let row = Row {
            topic: "orders.v1",
            topic_id: "id",
            partition: 3,
            offset: 42,
            timestamp_ms: Some(0),
            set_partition: None,
            set_timestamp_ms: None,
            key: None,
            value: None,
        };
        let marks = Marks::new(&row);
        let own = Header {
            name: "eddy-source",
            value: None,
        };
        let mut headers = vec![own];
        marks.add("retry", &mut headers);
        let read: Vec<_> = headers
            .iter()
            .map(|header| (header.name, header.value))
            .collect();
        assert_eq!(
            read,
            [
                ("eddy-source", None),
                ("eddy-replay-id", Some(&b"retry"[..])),
                ("eddy-source", Some(&b"orders.v1:3:42"[..])),
                ("eddy-source-timestamp", Some(&b"0"[..])),
            ]
        );
    }
}
