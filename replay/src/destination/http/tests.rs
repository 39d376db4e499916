//! The destination before a server that misbehaves: counts add up, nothing is dropped, what comes
//! twice has the same key, order is what the replay asked for.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod failing;
mod mapping;
mod oauth;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering as Atomic};
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
pub(super) fn packed() -> Packed {
    Packed {
        id: "r:id:3:42".to_owned(),
        replay: "r".to_owned(),
        topic: "orders".to_owned(),
        partition: 3,
        offset: 42,
        timestamp_ms: Some(1_500),
        key: Some(Bytes::from_static(b"k\xff")),
        value: Some(Bytes::from_static(b"{\"a\": 1}")),
        headers: vec![
            ("h".to_owned(), None),
            ("h".to_owned(), Some(Bytes::new())),
            (
                "\u{43a}=,".to_owned(),
                Some(Bytes::from_static(b"\xff\r\n")),
            ),
        ],
    }
}

/// Replays into a server.
struct Room {
    _folder: tempfile::TempDir,
    jobs: Jobs,
    records: Vec<Stored>,
}

impl Room {
    /// Records of so many partitions; a replay of them goes to `url` with `options`.
    async fn new(partitions: i32, records: i64, url: &str, options: &[(&str, &str)]) -> Self {
        let all = (0..partitions).flat_map(|at| (0..records).map(move |n| Stored::full(at, n)));
        Self::of(all.collect(), url, options).await
    }

    async fn of(records: Vec<Stored>, url: &str, options: &[(&str, &str)]) -> Self {
        let (folder, lake) = lake(Clock::system());
        let url = [("url", url)];
        let options = url.iter().chain(options);
        let definition = Definition {
            name: "hook".to_owned(),
            kind: "http".to_owned(),
            options: options
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let reach = Reach::parse("127.0.0.0/8").unwrap();
        let kinds = vec![Kind::Http(Http::new(Clock::system(), reach))];
        let destinations = Destinations::with_kinds(&lake, vec![definition], kinds).unwrap();
        let source = Arc::new(FakeSource(records.clone()));
        let tuning = Tuning {
            save_min: Duration::ZERO,
            save_max: Duration::from_millis(1),
            pause_min: Duration::from_millis(1),
            ..Tuning::default()
        };
        let jobs = Jobs::open_tuned(lake, source, destinations, tuning)
            .await
            .unwrap();
        Self {
            _folder: folder,
            jobs,
            records,
        }
    }

    /// Starts a replay of the name `r`, and waits until it has ended.
    async fn ends(&self, options: &[(&str, &str)]) -> Job {
        let name = [("name", "r")];
        let options = name.iter().chain(options);
        let request = crate::request::Request {
            select: "SELECT * FROM orders".to_owned(),
            destination: "hook".to_owned(),
            options: options
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            text: "SELECT * INTO hook FROM orders".to_owned(),
        };
        self.jobs.start(&request).await.unwrap();
        self.end().await
    }

    /// Waits until the replay has ended.
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

    /// Resumes it, and waits until it has ended.
    async fn resumes(&self) -> Job {
        self.jobs.resume("r", None).await.unwrap();
        self.end().await
    }

    /// Every record was done at least once, and what was done again had the same key and body.
    fn all_done(&self, web: &Web) -> BTreeMap<String, usize> {
        let mut bodies: BTreeMap<String, (Vec<u8>, usize)> = BTreeMap::new();
        for request in web.done() {
            let key = request.header("idempotency-key").unwrap().to_owned();
            let known = bodies.entry(key).or_insert((request.body.clone(), 0));
            assert_eq!(known.0, request.body, "another body under the same key");
            known.1 += 1;
        }
        let done: BTreeSet<Vec<u8>> = bodies.values().map(|(body, _)| body.clone()).collect();
        let values = self
            .records
            .iter()
            .map(|record| record.value.clone().unwrap());
        assert_eq!(done, values.collect());
        assert_eq!(bodies.len(), self.records.len(), "one key a record");
        bodies
            .into_iter()
            .map(|(key, (_, times))| (key, times))
            .collect()
    }
}

/// `Eddy-Source`'s partition and offset.
fn place(request: &Seen) -> (i32, i64) {
    let source = request.header("eddy-source").unwrap();
    let mut parts = source.split(':').skip(1);
    let mut part = || parts.next().unwrap();
    (part().parse().unwrap(), part().parse().unwrap())
}
