//! The connection to the broker and its channels: made when they are needed, shared by all lanes,
//! made again once they are broken.
//!
//! A channel is one batch's alone, from its first message to its last confirm, so whatever comes
//! back over it belongs to that batch. The client attaches a returned message to any confirm of
//! the channel: which record it was, the message's id tells.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_rs::Runtime;
use eddy_engine::Clock;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::super::reach::Reach;
use super::super::round::{Fate, Post, Sent, Trouble};
use super::answer::{is_reason, judge};
use super::letter::Letter;
use super::settings::{Settings, short};
use super::wire::{Wire, kit, tls};
use crate::error::{Error, Result};

/// The broker, spoken to.
pub(super) struct Link {
    settings: Settings,
    reach: Reach,
    tls: Option<TlsConnector>,
    clock: Clock,
    live: tokio::sync::Mutex<Option<Arc<Live>>>,
}

/// A connection that was made.
struct Live {
    connection: Connection,
    /// Channels that nobody uses now.
    idle: Mutex<Vec<Channel>>,
    cut: CancellationToken,
    clock: Clock,
}

/// How long an orderly farewell may take, and what is said when a connection ends.
const FAREWELL: Duration = Duration::from_secs(1);
/// What is waited for between two signs of life, in seconds.
const HEARTBEAT_SECONDS: u16 = 20;

impl Link {
    /// A link that isn't connected yet.
    ///
    /// # Errors
    /// `Invalid` for certificates and keys that are none.
    pub(super) fn new(settings: Settings, reach: Reach, clock: Clock) -> Result<Self> {
        Ok(Self {
            tls: tls(&settings)?,
            settings,
            reach,
            clock,
            live: tokio::sync::Mutex::new(None),
        })
    }

    /// Asks whether the exchange is there, or the one queue that everything goes to.
    ///
    /// # Errors
    /// What the broker says; `Unavailable` when it says nothing.
    pub(super) async fn check(&self) -> Result<()> {
        let (live, channel) = self.channel().await.map_err(Trouble::into_error)?;
        let settings = &self.settings;
        let asked = async {
            if let Some(exchange) = short(&settings.exchange).filter(|_| settings.has_exchange()) {
                let options = ExchangeDeclareOptions {
                    passive: true,
                    ..ExchangeDeclareOptions::default()
                };
                let kind = ExchangeKind::Direct;
                channel
                    .exchange_declare(exchange, kind, options, FieldTable::default())
                    .await?;
            } else if !settings.routing_key.varies()
                && let Some(queue) = short(settings.routing_key.beginning())
            {
                let options = QueueDeclareOptions {
                    passive: true,
                    ..QueueDeclareOptions::default()
                };
                channel
                    .queue_declare(queue, options, FieldTable::default())
                    .await?;
            }
            Ok::<(), lapin::Error>(())
        };
        let answered = self.answered(&live, asked).await;
        let answered = answered.map_err(Trouble::into_error)?;
        answered.map_err(|error| judge(&error).into_error())?;
        live.give_back(channel);
        Ok(())
    }

    /// A channel with confirms for one batch.
    async fn channel(&self) -> Result<(Arc<Live>, Channel), Trouble> {
        let live = self.live().await?;
        if let Some(channel) = live.take_idle() {
            return Ok((live, channel));
        }
        let making = async {
            let channel = live.connection.create_channel().await?;
            channel
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
            Ok::<Channel, lapin::Error>(channel)
        };
        match self.answered(&live, making).await? {
            Ok(channel) => Ok((live, channel)),
            Err(error) => Err(judge(&error)),
        }
    }

    /// The connection, made if there is none that works. One is made at a time.
    async fn live(&self) -> Result<Arc<Live>, Trouble> {
        let mut held = self.live.lock().await;
        if let Some(live) = held.as_ref().filter(|live| live.works()) {
            return Ok(Arc::clone(live));
        }
        *held = None;
        let cut = CancellationToken::new();
        let made = self.in_time(self.settings.connect_timeout, self.connect(&cut));
        let live = match made.await {
            Some(Ok(connection)) => Arc::new(Live {
                connection,
                idle: Mutex::default(),
                cut,
                clock: self.clock.clone(),
            }),
            Some(Err(trouble)) => {
                cut.cancel();
                return Err(trouble);
            }
            None => {
                cut.cancel();
                let error = Error::unavailable("the broker doesn't answer in time");
                return Err(Trouble::Again(error));
            }
        };
        *held = Some(Arc::clone(&live));
        Ok(live)
    }

    async fn connect(&self, cut: &CancellationToken) -> Result<Connection, Trouble> {
        let address = &self.settings.address;
        let wire = Wire::connect(address, &self.reach, self.tls.as_ref(), cut.clone());
        let wire = match wire.await {
            Ok(wire) => Mutex::new(Some(wire)),
            Err(error) if error.kind() == crate::error::ErrorKind::Unavailable => {
                return Err(Trouble::Again(error));
            }
            Err(error) => return Err(Trouble::Broken(error)),
        };
        let uri = AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: address.user.clone(),
                    password: address.password.clone(),
                },
                host: address.host.clone(),
                port: address.port,
            },
            vhost: address.vhost.clone(),
            query: AMQPQueryString {
                heartbeat: Some(HEARTBEAT_SECONDS),
                ..AMQPQueryString::default()
            },
        };
        let connect = async move |_, _| {
            let wire = wire.lock().unwrap_or_else(PoisonError::into_inner).take();
            // It is asked for once: what breaks is made again here, not by the client.
            let wire = wire.ok_or_else(|| std::io::Error::other("the connection is used up"))?;
            Ok(AsyncTcpStream::Plain(wire))
        };
        let properties = ConnectionProperties::default().with_connection_name("eddy".into());
        Connection::connector(uri, Runtime::new(kit()), connect, properties)
            .await
            .map_err(|error| judge(&error))
    }

    /// What `doing` gives, unless the connection ends meanwhile, or it takes too long and is cut.
    async fn answered<T>(&self, live: &Live, doing: impl Future<Output = T>) -> Result<T, Trouble> {
        // The client doesn't end all that waits when its connection does; what it does end tells
        // the reason.
        let ended = async {
            live.cut.cancelled().await;
            self.clock.sleep(FAREWELL).await;
        };
        let error = tokio::select! {
            biased;
            done = doing => return Ok(done),
            () = ended => Error::unavailable("the connection broke"),
            () = self.clock.sleep(self.settings.timeout) => silent(live),
        };
        live.cut.cancel();
        Err(Trouble::Again(error))
    }

    /// What `doing` gives, unless it takes longer than `most`.
    async fn in_time<T>(&self, most: Duration, doing: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = doing => Some(done),
            () = self.clock.sleep(most) => None,
        }
    }
}

impl<'a> Post<Letter<'a>> for Link {
    async fn send(&self, letters: &[&Letter<'a>]) -> Sent {
        let (live, channel) = match self.channel().await {
            Ok(made) => made,
            Err(trouble) => return Sent::nothing(letters.len(), trouble),
        };
        let mut batch = Batch::default();
        let sending = batch.send(&channel, letters, &self.settings);
        if let Err(trouble) = self.answered(&live, sending).await {
            batch.trouble = Some(trouble);
        }
        let sent = batch.outcome(letters);
        if sent.trouble.is_none() {
            live.give_back(channel);
        }
        sent
    }
}

impl Live {
    fn works(&self) -> bool {
        self.connection.status().connected() && !self.cut.is_cancelled()
    }

    fn take_idle(&self) -> Option<Channel> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(channel) = idle.pop() {
            if channel.status().connected() {
                return Some(channel);
            }
        }
        None
    }

    fn give_back(&self, channel: Channel) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(channel);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // An orderly end is asked for when the channels and the connection are dropped; a broker
        // that doesn't answer must not keep the connection and its thread for ever.
        let (cut, clock) = (self.cut.clone(), self.clock.clone());
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    clock.sleep(FAREWELL).await;
                    cut.cancel();
                });
            }
            Err(_) => cut.cancel(),
        }
    }
}

/// What is known of the messages of a batch.
#[derive(Default)]
struct Batch {
    /// Of the first ones, in order.
    fates: Vec<Fate>,
    /// What came back, by the message's id.
    returned: BTreeMap<String, String>,
    trouble: Option<Trouble>,
}

impl Batch {
    async fn send(&mut self, channel: &Channel, letters: &[&Letter<'_>], settings: &Settings) {
        let mut confirms = Vec::with_capacity(letters.len());
        let mut failure = None;
        for letter in letters {
            let (Some(exchange), Some(key)) =
                (short(&settings.exchange), short(&letter.routing_key))
            else {
                break;
            };
            let options = BasicPublishOptions {
                mandatory: settings.mandatory,
                ..BasicPublishOptions::default()
            };
            let properties = letter.properties.clone();
            let published = channel.basic_publish(exchange, key, options, letter.body, properties);
            match published.await {
                Ok(confirm) => confirms.push(confirm),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        for confirm in confirms {
            let fate = match confirm.await {
                Ok(confirmation) => {
                    let fate = if confirmation.is_nack() {
                        Fate::Later(Error::unavailable("a queue rejects messages: it is full"))
                    } else {
                        Fate::Taken
                    };
                    if let Some(message) = confirmation.take_message()
                        && let Some(id) = message.delivery.properties.message_id()
                    {
                        let why = message.reply_text.to_string();
                        self.returned.insert(id.to_string(), why);
                    }
                    fate
                }
                Err(error) => {
                    // Of all errors the one that says why is worth telling.
                    if failure.as_ref().is_none_or(|known| !is_reason(known)) {
                        failure = Some(error);
                    }
                    Fate::Open
                }
            };
            self.fates.push(fate);
        }
        self.trouble = failure.map(|error| judge(&error));
    }

    fn outcome(mut self, letters: &[&Letter<'_>]) -> Sent {
        self.fates.resize_with(letters.len(), || Fate::Open);
        for (fate, letter) in self.fates.iter_mut().zip(letters) {
            if let Some(why) = self.returned.remove(&letter.id) {
                let error = Error::rejected(format!("no queue gets it: {why}"));
                let error = error.with_hint("bind a queue, or set `mandatory` to false");
                *fate = Fate::Refused(error);
            }
        }
        let open = self.fates.iter().any(|fate| matches!(fate, Fate::Open));
        if self.trouble.is_none() && open {
            let error = Error::unavailable("the broker doesn't confirm what it was sent");
            self.trouble = Some(Trouble::Again(error));
        }
        Sent {
            fates: self.fates,
            trouble: self.trouble,
        }
    }
}

/// The broker doesn't answer: why, as far as it says.
fn silent(live: &Live) -> Error {
    if live.connection.status().blocked() {
        return Error::unavailable("the broker blocks who publishes: its memory or disk is full");
    }
    Error::unavailable("the broker doesn't answer in time")
}
