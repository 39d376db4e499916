//! Sends the events of a request, and says what the client is told.

use std::borrow::Cow;

use bytes::Bytes;
use ring::digest::{SHA256, digest};

use super::answer::Refusal;
use crate::collect::deliver::{Delivery, Item, State, number_of};
use crate::collect::produce::Event;
use crate::collect::seen::Mark;
use crate::collect::tokens::Digest;
use crate::collect::{Collector, within};
use crate::error::{Error, ErrorKind};

/// The events of a request.
pub(super) struct Request {
    pub(super) collector: Collector,
    pub(super) collection: String,
    pub(super) topic: String,
    /// Headers of all of them.
    pub(super) of_all: Vec<(Cow<'static, str>, Bytes)>,
    pub(super) items: Vec<Item>,
}

/// Gives the events marks, by which they are known when the request comes again with its key.
///
/// # Errors
/// 422 when the key came with another body before.
pub(super) fn with_marks(
    collector: &Collector,
    collection: &str,
    key: &[u8],
    body: &[u8],
    events: &mut [Event],
) -> Result<(), Refusal> {
    let mut bytes: Digest = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, body).as_ref());
    let now = collector.0.clock.monotonic();
    if !collector.0.window.enter(now, collection, key, bytes) {
        return Err(Refusal::another_body());
    }
    for (number, event) in (0_u64..).zip(events) {
        let number = number.to_be_bytes();
        let parts: [&[u8]; 5] = [collection.as_bytes(), b"http", key, &bytes, &number];
        event.mark = Some(Mark::of(parts));
    }
    Ok(())
}

impl Request {
    /// Sends the events that aren't in Kafka yet, each once; waits for those that another request
    /// is sending.
    ///
    /// # Errors
    /// 413 for an event that is larger than Kafka takes, 503 when Kafka doesn't take them; others
    /// may be there.
    pub(super) async fn send(mut self) -> Result<(), Refusal> {
        let inner = &self.collector.0;
        let hold = inner.options.hold;
        let delivery = Delivery {
            collector: &self.collector,
            sender: &inner.producer,
            collection: &self.collection,
            topic: &self.topic,
            of_all: &self.of_all,
        };
        loop {
            let leftover = delivery.attempt(&mut self.items, hold).await;
            let large = number_of(&self.items, State::TooLarge);
            if large > 0 {
                let there = number_of(&self.items, State::Acknowledged);
                return Err(Refusal::too_large(format!(
                    "{large} of {} events are larger than Kafka takes; {there} others are there",
                    self.items.len()
                )));
            }
            if let Some(error) = leftover.failed {
                return Err(refused(&self.collector, &self.topic, &error));
            }
            if number_of(&self.items, State::Left) == 0 {
                return Ok(());
            }
            for mut other in leftover.elsewhere {
                // An error only says that it has ended.
                let ended = within(&inner.clock, hold, other.changed()).await;
                let over = || Refusal::unavailable("the events are being sent already");
                let _ = ended.ok_or_else(over)?;
            }
        }
    }
}

/// What a client is told of what Kafka said. The details are for the log: they name what isn't the
/// client's.
fn refused(collector: &Collector, topic: &str, error: &Error) -> Refusal {
    tracing::warn!(topic, %error, "events were not taken");
    if error.kind() == ErrorKind::NotFound {
        collector.0.topics.forget(topic);
    }
    Refusal::unavailable("Kafka doesn't take the events just now; some of them may be there")
}
