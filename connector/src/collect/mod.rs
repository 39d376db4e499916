//! Collectors: events come in over HTTP and gRPC and go to Kafka, which acknowledges them.
//!
//! ```text
//! request -> token -> collection -> body (bounded) -> events -> Kafka (acks=all) -> 200, or OK
//! ```
//!
//! A collection is a name, a topic and the tokens that open it. `collection` says what one is,
//! `tokens` how tokens are made, stored and recognised; `registry` keeps them in the lake,
//! `declared` are those of the configuration file, `snapshot` is both at one moment. `door` finds
//! a token's collection, `rate` what a token may send, `room` bounds what is held and `places` the
//! connections. `topics` makes topics, `produce` writes to them, `deliver` sees to it that what
//! comes again counts once: `seen` remembers what Kafka has, `recall` reads it back, `once` tells
//! a key's second request. `statistics` counts. `rest` manages collections (as `manage` lets others
//! of this process), `http` and `grpc` take events.
//!
//! Whoever got 200 has every event of the request in Kafka. After 503, or no answer, some of them
//! may be there; after a 400 or 413 that says so the others are; after any other answer none is
//! (over gRPC: as `grpc` says). What the lake does with a topic is the connectors' matter: a
//! collector only writes to Kafka.

mod collection;
mod declared;
mod deliver;
mod door;
mod grpc;
mod http;
mod manage;
mod once;
mod places;
mod produce;
mod rate;
mod recall;
mod registry;
mod rest;
mod room;
mod seen;
mod snapshot;
mod statistics;
mod tokens;
mod topics;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use eddy_engine::{Clock, Lake};

use crate::error::Result;
use crate::kafka::{EmbeddedBroker, KafkaConfig};
pub use collection::{Collection, Issued, State};
pub use declared::Declared;
pub use grpc::{Connection, Grpc};
pub use places::{Activity, Asked, Place, Places};
pub use registry::Collections;

/// What a collector takes at most, and how long it waits.
#[derive(Debug, Clone)]
pub struct CollectorOptions {
    /// Bytes of one request's body, compressed and inflated.
    pub body_bytes_max: usize,
    /// Events of one request.
    pub events_max: usize,
    /// Bytes of all bodies that are held at once, and as many again on their way to Kafka.
    pub memory_bytes: usize,
    /// Requests that are worked on at once; others wait.
    pub requests_max: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request waits for room and for Kafka before it is told to come again. One with an
    /// `Idempotency-Key` is tried on behind that, for two minutes, and keeps its room.
    pub hold: Duration,
    /// The same over gRPC, whose clients drop what they are told to send again a few times.
    pub grpc_hold: Duration,
    /// Partitions of the topics that are made; -1 is the broker's default.
    pub partitions: i32,
    /// Copies of the topics that are made; -1 is the broker's default.
    pub replication: i32,
    /// Names of request headers that become headers of the records, in lower case.
    pub headers: Vec<String>,
    /// How long an event that may come again is remembered: one with an `Idempotency-Key`, and a
    /// record that came over gRPC.
    pub keys_for: Duration,
    /// How many keys are remembered at most, to tell when one comes with another request.
    pub keys_max: usize,
    /// How many such events are, in 16 bytes each. A restart brings back half as many.
    pub records_max: usize,
}

impl Default for CollectorOptions {
    fn default() -> Self {
        Self {
            body_bytes_max: 16 << 20,
            events_max: 10_000,
            memory_bytes: 128 << 20,
            requests_max: 1_024,
            body_timeout: Duration::from_secs(30),
            hold: Duration::from_secs(30),
            grpc_hold: Duration::from_secs(600),
            partitions: -1,
            replication: -1,
            headers: Vec::new(),
            keys_for: Duration::from_secs(600),
            keys_max: 100_000,
            records_max: 500_000,
        }
    }
}

/// Takes events for the collections of a lake. Cheap to clone.
#[derive(Clone)]
pub struct Collector(Arc<Inner>);

struct Inner {
    clock: Clock,
    options: CollectorOptions,
    kafka: KafkaConfig,
    collections: Collections,
    door: door::Door,
    rates: rate::Rates,
    topics: topics::Topics,
    producer: produce::Sender,
    window: once::Window,
    seen: seen::Seen,
    recall: recall::Recall,
    statistics: statistics::Statistics,
    room: room::Room,
}

impl Collector {
    /// A collector for the lake's collections and those that the configuration file declares.
    /// `embedded` is the broker that `kafka` reaches, if it is in this process: topics are asked of
    /// it directly.
    ///
    /// # Errors
    /// `Invalid` for a declared collection that can't be right, or a Kafka configuration that
    /// librdkafka refuses.
    pub fn open(
        lake: &Lake,
        kafka: &KafkaConfig,
        embedded: Option<Arc<EmbeddedBroker>>,
        declared: Vec<Declared>,
        options: CollectorOptions,
    ) -> Result<Self> {
        let clock = lake.clock().clone();
        let collections = Collections::open(lake, declared)?;
        Ok(Self(Arc::new(Inner {
            door: door::Door::new(collections.clone(), clock.clone()),
            rates: rate::Rates::default(),
            topics: topics::Topics::new(kafka, embedded, &options, clock.clone())?,
            producer: produce::Sender::new(
                kafka,
                options.memory_bytes,
                options.hold,
                produce::DECIDED,
                clock.clone(),
            )?,
            window: once::Window::new(options.keys_for, options.keys_max),
            seen: seen::Seen::new(options.keys_for, options.records_max),
            recall: recall::Recall::new(kafka, &options, clock.clone()),
            statistics: statistics::Statistics::default(),
            room: room::Room::new(&options),
            kafka: kafka.clone(),
            collections,
            clock,
            options,
        })))
    }

    /// What [`Collector::router`] serves, as an OpenAPI document.
    pub fn document() -> &'static str {
        http::DOCUMENT
    }

    /// Where producers send events: `POST /v1/collection`.
    pub fn router(&self) -> axum::Router {
        http::router(self.clone())
    }

    /// Where clients send records over gRPC: `services.GRPCCollector`.
    ///
    /// # Errors
    /// As [`Collector::open`].
    pub fn grpc(&self) -> Result<Grpc> {
        Grpc::new(self.clone())
    }

    /// `/api/v1/collections`, for those who manage collections.
    pub fn management(&self) -> axum::Router {
        rest::router(self.clone())
    }

    /// The columns of [`Collector::table`].
    pub fn table_schema() -> arrow::datatypes::SchemaRef {
        statistics::schema()
    }

    /// The collections and what this process took for them, a row each.
    ///
    /// # Errors
    /// `Unavailable` when the lake was never read and doesn't answer.
    pub async fn table(&self) -> Result<arrow::array::RecordBatch> {
        let snapshot = self.0.collections.current().await?;
        statistics::table(&snapshot, &self.0.statistics)
    }

    /// What this process took, in Prometheus' text format.
    pub fn metrics(&self) -> String {
        self.0.statistics.metrics()
    }
}

/// What `work` answers, or nothing when `limit` passes first.
async fn within<T>(clock: &Clock, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        // What is done at once needs no timer.
        biased;
        done = work => Some(done),
        () = clock.sleep(limit) => None,
    }
}
