//! The lake: one object store, a prefix in it, and the clock, opened once and passed around.
//!
//! What is written where is `path/`'s matter; whether the store keeps its promises is `probe`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc;

use object_store::ObjectStore;
use object_store::path::Path;
use tokio::runtime::Handle;
use url::Url;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::path::{TablePath, below};
use crate::probe;
use crate::read::LiveRows;
use crate::seal::Keys;
use crate::spare::Spare;

mod commits;
mod compute;
mod durable;
mod encryption;
mod open;
mod role;
mod transit;

use commits::Commits;
use compute::Compute;

/// Where the lake is and how to reach it; the `[lake]` table of the configuration.
#[derive(Clone, Default)]
pub struct LakeOptions {
    /// `file:///dir`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    pub url: String,
    /// The store's own keys, as object_store names them (`aws_endpoint`, ...).
    pub options: BTreeMap<String, String>,
}

impl fmt::Debug for LakeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets; the names of the keys are enough to find a mistake.
        f.debug_struct("LakeOptions")
            .field("url", &self.url)
            .field("options", &self.options.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// An opened lake. Cheap to clone.
#[derive(Clone)]
pub struct Lake(Arc<Inner>);

struct Inner {
    url: Url,
    root: Path,
    store: Arc<dyn ObjectStore>,
    local: bool,
    clock: Clock,
    live: LiveRows,
    runtime: Handle,
    commits: Commits,
    compute: Compute,
    spare: Spare,
    keys: Keys,
}

impl Lake {
    /// Opens the lake at `options.url`. Must be called within a Tokio runtime of several threads,
    /// whose handle the lake keeps for the work that its synchronous callers need done.
    ///
    /// # Errors
    /// `Invalid` for a URL or option that object_store doesn't know.
    pub fn open(options: &LakeOptions, clock: Clock) -> Result<Self> {
        let url = Url::parse(&options.url).map_err(|error| {
            Error::invalid(format!(
                "lake.url `{}` is not a URL; use `file:///dir` or `s3://bucket/prefix`",
                options.url
            ))
            .with_source(error)
        })?;
        let opened = open::open(&url, &options.options, &clock)?;
        if opened.root.as_ref().contains('%') {
            // The Delta kernel would take it for an escape.
            return Err(Error::invalid(format!(
                "lake.url `{url}` has a `%` in its path; use a path without"
            )));
        }
        Self::assemble(url, opened.root, opened.store, opened.local, clock)
    }

    /// Opens the lake and makes sure that its store can be reached, takes our keys and keeps the
    /// promise that commits rest on (P13). This is how a server starts.
    ///
    /// # Errors
    /// As [`Lake::open`] and [`Lake::probe`].
    pub async fn connect(options: &LakeOptions, clock: Clock) -> Result<Self> {
        let lake = Self::open(options, clock)?;
        lake.probe().await?;
        Ok(lake)
    }

    /// Asks the store whether a conditional put is one (P13).
    ///
    /// # Errors
    /// `Invalid` when the store ignores the condition, refuses the credentials or has no such
    /// bucket; `Unavailable` when it does not answer.
    pub async fn probe(&self) -> Result<()> {
        probe::probe(self).await
    }

    /// A lake over a store of the caller's making, for tests that need one that lies or fails.
    ///
    /// # Errors
    /// `Internal` outside of a Tokio runtime.
    #[cfg(any(test, feature = "testing"))]
    pub fn with_store(url: Url, store: Arc<dyn ObjectStore>, clock: Clock) -> Result<Self> {
        let root = Path::from_url_path(url.path()).map_err(|error| {
            Error::invalid(format!("`{url}` has no usable path")).with_source(error)
        })?;
        let local = url.scheme() == "file";
        Self::assemble(url, root, store, local, clock)
    }

    fn assemble(
        url: Url,
        root: Path,
        store: Arc<dyn ObjectStore>,
        local: bool,
        clock: Clock,
    ) -> Result<Self> {
        let runtime = Handle::try_current().map_err(|error| {
            Error::internal("the lake must be opened within a Tokio runtime").with_source(error)
        })?;
        Ok(Self(Arc::new(Inner {
            url,
            root,
            store,
            local,
            live: LiveRows::new(clock.clone()),
            clock,
            runtime,
            commits: Commits::default(),
            compute: Compute::default(),
            spare: Spare::default(),
            keys: Keys::default(),
        })))
    }

    /// Runs `future` on the lake's runtime and blocks until it is done. For threads of their own
    /// and `spawn_blocking`; within an async function of a single-threaded runtime it panics, as
    /// Tokio does.
    ///
    /// # Errors
    /// `Unavailable` when the runtime shuts down meanwhile.
    pub fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let (tx, rx) = mpsc::channel();
        self.0.runtime.spawn(async move {
            // The receiver waits below; if its thread is gone, nobody needs the answer.
            drop(tx.send(future.await));
        });
        let answer = if Handle::try_current().is_ok() {
            tokio::task::block_in_place(|| rx.recv())
        } else {
            rx.recv()
        };
        answer.map_err(|_| Error::unavailable("the runtime is shutting down"))
    }

    /// Runs `work` on one of few threads, and waits for it.
    ///
    /// # Errors
    /// `Internal` when `work` panicked.
    pub(crate) fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.0.compute.run(work)
    }

    /// Large buffers that are used again.
    pub(crate) fn spare(&self) -> &Spare {
        &self.0.spare
    }

    /// Keeps at most `bytes` of large buffers for the next rows and files.
    pub fn reuse_at_most(&self, bytes: usize) {
        self.0.spare.keep_at_most(bytes);
    }

    /// The keys with which this process opens and seals files of the lake's tables.
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Whether both are one opened lake, with the same live rows.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The lake's URL as configured.
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// The prefix of every key of the lake within its store.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// The store, addressed from the bucket's (or file system's) root.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.0.store
    }

    /// Whether the lake is on local disk, where durability needs an fsync of our own.
    pub fn is_local(&self) -> bool {
        self.0.local
    }

    /// The lake's clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The rows that this process's writers have accepted and not necessarily committed yet.
    pub fn live(&self) -> &LiveRows {
        &self.0.live
    }

    /// The runtime that serves synchronous callers.
    pub fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// Runs a commit in the background.
    ///
    /// # Errors
    /// `Internal` when no thread can be started for it.
    pub(crate) fn commit(&self, work: impl FnOnce() + Send + 'static) -> Result<()> {
        self.0.commits.run(work)
    }

    /// Waits until no commit runs in this process: those of writers that are gone go on.
    #[cfg(test)]
    pub(crate) fn settle_commits(&self) {
        self.0.commits.settle();
    }

    /// The table of `topic` under `topics_dir`.
    pub fn table(&self, topics_dir: &str, topic: &str) -> TablePath {
        TablePath::new(&self.0.root, topics_dir, topic)
    }

    /// The object that names the connector behind an owner's number.
    pub(crate) fn owner_object(&self, folder: &str, number: i64) -> Path {
        self.state(folder).join(number.to_string())
    }

    /// A folder of Eddy's own state, which is no table's.
    pub(crate) fn state(&self, folder: &str) -> Path {
        let state = self.0.root.clone().join("_eddy");
        folder
            .split('/')
            .filter(|part| !part.is_empty())
            .fold(state, |path, part| path.join(part))
    }

    /// The file at `key` below the lake's root as the log of `table` names it.
    pub(crate) fn logged(&self, table: &TablePath, key: &str) -> String {
        table.logged(&self.0.url, &below(&self.0.root, key))
    }

    /// The URL of an object or folder of this lake, as the Delta kernel wants it.
    ///
    /// # Errors
    /// `Internal` when the path can't be put into the lake's URL.
    pub fn object_url(&self, path: &Path) -> Result<Url> {
        let mut url = self.0.url.clone();
        url.set_query(None);
        // Segment by segment: `set_path` would take a `%` in a name for an escape.
        url.path_segments_mut()
            .map_err(|()| Error::internal("the lake's URL can't hold a path"))?
            .clear()
            .extend(path.as_ref().split('/'));
        Ok(url)
    }
}

impl fmt::Debug for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lake")
            .field("url", &self.0.url.as_str())
            .finish_non_exhaustive()
    }
}
