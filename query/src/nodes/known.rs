//! Who the other nodes are: the addresses of `[query] peers`, and what each of them said of itself
//! a moment ago.
//!
//! Before a query goes to others, they are greeted, all at once and within a second, unless that
//! was done a moment ago. Who doesn't answer isn't asked for a while. Who answers says its version,
//! its lake and its process: with another version plans may mean something else, in another lake
//! they mean other files, and one of the addresses may be our own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use datafusion_distributed::{GetWorkerInfoRequest, WorkerChannel};
use eddy_engine::{Clock, Lake};
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use super::channel::Way;
use crate::error::{Error, Result};
use crate::http::Token;

/// How long addresses of names are believed.
const ADDRESSES_AGE_MAX: Duration = Duration::from_secs(5);

/// How long a greeting lasts.
const GREETING_AGE_MAX: Duration = Duration::from_secs(3);

/// How long names and greetings may take before a query goes without them.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long a node that was away isn't asked again.
const AWAY: Duration = Duration::from_secs(5);

/// Nodes beyond these aren't asked: each costs a connection and a copy of the plan.
const NODES_MAX: usize = 64;

/// The port of a peer that is given without one.
const PORT: u16 = 8483;

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    /// Eddy's version.
    version: String,
    /// The lake's URL.
    lake: String,
    /// The process, a UUID.
    process: String,
}

impl Said {
    /// What this process says, which has `lake`.
    pub(super) fn of(lake: &Lake, process: Uuid) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            lake: lake.url().as_str().to_owned(),
            process: process.to_string(),
        }
    }

    /// The same as text.
    pub(super) fn text(&self) -> Result<String> {
        let text = serde_json::to_string(self);
        text.map_err(|error| Error::internal(format!("what a node says of itself: {error}")))
    }

    /// Why plans of one can't be done by the other.
    fn differs(&self, other: &Self) -> Option<String> {
        if self.version != other.version {
            return Some(format!("it is version {} of Eddy", other.version));
        }
        (self.lake != other.lake).then(|| format!("its lake is `{}`", other.lake))
    }
}

/// A node of one query.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) process: Uuid,
    /// What plans call it.
    pub(super) url: Url,
    /// None for this process.
    way: Option<(SocketAddr, Way)>,
}

impl Node {
    /// This process.
    pub(super) fn here(process: Uuid) -> Self {
        Self {
            process,
            url: place("eddy://here"),
            way: None,
        }
    }

    /// Another one.
    fn at(address: SocketAddr, process: Uuid, way: Way) -> Self {
        Self {
            process,
            url: place(&format!("http://{address}")),
            way: Some((address, way)),
        }
    }

    /// Where it is reached, if it is another one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.way.as_ref().map(|(address, _)| *address)
    }

    /// What it is asked with, if it is another one.
    pub(super) fn client(&self) -> Option<Box<dyn WorkerChannel>> {
        self.way.as_ref().map(|(_, way)| way.client())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(address) => write!(f, "node `{address}`"),
            None => f.write_str("this node"),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "a fixed scheme before a socket's address is a URL"
)]
fn place(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

/// All peers, and how each of them does.
pub(super) struct Known {
    peers: Vec<String>,
    process: Uuid,
    said: Said,
    token: Option<Token>,
    clock: Clock,
    addresses: Mutex<Addresses>,
    /// Held by whoever greets.
    greeting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Addresses {
    looked_at: Option<Duration>,
    all: BTreeMap<SocketAddr, Peer>,
}

struct Peer {
    way: Way,
    /// When it last answered, and what.
    greeted: Option<(Duration, Said)>,
    /// Not to be asked before this.
    not_before: Duration,
    /// Whether its absence was told.
    is_told: bool,
}

impl Known {
    /// None of them asked yet.
    ///
    /// # Errors
    /// `Invalid` when a peer is no `host:port`.
    pub(super) fn new(
        peers: Vec<String>,
        (process, said): (Uuid, Said),
        token: Option<Token>,
        clock: Clock,
    ) -> Result<Self> {
        let peers: Result<Vec<String>> = peers.iter().map(|peer| with_port(peer)).collect();
        Ok(Self {
            peers: peers?,
            process,
            said,
            token,
            clock,
            addresses: Mutex::default(),
            greeting: tokio::sync::Mutex::default(),
        })
    }

    /// This process.
    pub(super) fn process(&self) -> Uuid {
        self.process
    }

    /// The others that are there now.
    pub(super) async fn others(&self) -> Vec<Node> {
        let _alone = self.greeting.lock().await;
        self.look().await;
        let now = self.clock.monotonic();
        let due: Vec<(SocketAddr, Way)> = self.due(now);
        let greeted = due.into_iter().map(|(address, way)| async move {
            let said = tokio::select! {
                said = greet(&way) => said,
                () = self.clock.sleep(ANSWER_MAX) => Err("it says nothing".to_owned()),
            };
            self.note(address, said);
        });
        futures::future::join_all(greeted).await;
        self.there()
    }

    /// A node isn't there, as a query found out.
    pub(super) fn away(&self, address: SocketAddr) {
        self.note(address, Err("it went away during a query".to_owned()));
    }

    /// Looks the peers' names up when that was long ago.
    async fn look(&self) {
        let now = self.clock.monotonic();
        let age = self.addresses().looked_at.map(|at| now.saturating_sub(at));
        if age.is_some_and(|age| age < ADDRESSES_AGE_MAX) {
            return;
        }
        let looked = self.peers.iter().map(|peer| self.addresses_of(peer));
        let looked: Vec<Option<Vec<SocketAddr>>> = futures::future::join_all(looked).await;
        let is_whole = looked.iter().all(Option::is_some);
        let found: BTreeSet<SocketAddr> = looked.into_iter().flatten().flatten().collect();
        let mut addresses = self.addresses();
        addresses.looked_at = Some(now);
        // A name server that fails takes nobody away.
        if is_whole {
            addresses.all.retain(|address, _| found.contains(address));
        }
        for address in found.into_iter().take(NODES_MAX) {
            if addresses.all.contains_key(&address) {
                continue;
            }
            match Way::to(address, self.token.as_ref()) {
                Ok(way) => {
                    addresses.all.insert(address, Peer::new(way));
                }
                Err(error) => tracing::warn!(%address, %error, "a peer can't be asked"),
            }
        }
    }

    /// The addresses that a peer's name stands for; `None` where nobody could tell.
    async fn addresses_of(&self, peer: &str) -> Option<Vec<SocketAddr>> {
        let found = tokio::select! {
            found = tokio::net::lookup_host(peer) => found.map_err(|error| error.to_string()),
            () = self.clock.sleep(ANSWER_MAX) => Err("no answer".to_owned()),
        };
        match found {
            Ok(found) => Some(found.collect()),
            Err(error) => {
                tracing::warn!(%peer, %error, "a peer's address isn't found");
                None
            }
        }
    }

    /// Those that must be greeted now.
    fn due(&self, now: Duration) -> Vec<(SocketAddr, Way)> {
        let is_due = |peer: &Peer| {
            // Nobody else is at our own address.
            let said = peer.greeted.as_ref();
            if said.is_some_and(|(_, said)| said.process == self.said.process) {
                return false;
            }
            let age = peer.greeted.as_ref().map(|(at, _)| now.saturating_sub(*at));
            now >= peer.not_before && age.is_none_or(|age| age >= GREETING_AGE_MAX)
        };
        let addresses = self.addresses();
        let due = addresses.all.iter().filter(|(_, peer)| is_due(peer));
        due.map(|(address, peer)| (*address, peer.way.clone()))
            .collect()
    }

    fn note(&self, address: SocketAddr, said: Result<Said, String>) {
        let now = self.clock.monotonic();
        let mut addresses = self.addresses();
        let Some(peer) = addresses.all.get_mut(&address) else {
            return;
        };
        let reason = match said {
            Ok(said) => {
                let differs = self.said.differs(&said);
                peer.greeted = Some((now, said));
                differs
            }
            Err(error) => Some(error),
        };
        match reason {
            Some(reason) => {
                if !peer.is_told {
                    tracing::warn!(%address, reason, "a peer takes no part in queries");
                }
                peer.is_told = true;
                peer.greeted = None;
                peer.not_before = now.saturating_add(AWAY);
            }
            None => {
                if peer.is_told {
                    tracing::info!(%address, "a peer takes part in queries again");
                }
                peer.is_told = false;
            }
        }
    }

    /// Those that answered, each process once and without our own.
    fn there(&self) -> Vec<Node> {
        let mut processes = BTreeSet::from([self.process]);
        let addresses = self.addresses();
        let mut nodes = Vec::new();
        for (address, peer) in &addresses.all {
            let said = peer.greeted.as_ref();
            let process = said.and_then(|(_, said)| Uuid::parse_str(&said.process).ok());
            if let Some(process) = process
                && processes.insert(process)
            {
                nodes.push(Node::at(*address, process, peer.way.clone()));
            }
        }
        nodes
    }

    fn addresses(&self) -> MutexGuard<'_, Addresses> {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    fn new(way: Way) -> Self {
        Self {
            way,
            greeted: None,
            not_before: Duration::ZERO,
            is_told: false,
        }
    }
}

async fn greet(way: &Way) -> Result<Said, String> {
    let answer = way.client().get_worker_info(GetWorkerInfoRequest {}).await;
    let answer = answer.map_err(|error| error.strip_backtrace())?;
    serde_json::from_str(&answer.version).map_err(|_| "it is no node of Eddy".to_owned())
}

/// `host:port`, with our port where there is none.
fn with_port(peer: &str) -> Result<String> {
    let peer = peer.trim();
    if peer.parse::<SocketAddr>().is_ok() {
        return Ok(peer.to_owned());
    }
    if let Ok(address) = peer.parse::<std::net::IpAddr>() {
        return Ok(SocketAddr::new(address, PORT).to_string());
    }
    match peer.split_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(peer.to_owned())
        }
        None if !peer.is_empty() => Ok(format!("{peer}:{PORT}")),
        _ => Err(Error::invalid(format!(
            "`{peer}` in `query.peers` is no `host:port`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn peers_are_hosts_with_a_port_or_with_ours() {
        for (given, peer) in [
            ("10.0.0.1", "10.0.0.1:8483"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("::1", "[::1]:8483"),
            ("[::1]:9", "[::1]:9"),
            (" eddy-query ", "eddy-query:8483"),
            ("eddy-query:9", "eddy-query:9"),
        ] {
            assert_eq!(with_port(given).unwrap(), peer);
        }
        for wrong in ["", ":8483", "eddy:", "eddy:port", "http://eddy:8483"] {
            assert!(
                with_port(wrong)
                    .unwrap_err()
                    .to_string()
                    .contains("query.peers"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn another_version_and_another_lake_are_told_apart() {
        let said = |version: &str, lake: &str| Said {
            version: version.to_owned(),
            lake: lake.to_owned(),
            process: Uuid::nil().to_string(),
        };
        let ours = said("1", "s3://lake");
        assert_eq!(ours.differs(&ours), None);
        assert!(
            ours.differs(&said("2", "s3://lake"))
                .unwrap()
                .contains("version 2")
        );
        assert!(
            ours.differs(&said("1", "s3://other"))
                .unwrap()
                .contains("s3://other")
        );
        let other: Said = serde_json::from_str(&ours.text().unwrap()).unwrap();
        assert_eq!(other, ours);
    }
}
