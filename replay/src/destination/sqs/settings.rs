//! The options of an SQS destination.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest_tls::Url;

use super::super::given::Given;
use super::super::lanes::Sizes;
use super::super::places::Places;
use super::letter::{self, ATTRIBUTES_MAX, OURS_MAX};
use super::signature::Keys;
use crate::error::{Error, Result};
use crate::request::{Headers, Options};

/// Every option but those that name attributes.
const NAMES: &[&str] = &[
    "access.key.id",
    "batch.records",
    "concurrency",
    "connect.timeout",
    "group",
    "queue.url",
    "region",
    "secret.access.key",
    "session.token",
    "timeout",
    "tls.ca",
];

/// Options whose rest is an attribute's name.
const ATTRIBUTE: &str = "attribute.";

/// What a destination may be called in a message.
const WHAT: &str = "an SQS destination";

/// The most that SQS takes in a message, and in a request.
pub(super) const BYTES_MAX: usize = 1 << 20;
/// The most messages of a request.
pub(super) const RECORDS_MAX: usize = 10;

/// An SQS destination's options, read.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) queue: Queue,
    pub(super) region: String,
    pub(super) keys: Keys,
    /// What the group of a message is made of; `None`: the key, or else the partition.
    pub(super) group: Option<Places>,
    /// Attributes that every message has.
    pub(super) attributes: Vec<(String, String)>,
    pub(super) sizes: Sizes,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    /// Further certificates to trust, in PEM.
    pub(super) trusted: Option<String>,
    /// Whether the replay strips headers: then none tell where a record is from either.
    pub(super) bare: bool,
}

/// A queue's URL.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    pub(super) url: Url,
    /// Whether messages have groups and are in order.
    pub(super) fifo: bool,
}

/// Whether the options can be right, references not resolved. The host, where it is known.
///
/// # Errors
/// `Invalid`, naming the option.
pub(super) fn validate(options: &BTreeMap<String, String>) -> Result<Option<String>> {
    let given = Given::written(WHAT, options);
    let read = read(&given)?;
    Ok(read.queue.map(|queue| queue.host().to_owned()))
}

impl Settings {
    /// Reads the options; references are resolved.
    ///
    /// # Errors
    /// `Invalid`, naming the option and never a value that may be a secret.
    pub(super) fn new(options: &BTreeMap<String, String>, replay: &Options) -> Result<Self> {
        let given = Given::resolved(WHAT, options);
        let read = read(&given)?;
        let unread = || Error::internal("a queue is not resolved");
        Ok(Self {
            queue: read.queue.ok_or_else(unread)?,
            region: read.region.ok_or_else(unread)?,
            keys: Keys {
                access_key_id: given.needed("access.key.id")?.to_owned(),
                secret_access_key: given.needed("secret.access.key")?.to_owned(),
                session_token: given.text("session.token").map(str::to_owned),
            },
            group: read.group,
            attributes: read.attributes,
            sizes: read.sizes,
            timeout: given.duration("timeout", Duration::from_secs(30))?,
            connect_timeout: given.duration("connect.timeout", Duration::from_secs(10))?,
            trusted: given.text("tls.ca").map(str::to_owned),
            bare: replay.headers == Some(Headers::Strip),
        })
    }
}

impl Queue {
    fn parse(text: &str) -> Result<Self> {
        let invalid = |what: &str| Error::invalid(format!("`queue.url` {what}"));
        let like = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders";
        let url =
            Url::parse(text).map_err(|_| invalid(&format!("is not a URL such as `{like}`")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(invalid(
                "has to begin with `https://` or `http://` and a host",
            ));
        }
        if !url.username().is_empty() || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("may have no user, no `?` and no `#`"));
        }
        let name = url.path().rsplit('/').next().unwrap_or_default();
        if name.is_empty() {
            return Err(invalid("names no queue"));
        }
        let fifo = name.ends_with(".fifo");
        Ok(Self { url, fifo })
    }

    /// The host, as it stands in the URL.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The region that Amazon's own hosts name, as in `sqs.eu-central-1.amazonaws.com`.
    fn region(&self) -> Option<String> {
        let host = self.host();
        if !host.ends_with(".amazonaws.com") && !host.ends_with(".amazonaws.com.cn") {
            return None;
        }
        let mut labels = host.split('.').skip_while(|label| *label != "sqs");
        labels.nth(1).map(str::to_owned)
    }
}

/// What is read the same way with references and without; `None`: it stands by reference.
struct Read {
    queue: Option<Queue>,
    region: Option<String>,
    group: Option<Places>,
    attributes: Vec<(String, String)>,
    sizes: Sizes,
}

fn read(given: &Given<'_>) -> Result<Read> {
    given.only(NAMES, &[ATTRIBUTE])?;
    let url = given.needed("queue.url")?;
    let queue = match given.is_open("queue.url") {
        true => None,
        false => Some(Queue::parse(url)?),
    };
    for key in ["access.key.id", "secret.access.key"] {
        given.needed(key)?;
    }
    let region = given.text("region").map(str::to_owned);
    let region = region.or_else(|| queue.as_ref().and_then(Queue::region));
    if queue.is_some() && region.is_none() {
        return Err(Error::invalid(format!("{WHAT} needs the option `region`"))
            .with_hint("the host of `queue.url` doesn't name it"));
    }
    let group = given.text("group");
    let group = group.map(|text| Places::parse("group", text)).transpose()?;
    if group.is_some() && queue.as_ref().is_some_and(|queue| !queue.fifo) {
        return Err(Error::invalid("`group` is for FIFO queues")
            .with_hint("their names end with `.fifo`; leave `group` out"));
    }
    for key in ["timeout", "connect.timeout"] {
        given.duration(key, Duration::from_secs(1))?;
    }
    Ok(Read {
        queue,
        region,
        group,
        attributes: attributes(given)?,
        sizes: Sizes {
            lanes: given.number("concurrency", 4, 1..=64)?,
            batch_records: given.number("batch.records", RECORDS_MAX, 1..=RECORDS_MAX)?,
            batch_bytes: BYTES_MAX,
            wait: Duration::ZERO,
        },
    })
}

fn attributes(given: &Given<'_>) -> Result<Vec<(String, String)>> {
    let mut attributes = Vec::new();
    for (name, value) in given.named(ATTRIBUTE) {
        let value = value.trim();
        let unfit = |what| Error::invalid(format!("`{ATTRIBUTE}{name}` {what}"));
        if name.starts_with(letter::PREFIX) {
            return Err(unfit("can't be set: it is Eddy's own"));
        }
        if !letter::is_name(name) {
            return Err(unfit("is no attribute's name"));
        }
        if !letter::is_text(value) {
            return Err(unfit("has a value that no attribute can have"));
        }
        attributes.push((name.to_owned(), value.to_owned()));
    }
    let most = ATTRIBUTES_MAX - OURS_MAX;
    if attributes.len() > most {
        return Err(Error::invalid(format!(
            "there are more than {most} options `{ATTRIBUTE}NAME`"
        ))
        .with_hint(format!(
            "SQS takes {ATTRIBUTES_MAX} attributes, of which {OURS_MAX} are Eddy's own"
        )));
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const URL: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders";

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let base = [
            ("queue.url", URL),
            ("access.key.id", "AKID"),
            ("secret.access.key", "${env:SECRET}"),
        ];
        let pairs = base.iter().chain(pairs);
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn what_can_not_be_right_is_told_by_its_option() {
        for (pairs, told) in [
            (
                &[("queue.url", "")][..],
                "an SQS destination needs the option `queue.url`",
            ),
            (
                &[("queue", "x")],
                "an SQS destination has no option `queue`",
            ),
            (&[("access.key.id", "")], "needs the option `access.key.id`"),
            (
                &[("queue.url", "orders")],
                "`queue.url` is not a URL such as",
            ),
            (&[("queue.url", "https://h/")], "`queue.url` names no queue"),
            (
                &[("queue.url", "https://h/1/q?x")],
                "`queue.url` may have no user",
            ),
            (
                &[("queue.url", "https://h/1/q")],
                "needs the option `region`",
            ),
            (&[("group", "{key}")], "`group` is for FIFO queues"),
            (
                &[("batch.records", "11")],
                "`batch.records` has to be a number from 1 to 10",
            ),
            (
                &[("attribute.eddy-id", "x")],
                "`attribute.eddy-id` can't be set",
            ),
            (
                &[("attribute.a b", "x")],
                "`attribute.a b` is no attribute's name",
            ),
            (
                &[("attribute.a", "")],
                "`attribute.a` has a value that no attribute",
            ),
        ] {
            let error = validate(&options(pairs)).err().unwrap();
            assert!(error.to_string().contains(told), "{error} is not: {told}");
        }
        let six: Vec<(String, String)> = (0..6)
            .map(|n| (format!("attribute.a{n}"), "x".to_owned()))
            .collect();
        let mut many = options(&[]);
        many.extend(six);
        let error = validate(&many).err().unwrap();
        assert!(error.to_string().contains("more than 5 options"), "{error}");
    }

    #[test]
    fn amazons_hosts_name_their_region_and_fifo_queues_say_so() {
        for (url, region) in [
            (URL, "eu-central-1"),
            (
                "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com/1/q",
                "us-east-1",
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/1/q.fifo",
                "cn-north-1",
            ),
        ] {
            let settings = Settings::new(&options(&[("queue.url", url)]), &Options::default());
            let settings = settings.unwrap();
            assert_eq!(settings.region, region, "{url}");
            assert_eq!(settings.queue.fifo, url.ends_with(".fifo"));
        }
        let other = [
            ("queue.url", "http://127.0.0.1:9324/0/q"),
            ("region", "elasticmq"),
        ];
        let settings = Settings::new(&options(&other), &Options::default()).unwrap();
        assert_eq!(settings.region, "elasticmq");
    }
}
