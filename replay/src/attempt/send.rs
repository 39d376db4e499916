//! What becomes of a record: it goes out, is left out, or is refused and told about.

use std::sync::Arc;

use eddy_engine::{Header, TopicId};
use futures::future::{BoxFuture, FutureExt};

use super::{Answer, Attempt};
use crate::destination::{Destination, ERROR_MAX, Landed, Origin, Outgoing, excerpt};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Failure;
use crate::mark::{self, Marks};
use crate::progress::{Settled, Ticket};
use crate::request::{Headers, OnError, Tombstones};
use crate::rows::Row;
use crate::sending::{fits, header_bytes, outgoing};

/// What a record holds in memory besides its bytes, about.
const RECORD_BYTES: u64 = 64;

/// A destination that refuses this many records in a row, and takes none, refuses for a reason
/// that is not in the records (a missing right, say): passing over all of them helps nobody.
const REFUSED_MAX: u32 = 100;

/// The header of a dead letter that says why the destination refused it.
const ERROR: &str = "eddy-error";

/// A record that may be refused: where it is from, and its bytes if another destination gets it.
pub(super) struct Kept {
    topic: String,
    topic_id: String,
    partition: i32,
    offset: i64,
    timestamp_ms: Option<i64>,
    copy: Option<Copied>,
}

/// A record as it was to go out.
struct Copied {
    timestamp_ms: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Copied {
    fn new(record: &Outgoing<'_>) -> Self {
        let headers = record.headers.iter();
        Self {
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }
}

impl Kept {
    fn new(row: &Row<'_>, copy: Option<Copied>) -> Self {
        Self {
            topic: row.topic.to_owned(),
            topic_id: row.topic_id.to_owned(),
            partition: row.partition,
            offset: row.offset,
            timestamp_ms: row.timestamp_ms,
            copy,
        }
    }

    fn failure(&self, error: &Error, dead_letter: Option<&str>, failed_us: i64) -> Failure {
        Failure {
            topic: self.topic.clone(),
            topic_id: self.topic_id.clone(),
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            error: excerpt(&error.to_string(), ERROR_MAX),
            dead_letter: dead_letter.map(str::to_owned),
            failed_us,
        }
    }

    /// Hands the record over to `destination`, with the reason why it comes there.
    /// In a continuous replay it is marked: the dead letters may be in the topic that it follows.
    async fn send(
        &self,
        destination: &dyn Destination,
        id: &str,
        why: &str,
        continuous: bool,
    ) -> Result<Landed> {
        let Some(copy) = &self.copy else {
            return Err(Error::internal("a refused record has no copy"));
        };
        let headers = copy.headers.iter();
        let headers = headers.map(|(name, value)| Header {
            name,
            value: value.as_deref(),
        });
        let why = Header {
            name: ERROR,
            value: Some(why.as_bytes()),
        };
        let mut headers: Vec<Header<'_>> = headers.chain([why]).collect();
        if continuous && !destination.tells_origin() && !mark::is_marked(&headers) {
            headers.push(Header {
                name: mark::REPLAY_ID,
                value: Some(id.as_bytes()),
            });
        }
        let record = Outgoing {
            origin: Origin {
                replay: id,
                topic: &self.topic,
                topic_id: &self.topic_id,
                partition: self.partition,
                offset: self.offset,
            },
            partition: None,
            timestamp_ms: copy.timestamp_ms,
            key: copy.key.as_deref(),
            value: copy.value.as_deref(),
            headers: &headers,
        };
        destination.send(&record).await?.await
    }
}

impl Attempt<'_> {
    pub(super) async fn send_row(&mut self) -> Result<()> {
        self.transact().await?;
        let Some((rows, at)) = &mut self.rows else {
            return Ok(());
        };
        let Some(row) = rows.get(*at) else {
            return Ok(());
        };
        let index = *at;
        *at += 1;
        let topic_id = TopicId::new(row.topic_id);
        let ticket = self.progress.begin(&topic_id, row.partition, row.offset)?;
        self.canary = self.canary.map(|left| left.saturating_sub(1));
        let mut headers: Vec<Header<'_>> = Vec::new();
        rows.headers(index, &mut headers);
        let tombstone = row.value.is_none() && self.options.tombstones == Tombstones::Skip;
        // What a replay sent here itself would go round for ever.
        let came_back = self.options.continuous && rows.was_recorded_with(index, mark::REPLAY_ID);
        if tombstone || came_back {
            self.unsaved += self.progress.settle(ticket, Settled::Skipped);
            return Ok(());
        }
        let bytes = row.bytes();
        let now = self.worker.clock.monotonic();
        self.pacing.sent(now, row.timestamp_ms, bytes);
        let own = self.target.topic_itself();
        let other = self.options.topics.of(row.topic);
        let other = other.filter(|topic| own != Some(*topic));
        self.names.note(row.topic_id, row.topic, other);
        let target = other.or(own);
        let choice = mark::choose(self.options.headers, row.topic, target, self.differs);
        if choice == Headers::Strip {
            headers.clear();
        }
        let marked = choice == Headers::Mark && !self.destination.tells_origin();
        let marks = marked.then(|| Marks::new(&row));
        if let Some(marks) = &marks {
            marks.add(&self.id, &mut headers);
        }
        let mut held = RECORD_BYTES + bytes + header_bytes(&headers);
        let now_us = self.worker.clock.now_us();
        let record = outgoing(&row, &self.id, &self.options, &headers, now_us);
        let copy = self.dead_letter.is_some().then(|| Copied::new(&record));
        if copy.is_some() {
            held *= 2;
        }
        let goes_on = self.options.on_error != OnError::Stop;
        let refused = goes_on.then(|| Box::new(Kept::new(&row, copy)));
        let sent = match fits(&row, &self.options, &self.target) {
            Ok(()) => self.destination.send(&record).await,
            Err(error) => Err(error),
        };
        let answer = move |result| Answer {
            ticket,
            bytes,
            held,
            refused,
            dead: None,
            result,
        };
        self.bytes_under_way += held;
        match sent {
            Ok(delivery) => {
                self.under_way.push(delivery.map(answer).boxed());
                Ok(())
            }
            Err(error) => self.settle(answer(Err(error))),
        }
    }

    pub(super) fn settle(&mut self, answer: Answer) -> Result<()> {
        let Answer {
            ticket,
            bytes,
            held,
            refused,
            dead,
            result,
        } = answer;
        self.bytes_under_way = self.bytes_under_way.saturating_sub(held);
        if !self.arrived {
            self.arrived = true;
            self.pacing.begin(self.worker.clock.monotonic());
        }
        match (result, dead) {
            (Ok(landed), None) => {
                let how = Settled::Acknowledged(bytes, landed);
                self.unsaved += self.progress.settle(ticket, how);
                self.careful = self.careful.saturating_sub(1);
                self.refused_in_row = 0;
                Ok(())
            }
            (Ok(_), Some(failure)) => {
                self.fail(ticket, failure);
                Ok(())
            }
            (Err(error), Some(failure)) => Err(lost_letter(&failure, error)),
            (Err(error), None) => self.refused(ticket, held, refused, error),
        }
    }

    fn refused(
        &mut self,
        ticket: Ticket,
        held: u64,
        kept: Option<Box<Kept>>,
        error: Error,
    ) -> Result<()> {
        let Some(kept) = kept.filter(|_| error.kind() == ErrorKind::Rejected) else {
            return Err(error);
        };
        self.refused_in_row += 1;
        if self.refused_in_row >= REFUSED_MAX {
            return Err(error.with_hint(format!(
                "the destination refused {REFUSED_MAX} records in a row and took none"
            )));
        }
        tracing::warn!(replay = self.id, %error, "the destination refused a record");
        let name = self.options.dead_letter.as_deref();
        let failure = kept.failure(&error, name, self.worker.clock.now_us());
        match &self.dead_letter {
            Some(dead_letter) => {
                let dead_letter = Arc::clone(dead_letter);
                let continuous = self.options.continuous;
                let letter = letter(dead_letter, self.id.clone(), kept, failure, continuous);
                self.bytes_under_way += held;
                let answer = letter.map(move |(failure, result)| Answer {
                    ticket,
                    bytes: 0,
                    held,
                    refused: None,
                    dead: Some(failure),
                    result,
                });
                self.under_way.push(answer.boxed());
            }
            None => self.fail(ticket, failure),
        }
        Ok(())
    }

    fn fail(&mut self, ticket: Ticket, failure: Failure) {
        self.failures.push(failure);
        self.unsaved += self.progress.settle(ticket, Settled::Failed);
        self.careful = self.careful.saturating_sub(1);
    }
}

/// A refused record on its way to where refused records go.
fn letter(
    destination: Arc<dyn Destination>,
    id: String,
    kept: Box<Kept>,
    failure: Failure,
    continuous: bool,
) -> BoxFuture<'static, (Failure, Result<Landed>)> {
    async move {
        let sent = kept.send(destination.as_ref(), &id, &failure.error, continuous);
        let sent = sent.await;
        (failure, sent)
    }
    .boxed()
}

/// A dead letter that can't be left anywhere must not be passed over.
fn lost_letter(failure: &Failure, error: Error) -> Error {
    let kind = match error.kind() {
        ErrorKind::Rejected => ErrorKind::Invalid,
        kind => kind,
    };
    let name = failure.dead_letter.as_deref().unwrap_or_default();
    let place = format!("{}:{}:{}", failure.topic, failure.partition, failure.offset);
    let told = Error::new(
        kind,
        format!("destination `{name}` did not take the dead letter {place}: {error}"),
    );
    match error.hint() {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
}
