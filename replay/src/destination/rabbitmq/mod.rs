//! RabbitMQ as a destination: a message for each record, persistent, and confirmed by the broker.
//!
//! At least once: what isn't confirmed when a connection or a channel breaks is sent again, with
//! the same `message-id`, within a run and after a restart. Up to `window` messages of a lane are
//! under way on a channel of its own; a lane's next ones follow once these are confirmed. The
//! broker takes a channel's messages in their order.
//!
//! A message that no queue gets comes back (`mandatory`) and is a refused record. One that a full
//! queue rejects is sent again, with patience; it is the one case in which what was sent behind it
//! may be taken before it, and with `window` = 1 it can't be. A message that the broker closes the
//! channel for is found by sending what was under way one by one.
//!
//! `answer` has what each error means, `letter` what a message holds.

mod address;
mod answer;
mod letter;
mod link;
mod settings;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use eddy_engine::Clock;
use tokio_util::sync::CancellationToken;

use self::letter::Letter;
use self::link::Link;
use self::settings::Settings;
use super::lanes::{Carrier, Lanes, Sizes};
use super::packed::Packed;
use super::patience::Patience;
use super::reach::Reach;
use super::round::Round;
use super::{Checked, Delivery, Destination, Landed, Outgoing};
use crate::error::Result;
use crate::request::{OnError, Options, Ordering};

/// Destinations of type `rabbitmq`.
#[derive(Clone)]
pub(crate) struct RabbitMq {
    clock: Clock,
    reach: Reach,
}

impl RabbitMq {
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
        let (target, sizes) = (target(written, &settings), settings.sizes);
        let clock = self.clock.clone();
        let link = Link::new(settings.clone(), self.reach.clone(), clock.clone())?;
        let link = Arc::new(link);
        let halt = CancellationToken::new();
        let carrier = Sender {
            link: Arc::clone(&link),
            settings,
            patience: Patience::new(clock.clone(), replay.attempts, halt.clone()),
            stops: replay.on_error == OnError::Stop,
            ordered: replay.ordering != Ordering::None,
        };
        let lanes = Lanes::start(carrier, sizes, replay, clock, halt);
        Ok(Arc::new(Target {
            target,
            sizes,
            link,
            lanes,
        }))
    }
}

/// What the destination stands for, as it is written.
fn target(written: &BTreeMap<String, String>, settings: &Settings) -> String {
    let at = address::shown(written.get("url").map_or("", String::as_str));
    if settings.has_exchange() {
        let exchange = written.get("exchange").map_or("", |name| name.trim());
        return format!("rabbitmq exchange `{exchange}` at {at}");
    }
    let queue = written.get("routing.key").map_or("", |name| name.trim());
    format!("rabbitmq queue `{queue}` at {at}")
}

/// An opened exchange.
struct Target {
    target: String,
    sizes: Sizes,
    link: Arc<Link>,
    lanes: Lanes,
}

#[async_trait]
impl Destination for Target {
    fn target(&self) -> String {
        self.target.clone()
    }

    async fn check(&self) -> Result<Checked> {
        self.link.check().await?;
        Ok(Checked {
            target: self.target(),
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
    link: Arc<Link>,
    settings: Settings,
    patience: Patience,
    /// Whether nothing follows a refused record.
    stops: bool,
    /// Whether the replay has an order.
    ordered: bool,
}

impl Carrier for Sender {
    async fn carry(&self, batch: &[Packed]) -> Vec<Result<Landed>> {
        let write = |record| Letter::of(record, &self.settings);
        let round = Round::new(batch, self.stops, self.ordered, write);
        round.run(&self.patience, &*self.link).await
    }
}

#[cfg(test)]
mod tests;
