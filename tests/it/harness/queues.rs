//! Queues of RabbitMQ and SQS, and what is in them, as clients see them that aren't Eddy's.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::kafka::Stored;
use super::services::{rabbitmq, sqs};
use super::{python, unique};

/// An exchange of RabbitMQ with a queue that gets what has one of its keys.
pub struct RabbitQueue {
    pub exchange: String,
    pub queue: String,
}

/// A message as RabbitMQ gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct RabbitMessage {
    pub id: String,
    pub routing_key: String,
    pub body: Vec<u8>,
    pub content_type: String,
    /// 2: it is persistent.
    pub delivery_mode: i64,
    /// Seconds.
    pub timestamp: Option<i64>,
    /// Texts and bytes in base64.
    pub headers: BTreeMap<String, Value>,
}

impl RabbitQueue {
    /// An exchange of the type `topic` and its queue; `#` is a key that all have.
    pub fn create(prefix: &str, keys: &[&str], arguments: &Value) -> Self {
        let made = Self {
            exchange: unique(prefix),
            queue: unique(prefix),
        };
        let mut steps = vec![
            json!(["exchange", made.exchange, "topic"]),
            json!(["queue", made.queue, arguments]),
        ];
        steps.extend(keys.iter().map(|key| made.bound(key)));
        rabbit(&steps);
        made
    }

    /// Makes the exchange again, with the queue at it.
    pub fn create_exchange(&self) {
        rabbit(&[json!(["exchange", self.exchange, "topic"]), self.bound("#")]);
    }

    pub fn delete_exchange(&self) {
        rabbit(&[json!(["delete exchange", self.exchange])]);
    }

    /// How many messages are in the queue.
    pub fn count(&self) -> usize {
        let told = rabbit(&[json!(["count", self.queue])]);
        usize::try_from(told[0].as_u64().expect("a count")).expect("a count")
    }

    /// Takes out what is in the queue, in order.
    pub fn drain(&self) -> Vec<RabbitMessage> {
        let told = rabbit(&[json!(["drain", self.queue])]);
        let told = told[0].as_array().expect("messages").iter();
        told.map(RabbitMessage::of).collect()
    }

    fn bound(&self, key: &str) -> Value {
        json!(["bind", self.queue, self.exchange, key])
    }
}

fn rabbit(steps: &[Value]) -> Vec<Value> {
    let told = python::run("rabbitmq.py", &json!({"address": rabbitmq(), "do": steps}));
    told.as_array().expect("what each step gives").clone()
}

impl RabbitMessage {
    fn of(told: &Value) -> Self {
        let text = |name: &str| told[name].as_str().expect(name).to_owned();
        let headers = told["headers"].as_object().expect("headers").clone();
        Self {
            id: text("message_id"),
            routing_key: text("routing_key"),
            body: decoded(&told["body"]),
            content_type: text("content_type"),
            delivery_mode: told["delivery_mode"].as_i64().expect("a mode"),
            timestamp: told["timestamp"].as_i64(),
            headers: headers.into_iter().collect(),
        }
    }

    /// A header that is text.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8(decoded(&self.headers[name])).expect("text")
    }

    /// The record that it was.
    pub fn record(&self) -> Stored {
        let (partition, offset) = place(&self.text("eddy-source"));
        let is_tombstone = self.headers.get("eddy-tombstone") == Some(&json!(true));
        assert!(!is_tombstone || self.body.is_empty());
        let headers = self.headers.get("eddy-headers");
        let headers = headers.map_or(&[][..], |all| all.as_array().expect("an array"));
        let headers = headers.iter().map(|pair| {
            let name = String::from_utf8(decoded(&pair["name"])).expect("text");
            let value = &pair["value"];
            (name, (!value.is_null()).then(|| decoded(value)))
        });
        Stored {
            partition,
            offset,
            key: self.headers.get("eddy-key").map(decoded),
            value: (!is_tombstone).then(|| self.body.clone()),
            headers: headers.collect(),
            timestamp_ms: self
                .headers
                .get("eddy-source-timestamp")
                .and_then(Value::as_i64),
        }
    }
}

/// A queue of SQS.
pub struct SqsQueue {
    pub url: String,
    name: String,
}

/// A message as SQS gives it.
#[derive(Debug, Clone)]
pub struct SqsMessage {
    pub body: String,
    pub attributes: BTreeMap<String, String>,
    /// Of a FIFO queue.
    pub group: Option<String>,
    /// Of a FIFO queue.
    pub deduplication: Option<String>,
}

impl SqsQueue {
    pub fn standard(prefix: &str) -> Self {
        Self::create(unique(prefix))
    }

    pub fn fifo(prefix: &str) -> Self {
        Self::create(format!("{}.fifo", unique(prefix)))
    }

    fn create(name: String) -> Self {
        let attributes = match name.ends_with(".fifo") {
            true => json!({"FifoQueue": "true"}),
            false => json!({}),
        };
        let told = queue(&[json!(["create", name, attributes])]);
        let url = told[0].as_str().expect("a URL").to_owned();
        Self { url, name }
    }

    /// Makes it again after its deletion.
    pub fn create_again(&self) {
        Self::create(self.name.clone());
    }

    pub fn delete(&self) {
        queue(&[json!(["delete", self.url])]);
    }

    /// How many messages can be received.
    pub fn count(&self) -> usize {
        let told = queue(&[json!(["count", self.url])]);
        usize::try_from(told[0].as_u64().expect("a count")).expect("a count")
    }

    /// Takes out what is in the queue.
    pub fn drain(&self) -> Vec<SqsMessage> {
        let told = queue(&[json!(["drain", self.url])]);
        let told = told[0].as_array().expect("messages").iter();
        told.map(SqsMessage::of).collect()
    }
}

fn queue(steps: &[Value]) -> Vec<Value> {
    let told = python::run("sqs.py", &json!({"endpoint": sqs(), "do": steps}));
    told.as_array().expect("what each step gives").clone()
}

impl SqsMessage {
    fn of(told: &Value) -> Self {
        let attributes = told["MessageAttributes"].as_object().expect("attributes");
        let own = |name: &str| told["Attributes"][name].as_str().map(str::to_owned);
        Self {
            body: told["Body"].as_str().expect("a body").to_owned(),
            attributes: attributes
                .iter()
                .map(|(name, value)| {
                    let text = value["StringValue"].as_str().expect("text");
                    (name.clone(), text.to_owned())
                })
                .collect(),
            group: own("MessageGroupId"),
            deduplication: own("MessageDeduplicationId"),
        }
    }

    pub fn id(&self) -> &str {
        &self.attributes["eddy-id"]
    }

    /// The record that it was.
    pub fn record(&self) -> Stored {
        let about: Value = serde_json::from_str(&self.attributes["eddy-record"]).expect("JSON");
        let part = |of: &Value, name: &str| match (&of[name], &of[format!("{name}_base64")]) {
            (Value::String(text), _) => Some(text.clone().into_bytes()),
            (_, bytes @ Value::String(_)) => Some(decoded(bytes)),
            _ => None,
        };
        let headers = about["headers"].as_array().expect("headers").iter();
        let form = self.attributes.get("eddy-body").map(String::as_str);
        let (partition, offset) = place(&self.attributes["eddy-source"]);
        Stored {
            partition,
            offset,
            key: part(&about, "key"),
            value: match form {
                None => Some(self.body.clone().into_bytes()),
                Some("base64") => Some(STANDARD.decode(&self.body).expect("base64")),
                Some("empty") => Some(Vec::new()),
                Some(form) => {
                    assert_eq!(form, "null");
                    None
                }
            },
            headers: headers
                .map(|header| {
                    let name = header["name"].as_str().expect("a name").to_owned();
                    (name, part(header, "value"))
                })
                .collect(),
            timestamp_ms: about["timestamp"].as_i64(),
        }
    }
}

/// `topic:partition:offset`'s partition and offset.
fn place(source: &str) -> (i32, i64) {
    let mut parts = source.rsplit(':');
    let mut part = || parts.next().expect("a part");
    let offset = part().parse().expect("an offset");
    (part().parse().expect("a partition"), offset)
}

fn decoded(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("base64");
    STANDARD.decode(text).expect("base64")
}
