//! How one process asks another for live rows, and how they come.
//!
//! The ticket of a `DoGet` is an [`Ask`] in an `Any` of our own type. The answer is one stream: a
//! schema message that carries the [`Said::Offer`], which names every batch that is uncommitted
//! now, then the batches that the asker doesn't hold yet, each with its [`Said::Batch`] on its
//! first schema message. Batches of different columns follow each other, each behind its schema.

use std::pin::Pin;

use arrow_flight::sql::Any;
use arrow_flight::{FlightData, Ticket};
use bytes::Bytes;
use eddy_engine::TopicId;
use eddy_engine::read::LiveRange;
use futures::Stream;
use prost::Message;
use serde::{Deserialize, Serialize};
use tonic::Status;

use crate::error::{Error, Result};

/// The type of a ticket that asks for live rows.
const LIVE_ROWS: &str = "type.eddy/LiveRows";

/// The messages of an answer.
pub(super) type Messages = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ask {
    /// The lake's URL.
    pub(super) lake: String,
    /// The folder of its topics.
    pub(super) topics_dir: String,
    /// The table.
    pub(super) topic: String,
    /// The batches that the asker holds.
    pub(super) held: Vec<u64>,
}

/// What comes with a schema message.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub(super) enum Said {
    /// First: what there is.
    Offer {
        /// The process whose batches these are.
        process: String,
        /// The numbers of all uncommitted batches, oldest first.
        numbers: Vec<u64>,
    },
    /// The rows of this batch follow, until the next one begins.
    Batch {
        /// Its number.
        number: u64,
        /// The offsets that it stands for.
        ranges: Vec<Range>,
    },
}

/// The offsets `[lo, hi)` of one partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Range {
    topic_id: String,
    partition: i32,
    lo: i64,
    hi: i64,
}

impl Ask {
    /// The ticket that asks this.
    pub(super) fn ticket(&self) -> Result<Ticket> {
        let any = Any {
            type_url: LIVE_ROWS.to_owned(),
            value: json(self)?,
        };
        Ok(Ticket {
            ticket: any.encode_to_vec().into(),
        })
    }

    /// What an `Any` asks; `None` when it is another one.
    pub(super) fn of(any: &Any) -> Option<Result<Self>> {
        (any.type_url == LIVE_ROWS).then(|| parsed(&any.value))
    }
}

impl Said {
    /// As it goes with a message.
    pub(super) fn bytes(&self) -> Result<Bytes> {
        json(self)
    }

    /// What a message says; `None` when it says nothing.
    pub(super) fn of(metadata: &Bytes) -> Result<Option<Self>> {
        match metadata.is_empty() {
            true => Ok(None),
            false => parsed(metadata).map(Some),
        }
    }
}

impl From<&LiveRange> for Range {
    fn from(range: &LiveRange) -> Self {
        Self {
            topic_id: range.topic_id.to_string(),
            partition: range.partition,
            lo: range.lo,
            hi: range.hi,
        }
    }
}

impl From<Range> for LiveRange {
    fn from(range: Range) -> Self {
        Self {
            topic_id: TopicId::new(range.topic_id),
            partition: range.partition,
            lo: range.lo,
            hi: range.hi,
        }
    }
}

fn json(value: &impl Serialize) -> Result<Bytes> {
    let bytes = serde_json::to_vec(value);
    let bytes = bytes.map_err(|error| Error::internal(format!("a message: {error}")))?;
    Ok(bytes.into())
}

fn parsed<'a, T: Deserialize<'a>>(bytes: &'a Bytes) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::invalid(format!(
            "a message about live rows isn't understood: {error}"
        ))
        .with_hint("do both processes run the same version of Eddy?")
    })
}
