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
/// where its consumers would take it for a new one.
pub(crate) fn choose(asked: Option<Headers>, source: &str, target: Option<&str>) -> Headers {
    asked.unwrap_or(if target == Some(source) {
        Headers::Mark
    } else {
        Headers::Keep
    })
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
        assert_eq!(choose(None, "a", Some("a")), Headers::Mark);
        assert_eq!(choose(None, "a", Some("b")), Headers::Keep);
        assert_eq!(choose(Some(Headers::Keep), "a", Some("a")), Headers::Keep);
        assert_eq!(choose(Some(Headers::Mark), "a", None), Headers::Mark);
    }

    #[test]
    fn marks_stand_behind_the_headers_of_the_record() {
        let row = Row {
            topic: "orders.v1",
            topic_id: "id",
            partition: 3,
            offset: 42,
            timestamp_ms: Some(0),
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
