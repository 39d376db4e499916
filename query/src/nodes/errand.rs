//! One query's dealings with other nodes: what they were given, what came of it, who failed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use datafusion::error::{DataFusionError, Result};
use datafusion_distributed::{ChannelResolver, TaskKey, Worker, WorkerChannel};
use url::Url;

use super::asked::{Asked, Here};
use super::known::Node;
use crate::error::Error;

/// What all parts of a query's plan have in common.
pub(crate) struct Errand {
    pub(super) nodes: Vec<Node>,
    worker: Worker,
    is_failed: AtomicBool,
    known: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    /// The rows of partitions that were read to their ends.
    ended: HashMap<TaskKey, BTreeMap<usize, u64>>,
    /// Parts whose nodes ended without saying how many rows they gave.
    silent: HashSet<TaskKey>,
    /// Nodes that don't answer.
    away: BTreeSet<SocketAddr>,
}

impl Errand {
    /// To these nodes, of which `worker` is this one.
    pub(super) fn new(nodes: Vec<Node>, worker: Worker) -> Self {
        Self {
            nodes,
            worker,
            is_failed: AtomicBool::new(false),
            known: Mutex::default(),
        }
    }

    /// Whether a node didn't do its part, for whatever reason.
    pub(crate) fn is_failed(&self) -> bool {
        self.is_failed.load(Ordering::SeqCst)
    }

    /// Whether that is because one went away.
    pub(crate) fn has_away(&self) -> bool {
        !self.found().away.is_empty()
    }

    /// Who didn't answer.
    pub(super) fn away(&self) -> BTreeSet<SocketAddr> {
        self.found().away.clone()
    }

    /// Notes that a node didn't do its part; `is_away` if that is because it isn't there.
    pub(super) fn failed(&self, node: &Node, is_away: bool) {
        self.is_failed.store(true, Ordering::SeqCst);
        if is_away {
            self.found().away.extend(node.address());
        }
    }

    /// Notes that a partition gave so many rows, and no more.
    pub(super) fn ended(&self, task: TaskKey, partition: usize, rows: u64) {
        let mut found = self.found();
        found.ended.entry(task).or_default().insert(partition, rows);
    }

    /// Notes that nothing will be said of a part any more.
    pub(super) fn silent(&self, task: TaskKey) {
        self.found().silent.insert(task);
    }

    /// Whether a node ended without a word of the part.
    pub(super) fn is_silent(&self, task: &TaskKey) -> bool {
        self.found().silent.contains(task)
    }

    /// The partitions of a part that were read to their ends.
    pub(super) fn of(&self, task: &TaskKey) -> BTreeMap<usize, u64> {
        self.found().ended.remove(task).unwrap_or_default()
    }

    /// Where each part of a stage goes.
    pub(super) fn urls(&self, parts: usize) -> Vec<Url> {
        let urls = self.nodes.iter().cycle().map(|node| node.url.clone());
        urls.take(parts).collect()
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the parts of a query's plan reach their nodes.
pub(super) struct Ways(pub(super) Arc<Errand>);

#[async_trait]
impl ChannelResolver for Ways {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        let node = self.0.nodes.iter().find(|node| node.url == *url);
        let node = node.ok_or_else(|| {
            DataFusionError::from(Error::internal(format!("`{url}` is no node of this query")))
        })?;
        let channel: Box<dyn WorkerChannel> = match node.client() {
            Some(client) => client,
            None => Box::new(Here(self.0.worker.clone())),
        };
        Ok(Box::new(Asked {
            channel,
            node: node.clone(),
            errand: Arc::clone(&self.0),
        }))
    }
}
