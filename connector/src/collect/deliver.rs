//! Sends the events of a request once: those that Kafka has already are left out, those that
//! another request is sending are waited for.
//!
//! A mark is claimed before its event is sent, and remembered once Kafka has acknowledged it. Where
//! nobody can tell whether Kafka took an event, what Kafka has is read back before it is sent again
//! (`recall`).

use std::time::Duration;

use eddy_engine::{Clock, fault};
use tokio::sync::{SemaphorePermit, watch};

use super::produce::{self, Event, OfAll, Sender, is_too_large, is_wrong};
use super::seen::{Claim, Found, Mark};
use super::{Collector, within};
use crate::error::{Error, ErrorKind, Result};

/// How long to wait before Kafka is asked again what it didn't answer.
const AGAIN: Duration = Duration::from_secs(1);

/// Where the events of a request go.
pub(super) struct Delivery<'a> {
    pub(super) collector: &'a Collector,
    pub(super) sender: &'a Sender,
    pub(super) collection: &'a str,
    pub(super) topic: &'a str,
    pub(super) of_all: &'a OfAll,
}

/// An event of a request, and what became of it.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) event: Event,
    pub(super) state: State,
}

/// What became of an event so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody has sent it yet.
    Left,
    /// It is in Kafka.
    Acknowledged,
    /// Kafka takes none that is so large.
    TooLarge,
    /// Kafka refuses it for what it is.
    Refused,
}

/// What an attempt left over.
#[derive(Debug, Default)]
pub(super) struct Leftover {
    /// Who sends events that are left; each ends when it has.
    pub(super) elsewhere: Vec<watch::Receiver<()>>,
    /// Why not all others are there.
    pub(super) failed: Option<Error>,
}

impl Item {
    pub(super) fn new(event: Event) -> Self {
        let state = State::Left;
        Self { event, state }
    }
}

/// How many of the items are in this state.
pub(super) fn number_of(items: &[Item], state: State) -> usize {
    items.iter().filter(|item| item.state == state).count()
}

impl Delivery<'_> {
    /// Sends the items that are left and that nobody else sends, once. Waits at most as long as
    /// `left` for Kafka to say what it has, and for room.
    pub(super) async fn attempt(&self, items: &mut [Item], left: Duration) -> Leftover {
        let inner = &self.collector.0;
        let mut unsent = items.iter().filter(|item| item.state == State::Left);
        if unsent.any(|item| item.event.mark.is_some()) {
            let look = || inner.recall.look(self.collector, self.topic);
            let looked = within(&inner.clock, left, answered(&inner.clock, look)).await;
            let away = || Err(Error::unavailable("Kafka did not say what it has"));
            if let Err(error) = looked.unwrap_or_else(away) {
                return Leftover {
                    failed: Some(error),
                    ..Leftover::default()
                };
            }
        }
        let mut claim = inner.seen.claim(inner.clock.monotonic());
        let (mut mine, elsewhere) = claimed(items, &mut claim);
        // Since the look above another request may have given up what it had claimed and sent:
        // before it is sent again, there is another look.
        let may_come_again = mine.iter().any(|item| item.event.mark.is_some());
        let is_unknown = may_come_again && !inner.recall.knows(self.topic);
        if mine.is_empty() || is_unknown {
            return Leftover {
                elsewhere,
                failed: None,
            };
        }
        let events: Vec<&Event> = mine.iter().map(|item| &item.event).collect();
        let _room = match self.ready(&events, left).await {
            Ok(room) => room,
            Err(error) => {
                return Leftover {
                    elsewhere,
                    failed: Some(error),
                };
            }
        };
        let sent = self.sender.send(self.topic, self.of_all, &events).await;
        fault::point("after_acknowledged");
        let is_open = match &sent {
            Ok(failed) => failed.iter().any(|(_, error)| may_be_there(error)),
            Err(error) => may_be_there(error),
        };
        if is_open {
            inner.recall.forget(self.topic);
        }
        let failed = sent
            .and_then(|failed| self.note(&mut mine, failed, &claim))
            .err();
        Leftover { elsewhere, failed }
    }

    /// Waits for room for the events, and makes the topic if it isn't there.
    async fn ready(&self, events: &[&Event], left: Duration) -> Result<[SemaphorePermit<'_>; 2]> {
        let inner = &self.collector.0;
        let bytes = produce::size(self.of_all, events.iter().copied());
        let partitions = inner.collections.partitions(self.collection);
        let make = || inner.topics.make(self.topic, partitions);
        let ready = async {
            answered(&inner.clock, make).await?;
            self.sender.room(events.len(), bytes).await
        };
        let ready = within(&inner.clock, left, ready).await;
        let none = || Err(Error::unavailable("there was no room on the way to Kafka"));
        ready.unwrap_or_else(none)
    }

    /// Notes what became of the items; the error is one of those that may do better again.
    fn note(
        &self,
        mine: &mut [&mut Item],
        failed: Vec<(usize, Error)>,
        claim: &Claim<'_>,
    ) -> Result<()> {
        for item in &mut *mine {
            item.state = State::Acknowledged;
        }
        let (mut told, mut refused) = (Ok(()), None);
        for (number, error) in failed {
            let Some(item) = mine.get_mut(number) else {
                continue;
            };
            item.state = match &error {
                error if is_too_large(error) => State::TooLarge,
                error if is_wrong(error) => State::Refused,
                _ => State::Left,
            };
            match item.state {
                State::Left => told = Err(error),
                State::Refused => refused = Some(error),
                _ => {}
            }
        }
        if let Some(error) = refused {
            // The details are for the log: they name what isn't the client's.
            tracing::warn!(topic = self.topic, %error, "events are refused for good");
        }
        let there = mine.iter();
        let there = there.filter(|item| item.state == State::Acknowledged);
        let there = || there.clone().map(|item| &item.event);
        claim.acknowledge(there().filter_map(|event| event.mark));
        let inner = &self.collector.0;
        let counts = inner.statistics.of(self.collection);
        let bytes = there().map(Event::payload).sum();
        counts.count(there().count(), bytes, inner.clock.now_us() / 1_000);
        told
    }
}

/// Asks Kafka until it answers.
async fn answered<F>(clock: &Clock, ask: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    loop {
        match ask().await {
            Err(error) if error.is_unavailable() => {
                tracing::debug!(%error, "Kafka is asked again");
                clock.sleep(AGAIN).await;
            }
            answer => return answer,
        }
    }
}

/// Whether what failed may be in Kafka all the same.
fn may_be_there(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid)
}

/// Those that are left and are ours to send, and who sends the others. What can't be known again
/// is always ours.
fn claimed<'a>(
    items: &'a mut [Item],
    claim: &mut Claim<'_>,
) -> (Vec<&'a mut Item>, Vec<watch::Receiver<()>>) {
    let left = items.iter().filter(|item| item.state == State::Left);
    let marks: Vec<Mark> = left.filter_map(|item| item.event.mark).collect();
    let mut found = claim.take(marks).into_iter();
    let (mut mine, mut elsewhere) = (Vec::with_capacity(items.len()), Vec::new());
    for item in items {
        if item.state != State::Left {
            continue;
        }
        match item.event.mark.and_then(|_| found.next()) {
            None | Some(Found::Claimed) => mine.push(item),
            Some(Found::Acknowledged) => item.state = State::Acknowledged,
            Some(Found::Elsewhere(other)) => elsewhere.push(other),
        }
    }
    (mine, elsewhere)
}
