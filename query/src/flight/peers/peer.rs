//! One worker in another process: how it is asked, and for how long it isn't after it was away.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use eddy_engine::read::LiveBatch;
use eddy_engine::state::workers::Announcement;
use eddy_engine::{Lake, TablePath};
use tonic::transport::{Channel, Endpoint};

use super::fetch::{Asking, fetch};
use super::held::Held;
use super::{Away, Shared};
use crate::error::{Error, ErrorKind, Result};

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// How long one that was away isn't asked again, the first time and at most.
const AWAY: Duration = Duration::from_secs(1);
const AWAY_MAX: Duration = Duration::from_secs(10);

/// The largest message that is taken: one record may be that large.
const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// A table of which nothing was asked for so long is let go.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A lake's URL and a table in it.
type Place = (String, TablePath);

/// A worker.
pub(super) struct Peer {
    said: Announcement,
    said_at_ms: AtomicI64,
    health: Mutex<Health>,
    tables: Mutex<BTreeMap<Place, Arc<Table>>>,
}

#[derive(Default)]
struct Health {
    client: Option<FlightServiceClient<Channel>>,
    /// How often it was away, one time after the other.
    failures: u32,
    /// Not to be asked before this.
    not_before: Duration,
    error: Option<String>,
    answered_at: Option<Duration>,
}

/// One is asked after the other, so that none fetches what another one is about to hold.
#[derive(Default)]
struct Table {
    held: tokio::sync::Mutex<Held>,
    asked_at: Mutex<Duration>,
}

/// How a worker does, for `system.workers`.
#[derive(Debug, Clone)]
pub(crate) struct PeerState {
    /// What it said of itself.
    pub(crate) said: Announcement,
    /// How long ago it last answered a query.
    pub(crate) answered: Option<Duration>,
    /// Why it is away.
    pub(crate) error: Option<String>,
}

impl Peer {
    /// The worker of an announcement; nothing is asked yet.
    pub(super) fn new(said: Announcement) -> Self {
        Self {
            said_at_ms: AtomicI64::new(said.said_at_ms),
            said,
            health: Mutex::default(),
            tables: Mutex::default(),
        }
    }

    /// Whether that is its address.
    pub(super) fn is_at(&self, address: &str) -> bool {
        self.said.address == address
    }

    /// It said again that it lives.
    pub(super) fn said(&self, at_ms: i64) {
        self.said_at_ms.store(at_ms, Ordering::Relaxed);
    }

    /// It is away for this reason.
    pub(super) fn away(&self, reason: String) -> Away {
        Away {
            worker: self.said.worker.clone(),
            address: self.said.address.clone(),
            reason,
        }
    }

    /// How it does.
    pub(super) fn state(&self, shared: &Shared) -> PeerState {
        let mut said = self.said.clone();
        said.said_at_ms = self.said_at_ms.load(Ordering::Relaxed);
        let health = self.health();
        let now = shared.clock.monotonic();
        PeerState {
            said,
            answered: health.answered_at.map(|at| now.saturating_sub(at)),
            error: health.error.clone(),
        }
    }

    /// The uncommitted rows of a table, and why not all of them are there.
    pub(super) async fn live(
        &self,
        shared: &Shared,
        lake: &Lake,
        table: &TablePath,
    ) -> (Vec<Arc<LiveBatch>>, Option<String>) {
        let client = match self.client(shared) {
            Ok(client) => client,
            Err(reason) => return (Vec::new(), Some(reason)),
        };
        let of_table = self.table(shared, lake, table);
        let mut held = of_table.held.lock().await;
        let asking = Asking {
            client,
            shared,
            process: &self.said.process,
            lake,
            table,
        };
        let fetched = fetch(asking, &mut held).await;
        self.note(shared, fetched.as_ref().err());
        match fetched {
            Ok(missing) => (held.batches(), missing),
            Err(error) => (Vec::new(), Some(error.to_string())),
        }
    }

    /// What to ask it with, unless it was away a moment ago.
    fn client(&self, shared: &Shared) -> Result<FlightServiceClient<Channel>, String> {
        let mut health = self.health();
        if shared.clock.monotonic() < health.not_before {
            return Err(health.error.clone().unwrap_or_default());
        }
        if let Some(client) = &health.client {
            return Ok(client.clone());
        }
        let client = connect(&self.said.address).map_err(|error| error.to_string())?;
        health.client = Some(client.clone());
        Ok(client)
    }

    /// Notes how asking went.
    fn note(&self, shared: &Shared, error: Option<&Error>) {
        let now = shared.clock.monotonic();
        let mut health = self.health();
        health.error = error.map(ToString::to_string);
        match error {
            None => {
                health.failures = 0;
                health.answered_at = Some(now);
            }
            // It is there.
            Some(error) if error.kind() == ErrorKind::Busy => {}
            Some(error) => {
                if health.failures == 0 {
                    let (worker, address) = (&self.said.worker, &self.said.address);
                    tracing::warn!(%worker, %address, %error, "a worker is away");
                }
                let away = AWAY
                    .saturating_mul(1 << health.failures.min(8))
                    .min(AWAY_MAX);
                health.failures = health.failures.saturating_add(1);
                health.not_before = now.saturating_add(away);
            }
        }
    }

    /// What is held of a table. What nobody asks for goes.
    fn table(&self, shared: &Shared, lake: &Lake, table: &TablePath) -> Arc<Table> {
        let now = shared.clock.monotonic();
        let at = |one: &Table| *one.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.retain(|_, one| now.saturating_sub(at(one)) < IDLE_MAX);
        let place = (lake.url().as_str().to_owned(), table.clone());
        let new = || {
            Arc::new(Table {
                held: tokio::sync::Mutex::new(Held::new(&shared.held_bytes)),
                ..Table::default()
            })
        };
        let one = Arc::clone(tables.entry(place).or_insert_with(new));
        *one.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = now;
        one
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(address: &str) -> Result<FlightServiceClient<Channel>> {
    let wrong = |error| Error::invalid(format!("`{address}` is no address of a worker: {error}"));
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(wrong)?;
    let channel = endpoint
        .connect_timeout(CONNECT_MAX)
        .tcp_nodelay(true)
        .http2_adaptive_window(true)
        .connect_lazy();
    Ok(FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX))
}
