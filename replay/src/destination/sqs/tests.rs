//! The destination before a service that misbehaves: counts add up, nothing is dropped, what comes
//! twice has the same id.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod failing;
mod mapping;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::destination::{Definition, Destinations, Kind};
use crate::job::{Job, State};
use crate::jobs::Jobs;
use crate::run::Tuning;
use crate::testing::web::{Reply, Request as Seen, Web};
use crate::testing::{FakeSource, Stored, lake};

/// Longer than anything here takes; a test that waits for it has failed.
const DEADLINE: Duration = Duration::from_secs(60);

/// A record that has everything.
fn packed() -> Packed {
    Packed {
        id: "r:id:3:42".to_owned(),
        replay: "r".to_owned(),
        topic: "orders".to_owned(),
        partition: 3,
        offset: 42,
        timestamp_ms: Some(1_500),
        key: Some(Bytes::from_static(b"k")),
        value: Some(Bytes::from_static(b"{\"a\": 1}")),
        headers: Vec::new(),
    }
}

/// The options of a queue at `url`.
fn options(url: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let base = [
        ("queue.url", url),
        ("region", "eu-central-1"),
        ("access.key.id", "AKID"),
        ("secret.access.key", "hunter2"),
    ];
    let options = base.iter().chain(more);
    options
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// A service that does what `script` says of a request's entries; `number` counts requests to send.
fn service(script: impl Fn(&[Value], usize) -> Reply + Send + Sync + 'static) -> Web {
    let sends = AtomicUsize::new(0);
    Web::start(move |seen, _| match seen.header("x-amz-target") {
        Some("AmazonSQS.SendMessageBatch") => {
            script(&entries(seen), sends.fetch_add(1, Atomic::SeqCst))
        }
        _ => {
            let said = json!({"Attributes": {"MaximumMessageSize": "262144"}});
            Reply::Answer(200, Vec::new(), said.to_string())
        }
    })
}

fn entries(seen: &Seen) -> Vec<Value> {
    let asked: Value = serde_json::from_slice(&seen.body).unwrap();
    asked["Entries"].as_array().cloned().unwrap_or_default()
}

/// All entries are taken, but those for which there is an error.
fn answer(entries: &[Value], error: impl Fn(&Value) -> Option<(bool, &'static str)>) -> Reply {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match error(entry) {
            None => successful.push(json!({"Id": entry["Id"], "MessageId": "m"})),
            Some((fault, code)) => {
                failed.push(json!({"Id": entry["Id"], "SenderFault": fault, "Code": code}));
            }
        }
    }
    let said = json!({"Successful": successful, "Failed": failed});
    Reply::Answer(200, Vec::new(), said.to_string())
}

fn taken(entries: &[Value]) -> Reply {
    answer(entries, |_| None)
}

fn refused(status: u16, code: &str, message: &str) -> Reply {
    let said = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message});
    Reply::Answer(status, Vec::new(), said.to_string())
}

fn id(entry: &Value) -> String {
    let id = &entry["MessageAttributes"]["eddy-id"]["StringValue"];
    id.as_str().unwrap().to_owned()
}

/// The offset that stands at the end of a record's id.
fn offset(entry: &Value) -> i64 {
    id(entry).rsplit(':').next().unwrap().parse().unwrap()
}

/// Replays into a service.
struct Room {
    _folder: tempfile::TempDir,
    jobs: Jobs,
}

impl Room {
    async fn new(records: Vec<Stored>, web: &Web, queue: &str, more: &[(&str, &str)]) -> Self {
        let (folder, lake) = lake(Clock::system());
        let definition = Definition {
            name: "queue".to_owned(),
            kind: "sqs".to_owned(),
            options: options(&web.url(queue), more),
        };
        let reach = Reach::parse("127.0.0.0/8").unwrap();
        let kinds = vec![Kind::Sqs(Sqs::new(Clock::system(), reach))];
        let destinations = Destinations::with_kinds(&lake, vec![definition], kinds).unwrap();
        let source = Arc::new(FakeSource(records));
        let tuning = Tuning {
            save_min: Duration::ZERO,
            save_max: Duration::from_millis(1),
            pause_min: Duration::from_millis(1),
            ..Tuning::default()
        };
        let jobs = Jobs::open_tuned(lake, source, destinations, tuning);
        Self {
            _folder: folder,
            jobs: jobs.await.unwrap(),
        }
    }

    /// Starts a replay of the name `r`, and waits until it has ended.
    async fn ends(&self, options: &[(&str, &str)]) -> Job {
        let name = [("name", "r")];
        let options = name.iter().chain(options);
        let request = crate::request::Request {
            select: "SELECT * FROM orders".to_owned(),
            destination: "queue".to_owned(),
            options: options
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            text: "SELECT * INTO queue FROM orders".to_owned(),
        };
        self.jobs.start(&request).await.unwrap();
        self.end().await
    }

    async fn end(&self) -> Job {
        let waiting = async {
            loop {
                let job = self.jobs.show("r").await.unwrap();
                if !matches!(job.state, State::Planned | State::Running) {
                    return job;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.unwrap()
    }
}

fn records(partitions: i32, count: i64) -> Vec<Stored> {
    let all = (0..partitions).flat_map(|at| (0..count).map(move |n| Stored::full(at, n)));
    all.collect()
}
