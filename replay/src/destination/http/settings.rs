//! The options of an HTTP destination.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest_tls::Method;
use reqwest_tls::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::super::given::Given;
use super::super::lanes::Sizes;
use super::signature::{self, Signer};
use super::template::Template;
use crate::error::{Error, Result};
use crate::request::{Headers, Options};

/// Every option but those that name headers.
const NAMES: &[&str] = &[
    "batch.bytes",
    "batch.records",
    "concurrency",
    "connect.timeout",
    "format",
    "method",
    "oauth.auth",
    "oauth.client.id",
    "oauth.client.secret",
    "oauth.scope",
    "oauth.url",
    "signature.secret",
    "timeout",
    "tls.ca",
    "tls.identity",
    "url",
];

/// Options whose rest is a header's name.
const HEADER: &str = "header.";

/// What a destination may be called in a message.
pub(super) const WHAT: &str = "an HTTP destination";

/// Headers that are ours, or HTTP's own.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "host",
    "idempotency-key",
    "transfer-encoding",
];

/// An HTTP destination's options, read.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) url: Template,
    pub(super) method: Method,
    /// What every request has; secrets among them.
    pub(super) headers: HeaderMap,
    /// Whether records are lines of a batch.
    pub(super) batches: bool,
    pub(super) sizes: Sizes,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    /// Further certificates to trust, in PEM.
    pub(super) trusted: Option<String>,
    /// Our certificate and its key, in PEM.
    pub(super) identity: Option<String>,
    /// What signs requests.
    pub(super) signer: Option<Signer>,
    /// Whether the replay strips headers: then none tell where a record is from either.
    pub(super) bare: bool,
}

/// Whether the options can be right, references not resolved.
///
/// # Errors
/// `Invalid`, naming the option.
pub(super) fn validate(options: &BTreeMap<String, String>) -> Result<Option<Template>> {
    let given = Given::written(WHAT, options);
    given.only(NAMES, &[HEADER])?;
    let url = given.needed("url")?;
    let url = match given.is_open("url") {
        true => None,
        false => Some(Template::parse(url)?),
    };
    read(&given, url.as_ref().is_some_and(Template::varies))?;
    Ok(url)
}

impl Settings {
    /// Reads the options; references are resolved.
    ///
    /// # Errors
    /// `Invalid`, naming the option and never a value that may be a secret.
    pub(super) fn new(options: &BTreeMap<String, String>, replay: &Options) -> Result<Self> {
        let given = Given::resolved(WHAT, options);
        given.only(NAMES, &[HEADER])?;
        let url = Template::parse(given.needed("url")?)?;
        let read = read(&given, url.varies())?;
        Ok(Self {
            url,
            method: read.method,
            headers: read.headers,
            batches: read.batches,
            sizes: read.sizes,
            timeout: given.duration("timeout", Duration::from_secs(30))?,
            connect_timeout: given.duration("connect.timeout", Duration::from_secs(10))?,
            trusted: given.text("tls.ca").map(str::to_owned),
            identity: given.text("tls.identity").map(str::to_owned),
            signer: read.signer,
            bare: replay.headers == Some(Headers::Strip),
        })
    }
}

/// What is read the same way with references and without.
struct Read {
    method: Method,
    headers: HeaderMap,
    batches: bool,
    sizes: Sizes,
    signer: Option<Signer>,
}

fn read(given: &Given<'_>, varies: bool) -> Result<Read> {
    let methods = [Method::POST, Method::PUT, Method::PATCH];
    let method = given.read("method", Method::POST, "POST, PUT or PATCH", |text| {
        let named = |method: &&Method| text.eq_ignore_ascii_case(method.as_str());
        methods.iter().find(named).cloned()
    })?;
    let batches = given.read("format", false, "`record` or `ndjson`", |text| match text {
        "record" => Some(false),
        "ndjson" => Some(true),
        _ => None,
    })?;
    let batch_records = given.number("batch.records", 100, 1..=10_000)?;
    let batch_bytes = given.number("batch.bytes", 1 << 20, 1..=64 << 20)?;
    if batches && varies {
        return Err(
            Error::invalid("`url` may have `{...}` with one record a request only")
                .with_hint("a batch has one URL; leave `format` out"),
        );
    }
    if !batches && (given.text("batch.records").is_some() || given.text("batch.bytes").is_some()) {
        return Err(Error::invalid(
            "`batch.records` and `batch.bytes` are for `format` = ndjson",
        ));
    }
    given.duration("timeout", Duration::from_secs(1))?;
    given.duration("connect.timeout", Duration::from_secs(1))?;
    Ok(Read {
        method,
        headers: headers(given)?,
        batches,
        signer: match given.text("signature.secret") {
            Some(secret) if !given.is_open("signature.secret") => Some(Signer::new(secret)?),
            _ => None,
        },
        sizes: Sizes {
            lanes: given.number("concurrency", 8, 1..=256)?,
            batch_records: if batches { batch_records } else { 1 },
            batch_bytes,
            wait: Duration::ZERO,
        },
    })
}

fn headers(given: &Given<'_>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in given.named(HEADER) {
        let key = name.to_ascii_lowercase();
        let mut ours = RESERVED.iter().chain(&signature::HEADERS);
        if ours.any(|ours| *ours == key) || key.starts_with("eddy-") {
            return Err(Error::invalid(format!(
                "`{HEADER}{name}` can't be set: it is Eddy's own"
            )));
        }
        let unfit = |what| Error::invalid(format!("`{HEADER}{name}` {what}"));
        let name =
            HeaderName::from_bytes(key.as_bytes()).map_err(|_| unfit("is no header's name"))?;
        let mut value = HeaderValue::from_str(value.trim())
            .map_err(|_| unfit("has a value that no header can have"))?;
        // Then it isn't shown by `Debug`.
        value.set_sensitive(true);
        if name == AUTHORIZATION && given.text("oauth.url").is_some() {
            return Err(unfit_beside_oauth());
        }
        if headers.insert(name, value).is_some() {
            return Err(unfit("is given twice"));
        }
    }
    Ok(headers)
}

fn unfit_beside_oauth() -> Error {
    Error::invalid("`header.Authorization` and `oauth.url` don't go together")
        .with_hint("with `oauth.url` the header is the token's")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let url = [("url", "https://hooks.example/in")];
        let pairs = url.iter().chain(pairs);
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn what_can_not_be_right_is_told_by_its_option() {
        for (pairs, told) in [
            (
                &[("url", "")][..],
                "an HTTP destination needs the option `url`",
            ),
            (&[("urls", "x")], "an HTTP destination has no option `urls`"),
            (
                &[("method", "GET")],
                "`method` has to be POST, PUT or PATCH",
            ),
            (
                &[("format", "csv")],
                "`format` has to be `record` or `ndjson`",
            ),
            (
                &[("concurrency", "0")],
                "`concurrency` has to be a number from 1 to 256",
            ),
            (
                &[("batch.records", "5")],
                "`batch.records` and `batch.bytes` are for",
            ),
            (&[("timeout", "30")], "`timeout` has to be a time"),
            (&[("header.Host", "x")], "`header.Host` can't be set"),
            (
                &[("signature.secret", "hunter2")],
                "`signature.secret` has to be",
            ),
            (
                &[("header.Eddy-Key", "x")],
                "`header.Eddy-Key` can't be set",
            ),
            (&[("header.a b", "x")], "`header.a b` is no header's name"),
            (
                &[("header.a", "x\ny")],
                "`header.a` has a value that no header",
            ),
            (&[("header.a", "x"), ("header.A", "y")], "is given twice"),
            (
                &[("format", "ndjson"), ("url", "https://h/{key}")],
                "`url` may have `{...}` with one record a request only",
            ),
        ] {
            let error = validate(&options(pairs)).err().unwrap();
            assert!(error.to_string().contains(told), "{error} is not: {told}");
        }
    }

    #[test]
    fn what_stands_by_reference_is_judged_when_it_is_known() {
        let written = options(&[
            ("url", "${env:HOOK}"),
            ("timeout", "${env:TIMEOUT}"),
            ("header.Authorization", "Bearer ${env:TOKEN}"),
        ]);
        assert!(validate(&written).unwrap().is_none());
        let error = Settings::new(&written, &Options::default()).err().unwrap();
        assert!(error.to_string().contains("`url`"), "{error}");
    }

    #[test]
    fn the_defaults_are_one_record_a_request_and_eight_at_a_time() {
        let settings = Settings::new(&options(&[]), &Options::default()).unwrap();
        assert_eq!(settings.method, Method::POST);
        assert_eq!((settings.sizes.lanes, settings.sizes.batch_records), (8, 1));
        assert!(!settings.batches && !settings.bare);
    }
}
