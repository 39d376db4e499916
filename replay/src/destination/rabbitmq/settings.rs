//! The options of a RabbitMQ destination.

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::ShortString;

use super::super::given::Given;
use super::super::lanes::Sizes;
use super::super::places::Places;
use super::address::Address;
use crate::error::{Error, Result};
use crate::request::{Headers, Options};

/// Every option but those that name headers and properties.
const NAMES: &[&str] = &[
    "concurrency",
    "connect.timeout",
    "exchange",
    "mandatory",
    "password",
    "persistent",
    "routing.key",
    "timeout",
    "tls.ca",
    "tls.identity",
    "url",
    "user",
    "window",
    "window.bytes",
];

/// Options whose rest is a header's name.
const HEADER: &str = "header.";
/// Options whose rest is the name of one of a message's properties.
const PROPERTY: &str = "property.";
/// The properties that are not ours to set.
const PROPERTIES: &[&str] = &[
    "app-id",
    "content-encoding",
    "content-type",
    "correlation-id",
    "expiration",
    "priority",
    "reply-to",
    "type",
    "user-id",
];

/// What a destination may be called in a message.
const WHAT: &str = "a RabbitMQ destination";

/// The most bytes of a name, a routing key and a property in AMQP.
pub(super) const SHORT_MAX: usize = 255;

/// A RabbitMQ destination's options, read.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) address: Address,
    /// The empty one routes to the queue of the routing key's name.
    pub(super) exchange: String,
    pub(super) routing_key: Places,
    /// Whether a message that no queue gets comes back.
    pub(super) mandatory: bool,
    /// What every message has.
    pub(super) properties: BasicProperties,
    /// Headers that every message has.
    pub(super) headers: Vec<(String, String)>,
    /// Messages under way, and channels.
    pub(super) sizes: Sizes,
    /// The longest that what is under way may take to be confirmed.
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    /// Further certificates to trust, in PEM.
    pub(super) trusted: Option<String>,
    /// Our certificate and its key, in PEM.
    pub(super) identity: Option<String>,
    /// Whether the replay strips headers: then none tell where a record is from either.
    pub(super) bare: bool,
}

/// Whether the options can be right, references not resolved. The host, where it is known.
///
/// # Errors
/// `Invalid`, naming the option.
pub(super) fn validate(options: &BTreeMap<String, String>) -> Result<Option<String>> {
    let given = Given::written(WHAT, options);
    let read = read(&given)?;
    Ok(read.address.map(|address| address.host))
}

impl Settings {
    /// Reads the options; references are resolved.
    ///
    /// # Errors
    /// `Invalid`, naming the option and never a value that may be a secret.
    pub(super) fn new(options: &BTreeMap<String, String>, replay: &Options) -> Result<Self> {
        let given = Given::resolved(WHAT, options);
        let read = read(&given)?;
        let mut address = read
            .address
            .ok_or_else(|| Error::internal("an address is not resolved"))?;
        if let Some(user) = given.text("user") {
            user.clone_into(&mut address.user);
        }
        if let Some(password) = given.text("password") {
            password.clone_into(&mut address.password);
        }
        Ok(Self {
            address,
            exchange: given.text("exchange").unwrap_or_default().to_owned(),
            routing_key: read.routing_key,
            mandatory: given.flag("mandatory", true)?,
            properties: read.properties,
            headers: read.headers,
            sizes: read.sizes,
            timeout: given.duration("timeout", Duration::from_secs(30))?,
            connect_timeout: given.duration("connect.timeout", Duration::from_secs(10))?,
            trusted: given.text("tls.ca").map(str::to_owned),
            identity: given.text("tls.identity").map(str::to_owned),
            bare: replay.headers == Some(Headers::Strip),
        })
    }
}

impl Settings {
    /// Whether it is an exchange that routes, and not the name of a queue.
    pub(super) fn has_exchange(&self) -> bool {
        !self.exchange.is_empty()
    }
}

/// What is read the same way with references and without.
struct Read {
    /// `None`: it stands by reference.
    address: Option<Address>,
    routing_key: Places,
    properties: BasicProperties,
    headers: Vec<(String, String)>,
    sizes: Sizes,
}

fn read(given: &Given<'_>) -> Result<Read> {
    given.only(NAMES, &[HEADER, PROPERTY])?;
    let url = given.needed("url")?;
    let address = match given.is_open("url") {
        true => None,
        false => Some(Address::parse(url)?),
    };
    for key in ["exchange", "user"] {
        if !given.is_open(key) && given.text(key).is_some_and(|text| text.len() > SHORT_MAX) {
            return Err(too_long(key));
        }
    }
    let routing_key = match (given.text("routing.key"), given.text("exchange")) {
        (Some(text), _) => Places::parse("routing.key", text)?,
        (None, Some(_)) => Places::parse("routing.key", "{topic}")?,
        (None, None) => {
            return Err(Error::invalid(format!(
                "{WHAT} needs the option `exchange` or `routing.key`"
            ))
            .with_hint("without an exchange `routing.key` is the name of a queue"));
        }
    };
    for key in ["timeout", "connect.timeout"] {
        given.duration(key, Duration::from_secs(1))?;
    }
    given.flag("mandatory", true)?;
    Ok(Read {
        address,
        routing_key,
        properties: properties(given)?,
        headers: headers(given)?,
        sizes: Sizes {
            lanes: given.number("concurrency", 4, 1..=64)?,
            batch_records: given.number("window", 256, 1..=10_000)?,
            batch_bytes: given.number("window.bytes", 4 << 20, 1..=64 << 20)?,
            wait: Duration::ZERO,
        },
    })
}

fn properties(given: &Given<'_>) -> Result<BasicProperties> {
    let persistent = given.flag("persistent", true)?;
    let mut set = BasicProperties::default().with_delivery_mode(if persistent { 2 } else { 1 });
    for (name, _) in given.named(PROPERTY) {
        let key = format!("{PROPERTY}{name}");
        if !PROPERTIES.contains(&name) {
            return Err(
                Error::invalid(format!("{WHAT} has no option `{key}`")).with_hint(format!(
                    "the properties are: {}; the others are Eddy's own",
                    PROPERTIES.join(", ")
                )),
            );
        }
        if given.is_open(&key) {
            continue;
        }
        let text = given.text(&key).unwrap_or_default();
        let Some(value) = short(text) else {
            return Err(too_long(&key));
        };
        set = match name {
            "app-id" => set.with_app_id(value),
            "content-encoding" => set.with_content_encoding(value),
            "content-type" => set.with_content_type(value),
            "correlation-id" => set.with_correlation_id(value),
            "expiration" => {
                given.number(&key, 0, 0..=usize::MAX)?;
                set.with_expiration(value)
            }
            "priority" => {
                let priority = given.number(&key, 0, 0..=255)?;
                set.with_priority(u8::try_from(priority).unwrap_or(u8::MAX))
            }
            "reply-to" => set.with_reply_to(value),
            "type" => set.with_type(value),
            _ => set.with_user_id(value),
        };
    }
    Ok(set)
}

fn headers(given: &Given<'_>) -> Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for (name, value) in given.named(HEADER) {
        if name.len() > SHORT_MAX {
            return Err(too_long(&format!("{HEADER}{name}")));
        }
        if name.starts_with("eddy-") {
            return Err(Error::invalid(format!(
                "`{HEADER}{name}` can't be set: it is Eddy's own"
            )));
        }
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(headers)
}

/// A text as AMQP's short string; `None` when it is too long for one.
pub(super) fn short(text: &str) -> Option<ShortString> {
    (text.len() <= SHORT_MAX).then(|| ShortString::from(text))
}

fn too_long(key: &str) -> Error {
    Error::invalid(format!("`{key}` has more than {SHORT_MAX} bytes"))
}
