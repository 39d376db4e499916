//! The workers of the lake in other processes, and their live rows.
//!
//! Who they are is in the lake (`eddy_engine::state::workers`). Each query asks all of them for the
//! uncommitted rows of its table, *before* it looks at the lake: what was committed meanwhile is in
//! the version that it finds then, and what is in both is clipped (P20, E8). What a worker has told
//! once is held (`held`), so that a query costs a worker what is new since the last one.
//!
//! A worker that doesn't answer is away: the answer has what the lake has, and says so. It isn't
//! asked again for a moment, so that it costs the next queries no time.

mod fetch;
mod held;
mod peer;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eddy_engine::read::LiveBatch;
use eddy_engine::state::workers::{Announcement, announced};
use eddy_engine::{Clock, Lake, TablePath};
use futures::StreamExt;

use self::peer::Peer;
use crate::http::Token;

pub(crate) use self::peer::PeerState;

/// A list of workers that is older is read anew beside the query, so that a new worker is asked
/// soon and nobody waits for it.
const LIST_AGE: Duration = Duration::from_secs(2);

/// A list that is older isn't believed: the query waits for a new one.
const LIST_AGE_MAX: Duration = Duration::from_secs(10);

/// Workers that are asked at once.
const AT_ONCE: usize = 64;

/// The live rows of other processes, and who didn't answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Elsewhere {
    /// The rows.
    pub(crate) batches: Vec<Arc<LiveBatch>>,
    /// The workers whose rows are missing, or some of them.
    pub(crate) away: Vec<Away>,
}

/// A worker whose rows are missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(crate) struct Away {
    /// Its id.
    pub(crate) worker: String,
    /// Where it was asked.
    pub(crate) address: String,
    /// What happened.
    pub(crate) reason: String,
}

/// All other workers of a lake.
pub(crate) struct Peers {
    lake: Lake,
    process: String,
    shared: Shared,
    known: Mutex<Known>,
    /// Held by whoever reads the list.
    looking: Arc<tokio::sync::Mutex<()>>,
}

/// What all of them have in common.
#[derive(Clone)]
struct Shared {
    clock: Clock,
    token: Option<Token>,
    /// The bytes that are held of all tables and workers.
    held_bytes: Arc<AtomicUsize>,
    held_bytes_max: usize,
}

#[derive(Default)]
struct Known {
    looked_at: Option<Duration>,
    peers: BTreeMap<String, Arc<Peer>>,
    /// Why the list is older than it should be.
    error: Option<String>,
}

impl Known {
    /// How old the list is.
    fn age(&self, now: Duration) -> Option<Duration> {
        self.looked_at.map(|at| now.saturating_sub(at))
    }
}

impl Peers {
    /// Those that announce themselves in `lake`, but for `process` itself. At most `held_bytes_max`
    /// of their rows are held.
    pub(crate) fn new(
        lake: Lake,
        process: String,
        token: Option<Token>,
        held_bytes_max: usize,
    ) -> Self {
        let shared = Shared {
            clock: lake.clock().clone(),
            token,
            held_bytes: Arc::default(),
            held_bytes_max,
        };
        Self {
            lake,
            process,
            shared,
            known: Mutex::default(),
            looking: Arc::default(),
        }
    }

    /// The uncommitted rows of a table. Look at the lake afterwards.
    pub(crate) async fn live(self: &Arc<Self>, lake: &Lake, table: &TablePath) -> Elsewhere {
        let (peers, error) = self.peers().await;
        let asked = peers
            .iter()
            .map(|peer| peer.live(&self.shared, lake, table));
        let asked: Vec<_> = asked.collect();
        let answers = futures::stream::iter(asked).buffered(AT_ONCE);
        let answers: Vec<(Vec<Arc<LiveBatch>>, Option<String>)> = answers.collect().await;
        let mut elsewhere = Elsewhere::default();
        for (peer, (batches, reason)) in peers.iter().zip(answers) {
            elsewhere.batches.extend(batches);
            elsewhere
                .away
                .extend(reason.map(|reason| peer.away(reason)));
        }
        elsewhere.away.extend(error.map(|error| Away {
            worker: "?".to_owned(),
            address: String::new(),
            reason: format!("the lake's list of workers can't be read: {error}"),
        }));
        elsewhere
    }

    /// How each of them does.
    pub(crate) fn states(&self) -> Vec<PeerState> {
        let known = self.known();
        let peers = known.peers.values();
        peers.map(|peer| peer.state(&self.shared)).collect()
    }

    /// Those that are known by now; the lake is asked when that is old.
    async fn peers(self: &Arc<Self>) -> (Vec<Arc<Peer>>, Option<String>) {
        let age = self.known().age(self.shared.clock.monotonic());
        if age.is_none_or(|age| age >= LIST_AGE_MAX) {
            let _alone = self.looking.lock().await;
            let age = self.known().age(self.shared.clock.monotonic());
            if age.is_none_or(|age| age >= LIST_AGE_MAX) {
                self.look().await;
            }
        } else if age.is_some_and(|age| age >= LIST_AGE)
            && let Ok(alone) = Arc::clone(&self.looking).try_lock_owned()
        {
            let this = Arc::clone(self);
            tokio::spawn(async move {
                this.look().await;
                drop(alone);
            });
        }
        let known = self.known();
        (known.peers.values().cloned().collect(), known.error.clone())
    }

    /// Reads the list anew.
    async fn look(&self) {
        let now = self.shared.clock.monotonic();
        let said = announced(&self.lake).await;
        let mut known = self.known();
        known.looked_at = Some(now);
        match said {
            Ok(said) => {
                known.error = None;
                self.learn(&mut known.peers, said);
            }
            Err(error) => known.error = Some(error.to_string()),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, peers: &mut BTreeMap<String, Arc<Peer>>, said: Vec<Announcement>) {
        let others = said.into_iter().filter(|one| one.process != self.process);
        let mut learned = BTreeMap::new();
        for one in others {
            let process = one.process.clone();
            let peer = match peers.remove(&process) {
                Some(known) if known.is_at(&one.address) => {
                    known.said(one.said_at_ms);
                    known
                }
                _ => Arc::new(Peer::new(one)),
            };
            learned.insert(process, peer);
        }
        *peers = learned;
    }
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers")
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}
