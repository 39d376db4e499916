//! A record on its way out, where it is from, and where it came to rest.

use eddy_engine::Header;

use super::percent;

/// A record on its way out. Null and empty stay different (E7).
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Where it is from.
    pub origin: Origin<'a>,
    /// The partition to go to; `None`: by the key.
    pub partition: Option<i32>,
    /// Milliseconds since the Unix epoch; `None`: it has no timestamp, and gets none.
    pub timestamp_ms: Option<i64>,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers in order, duplicates kept.
    pub headers: &'a [Header<'a>],
}

/// Where a record is from, and in which replay it goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin<'a> {
    /// The replay's id.
    pub replay: &'a str,
    /// The source topic.
    pub topic: &'a str,
    /// Kafka's id of it.
    pub topic_id: &'a str,
    /// The source partition.
    pub partition: i32,
    /// The source offset.
    pub offset: i64,
}

impl Origin<'_> {
    /// `replay:topic id:partition:offset`, in visible ASCII: the same for a record whenever and by
    /// whomever it is sent in this replay, and for no other one. The topic's id stands there and
    /// not its name, since a topic that was made again has the same offsets twice.
    pub fn id(&self) -> String {
        let (replay, topic) = (
            percent::encoded(self.replay),
            percent::encoded(self.topic_id),
        );
        format!("{replay}:{topic}:{}:{}", self.partition, self.offset)
    }

    /// `topic:partition:offset`, as it stands in the mark `eddy-source`.
    pub fn place(&self) -> String {
        format!("{}:{}:{}", self.topic, self.partition, self.offset)
    }
}

/// Where a record came to rest, as far as the other side says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Landed {
    /// The target partition.
    pub partition: Option<i32>,
    /// The target offset.
    pub offset: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_one_record_in_one_replay_and_goes_into_any_protocol() {
        let origin = Origin {
            replay: "retry-1",
            topic: "orders",
            topic_id: "a:b ü",
            partition: 3,
            offset: 42,
        };
        assert_eq!(origin.id(), "retry-1:a%3Ab%20%C3%BC:3:42");
        assert_eq!(origin.place(), "orders:3:42");
        let made_again = Origin {
            topic_id: "c",
            ..origin
        };
        assert_ne!(origin.id(), made_again.id());
    }
}
