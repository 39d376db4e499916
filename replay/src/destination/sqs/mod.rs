//! Amazon SQS as a destination: a message for each record, up to ten in a request.
//!
//! At least once: a request whose answer got lost is sent again, as are the messages of a request
//! that the service had no fault to find with. `eddy-id` is the same each time; a FIFO queue has
//! it as the id of deduplication too, and drops what comes again within five minutes. A FIFO queue
//! keeps the order of a group: of a key, unless an option says otherwise. A standard queue keeps
//! none.
//!
//! A message of a FIFO queue that is put off (throttled, say) is the one case in which what was
//! beside it in its request may be taken before it, and with `batch.records` = 1 it can't be.
//!
//! `answer` has what each answer means, `letter` what a message holds.

mod answer;
mod letter;
mod settings;
mod signature;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as Atomic};

use async_trait::async_trait;
use chrono::DateTime;
use eddy_engine::Clock;
use reqwest_tls::Client;
use reqwest_tls::redirect::Policy;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::answer::Said;
use self::letter::Letter;
use self::settings::{BYTES_MAX, RECORDS_MAX, Settings};
use super::client::{Connecting, away, refuses};
use super::lanes::{Carrier, Lanes, Sizes};
use super::packed::Packed;
use super::patience::Patience;
use super::reach::Reach;
use super::round::{Post, Round, Sent, Trouble};
use super::{Checked, Delivery, Destination, Landed, Outgoing};
use crate::error::{Error, Result};
use crate::request::{OnError, Options, Ordering};

/// Destinations of type `sqs`.
#[derive(Clone)]
pub(crate) struct Sqs {
    clock: Clock,
    reach: Reach,
}

/// What is read of an answer: more than ten outcomes ever take.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// The kind of body that the service takes and gives.
const JSON: &str = "application/x-amz-json-1.0";

impl Sqs {
    /// The kind; `clock` is the lake's, `reach` the operator's.
    pub(crate) fn new(clock: Clock, reach: Reach) -> Self {
        Self { clock, reach }
    }

    /// Whether the options can be right.
    ///
    /// # Errors
    /// `Invalid`, naming the option.
    pub(super) fn validate(&self, options: &BTreeMap<String, String>) -> Result<()> {
        match settings::validate(options)? {
            Some(host) => self.reach.check_host(&host),
            None => Ok(()),
        }
    }

    /// Opens the destination: `written` are the options with their references.
    ///
    /// # Errors
    /// `Invalid` when the options can't be used.
    pub(super) fn open(
        &self,
        written: &BTreeMap<String, String>,
        options: &BTreeMap<String, String>,
        replay: &Options,
    ) -> Result<Arc<dyn Destination>> {
        let settings = Settings::new(options, replay)?;
        self.reach.check_host(settings.queue.host())?;
        let connecting = Connecting {
            timeout: settings.timeout,
            connect_timeout: settings.connect_timeout,
            idle: settings.sizes.lanes,
            trusted: settings.trusted.as_deref(),
            identity: None,
        };
        let sizes = settings.sizes;
        let ordered = replay.ordering != Ordering::None && settings.queue.fifo;
        let queue = Arc::new(Queue {
            client: connecting.client(&self.reach, Policy::none())?,
            settings,
            clock: self.clock.clone(),
            bytes_max: AtomicUsize::new(BYTES_MAX),
        });
        let halt = CancellationToken::new();
        let carrier = Sender {
            queue: Arc::clone(&queue),
            patience: Patience::new(self.clock.clone(), replay.attempts, halt.clone()),
            stops: replay.on_error == OnError::Stop,
            ordered,
        };
        let lanes = Lanes::start(carrier, sizes, replay, self.clock.clone(), halt);
        let url = written.get("queue.url").map_or("", |url| url.trim());
        Ok(Arc::new(Target {
            target: format!("sqs queue {url}"),
            sizes,
            queue,
            lanes,
        }))
    }
}

/// An opened queue.
struct Target {
    target: String,
    sizes: Sizes,
    queue: Arc<Queue>,
    lanes: Lanes,
}

#[async_trait]
impl Destination for Target {
    fn target(&self) -> String {
        self.target.clone()
    }

    async fn check(&self) -> Result<Checked> {
        let most = self.queue.look_up_bytes_max().await?;
        Ok(Checked {
            target: self.target(),
            record_bytes_max: Some(most as u64),
            ..Checked::default()
        })
    }

    async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery> {
        self.lanes.send(record).await
    }

    fn window(&self) -> Option<usize> {
        Some(self.sizes.window())
    }

    fn tells_origin(&self) -> bool {
        true
    }

    fn takes_turns(&self) -> bool {
        true
    }

    fn halt(&self) {
        self.lanes.halt();
    }
}

/// Sends the messages of all lanes.
struct Sender {
    queue: Arc<Queue>,
    patience: Patience,
    /// Whether nothing follows a refused record.
    stops: bool,
    /// Whether the queue has an order that the replay keeps.
    ordered: bool,
}

impl Carrier for Sender {
    async fn carry(&self, batch: &[Packed]) -> Vec<Result<Landed>> {
        let most = self.queue.bytes_max.load(Atomic::Relaxed);
        let write = |record: &Packed| Letter::of(record, &self.queue.settings, most);
        let round = Round::new(batch, self.stops, self.ordered, write);
        round.run(&self.patience, &*self.queue).await
    }
}

/// The queue, asked and sent to.
struct Queue {
    client: Client,
    settings: Settings,
    clock: Clock,
    /// The most bytes of a message, as the queue last said.
    bytes_max: AtomicUsize,
}

impl Queue {
    /// The most bytes of a message, and by the way whether the queue is there and answers us.
    async fn look_up_bytes_max(&self) -> Result<usize> {
        let url = self.settings.queue.url.as_str();
        let asked = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let answer = self.ask("GetQueueAttributes", &asked).await;
        let answer = answer.map_err(Trouble::into_error)?;
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|_| Error::invalid("what answers at `queue.url` is not SQS"))?;
        let told = answer.pointer("/Attributes/MaximumMessageSize");
        let told = told.and_then(|told| told.as_str()?.parse().ok());
        let most = told.unwrap_or(BYTES_MAX).min(BYTES_MAX);
        self.bytes_max.store(most, Atomic::Relaxed);
        Ok(most)
    }

    /// One request.
    async fn ask(&self, action: &str, asked: &Value) -> Result<Vec<u8>, Trouble> {
        let body = asked.to_string();
        let mut url = self.settings.queue.url.clone();
        url.set_path("/");
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let now = DateTime::from_timestamp_micros(self.clock.now_us()).unwrap_or_default();
        let (moment, target) = (signature::moment(now), format!("AmazonSQS.{action}"));
        let keys = &self.settings.keys;
        // In order of their names, as the signature has them.
        let mut headers = vec![
            ("content-type", JSON),
            ("host", &*host),
            ("x-amz-date", &*moment),
        ];
        if let Some(token) = &keys.session_token {
            headers.push(("x-amz-security-token", token));
        }
        headers.push(("x-amz-target", &target));
        let scope = ("sqs", &*self.settings.region);
        let authorization = keys.authorization(scope, now, &headers, body.as_bytes());
        let mut request = self.client.post(url).header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = match request.body(body).send().await {
            Ok(answer) => answer,
            Err(error) if refuses(&error) || error.is_builder() => {
                return Err(Trouble::Broken(away(&error)));
            }
            Err(error) => return Err(Trouble::Again(away(&error))),
        };
        self.read(answer).await
    }

    async fn read(&self, mut answer: reqwest_tls::Response) -> Result<Vec<u8>, Trouble> {
        let status = answer.status();
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) if body.len() < ANSWER_BYTES_MAX => body.extend_from_slice(&chunk),
                Ok(_) => break,
                // Half an answer says nothing of a request that was done.
                Err(error) if status.is_success() => return Err(Trouble::Again(away(&error))),
                Err(_) => break,
            }
        }
        if status.is_success() {
            return Ok(body);
        }
        let mut said = Said::read(status.as_u16(), &body);
        // The service may repeat to us what was signed.
        if let Some(token) = &self.settings.keys.session_token {
            said.message = said.message.replace(token.as_str(), "***");
        }
        Err(said.judge())
    }
}

impl Post<Letter> for Queue {
    async fn send(&self, letters: &[&Letter]) -> Sent {
        let entries = letters.iter().enumerate();
        let entries: Vec<Value> = entries.map(|(at, letter)| letter.entry(at)).collect();
        let url = self.settings.queue.url.as_str();
        let asked = json!({"QueueUrl": url, "Entries": entries});
        match self.ask("SendMessageBatch", &asked).await {
            Ok(answer) => answer::fates(letters.len(), &answer),
            Err(trouble) => Sent::nothing(letters.len(), trouble),
        }
    }

    fn fits(&self, going: &[&Letter], next: &Letter) -> bool {
        let bytes: usize = going.iter().map(|letter| letter.bytes).sum();
        going.len() < RECORDS_MAX && bytes + next.bytes <= BYTES_MAX
    }
}

#[cfg(test)]
mod tests;
