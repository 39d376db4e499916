//! A destination's settings as the old platform had them, as our options, and back. Pure.
//!
//! Clients send enumerations as numbers or as words, and Kafka's `address` as a text or a list.

use std::collections::BTreeMap;

use eddy_replay::Definition;
use serde_json::{Map, Value, json};

/// Options by their names.
type Options = BTreeMap<String, String>;

/// Why settings can't be options.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The part of the request.
    pub(super) field: &'static str,
    /// What is wrong with it.
    pub(super) message: String,
}

fn wrong<T>(field: &'static str, message: impl Into<String>) -> Result<T, Wrong> {
    let message = message.into();
    Err(Wrong { field, message })
}

/// The type and the options of a destination of the platform's type `kind`.
///
/// # Errors
/// Names what is missing, or has no counterpart.
pub(super) fn options(
    kind: &str,
    metadata: &Map<String, Value>,
) -> Result<(&'static str, Options), Wrong> {
    match kind {
        "kafka" => Ok(("kafka", kafka(metadata)?)),
        "http" => Ok(("http", http(metadata)?)),
        "rmq" | "rabbit" | "rabbitmq" => Ok(("rabbitmq", rabbitmq(metadata)?)),
        "sqs" | "aws-sqs" => wrong(
            "type",
            "a queue needs its URL and keys, which are not said here: declare the destination in \
             the configuration file, or by POST /api/v1/destinations",
        ),
        other => wrong(
            "type",
            format!("destinations of type `{other}` are not supported: use kafka, http or rmq"),
        ),
    }
}

/// The platform's type of a destination, and its settings, secrets left out.
pub(super) fn shown(definition: &Definition) -> (&str, Value) {
    let options = definition.shown_options();
    let text = |key: &str| options.get(key).map(String::as_str).unwrap_or_default();
    match definition.kind.as_str() {
        "kafka" => {
            let protocol = text("security.protocol").to_ascii_uppercase();
            let mechanism = text("sasl.mechanism").to_ascii_uppercase();
            let sasl = match mechanism.as_str() {
                "PLAIN" => "plain",
                scram if scram.starts_with("SCRAM") => "scram",
                _ => "",
            };
            let address: Vec<&str> = text("bootstrap.servers").split(',').collect();
            let metadata = json!({
                "topic": text("topic"),
                "address": address,
                "use_tls": protocol.ends_with("SSL"),
                "insecure_tls": text(VERIFICATION) == "false",
                "sasl_type": sasl,
                "username": text("sasl.username"),
            });
            ("kafka", metadata)
        }
        "http" => {
            let headers = options.iter().filter_map(|(key, value)| {
                let name = key.strip_prefix(HEADER)?;
                Some(json!({ name: value }))
            });
            let headers: Vec<Value> = headers.collect();
            ("http", json!({ "url": text("url"), "headers": headers }))
        }
        "rabbitmq" => {
            let metadata = json!({
                "dsn": text("url"),
                "exchange": text("exchange"),
                "routing_key": text("routing.key"),
            });
            ("rmq", metadata)
        }
        other => (other, json!(options)),
    }
}

const VERIFICATION: &str = "enable.ssl.certificate.verification";
const HEADER: &str = "header.";

fn kafka(metadata: &Map<String, Value>) -> Result<Options, Wrong> {
    let address = match metadata.get("address") {
        Some(Value::Array(all)) => {
            let all: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
            all.unwrap_or_default().join(",")
        }
        other => other.and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    if address.is_empty() {
        return wrong(
            "address",
            "a Kafka destination needs the `address` of a broker",
        );
    }
    let sasl = match metadata.get("sasl_type") {
        None | Some(Value::Null) => None,
        Some(Value::Number(number)) => match number.as_u64() {
            Some(0) => None,
            Some(1) => Some("PLAIN"),
            Some(2) => Some("SCRAM-SHA-512"),
            _ => {
                return wrong(
                    "sasl_type",
                    "`sasl_type` is 0 (none), 1 (plain) or 2 (scram)",
                );
            }
        },
        Some(word) => match word.as_str().unwrap_or("?").to_ascii_lowercase().as_str() {
            "" | "none" => None,
            "plain" | "basic" => Some("PLAIN"),
            "scram" => Some("SCRAM-SHA-512"),
            _ => return wrong("sasl_type", "`sasl_type` is none, plain or scram"),
        },
    };
    let tls = flag(metadata, "use_tls");
    let protocol = match (tls, sasl) {
        (false, None) => "PLAINTEXT",
        (true, None) => "SSL",
        (false, Some(_)) => "SASL_PLAINTEXT",
        (true, Some(_)) => "SASL_SSL",
    };
    let mut options = Options::new();
    let mut set = |key: &str, value: &str| options.insert(key.to_owned(), value.to_owned());
    set("topic", needed(metadata, "topic")?);
    set("bootstrap.servers", &address);
    set("security.protocol", protocol);
    if tls && flag(metadata, "insecure_tls") {
        set(VERIFICATION, "false");
    }
    if let Some(mechanism) = sasl {
        set("sasl.mechanism", mechanism);
        set("sasl.username", needed(metadata, "username")?);
        set("sasl.password", needed(metadata, "password")?);
    }
    Ok(options)
}

fn http(metadata: &Map<String, Value>) -> Result<Options, Wrong> {
    let mut options = Options::from([("url".to_owned(), needed(metadata, "url")?.to_owned())]);
    let headers = match metadata.get("headers") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
    };
    for header in headers {
        let Value::Object(pairs) = header else {
            return wrong("headers", "`headers` is a list of `{name: value}`");
        };
        for (name, value) in pairs {
            let Some(value) = value.as_str() else {
                return wrong("headers", format!("the header `{name}` is no text"));
            };
            options.insert(format!("{HEADER}{name}"), value.to_owned());
        }
    }
    Ok(options)
}

fn rabbitmq(metadata: &Map<String, Value>) -> Result<Options, Wrong> {
    if flag(metadata, "exchange_declare") {
        let text = "exchanges are not declared by replays: make it before, and leave this out";
        return wrong("exchange_declare", text);
    }
    let mut options = Options::from([("url".to_owned(), needed(metadata, "dsn")?.to_owned())]);
    for (theirs, ours) in [("exchange", "exchange"), ("routing_key", "routing.key")] {
        if let Some(value) = said(metadata, theirs) {
            options.insert(ours.to_owned(), value.to_owned());
        }
    }
    Ok(options)
}

fn flag(metadata: &Map<String, Value>, key: &str) -> bool {
    metadata.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn said<'a>(metadata: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    let text = metadata.get(key)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

fn needed<'a>(metadata: &'a Map<String, Value>, key: &'static str) -> Result<&'a str, Wrong> {
    match said(metadata, key) {
        Some(text) => Ok(text),
        None => wrong(key, format!("`{key}` is missing")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn made(kind: &str, metadata: Value) -> Result<(&'static str, Options), Wrong> {
        let Value::Object(metadata) = metadata else {
            panic!("no object");
        };
        options(kind, &metadata)
    }

    fn back(kind: &str, metadata: Value) -> Value {
        let (kind, options) = made(kind, metadata).unwrap();
        let definition = Definition {
            name: "d".to_owned(),
            kind: kind.to_owned(),
            options,
        };
        shown(&definition).1
    }

    #[test]
    fn kafka_as_plumber_sends_it_now_and_did_before() {
        let now = json!({"topic": "t", "address": ["a:1", "b:2"], "use_tls": true,
            "insecure_tls": true, "sasl_type": 2, "username": "u", "password": "${env:P}"});
        let (kind, options) = made("kafka", now.clone()).unwrap();
        let expected = [
            ("bootstrap.servers", "a:1,b:2"),
            (VERIFICATION, "false"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.password", "${env:P}"),
            ("sasl.username", "u"),
            ("security.protocol", "SASL_SSL"),
            ("topic", "t"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!((kind, options), ("kafka", expected.into()));
        let mut shown = now;
        shown["sasl_type"] = json!("scram");
        shown.as_object_mut().unwrap().remove("password");
        assert_eq!(
            back(
                "kafka",
                json!({"topic": "t", "address": ["a:1", "b:2"],
            "use_tls": true, "insecure_tls": true, "sasl_type": "scram", "username": "u",
            "password": "p"})
            ),
            shown
        );
        for (sasl, tls, protocol) in [
            (json!(0), false, "PLAINTEXT"),
            (json!(""), true, "SSL"),
            (json!(1), false, "SASL_PLAINTEXT"),
            (json!("basic"), true, "SASL_SSL"),
        ] {
            let (_, options) = made(
                "kafka",
                json!({"topic": "t", "address": "a:1",
                "use_tls": tls, "sasl_type": sasl, "username": "u", "password": "p"}),
            )
            .unwrap();
            assert_eq!(options["security.protocol"], protocol);
        }
    }

    #[test]
    fn http_and_rabbitmq_come_back_as_they_went_in() {
        let http = json!({"url": "https://a.example/x", "headers": [{"X-A": "1"}, {"X-B": "2"}]});
        assert_eq!(back("http", http.clone()), http);
        let rmq = json!({"dsn": "amqp://a.example", "exchange": "e", "routing_key": "r"});
        assert_eq!(back("rmq", rmq.clone()), rmq);
    }

    #[test]
    fn what_is_missing_or_has_no_counterpart_is_named() {
        for (kind, metadata, field) in [
            ("kafka", json!({"topic": "t"}), "address"),
            ("kafka", json!({"address": ["a:1"]}), "topic"),
            ("kafka", json!({"topic": "t", "address": [1]}), "address"),
            (
                "kafka",
                json!({"topic": "t", "address": "a", "sasl_type": 3}),
                "sasl_type",
            ),
            (
                "kafka",
                json!({"topic": "t", "address": "a", "sasl_type": 1}),
                "username",
            ),
            ("http", json!({}), "url"),
            ("http", json!({"url": "u", "headers": ["a"]}), "headers"),
            (
                "rmq",
                json!({"dsn": "d", "exchange_declare": true}),
                "exchange_declare",
            ),
            ("sqs", json!({}), "type"),
            ("nats", json!({}), "type"),
        ] {
            assert_eq!(made(kind, metadata).unwrap_err().field, field, "{kind}");
        }
    }
}
