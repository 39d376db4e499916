//! Sends the events of a request, and says what the client is told.

use std::borrow::Cow;

use bytes::Bytes;
use ring::digest::{Context, SHA256};

use super::answer::Refusal;
use crate::collect::deliver::{Delivery, Item, State, number_of};
use crate::collect::produce::{Event, OfAll};
use crate::collect::seen::Mark;
use crate::collect::tokens::Digest;
use crate::collect::{Collector, within};
use crate::error::{Error, ErrorKind};

/// CloudEvents' extension for tracing: another try may be another span.
const TRACING: [&str; 2] = ["ce-traceparent", "ce-tracestate"];

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
/// 422 when the key came with another request before.
pub(super) fn with_marks(
    collector: &Collector,
    collection: &str,
    key: &[u8],
    body: &[u8],
    of_all: &OfAll,
    events: &mut [Event],
) -> Result<(), Refusal> {
    let said = said(body, of_all, events);
    let now = collector.0.clock.monotonic();
    if !collector.0.window.enter(now, collection, key, said) {
        return Err(Refusal::another_request());
    }
    for (number, event) in (0_u64..).zip(events) {
        let number = number.to_be_bytes();
        let parts: [&[u8]; 5] = [collection.as_bytes(), b"http", key, &said, &number];
        event.mark = Some(Mark::of(parts));
    }
    Ok(())
}

/// What a request says, by which it is known that it comes again: its body, how that is cut, the
/// events' keys, and the headers that make its records others. The headers that the operator chose
/// aren't among them: a client, or what stands before the collector, may send others each time.
fn said(body: &[u8], of_all: &OfAll, events: &[Event]) -> Digest {
    let is_said = |name: &str| {
        name == "content-type" || (name.starts_with("ce-") && !TRACING.contains(&name))
    };
    let headers = of_all.iter().filter(|(name, _)| is_said(name.as_ref()));
    let mut headers: Vec<(&str, &[u8])> = headers
        .map(|(name, value)| (name.as_ref(), value.as_ref()))
        .collect();
    // In whatever order they came.
    headers.sort_unstable();
    let mut context = Context::new(&SHA256);
    // Where a part ends is part of it.
    let mut add = |part: &[u8]| {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    };
    add(body);
    add(&(headers.len() as u64).to_be_bytes());
    for (name, value) in headers {
        add(name.as_bytes());
        add(value);
    }
    for event in events {
        add(&(event.value.len() as u64).to_be_bytes());
        // Without a key isn't with an empty one.
        add(&[u8::from(event.key.is_some())]);
        add(event.key.as_deref().unwrap_or_default());
    }
    let mut said: Digest = [0; 32];
    said.copy_from_slice(context.finish().as_ref());
    said
}

impl Request {
    /// Sends the events that aren't in Kafka yet, each once; waits for those that another request
    /// is sending.
    ///
    /// # Errors
    /// 413 for an event that is larger than Kafka takes, 400 for one that it refuses for what it
    /// is, 503 when Kafka doesn't take them just now; others may be there.
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
            if let Some(error) = leftover.failed {
                return Err(refused(&self.collector, &self.topic, &error));
            }
            if let Some(told) = told(&self.items) {
                return told;
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

/// What a client is told once none of its events is left. Not before: a 400 or 413 ends its tries,
/// and what is left would be lost.
fn told(items: &[Item]) -> Option<Result<(), Refusal>> {
    if number_of(items, State::Left) > 0 {
        return None;
    }
    let large = number_of(items, State::TooLarge);
    let all = items.len();
    let there = number_of(items, State::Acknowledged);
    let wrong = items.iter().position(|item| item.state == State::Refused);
    Some(match wrong {
        _ if large > 0 => Err(Refusal::too_large(format!(
            "{large} of {all} events are larger than Kafka takes; {there} others are there"
        ))),
        Some(first) => Err(Refusal::invalid(format!(
            "Kafka refuses {} of {all} events for what they are, event {first} (counted from 0) \
             first, as one without a key in a compacted topic; {there} others are there",
            number_of(items, State::Refused)
        ))),
        None => Ok(()),
    })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn an_event_is_too_large_for_good_once_no_other_is_left() {
        let item = |state| Item {
            event: Event::new(None, Bytes::from("{}")),
            state,
        };
        let mut items: Vec<Item> = [State::TooLarge, State::Left, State::Acknowledged]
            .map(item)
            .into();
        assert!(told(&items).is_none(), "its client would not come again");
        items[1].state = State::Acknowledged;
        let refusal = told(&items).unwrap().unwrap_err();
        let text = "1 of 3 events are larger than Kafka takes; 2 others are there";
        assert_eq!(refusal.told(), (413, text));
        items[0].state = State::Refused;
        let refusal = told(&items).unwrap().unwrap_err();
        let (status, text) = refusal.told();
        assert_eq!(status, 400);
        assert!(
            text.contains("1 of 3 events") && text.contains("event 0"),
            "{text}"
        );
        assert!(text.ends_with("; 2 others are there"), "{text}");
        items[0].state = State::Acknowledged;
        assert!(told(&items).unwrap().is_ok());
    }

    fn digest(headers: &[(&'static str, &'static str)], key: Option<&'static str>) -> Digest {
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| (Cow::Borrowed(*name), Bytes::from(*value)));
        let of_all: Vec<(Cow<'static, str>, Bytes)> = headers.collect();
        let event = Event::new(key.map(Bytes::from), Bytes::from("{}"));
        said(b"{}", &of_all, &[event])
    }

    #[test]
    fn what_makes_a_record_another_one_makes_its_request_another_one() {
        let first = digest(&[("ce-id", "1"), ("ce-type", "a")], Some("k"));
        for (headers, key) in [
            (&[("ce-id", "2"), ("ce-type", "a")][..], Some("k")),
            (&[("ce-id", "1")], Some("k")),
            (
                &[("ce-id", "1"), ("ce-type", "a"), ("content-type", "x")],
                Some("k"),
            ),
            (&[("ce-id", "1"), ("ce-type", "a")], Some("l")),
            (&[("ce-id", "1"), ("ce-type", "a")], Some("")),
            (&[("ce-id", "1"), ("ce-type", "a")], None),
        ] {
            assert_ne!(digest(headers, key), first, "{headers:?} {key:?}");
        }
        assert_ne!(digest(&[], Some("")), digest(&[], None));
        let whole = |events: &[&'static str]| {
            let events = events
                .iter()
                .map(|value| Event::new(None, Bytes::from(*value)));
            said(b"1\n2", &[], &events.collect::<Vec<_>>())
        };
        assert_ne!(whole(&["1", "2"]), whole(&["1\n2"]), "it is cut elsewhere");
    }

    #[test]
    fn what_differs_from_try_to_try_leaves_a_request_the_same() {
        let first = digest(&[("ce-id", "1"), ("ce-type", "a")], Some("k"));
        let again = [
            ("ce-type", "a"),
            ("x-request-id", "2"),
            ("date", "now"),
            ("ce-traceparent", "00-2-2-01"),
            ("idempotency-key", "1"),
            ("ce-id", "1"),
        ];
        assert_eq!(digest(&again, Some("k")), first);
    }
}
