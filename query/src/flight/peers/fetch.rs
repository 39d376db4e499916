//! Asks one worker once: what is uncommitted now, and the rows of it that aren't held yet.

use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow_flight::decode::{DecodedFlightData, DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use eddy_engine::read::{LiveBatch, LiveRange};
use eddy_engine::{Lake, TablePath};
use futures::{StreamExt, TryStreamExt};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::Shared;
use super::held::Held;
use crate::error::{Error, ErrorKind, Result};
use crate::flight::door::AUTHORIZATION;
use crate::flight::wire::{Ask, Said};

/// How long a worker may say nothing.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// How long all of it may take.
const FETCH_MAX: Duration = Duration::from_secs(10);

/// Whom to ask, and for what.
pub(super) struct Asking<'a> {
    pub(super) client: FlightServiceClient<Channel>,
    pub(super) shared: &'a Shared,
    pub(super) process: &'a str,
    pub(super) lake: &'a Lake,
    pub(super) table: &'a TablePath,
}

/// Brings what is held up to date. When not all rows could be, says why: what is held then is the
/// oldest of them.
pub(super) async fn fetch(asking: Asking<'_>, held: &mut Held) -> Result<Option<String>> {
    let clock = asking.shared.clock.clone();
    let too_late = async move {
        clock.sleep(FETCH_MAX).await;
        silent(FETCH_MAX)
    };
    tokio::select! {
        fetched = Box::pin(asking.fetch(held)) => fetched,
        error = too_late => Err(error),
    }
}

impl Asking<'_> {
    async fn fetch(mut self, held: &mut Held) -> Result<Option<String>> {
        let ask = Ask {
            lake: self.lake.url().as_str().to_owned(),
            topics_dir: self.table.topics_dir().to_owned(),
            topic: self.table.topic().to_owned(),
            held: held.numbers(),
        };
        let mut request = Request::new(ask.ticket()?);
        if let Some(token) = &self.shared.token {
            let value = token.bearer().parse();
            let value = value.map_err(|_| Error::invalid("`http.token` can't be in a header"))?;
            request.metadata_mut().insert(AUTHORIZATION, value);
        }
        let client = &mut self.client;
        let clock = &self.shared.clock;
        let answer = tokio::select! {
            answer = client.do_get(request) => answer.map_err(|status| told(&status))?,
            () = clock.sleep(SILENCE_MAX) => return Err(silent(SILENCE_MAX)),
        };
        let messages = answer.into_inner().map_err(FlightError::from);
        let mut messages = FlightDataDecoder::new(messages.boxed());
        let mut coming: Option<Coming> = None;
        let mut offered = false;
        loop {
            let next = tokio::select! {
                next = messages.next() => next,
                () = clock.sleep(SILENCE_MAX) => return Err(silent(SILENCE_MAX)),
            };
            let Some(message) = next.transpose().map_err(|error| broken(&error))? else {
                break;
            };
            match Said::of(&message.app_metadata())? {
                Some(Said::Offer { process, numbers }) => {
                    if process != self.process {
                        let text = "another process is at its address";
                        return Err(Error::new(ErrorKind::Unavailable, text));
                    }
                    held.keep(&numbers);
                    offered = true;
                }
                Some(Said::Batch { number, ranges }) => {
                    let ranges = ranges.into_iter().map(LiveRange::from).collect();
                    if let Some(whole) = coming.replace(Coming::new(number, ranges)) {
                        whole.goes_to(held);
                    }
                }
                None => {}
            }
            if let Some(coming) = &mut coming {
                coming.take(message);
                let bytes = self.shared.held_bytes.load(Ordering::Relaxed) + coming.bytes;
                if bytes > self.shared.held_bytes_max {
                    return Ok(Some(format!(
                        "it has more live rows than `query.live_memory` holds, which is {} bytes",
                        self.shared.held_bytes_max
                    )));
                }
            }
        }
        if let Some(whole) = coming {
            whole.goes_to(held);
        }
        match offered {
            true => Ok(None),
            false => Err(Error::new(ErrorKind::Unavailable, "it answered nothing")),
        }
    }
}

/// A batch whose rows are on their way.
struct Coming {
    number: u64,
    live: LiveBatch,
    bytes: usize,
}

impl Coming {
    fn new(number: u64, ranges: Vec<LiveRange>) -> Self {
        Self {
            number,
            live: LiveBatch {
                batches: Vec::new(),
                ranges,
            },
            bytes: 0,
        }
    }

    fn take(&mut self, message: DecodedFlightData) {
        // The arrays share the message, so it is what they take.
        self.bytes += message.inner.data_body.len();
        if let DecodedPayload::RecordBatch(batch) = message.payload {
            self.live.batches.push(batch);
        }
    }

    fn goes_to(self, held: &mut Held) {
        held.add(self.number, self.live, self.bytes);
    }
}

fn silent(limit: Duration) -> Error {
    let text = format!("it did not answer within {} s", limit.as_secs());
    Error::new(ErrorKind::Unavailable, text)
}

fn broken(error: &FlightError) -> Error {
    match error {
        FlightError::Tonic(status) => told(status),
        other => Error::new(
            ErrorKind::Unavailable,
            format!("its answer broke off: {other}"),
        ),
    }
}

/// What a worker said, or the way to it.
fn told(status: &Status) -> Error {
    let kind = match status.code() {
        Code::ResourceExhausted => ErrorKind::Busy,
        _ => ErrorKind::Unavailable,
    };
    let mut text = status.message().to_owned();
    // What tonic says of a connection that can't be had is in the causes alone.
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    Error::new(kind, text)
}
